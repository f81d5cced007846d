"""The writer behind `write_activations`."""
from __future__ import annotations

import contextlib
import errno
import json
import os
import struct
from typing import IO, Any, Iterator

import numpy as np

from . import _structures as s
from ._inputs import as_sequences, is_list, items
from ._joined import Item
from ._labels import class_name
from ._narrow import NAMES, stored

_BLOCK = 4 << 20


class ActivationsWriter:
    """Writes batches of sequences into one activation file; see `write_activations`.

    Attributes
    ----------
    sequences, tokens : int
        How many were written.
    """

    def __init__(self, path: Any, classes: Any, dtype: str | None, metadata: dict[str, str] | None) -> None:
        if dtype is not None and dtype not in NAMES:
            raise ValueError(f"dtype: expected {', '.join(NAMES)}, found {dtype}")
        self.path = os.fspath(path)
        folder = os.path.dirname(self.path) or "."
        if not os.path.isdir(folder):
            raise FileNotFoundError(errno.ENOENT, "expected a folder, found none", folder)
        if os.path.isdir(self.path):
            raise IsADirectoryError(errno.EISDIR, "expected the name of a file, found a folder", self.path)
        self.sequences = self.tokens = 0
        self._classes = None if classes is None else [str(one) for one in classes]
        self._type = None if dtype is None else NAMES[dtype]
        self._width = -1
        self._metadata = {str(key): str(value) for key, value in (metadata or {}).items()}
        self._offsets = [0]
        self._columns: dict[str, list[np.ndarray]] = {}
        self._given: frozenset[str] | None = None
        self._spools: dict[str, IO[bytes]] = {}
        # The header is written last, into room that is kept for it.
        named = self._classes if self._classes is not None else [" " * (60 << 10)]
        self._room = 4096 + 6 * len(json.dumps([named, self._metadata]))
        self._room += -self._room % 4096 - 8
        self._partial = f"{self.path}.{os.getpid()}.partial"
        self._file: IO[bytes] | None = open(self._partial, "wb")
        self._file.seek(8 + self._room)

    def add(
        self, states: Any, labels: Any = None, *, offsets: Any = None, mask: Any = None, pooled: bool = False,
        groups: Any = None, weights: Any = None, ids: Any = None, token_ids: Any = None, token_texts: Any = None
    ) -> None:
        """Adds sequences: `states` in any form that `Sequences` takes, and what is known of them.

        `labels`: names or numbers of classes, numbers to predict, or (N, O). `token_ids` and `token_texts`: a list
        a sequence. What one batch has all have to have. Numbers are stored as they are, NaN too. A batch that is refused
        changes nothing.
        """
        if self._file is None:
            raise ValueError(f"{self.path}: expected a writer that is open, found one that is closed")
        batch = items(states, "states", mask) if is_list(states) and offsets is None else [
            item for one in as_sequences(states, "states", offsets=offsets, mask=mask, pooled=pooled)
            for item in items([one], "states")
        ]
        ids, token_ids, token_texts = (None if one is None else list(one) for one in (ids, token_ids, token_texts))
        known = {"labels": labels, "groups": groups, "weights": weights, "ids": ids, "token_ids": token_ids,
                 "token_texts": token_texts}
        given = frozenset(name for name, value in known.items() if value is not None)
        if self._given is not None and given != self._given:
            raise ValueError(
                f"expected {', '.join(sorted(self._given)) or 'states alone'} as in the first batch, found "
                f"{', '.join(sorted(given)) or 'states alone'}")
        columns = {name: self._column(name, known[name], len(batch)) for name in ("labels", "groups", "weights") if name in given}
        for name in ("ids", "token_ids", "token_texts"):
            if name in given and len(known[name]) != len(batch):
                raise ValueError(f"{name}: expected {len(batch)}, one a sequence, found {len(known[name])}")
        for name in ("token_ids", "token_texts"):
            for i, item in enumerate(batch if name in given else []):
                if len(known[name][i]) != item.rows.shape[0]:
                    raise ValueError(
                        f"{name}[{i}]: expected {item.rows.shape[0]}, one a token, found {len(known[name][i])}")
        if self._width >= 0 and batch[0].rows.shape[1] != self._width:
            raise ValueError(f"states: expected the width of the first batch, {self._width}, found {batch[0].rows.shape[1]}")
        kind = batch[0].rows.type if self._type is None else self._type
        with self._whole():
            for i, item in enumerate(batch):
                self._add_states(item, i, kind)
                if ids is not None:
                    self._add_text("sequence_ids", [str(ids[i])])
                if token_ids is not None:
                    self._spool("token_ids").write(np.ascontiguousarray(token_ids[i], np.int64).tobytes())
                if token_texts is not None:
                    self._add_text("token_text", [str(one) for one in token_texts[i]])
        self._type, self._width, self._given = kind, batch[0].rows.shape[1], given
        for name, column in columns.items():
            self._columns.setdefault(name, []).append(column)

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """Goes back to where it began where what is done within fails."""
        assert self._file is not None
        sequences, tokens = self.sequences, self.tokens
        ends = {name: spool.tell() for name, spool in self._spools.items()}
        end = self._file.tell()
        try:
            yield
        except BaseException:
            self.sequences, self.tokens = sequences, tokens
            del self._offsets[sequences + 1 :]
            for name in self._spools.keys() - ends.keys():
                self._spools.pop(name).close()
            try:
                for file, place in [(self._file, end), *((self._spools[name], ends[name]) for name in ends)]:
                    file.seek(place)
                    file.truncate()
            except OSError:
                # What is there cannot be trusted: all that follows fails.
                with contextlib.suppress(OSError):
                    self._file.close()
            raise

    def _column(self, name: str, values: Any, count: int) -> np.ndarray:
        column = np.asarray(values)
        if column.ndim == 0 or len(column) != count:
            raise ValueError(f"{name}: expected {count}, one a sequence, found the shape {column.shape}")
        if name != "labels":
            column = column.astype(np.int64 if name == "groups" else np.float32)
        elif column.dtype.kind not in "biuf":
            if column.ndim != 1:
                raise ValueError(f"labels: expected numbers in two dimensions, found dtype {column.dtype}")
            for i, one in enumerate(column.tolist()):
                if one is None or one != one:
                    raise ValueError(f"labels[{i}]: expected a class, found {one}")
            names = [class_name(one) for one in column.tolist()]
            if self._classes is not None:
                for one in names:
                    if one not in self._classes:
                        raise ValueError(f"labels: expected one of the classes {', '.join(self._classes)}, found {one}")
                column = np.array([self._classes.index(one) for one in names], np.int64)
            else:
                column = np.array(names)
        for first in self._columns.get(name, [])[:1]:
            if column.shape[1:] != first.shape[1:] or (column.dtype.kind == "U") != (first.dtype.kind == "U"):
                raise ValueError(f"{name}: expected {_form(first)} as in the first batch, found {_form(column)}")
        return column

    def _add_states(self, item: Item, index: int, kind: int) -> None:
        assert self._file is not None
        count, width = item.rows.shape
        size = max(1, _BLOCK // max(1, width * 4))
        for start in range(0, count, size):
            self._file.write(stored(item.rows, start, min(count, start + size), kind, f"states[{index}]").data)
        if item.mask is not None and "token_mask" not in self._spools:
            self._spool("token_mask").write(b"\1" * self.tokens)
        if "token_mask" in self._spools:
            self._spool("token_mask").write(b"\1" * count if item.mask is None else item.mask.tobytes())
        self.sequences += 1
        self.tokens += count
        self._offsets.append(self.tokens)

    def _spool(self, name: str) -> IO[bytes]:
        import tempfile

        if name not in self._spools:
            self._spools[name] = tempfile.TemporaryFile(dir=os.path.dirname(self.path) or ".")
        return self._spools[name]

    def _add_text(self, name: str, texts: list[str]) -> None:
        content, places = self._spool(name), self._spool(f"{name}_offsets")
        if places.tell() == 0:
            places.write(struct.pack("<q", 0))
        for text in texts:
            content.write(text.encode())
            places.write(struct.pack("<q", content.tell()))

    def _finish(self) -> None:
        assert self._file is not None
        if self.sequences == 0:
            raise ValueError(f"{self.path}: expected at least one sequence, found none")
        classes = self._classes
        tensors: list[tuple[str, str, list[int], Any]] = [
            ("hidden_states", {s.F32: "F32", s.F16: "F16", s.BF16: "BF16"}[self._type or s.F32],
             [self.tokens, self._width], None),
            ("offsets", "I64", [self.sequences + 1], np.array(self._offsets, np.int64)),
        ]
        for name, pieces in self._columns.items():
            column = np.concatenate(pieces)
            if column.dtype.kind == "U":
                classes, column = sorted(set(column.tolist())), np.unique(column, return_inverse=True)[1]
            kind, dtype = ("F32", np.float32) if column.dtype.kind == "f" else ("I64", np.int64)
            tensors.append((name, kind, list(column.shape), np.ascontiguousarray(column, dtype)))
        types = {"token_ids": ("I64", 8), "sequence_ids_offsets": ("I64", 8), "token_text_offsets": ("I64", 8)}
        for name, spool in self._spools.items():
            kind, size = types.get(name, ("U8", 1))
            tensors.append((name, kind, [spool.tell() // size], spool))
        # Numbers of eight bytes first, so that they are aligned where hidden states end so.
        tensors[1:] = sorted(tensors[1:], key=lambda tensor: {"I64": 0, "F32": 1}.get(tensor[1], 2))
        start = 8 + self._room
        header: dict[str, Any] = {}
        place = 0
        for name, kind, shape, content in tensors:
            if content is not None:
                self._write(content)
            end = self._file.tell() - start
            header[name] = {"dtype": kind, "shape": shape, "data_offsets": [place, end]}
            place = end
        metadata = self._metadata | {"format": "attention-probes/activations", "version": "1"}
        if classes is not None:
            metadata["classes"] = json.dumps(classes)
        text = json.dumps({"__metadata__": metadata, **header}).encode()
        if len(text) > self._room:
            raise ValueError(f"classes: expected names of {self._room} bytes in all, found {len(text)}; pass classes at the start")
        self._file.seek(0)
        self._file.write(struct.pack("<Q", self._room) + text.ljust(self._room))

    def _write(self, content: Any) -> None:
        assert self._file is not None
        if isinstance(content, np.ndarray):
            self._file.write(content.tobytes())
        else:
            import shutil

            content.seek(0)
            shutil.copyfileobj(content, self._file, _BLOCK)

    def close(self) -> None:
        """Ends the file and gives it its name."""
        if self._file is None:
            return
        try:
            self._finish()
            self._file.close()
            os.replace(self._partial, self.path)
            self._file = None
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Leaves nothing; after `close` without effect."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # of what was still to be written, and is not wanted
                self._file.close()
            os.unlink(self._partial)
            self._file = None
        for spool in self._spools.values():
            with contextlib.suppress(OSError):
                spool.close()
        self._spools.clear()

    def __enter__(self) -> ActivationsWriter:
        return self

    def __exit__(self, kind: Any, fault: Any, trace: Any) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


def _form(column: np.ndarray) -> str:
    if column.dtype.kind == "U":
        return "names"
    return "numbers" if column.ndim == 1 else f"numbers of the shape {column.shape[1:]} a sequence"
