"""What a worker does for a selection: a share of its trainings, or the rest when all are done."""
from __future__ import annotations

import ctypes
import json
import os
import re
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Iterator

from .. import _structures as s
from .._native import Handle, bytes_of, lib, take_text

PARTIAL = ".partial"
# Seconds between two messages of a worker.
_PAUSE = 0.5
# Of what is refused about an argument the library says in which function.
_FUNCTION = re.compile(r"^ap_\w+: ")


@dataclass(frozen=True)
class Work:
    """A selection, the same for every worker.

    Attributes
    ----------
    paths : tuple of str
        Activation files or folders, as they were named.
    folder : str
        Where names begin that are no full paths.
    reading, learning : bytes
        Options of `ap_data_open` and `ap_select`.
    journal : str
        What messages call the journal.
    """

    paths: tuple[str, ...]
    folder: str
    reading: bytes
    learning: bytes
    journal: str


class Refused(Exception):
    """The library's status other than OK, and what it said."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(status, said)
        self.status, self.said = status, said


def rest(work: Work, journal: bytes) -> dict[str, Any]:
    """What is open, "jobs" and "trainings"; where nothing is, the "probe" too, and "result" as JSON.

    "left" says whether the journal has trainings that were of no use.
    """
    with _started(work, journal) as (data, path):
        found = _open(work, data, path)
        if found["jobs"] > 0:
            return found
        handle, text = ctypes.c_void_p(), ctypes.c_void_p()
        _call(work, path, lib().ap_select, data.value, work.learning, os.fsencode(path), _silent(), None,
              ctypes.byref(handle), ctypes.byref(text))
        probe = Handle(handle, lib().ap_probe_free)
        return found | {
            "probe": bytes_of(lib().ap_probe_bytes, probe.value), "result": take_text(text),
            "left": os.path.exists(path + PARTIAL),
        }


def share(work: Work, journal: bytes, number: int, count: int, send: Callable[[bytes], Any]) -> bytes:
    """Trains a share of what is open, and tells lines of the journal: most by `send`, now and then, the last as the result."""
    with _started(work, journal) as (data, path):
        lines = _Lines(path + PARTIAL, len(journal), send)
        progress = s.Progress(lines.told)
        _call(work, path, lib().ap_select_share, data.value, work.learning, os.fsencode(path), number, count, progress,
              None, None)
        return lines.new()


def _open(work: Work, data: Handle, path: str) -> dict[str, Any]:
    text = ctypes.c_void_p()
    _call(work, path, lib().ap_select_share, data.value, work.learning, os.fsencode(path), 0, 0, _silent(), None,
          ctypes.byref(text))
    found: dict[str, Any] = json.loads(take_text(text))
    described = ctypes.c_void_p()
    _call(work, path, lib().ap_data_describe, data.value, ctypes.byref(described))
    found["notes"] = json.loads(take_text(described))["notes"] + found["notes"]
    return found


@contextmanager
def _started(work: Work, journal: bytes) -> Iterator[tuple[Handle, str]]:
    """The data, and the path of a journal of this worker's own with what is trained already."""
    before = os.getcwd()
    if os.path.isdir(work.folder):
        os.chdir(work.folder)
    try:
        with tempfile.TemporaryDirectory(prefix="attention-probes-") as folder:
            path = os.path.join(folder, "selection")
            if journal:
                with open(path + PARTIAL, "wb") as file:
                    file.write(journal)
            array = (ctypes.c_char_p * len(work.paths))(*(os.fsencode(one) for one in work.paths))
            handle = ctypes.c_void_p()
            _call(work, path, lib().ap_data_open, array, len(work.paths), work.reading, ctypes.byref(handle))
            data = Handle(handle, lib().ap_data_free)
            yield data, path
            data.close()
    finally:
        os.chdir(before)


def _call(work: Work, path: str, function: Callable[..., int], *arguments: Any) -> None:
    status = function(*arguments)
    if status:
        said: bytes = lib().ap_last_error()
        sentence = _FUNCTION.sub("", said.decode("utf-8", "replace"))
        raise Refused(status, sentence.replace(path + PARTIAL, work.journal))


def _silent() -> Any:
    # No function, as NULL.
    return s.Progress()


class _Lines:
    """Lines that a journal gains."""

    def __init__(self, path: str, start: int, send: Callable[[bytes], Any]) -> None:
        self.path, self.start, self.send, self.last = path, start, send, time.monotonic()

    def new(self) -> bytes:
        """Whole lines that nobody was told of."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self.start)
                found = file.read()
        except FileNotFoundError:
            return b""
        found = found[: found.rfind(b"\n") + 1]
        self.start += len(found)
        return found

    def told(self, text: bytes | None, context: Any) -> int:
        """The library's callback: stops where nobody listens any more."""
        now = time.monotonic()
        if text is None or now - self.last < _PAUSE:
            return 0
        self.last = now
        try:
            self.send(self.new())
        except Exception:  # noqa: BLE001 - of whatever kind, the run is over
            return 1
        return 0
