"""Activation files: written batch by batch, and opened in place."""
from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _structures as s
from ._rows import Rows
from ._safetensors import TensorFile
from ._writer import ActivationsWriter
from .sequences import Sequences

_TYPES = {"F32": s.F32, "F16": s.F16, "BF16": s.BF16}


@dataclass(frozen=True)
class Activations:
    """What an activation file holds; arrays lie in the mapped file, and nothing is read before it is used.

    Attributes
    ----------
    states : Sequences
        The hidden states of N sequences.
    labels : array (N,) or (N, O), or None
        As they are stored: numbers of `classes` where there are names.
    classes : list of str or None
    groups, weights : array (N,) or None
    ids : list of str or None
        Names of the sequences.
    token_ids : array (T,) or None
    metadata : dict
    """

    states: Sequences
    labels: np.ndarray | None
    classes: list[str] | None
    groups: np.ndarray | None
    weights: np.ndarray | None
    ids: list[str] | None
    token_ids: np.ndarray | None
    metadata: dict[str, str]
    _file: TensorFile = field(repr=False)

    @property
    def y(self) -> np.ndarray | None:
        """Labels to fit on: names of classes where there are some, else the labels as they are."""
        if self.labels is None or self.classes is None or self.labels.dtype.kind == "f" or self.labels.ndim > 1:
            return self.labels
        names: np.ndarray = np.array(self.classes)[self.labels]
        return names

    @property
    def token_texts(self) -> list[list[str]] | None:
        """The text of each token, a list a sequence."""
        texts = _texts(self._file, "token_text")
        if texts is None:
            return None
        return [texts[a : a + n] for a, n in zip(self.states.starts.tolist(), self.states.lengths.tolist())]

    def __len__(self) -> int:
        return len(self.states)


def read_activations(path: str | os.PathLike[str]) -> Activations:
    """Opens an activation file of the flat form without a copy: its hidden states stay in the mapped file.

    Other forms are opened by `open_activations`.

    Parameters
    ----------
    path : path

    Returns
    -------
    Activations

    Raises
    ------
    FileNotFoundError, ValueError

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from attention_probes import read_activations, write_activations
    >>> path = tempfile.mkdtemp() + "/train.safetensors"
    >>> with write_activations(path) as out:
    ...     out.add([np.ones((3, 4), np.float32), np.zeros((2, 4), np.float32)], ["yes", "no"])
    >>> found = read_activations(path)
    >>> found.states, found.y.tolist()
    (Sequences(2 of 5 tokens, width 4, float32), ['yes', 'no'])
    """
    file = TensorFile(path)
    states = file.array("hidden_states")
    kind = file.dtype("hidden_states")
    if kind not in _TYPES or states.ndim != 2 or "offsets" not in file:
        raise ValueError(
            f"{file.path}: expected hidden_states T×D of F32, F16 or BF16 with offsets, found {kind} of "
            f"{len(states.shape)} dimensions{'' if 'offsets' in file else ' and no offsets'}; see open_activations")
    rows = Rows(states.__array_interface__["data"][0], _TYPES[kind], states.shape, states.strides, states)
    offsets = np.ascontiguousarray(file.array("offsets"), np.int64)
    if offsets.ndim != 1 or len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(states) or (np.diff(offsets) < 0).any():
        raise ValueError(f"{file.path}: tensor offsets: expected numbers that start at 0, rise, and end at {len(states)}")
    mask = None
    if "token_mask" in file:
        mask = np.ascontiguousarray(file.array("token_mask") != 0).view(np.uint8)

    def known(name: str) -> np.ndarray | None:
        if name not in file:
            return None
        array = file.array(name)
        if file.dtype(name) == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        return array

    labels = known("labels")
    if labels is not None and labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    classes = file.metadata.get("classes")
    return Activations(
        Sequences._of(rows, offsets, None, mask), labels, None if classes is None else json.loads(classes),
        known("groups"), known("weights"), _texts(file, "sequence_ids"), known("token_ids"), file.metadata, file)


def _texts(file: TensorFile, name: str) -> list[str] | None:
    if name not in file:
        return None
    content = file.array(name).tobytes()
    places = file.array(f"{name}_offsets").tolist()
    return [content[a:b].decode("utf-8", "replace") for a, b in zip(places, places[1:])]


def write_activations(
    path: str | os.PathLike[str], *, classes: Any = None, dtype: str | None = None,
    metadata: dict[str, str] | None = None
) -> ActivationsWriter:
    """Writes an activation file batch by batch, in memory that does not grow with the tokens.

    The file appears under its name when the context ends well, in place of one that was there, and not at all where an
    exception ends it. `Activations` of the one before stay as they are.

    Parameters
    ----------
    path : path
    classes : list of str, optional
        Names of classes, in order; else they follow from the labels.
    dtype : {"float32", "float16", "bfloat16"}, optional
        How numbers are stored; else as in the first batch.
    metadata : dict of str, optional
        More to say in the file: "layer", "model", …

    Returns
    -------
    ActivationsWriter
        A context with `add`.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from attention_probes import write_activations
    >>> path = tempfile.mkdtemp() + "/train.safetensors"
    >>> with write_activations(path, classes=["no", "yes"], dtype="bfloat16") as out:
    ...     for batch in range(3):
    ...         out.add(np.ones((2, 5, 4), np.float32), [0, 1], mask=[[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    >>> out.sequences, out.tokens
    (6, 24)
    """
    return ActivationsWriter(path, classes, dtype, metadata)
