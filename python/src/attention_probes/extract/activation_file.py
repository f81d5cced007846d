"""An activation file that is written piece by piece, in place, and can be gone on with.

The lengths of all texts of a file are known before their states are, so that the file has its full
size from the start and any state its place: texts are computed in the order of their lengths, where
`write_activations` takes them in the order of the file.

Until it is complete it is called NAME.partial and ends with 8 bytes more: the number of batches done.
All but the hidden states and those 8 bytes is written first and says what the run is; to go on, a
run must come to the same bytes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .._safetensors import DTYPES, NAMES, framed
from .failure import IO, USAGE, Failure

STATES = "hidden_states"
_TRAILER = struct.Struct("<Q")
_SIZES = {name: np.dtype(dtype).itemsize for name, dtype in DTYPES.items()}


class ActivationFile:
    """One file: `tensors` are those beside the hidden states, `states` their type and shape."""

    def __init__(
        self,
        path: Path,
        states: tuple[str, tuple[int, int]],
        tensors: dict[str, np.ndarray],
        metadata: dict[str, str],
        resume: bool,
    ) -> None:
        self.path = path
        self.done = 0
        self.partial = path.with_name(path.name + ".partial")
        layout = {STATES: states} | {
            name: (NAMES[array.dtype], array.shape) for name, array in tensors.items()
        }
        header: dict[str, Any] = {"__metadata__": metadata}
        start = 0
        # Larger elements first keeps each aligned.
        for name, (type_, shape) in sorted(layout.items(), key=lambda item: (-_SIZES[item[1][0]], item[0])):
            end = start + _SIZES[type_] * int(np.prod(shape, dtype=np.int64))
            header[name] = {"dtype": type_, "shape": list(shape), "data_offsets": [start, end]}
            start = end
        head = framed(header)
        data = len(head)
        places = {name: data + header[name]["data_offsets"][0] for name in layout}
        self._first = places.pop(STATES)
        self._row = _SIZES[states[0]] * states[1][1]
        self._size = data + start
        fixed = [(0, head)]
        fixed += [(places[name], np.ascontiguousarray(array).tobytes()) for name, array in tensors.items()]
        self.is_complete = resume and path.exists() and not self.partial.exists()
        if self.is_complete:
            with open(path, "rb") as file:
                self._check(file.fileno(), path, self._size, fixed)
            return
        self._open(fixed, resume)

    def _open(self, fixed: list[tuple[int, bytes]], resume: bool) -> None:
        goes_on = self.partial.exists()
        if goes_on and not resume:
            raise Failure(
                f"{self.partial} holds states of a run that did not end: "
                "give --resume to go on, or delete it",
                USAGE,
            )
        path = self.partial if goes_on else self.partial.with_name(self.partial.name + ".new")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if goes_on:
                self._go_on(fixed)
                return
            with _named(path):
                os.ftruncate(self._file, 0)
                for place, content in fixed:
                    _write(self._file, content, place)
                self.save(0)
            os.replace(path, self.partial)
        except BlockingIOError as error:
            os.close(self._file)
            raise Failure(f"{path}: another run is writing it", IO) from error
        except BaseException:
            os.close(self._file)
            if not goes_on:
                path.unlink(missing_ok=True)
            raise

    def _go_on(self, fixed: list[tuple[int, bytes]]) -> None:
        if os.fstat(self._file).st_size == self._size:  # killed between the last two steps of `commit`
            self._check(self._file, self.partial, self._size, fixed)
            self.commit()
            return
        self._check(self._file, self.partial, self._size + _TRAILER.size, fixed)
        self.done = _TRAILER.unpack(_read(self._file, _TRAILER.size, self._size))[0]

    def _check(self, file: int, path: Path, size: int, fixed: list[tuple[int, bytes]]) -> None:
        same = os.fstat(file).st_size == size
        if not (same and all(_read(file, len(content), place) == content for place, content in fixed)):
            raise Failure(
                f"{path} is of another run (text, model, layer, settings or versions differ): "
                "expected the same to go on with --resume",
                USAGE,
            )

    def write(self, first: int, rows: bytes) -> None:
        """The bytes of tokens from the given one on."""
        with _named(self.partial):
            _write(self._file, rows, self._first + first * self._row)

    def save(self, done: int) -> None:
        """Makes sure that what was written is on the disk, and then notes how far it is: never less than before."""
        if done < self.done:
            return
        with _named(self.partial):
            os.fsync(self._file)
            _write(self._file, _TRAILER.pack(done), self._size)
        self.done = done

    def leave(self, done: int) -> None:
        """Ends before the file is complete: keeps what is done, and nothing where nothing is."""
        try:
            if done or self.done:
                self.save(done)
            else:
                os.unlink(self.partial)
        finally:
            os.close(self._file)

    def commit(self) -> None:
        """Gives the complete file its name."""
        with _named(self.partial):
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
        os.replace(self.partial, self.path)
        os.close(self._file)
        self.is_complete = True


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of the system that say which file they are about."""
    try:
        yield
    except OSError as error:
        raise error if error.filename else OSError(error.errno, error.strerror, str(path)) from error


def _write(file: int, content: bytes, place: int) -> None:
    view = memoryview(content)
    while view:
        count = os.pwrite(file, view, place)
        view, place = view[count:], place + count


def _read(file: int, count: int, place: int) -> bytes:
    parts = []
    while count and (part := os.pread(file, count, place)):
        parts.append(part)
        count, place = count - len(part), place + len(part)
    return b"".join(parts)
