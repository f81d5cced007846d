"""safetensors: the header of a file that is mapped, and small files from tensors."""
from __future__ import annotations

import json
import mmap
import os
import struct
from typing import Any, Mapping

import numpy as np

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "|b1", "F8_E4M3": "<u1", "F8_E5M2": "<u1",
}
# Types that numpy has not are read as their bits.
BITS = {"BF16", "F8_E4M3", "F8_E5M2"}
NAMES = {np.dtype(text): name for name, text in DTYPES.items() if name not in BITS}


class TensorFile:
    """A file that is mapped: `metadata`, and tensors as views, read-only; BF16 and F8 as their bits, uint16 and uint8."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < 8:
                raise ValueError(f"{self.path}: expected a safetensors file, found {size} bytes")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        (length,) = struct.unpack("<Q", self._map[:8])
        if length > size - 8:
            raise ValueError(f"{self.path}: expected a header of at most {size - 8} bytes, found one of {length}")
        try:
            header: dict[str, Any] = json.loads(self._map[8 : 8 + length])
        except ValueError as fault:
            raise ValueError(f"{self.path}: expected a header of JSON, found {fault}") from fault
        if not isinstance(header, dict):
            raise ValueError(f"{self.path}: expected an object as header, found {type(header).__name__}")
        self.metadata: dict[str, str] = header.pop("__metadata__", {})
        self.tensors = header
        self._data, self._size = 8 + length, size - 8 - length

    def read_in_order(self) -> None:
        """Tells the system that tensors are read once and from front to back, so that it reads further ahead."""
        if hasattr(mmap, "MADV_SEQUENTIAL"):
            self._map.madvise(mmap.MADV_SEQUENTIAL)

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def dtype(self, name: str) -> str:
        """How the file calls the type of a tensor: "BF16", …"""
        return str(self._entry(name)["dtype"])

    def _entry(self, name: str) -> Mapping[str, Any]:
        if name not in self.tensors:
            raise ValueError(f"{self.path}: expected a tensor {name}, found {', '.join(self.tensors) or 'none'}")
        entry: Mapping[str, Any] = self.tensors[name]
        return entry

    def array(self, name: str) -> np.ndarray:
        """A tensor, in place."""
        entry = self._entry(name)
        try:
            dtype = np.dtype(DTYPES[entry["dtype"]])
            shape = tuple(int(count) for count in entry["shape"])
            start, end = (int(place) for place in entry["data_offsets"])
        except (KeyError, TypeError, ValueError) as fault:
            raise ValueError(f"{self.path}: tensor {name}: expected a type, a shape and its place, found {entry}") from fault
        count = 1
        for one in shape:
            count *= one
        if not 0 <= start <= end <= self._size or end - start != count * dtype.itemsize or min(shape, default=0) < 0:
            raise ValueError(
                f"{self.path}: tensor {name}: expected {count * dtype.itemsize} bytes within {self._size}, "
                f"found {start} to {end}")
        return np.frombuffer(self._map, dtype, count, self._data + start).reshape(shape)


def framed(header: Mapping[str, Any]) -> bytes:
    """What stands before the tensors: the header's length and the header, padded so that they begin at eight bytes."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def metadata_of(content: bytes) -> dict[str, str]:
    """The metadata of a file in memory."""
    size = int.from_bytes(content[:8], "little")
    found: dict[str, str] = json.loads(content[8 : 8 + size]).get("__metadata__", {})
    return found


def packed(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """The bytes of a small file."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    place = 0
    pieces = []
    for name, array in tensors.items():
        piece = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [place, place + len(piece)]}
        place += len(piece)
        pieces.append(piece)
    return framed(header) + b"".join(pieces)
