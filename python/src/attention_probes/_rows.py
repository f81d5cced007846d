"""One array as rows of hidden states: where its numbers are, of which type, and how far rows lie apart."""
from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np

from . import _float8
from . import _structures as s
from ._dlpack import Borrowed

_COPY_LIMIT = 64 << 20
_TYPES = {"float32": s.F32, "float16": s.F16, "bfloat16": s.BF16}
_FLOAT32, _FLOAT16 = np.dtype(np.float32), np.dtype(np.float16)


class CopyWarning(UserWarning):
    """More than 64 MB had to be copied, and what would avoid it."""


def warn_of_copy(size: int, where: str, why: str) -> None:
    """Warns of a copy of so many bytes, if it is a large one."""
    if size > _COPY_LIMIT:
        warnings.warn(
            f"{where}: {size >> 20} MB are copied, because {why}", CopyWarning, stacklevel=_outer_frame())


def _outer_frame() -> int:
    # The first caller outside this package, so that a warning names the user's line.
    depth, frame = 2, sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(__package__ or "?"):
        depth, frame = depth + 1, frame.f_back
    return depth


class Rows:
    """Numbers in memory of any rank: `address`, `type`, `shape`, `strides` in bytes; `owner` keeps them there.

    The last axis is contiguous.
    """

    __slots__ = ("address", "type", "shape", "strides", "owner")

    def __init__(
        self, address: int, type: int, shape: tuple[int, ...], strides: tuple[int, ...], owner: Any
    ) -> None:
        self.address, self.type, self.shape, self.strides, self.owner = address, type, shape, strides, owner

    def root(self) -> int:
        """What tells apart memory that is held together."""
        owner = self.owner
        while isinstance(owner, np.ndarray) and owner.base is not None:
            owner = owner.base
        return id(owner)


def rows_of(x: Any, where: str, float8: bool = False) -> Rows:
    """Any array as `Rows`, in place where its last axis is contiguous and its type is one that probes read.

    Numbers of eight bits are converted, but for where `float8` says that there may be scales.

    Raises `ValueError` for what is no array of numbers.
    """
    if type(x) is np.ndarray:
        dtype = x.dtype
        if dtype is _FLOAT32 and x.flags.c_contiguous:
            return Rows(x.__array_interface__["data"][0], s.F32, x.shape, x.strides, x)
        return _of_array(x, where, float8)
    if isinstance(x, np.ndarray):
        return _of_array(np.asarray(x), where, float8)
    if hasattr(x, "__dlpack__") and hasattr(x, "__dlpack_device__"):
        return _of_borrowed(Borrowed(x, where), where, float8)
    return _of_array(_as_array(x, where), where, float8)


def _as_array(x: Any, where: str) -> np.ndarray:
    if hasattr(x, "tocsr") or hasattr(x, "sparse"):
        raise ValueError(f"{where}: expected a dense array, found a sparse one; use .toarray()")
    try:
        return np.asarray(x)
    except ValueError as fault:
        raise ValueError(f"{where}: expected an array of numbers, found {fault}") from fault


def _of_array(x: np.ndarray, where: str, float8: bool) -> Rows:
    name = x.dtype.name
    if name in _float8.TYPES:
        return _of_bytes(x.view(np.uint8), _float8.TYPES[name], where, float8)
    kind = _TYPES.get(name)
    if kind is None or not x.dtype.isnative:
        x, kind = _converted(x, where), s.F32
    return _usable(x, kind, where)


def _of_bytes(x: np.ndarray, kind: int, where: str, float8: bool) -> Rows:
    if float8:
        return _usable(x, kind, where)
    warn_of_copy(x.size * 4, where, f"{s.TYPE_NAMES[kind]} is converted to float32")
    return _usable(_float8.floats(x, kind), s.F32, where)


def _usable(x: np.ndarray, kind: int, where: str) -> Rows:
    if x.ndim and x.size and not _is_usable(x.shape, x.strides, x.itemsize):
        warn_of_copy(x.nbytes, where, "its numbers do not lie row by row in memory")
        x = np.ascontiguousarray(x)
    return Rows(x.__array_interface__["data"][0], kind, x.shape, x.strides, x)


