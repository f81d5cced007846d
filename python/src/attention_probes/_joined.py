"""Arrays of a list as one batch, or as few as there have to be."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import _structures as s
from ._rows import Rows, raw_array, warn_of_copy, widened
from .sequences import Sequences

# Arrays below the first size are copied together before a call, into at most the second: a call has its price, and
# what was just copied is still in the cache.
_SMALL, _TOGETHER = 256 << 10, 2 << 20


class Item(NamedTuple):
    """A sequence of a list: rows of two axes, and L bytes of a mask or None."""

    rows: Rows
    mask: np.ndarray | None


class Part(NamedTuple):
    """Some neighbours of a list: the first one's number and, of all tokens of the list, its first token's."""

    start: int
    token: int
    sequences: Sequences


def joined(items: list[Item], where: str) -> Sequences:
    """All as one batch: in place where they are parts of one array, else copied."""
    found = _in_place(items)
    if found is None:
        found = _copied(items)
        size = found.tokens * found.width * s.TYPE_SIZES[found.type]
        warn_of_copy(size, where, "its arrays are not parts of one; pass one array with offsets")
    return found


def parts(items: list[Item]) -> list[Part]:
    """As batches for scoring, in order: large arrays are used in place, small ones copied together."""
    whole = _in_place(items)
    if whole is not None:
        return [Part(0, 0, whole)]
    found: list[Part] = []
    start = token = 0
    while start < len(items):
        end, size = start, 0
        while end < len(items):
            rows = items[end].rows
            own = rows.shape[0] * rows.shape[1] * s.TYPE_SIZES[rows.type]
            if end > start and (own > _SMALL or size + own > _TOGETHER or rows.type != items[start].rows.type):
                break
            size += own
            end += 1
            if own > _SMALL:
                break
        some = items[start:end]
        found.append(Part(start, token, _in_place(some) or _copied(some)))
        token += sum(item.rows.shape[0] for item in some)
        start = end
    return found


def _in_place(items: list[Item]) -> Sequences | None:
    # Where all rows lie at multiples of one distance from the lowest, in memory that is held together.
    first = items[0].rows
    if len(items) == 1:
        return Sequences._of(
            first, np.array((0, first.shape[0]), np.int64), None, _dense_mask(items[0].mask))
    size = s.TYPE_SIZES[first.type]
    stride = next((item.rows.strides[0] for item in items if item.rows.shape[0] > 1), first.shape[1] * size)
    root = first.root()
    low = min(item.rows.address for item in items)
    starts = np.empty(len(items), np.int64)
    ends = np.empty(len(items), np.int64)
    for i, item in enumerate(items):
        rows = item.rows
        row, rest = divmod(rows.address - low, stride)
        if rest or rows.type != first.type or (rows.shape[0] > 1 and rows.strides[0] != stride):
            return None
        if rows.root() != root:
            return None
        starts[i], ends[i] = row, row + rows.shape[0]
    order = np.argsort(starts)
    if (starts[order][1:] < ends[order][:-1]).any():
        # A sequence that is there twice has results of its own each time.
        return None
    total = int(ends.max())
    mask = None
    if any(item.mask is not None for item in items):
        mask = np.ones(total, np.uint8)
        for item, a, b in zip(items, starts, ends):
            if item.mask is not None:
                mask[a:b] = item.mask
    flat = Rows(low, first.type, (total, first.shape[1]), (stride, size), first.owner)
    if starts[0] == 0 and (starts[1:] == ends[:-1]).all():
        return Sequences._of(flat, np.append(starts, total), None, mask)
    return Sequences._of(flat, starts, ends, mask)


def _copied(items: list[Item]) -> Sequences:
    lengths = np.array([item.rows.shape[0] for item in items], np.int64)
    offsets = np.zeros(len(items) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    kind = items[0].rows.type
    if any(item.rows.type != kind for item in items):
        kind = s.F32
    dtype = {s.F32: np.float32, s.F16: np.float16, s.BF16: np.uint16}[kind]
    states = np.empty((int(offsets[-1]), items[0].rows.shape[1]), dtype)
    mask = np.ones(len(states), np.uint8) if any(item.mask is not None for item in items) else None
    for item, a, b in zip(items, offsets, offsets[1:]):
        states[a:b] = raw_array(item.rows if item.rows.type == kind else widened(item.rows))
        if mask is not None and item.mask is not None:
            mask[a:b] = item.mask
    rows = Rows(states.__array_interface__["data"][0], kind, states.shape, states.strides, states)
    return Sequences._of(rows, offsets, None, mask)


def _dense_mask(mask: np.ndarray | None) -> np.ndarray | None:
    return None if mask is None else np.ascontiguousarray(mask)
