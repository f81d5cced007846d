"""Sequences with what is known of them, as the library has them."""
from __future__ import annotations

import ctypes
import json
import os
from typing import Any

from . import _structures as s
from ._labels import Labels, known_of
from ._native import Handle, check, lib, opened, told
from ._options import options
from ._outputs import absolute, activation_files, refuse_input
from .sequences import Sequences

_DTYPES = {"float32": s.F32, "float16": s.F16, "bfloat16": s.BF16, "f32": s.F32, "f16": s.F16, "bf16": s.BF16}


class Data:
    """Activation files that are open, or sequences in memory, with labels, groups, weights and names.

    Made by `open_activations`; estimators take it as X in every place.
    """

    __slots__ = ("_handle", "_keep", "_said", "_sequences", "_paths")

    def __init__(self, handle: Handle, keep: Any = None, paths: tuple[str, ...] = ()) -> None:
        # `paths` are those of all files that are read, tables of labels too.
        self._handle, self._keep, self._paths = handle, keep, paths
        self._said: dict[str, Any] | None = None
        self._sequences: Sequences | None = None

    @classmethod
    def _create(cls, sequences: Sequences, labels: Labels | None, **known: Any) -> Data:
        batch = s.Batch()
        sequences._fill(batch)
        facts, keep = known_of(sequences, labels, **known)
        handle = opened(lib().ap_data_create, lib().ap_data_free, ctypes.byref(batch), ctypes.byref(facts))
        return cls(handle, (sequences, keep))

    @property
    def description(self) -> dict[str, Any]:
        """What there is: "sequences", "tokens", "width", "type", "classes", "labels", "groups", "weights", "notes", and
        "left_out": of each kind of what was left out "count" and "names"."""
        if self._said is None:
            self._said = json.loads(told(lib().ap_data_describe, self._handle.value))
        return self._said

    def __len__(self) -> int:
        return int(self.description["sequences"])

    def write(self, path: str | os.PathLike[str], dtype: str = "float32") -> None:
        """Writes all as one activation file; `dtype`: "float32", "float16" or "bfloat16".

        `ValueError` for a path at which there is a file that this reads.
        """
        refuse_input(path, activation_files(self._paths), "path")
        if dtype not in _DTYPES:
            raise ValueError(f"dtype: expected float32, float16 or bfloat16, found {dtype}")
        check(lib().ap_data_write(self._handle.value, os.fsencode(path), _DTYPES[dtype]))

    @property
    def _dtype(self) -> str:
        """The type of states in memory; those in eight bits are float32 with their scales."""
        kind = str(self.description["type"]).lower()
        return kind if kind in _DTYPES else "float32"

    def sequences(self) -> Sequences:
        """The hidden states. Files of other forms than the flat one are written anew into a file that is mapped."""
        import tempfile

        from .activations import read_activations

        if self._sequences is None:
            if self._keep is not None:
                self._sequences = self._keep[0]
            else:
                # The mapping holds the file when its name is gone.
                with tempfile.TemporaryDirectory(prefix="attention-probes-") as folder:
                    path = os.path.join(folder, "states.safetensors")
                    self.write(path, self._dtype)
                    self._sequences = read_activations(path).states
        assert self._sequences is not None
        return self._sequences

    def __repr__(self) -> str:
        said = self.description
        return f"Data({said['sequences']} sequences of {said['tokens']} tokens, width {said['width']}, {said['type']})"


def is_path(x: Any) -> bool:
    """Whether X names files: a path, or a list of paths."""
    if isinstance(x, (str, os.PathLike)):
        return True
    return isinstance(x, (list, tuple)) and len(x) > 0 and all(isinstance(one, (str, os.PathLike)) for one in x)


def open_activations(
    paths: Any, *, labels: str | os.PathLike[str] | None = None, id_column: str | None = None,
    label_column: str | None = None, group_column: str | None = None, labels_in_order: bool | None = None,
    task: str | None = None, layer: int | None = None, layers: Any = None, layers_each: Any = None,
    pooled: bool | None = None, sequence: bool | None = None, skip_nonfinite: bool | None = None,
    skip_empty: bool | None = None, skip_bad_shards: bool | None = None, mask: str | None = None,
    prompt_lengths: str | os.PathLike[str] | None = None, threads: int | None = None
) -> Data:
    """Opens activation files, or folders of them, in all forms that the command line reads.

    Parameters
    ----------
    paths : path or list of paths
    labels : path, optional
        A table of labels, and groups, by the ids of sequences: CSV or JSON lines.
    id_column, label_column, group_column : str, optional
        Names in that table.
    labels_in_order : bool, optional
        Whether its rows are the sequences in their order, in place of ids.
    task : {"binary", "multiclass", "multilabel", "regression"}, optional
        What its labels are read for: numbers are classes unless they are read for regression.
    layer, layers : int, list of int, optional
        Which of several layers; `layers` puts them side by side.
    layers_each : "all" or list of int, optional
        Layers that contend with each other in `select(layers_each=…)`, side by side; of files of one layer each, too.
    pooled, sequence : bool, optional
        What a matrix without offsets is: pooled states, each row a sequence, or one sequence, each row a token.
    skip_nonfinite : bool, optional
        Whether sequences with a NaN or infinity are left out.
    skip_empty : bool, optional
        Whether sequences without a token, and requests whose states and ids differ in number, are left out.
    skip_bad_shards : bool, optional
        Whether files that break a rule, or cannot be read, are left out.
    mask : str, optional
        Which tokens are looked at, as an expression: "last:16", "after:151644,77091,198", "reply and not last:1".
    prompt_lengths : path, optional
        The table with `prompt_length`, for `reply` in the mask; else that of the labels.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where one breaks a rule; it says which, and where.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    array = (ctypes.c_char_p * max(1, len(given)))(*(os.fsencode(one) for one in given))
    said = options(
        labels=None if labels is None else os.fspath(labels), id_column=id_column, label_column=label_column,
        group_column=group_column, labels_in_order=labels_in_order, task=task, layer=layer, layers=layers,
        layers_each=layers_each, pooled=pooled, sequence=sequence,
        skip_nonfinite=skip_nonfinite, skip_empty=skip_empty, skip_bad_shards=skip_bad_shards, mask=mask,
        prompt_lengths=None if prompt_lengths is None else os.fspath(prompt_lengths), threads=threads)
    handle = opened(lib().ap_data_open, lib().ap_data_free, array, len(given), said)
    return Data(handle, None, absolute(given) + absolute(labels) + absolute(prompt_lengths))
