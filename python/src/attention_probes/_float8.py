"""Numbers of eight bits: E4M3FN and E5M2."""
from __future__ import annotations

import functools
from typing import Any

import numpy as np

from . import _structures as s

TYPES = {"float8_e4m3fn": s.F8_E4M3, "float8_e5m2": s.F8_E5M2}


@functools.cache
def _values(kind: int) -> np.ndarray:
    # The number that each of the 256 bytes stands for.
    bits = np.arange(256, dtype=np.uint16)
    if kind == s.F8_E5M2:
        # The upper half of a float16.
        found: np.ndarray = (bits << 8).view(np.float16).astype(np.float32)
        return found
    exponent, fraction = (bits >> 3 & 15).astype(np.int32), (bits & 7) / 8
    size = np.where(exponent == 0, np.ldexp(fraction, -6), np.ldexp(1 + fraction, exponent - 7))
    size[[0x7F, 0xFF]] = np.nan
    return np.where(bits < 128, size, -size).astype(np.float32)


def floats(bits: np.ndarray, kind: int) -> np.ndarray:
    """Bytes as the float32 that they stand for."""
    found: np.ndarray = _values(kind)[bits]
    return found


def token_scales(scales: Any, shape: tuple[int, ...], kind: int, where: str) -> np.ndarray:
    """A scale for each token as float32 of that shape; ones behind it do not count.

    `ValueError` for other shapes, and beside states of more than eight bits.
    """
    if kind not in TYPES.values():
        raise ValueError(f"scales of {where}: expected them beside float8 states only, found {s.TYPE_NAMES[kind]}")
    found = np.asarray(scales, np.float32)
    if found.shape[: len(shape)] != shape or any(size != 1 for size in found.shape[len(shape) :]):
        raise ValueError(f"scales of {where}: expected the shape {shape}, a scale a token, found {found.shape}")
    return np.ascontiguousarray(found.reshape(shape))
