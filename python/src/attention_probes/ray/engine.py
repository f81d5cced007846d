"""What a worker does with a shard: opens it, scores it, writes its scores."""
from __future__ import annotations

import os
import posixpath
import shutil
import tempfile
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from .._labels import class_name
from .._probe import NativeProbe
from .._safetensors import TensorFile
from .._scoring import scores
from ..activations import Activations, read_activations
from ..data import open_activations
from ..sequences import Sequences
from .shards import is_local

ENDING = ".parquet"
# pyarrow and Ray leave such files out when they read a folder.
HIDDEN = "."


@dataclass(frozen=True)
class Place:
    """A folder on a file system."""

    filesystem: fs.FileSystem
    path: str

    def file(self, name: str) -> str:
        """A file in it."""
        return posixpath.join(self.path, name)


class Engine:
    """One worker's: the probes, opened once, and where shards and results are.

    Parameters
    ----------
    probes : dict of str to bytes
        Probe files by what their columns begin with; "" for one whose columns have no prefix.
    shards, out : Place
    threads : int
    reading : dict
        Options of `open_activations` for the shards.
    """

    def __init__(
        self, probes: dict[str, bytes], shards: Place, out: Place, threads: int, reading: dict[str, Any]
    ) -> None:
        self.probes = {name: NativeProbe.from_bytes(content) for name, content in probes.items()}
        self.shards, self.out, self.threads, self.reading = shards, out, threads, reading

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Scores the shard that `row` names; what is wrong with its bytes is told as `fault`, not raised."""
        name = row["shard"]
        told = {"shard": name, "sequences": 0, "tokens": 0, "fault": "", "began": time.time()}
        try:
            with self._local(name) as (path, folder):
                table = self._scored(name, path, folder)
            self._write(name, table)
            told |= {"sequences": len(table), "tokens": pc.sum(table["tokens"]).as_py() or 0}
        except ValueError as fault:
            told["fault"] = str(fault)
        return told | {"ended": time.time()}

    @contextmanager
    def _local(self, name: str) -> Iterator[tuple[str, str]]:
        """The shard as a file of this machine, and a folder for what is needed beside it for now."""
        path = self.shards.file(name)
        with tempfile.TemporaryDirectory(prefix="attention-probes-") as folder:
            if is_local(self.shards.filesystem):
                yield path, folder
                return
            local = os.path.join(folder, os.path.basename(path))
            with self.shards.filesystem.open_input_stream(path) as source, open(local, "wb") as copy:
                shutil.copyfileobj(source, copy, 16 << 20)
            yield local, folder

    def _scored(self, name: str, path: str, folder: str) -> pa.Table:
        skips = bool(self.reading) and self.reading.keys() <= {"skip_nonfinite", "skip_empty"}
        try:
            if is_flat(path) and (not self.reading or skips):
                try:
                    return self._table(name, read_activations(path), None)
                except ValueError:
                    # What has a sequence that is to be left out is looked at by the engine's own readers.
                    if not skips:
                        raise
            flat = os.path.join(folder, "flat.safetensors")
            data = open_activations(path, threads=self.threads, **self.reading)
            data.write(flat, data._dtype)
            found = read_activations(flat)
            return self._table(name, found, numbers(path, found.ids))
        except ValueError as fault:
            said = str(fault).replace(path, name)
            raise ValueError(said if name in said else f"{name}: {said}") from fault

    def _table(self, name: str, data: Activations, numbers: list[str] | None) -> pa.Table:
        """A row a sequence: what it is called, where it is from, and what each probe says.

        `numbers` are those of the sequences in a shard that has no ids of its own, as far as they are known.
        """
        data._file.read_in_order()
        count = len(data)
        if numbers is None and data.ids is not None:
            own = data.ids
        else:
            own = [f"{name}:{number}" for number in numbers or range(count)]
        columns: dict[str, Any] = {
            "id": pa.array(own, pa.string()), "shard": pa.array([name] * count, pa.string()),
            "row": pa.array(np.arange(count)), "tokens": pa.array(data.states.lengths),
            "unmasked": pa.array(unmasked(data.states)),
        }
        if data.y is not None:
            columns["target"] = targets_of(data.y)
        fields = [fields_of(probe) for probe in self.probes.values()]
        found = scores(list(self.probes.values()), data.states, fields, self.threads)
        for (prefix, probe), one in zip(self.probes.items(), found):
            before = f"{prefix}." if prefix else ""
            for field, values in one.values.items():
                columns[before + field] = lists_of(values)
            if "probabilities" in one.values:
                columns[before + "label"] = labels_of(probe, one.values["probabilities"])
        return pa.table(columns)

    def _write(self, name: str, table: pa.Table) -> None:
        """The file appears under its name when it is whole, so that a worker that dies leaves none that is not."""
        system, path = self.out.filesystem, self.out.file(name + ENDING)
        folder, file = posixpath.split(path)
        system.create_dir(folder, recursive=True)
        partial = posixpath.join(folder, f"{HIDDEN}{file}.{uuid.uuid4().hex}.partial")
        with system.open_output_stream(partial) as stream:
            pq.write_table(table, stream)
        system.move(partial, path)


def is_flat(path: str) -> bool:
    """Whether a file is of the form that is scored where it lies."""
    if not path.endswith(".safetensors"):
        return False
    file = TensorFile(path)
    return "offsets" in file and "hidden_states" in file and file.dtype("hidden_states") in ("F32", "F16", "BF16")


def numbers(path: str, ids: list[str] | None) -> list[str] | None:
    """The ids that the engine's readers found, where they are the numbers that it gives sequences of files without ids."""
    if ids is None or path.endswith(".safetensors") and "sequence_ids" in TensorFile(path):
        return None
    return ids if all(one.isdecimal() for one in ids) else None


def unmasked(states: Sequences) -> np.ndarray:
    """Of each sequence how many tokens probes may look at."""
    if states.mask is None:
        return states.lengths
    sums = np.concatenate([[0], np.cumsum(states.mask, dtype=np.int64)])
    found: np.ndarray = sums[states.starts + states.lengths] - sums[states.starts]
    return found


def fields_of(probe: NativeProbe) -> list[str]:
    """What there is to say of a sequence by a probe."""
    found = ["logits"]
    if probe.task != "regression":
        found.append("probabilities")
    if probe.has_entropies:
        found.append("entropies")
    return found


def lists_of(values: np.ndarray) -> pa.Array:
    """A list a row."""
    offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.ravel()))


def targets_of(y: np.ndarray) -> pa.Array:
    """Labels as files have them: classes by their names, numbers as they are."""
    if y.ndim > 1:
        return lists_of(y.astype(np.float64))
    if y.dtype.kind == "f":
        return pa.array(y.astype(np.float64))
    return pa.array([class_name(one) for one in y.tolist()], pa.string())


def labels_of(probe: NativeProbe, probabilities: np.ndarray) -> pa.Array:
    """The predicted classes by their names; of several labels a list a sequence."""
    names = np.array(probe.said["classes"], object)
    # In double precision, as the threshold is.
    present = probabilities.astype(np.float64) >= probe.threshold
    if probe.task == "multilabel":
        return pa.array([names[one].tolist() for one in present], pa.list_(pa.string()))
    chosen = present[:, 0].astype(np.int64) if probe.task == "binary" else probabilities.argmax(axis=1)
    return pa.array(names[chosen].tolist(), pa.string())
