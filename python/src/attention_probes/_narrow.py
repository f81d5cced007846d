"""Hidden states in the type in which a file stores them."""
from __future__ import annotations

import numpy as np

from . import _structures as s
from ._rows import Rows, raw_array, widened

NAMES = {"float32": s.F32, "float16": s.F16, "bfloat16": s.BF16}


def stored(rows: Rows, start: int, end: int, kind: int, where: str) -> np.ndarray:
    """Some rows as a contiguous array of a type, bfloat16 as its bits, rounded to the nearest, ties to even.

    `ValueError` for a finite number that the type cannot hold; NaN and infinity stay what they are.
    """
    size = s.TYPE_SIZES[rows.type]
    some = Rows(
        rows.address + start * rows.strides[0], rows.type, (end - start, rows.shape[1]), (rows.strides[0], size), rows.owner)
    if rows.type == kind:
        return np.ascontiguousarray(raw_array(some))
    values = raw_array(widened(some))
    if kind == s.F32:
        return np.ascontiguousarray(values)
    with np.errstate(over="ignore"):
        narrow: np.ndarray = values.astype(np.float16) if kind == s.F16 else _bfloat16(values)
    bits, infinite = narrow.view(np.uint16) & 0x7FFF, 0x7C00 if kind == s.F16 else 0x7F80
    lost = (bits == infinite) & np.isfinite(values)
    if lost.any():
        token, dimension = (int(i) for i in np.argwhere(lost)[0])
        raise ValueError(
            f"{where}, token {start + token}, dimension {dimension}: expected a number that {s.TYPE_NAMES[kind]} can hold, "
            f"found {values[token, dimension]}")
    return narrow


def _bfloat16(values: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    # A NaN keeps a bit of its fraction, and is not carried over into a zero.
    return np.where(np.isnan(values), (bits >> 16) | 0x40, rounded).astype(np.uint16)
