"""The journal of a selection at the one who gathers it."""
from __future__ import annotations

import fcntl
import json
import os
from types import TracebackType


class Journal:
    """A file with a line a training, behind a first one that says of which selection they are: what `attnprobe train
    --select` leaves beside its probe when it is interrupted. Locked while it is open.

    Attributes
    ----------
    path : str
    gained : int
        Trainings that it did not have when it was opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open(path, "a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise OSError(f"{path}: expected no other run that writes it, found one") from None
        self._file.seek(0)
        content = self._file.read()
        self._content = bytearray(content[: content.rfind(b"\n") + 1])
        # What was cut off is written anew.
        self._file.truncate(len(self._content))
        self._kept, self.gained = len(self._content), 0
        first, *lines = self.content.splitlines() or [b""]
        self._first = first
        self._keys = {_key(line) for line in lines}

    @property
    def content(self) -> bytes:
        """Its whole lines, on which a run goes on."""
        return bytes(self._content)

    def __len__(self) -> int:
        """How many trainings it has."""
        return len(self._keys)

    def add(self, lines: bytes) -> None:
        """Adds what a worker has trained, and was trained by no other: its lines, behind the first one where it had none.

        Raises
        ------
        ValueError
            Where its first line is of other data than those of other workers.
        """
        new = b""
        for line in lines.splitlines():
            key = _key(line)
            if key is None:
                if self._first and json.loads(line) != json.loads(self._first):
                    raise ValueError(
                        f"{self.path}: expected the same data at every worker, found others at one of them: "
                        f"{line.decode()[:200]}")
                if not self._first:
                    self._first = line
                    new += line + b"\n"
            elif key not in self._keys:
                self._keys.add(key)
                self.gained += 1
                new += line + b"\n"
        self._content += new
        self._file.write(new)
        self._file.flush()

    def remove(self, keeps_earlier: bool) -> None:
        """Removes the file, as its trainings are not needed any more; with `keeps_earlier` only what was gained."""
        if keeps_earlier and self._kept:
            self._file.truncate(self._kept)
        else:
            os.remove(self.path)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        # A file in which nothing is kept is not left.
        if not self._content and os.path.exists(self.path):
            os.remove(self.path)
        self._file.close()


def _key(line: bytes) -> str | None:
    """Which training a line is of; None of the first line, and of one that is nothing."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    key = found.get("key") if isinstance(found, dict) else None
    return key if isinstance(key, str) else None