def _converted(x: np.ndarray, where: str) -> np.ndarray:
    if x.dtype.kind == "c":
        raise ValueError(f"{where}: Complex data not supported: expected real numbers, found dtype {x.dtype}")
    if x.dtype.kind == "O":
        try:
            x = x.astype(np.float64)
        except (TypeError, ValueError) as fault:
            # The words that scikit-learn looks for where an argument is of the wrong type.
            kind = TypeError if isinstance(fault, TypeError) else ValueError
            raise kind(f"{where}: expected an array of numbers, found dtype object: {fault}; argument must be "
                       "a string or a number for each of them") from fault
    if x.dtype.kind not in "fiub":
        raise ValueError(f"{where}: expected float32, float16 or bfloat16 numbers, found dtype {x.dtype}")
    warn_of_copy(x.size * 4, where, f"{x.dtype} is converted to float32")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(x, np.float32)


def _is_usable(shape: tuple[int, ...], strides: tuple[int, ...], size: int) -> bool:
    # Numbers of a row side by side, and rows apart: a view that repeats a row, or runs backwards, is not.
    if shape[-1] > 1 and strides[-1] != size:
        return False
    row = shape[-1] * size
    return all(count <= 1 or step >= row for count, step in zip(shape[:-1], strides[:-1]))


def _of_borrowed(x: Borrowed, where: str, float8: bool) -> Rows:
    if x.dtype in _float8.TYPES:
        return _of_bytes(_lent(x, np.dtype(np.uint8)), _float8.TYPES[x.dtype], where, float8)
    kind = _TYPES.get(x.dtype)
    size = 2 if kind in (s.F16, s.BF16) else 4
    count = int(np.prod(x.shape, dtype=np.int64))
    if kind is not None and (count == 0 or not x.shape or _is_usable(x.shape, x.strides, size)):
        return Rows(x.address, kind, x.shape, x.strides, x)
    if kind == s.BF16:
        bits = _lent(x, np.dtype(np.uint16))
        warn_of_copy(bits.nbytes, where, "its numbers do not lie row by row in memory")
        bits = np.ascontiguousarray(bits)
        return Rows(bits.__array_interface__["data"][0], s.BF16, bits.shape, bits.strides, bits)
    try:
        dtype = np.dtype(x.dtype)
    except TypeError as fault:
        raise ValueError(
            f"{where}: expected float32, float16 or bfloat16 numbers, found {x.dtype}") from fault
    return _of_array(_lent(x, dtype), where, float8)


class _Lender:
    # numpy's own protocol for memory of others.
    def __init__(self, x: Borrowed, dtype: np.dtype) -> None:
        self.borrowed = x
        self.__array_interface__ = {
            "version": 3, "typestr": dtype.str, "shape": x.shape, "strides": x.strides,
            "data": (x.address, True),
        }


def _lent(x: Borrowed, dtype: np.dtype) -> np.ndarray:
    return np.asarray(_Lender(x, dtype))


def widened(rows: Rows) -> Rows:
    """The same numbers as contiguous float32, a copy where they are not."""
    if rows.type == s.F32 and rows.strides == _dense(rows.shape, 4):
        return rows
    array = raw_array(rows)
    if s.TYPE_SIZES[rows.type] == 1:
        values = _float8.floats(array, rows.type)
    elif rows.type == s.BF16:
        values = (np.ascontiguousarray(array).astype(np.uint32) << 16).view(np.float32)
    else:
        values = np.ascontiguousarray(array, np.float32)
    return Rows(values.__array_interface__["data"][0], s.F32, values.shape, values.strides, values)


def _dense(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    steps = [size]
    for count in reversed(shape[1:]):
        steps.append(steps[-1] * count)
    return tuple(reversed(steps))


class _Memory:
    def __init__(self, rows: Rows, typestr: str) -> None:
        self.owner = rows.owner
        self.__array_interface__ = {
            "version": 3, "typestr": typestr, "shape": rows.shape, "strides": rows.strides,
            "data": (rows.address, True),
        }


def bfloat16() -> np.dtype | None:
    """The type of ml_dtypes, where that is installed."""
    try:
        import ml_dtypes
    except ImportError:
        return None
    dtype: np.dtype = np.dtype(ml_dtypes.bfloat16)
    return dtype


def raw_array(rows: Rows) -> np.ndarray:
    """A view as a numpy array, read-only; bfloat16 as its bits, uint16, and float8 as uint8."""
    types = {s.F32: "<f4", s.F16: "<f2", s.BF16: "<u2", s.F8_E4M3: "|u1", s.F8_E5M2: "|u1"}
    return np.asarray(_Memory(rows, types[rows.type]))


def array_of(rows: Rows) -> np.ndarray:
    """A view as a numpy array, read-only; bfloat16 as that of ml_dtypes, or without it a copy as float32."""
    if rows.type != s.BF16:
        return raw_array(rows)
    dtype = bfloat16()
    return raw_array(widened(rows)) if dtype is None else raw_array(rows).view(dtype)
