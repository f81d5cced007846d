"""A fitted probe of the library."""
from __future__ import annotations

import ctypes
import json
import os
from typing import Any

import numpy as np

from . import _structures as s
from ._native import Handle, bytes_of, check, lib, opened, told


class NativeProbe:
    """A probe that does not change: its handle and what has to be known to make room for its results."""

    __slots__ = ("handle", "width", "outputs", "heads", "task", "attends", "has_entropies", "threshold", "_said", "calls")

    def __init__(self, handle: Handle) -> None:
        shape = s.Shape()
        check(lib().ap_probe_shape(handle.value, ctypes.byref(shape)))
        self.handle = handle
        self.width, self.outputs, self.heads = int(shape.width), int(shape.outputs), int(shape.heads)
        self.task = s.TASKS[shape.task]
        self.attends, self.has_entropies = bool(shape.attends), bool(shape.has_entropies)
        self.threshold = float(shape.threshold)
        self._said: dict[str, Any] | None = None
        # Arguments of calls that are over, to be used again; see _scoring.
        self.calls: list[Any] = []

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> NativeProbe:
        """Reads a probe file."""
        return cls(opened(lib().ap_probe_load, lib().ap_probe_free, os.fsencode(path)))

    @classmethod
    def from_bytes(cls, content: bytes) -> NativeProbe:
        """Reads the bytes of a probe file."""
        return cls(opened(lib().ap_probe_load_bytes, lib().ap_probe_free, content, len(content)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a probe file."""
        check(lib().ap_probe_save(self.handle.value, os.fsencode(path)))

    def to_bytes(self) -> bytes:
        """The bytes of a probe file."""
        return bytes_of(lib().ap_probe_bytes, self.handle.value)

    @property
    def said(self) -> dict[str, Any]:
        """What the probe file says."""
        if self._said is None:
            self._said = json.loads(told(lib().ap_probe_describe, self.handle.value))
        return self._said

    def tensor(self, name: str) -> np.ndarray:
        """A tensor by its name in the file, float32."""
        shape = self.said["tensors"][name]
        values = np.empty(shape, np.float32)
        count = ctypes.c_int64()
        check(lib().ap_probe_tensor(
            self.handle.value, name.encode(), values.ctypes.data, values.size, ctypes.byref(count)))
        return values

    def tensors(self) -> dict[str, np.ndarray]:
        """All tensors by name."""
        return {name: self.tensor(name) for name in self.said["tensors"]}
