"""Sequences of hidden states in memory."""
from __future__ import annotations

from typing import Any, Iterator

import numpy as np

from . import _structures as s
from ._rows import Rows, array_of, widened


class Sequences:
    """Hidden states of N sequences, of different lengths, where they are in memory.

    Parameters
    ----------
    states : array (T, D), (N, S, D) or (N, D), or a list of arrays (L, D)
        float32, float16, bfloat16, float8_e4m3fn or float8_e5m2; other numbers are converted to float32, and so is
        float8 in lists. Arrays of numpy, and of whatever has DLPack (torch on the processor, JAX). Nothing is copied
        where numbers of a row lie side by side; a list is joined, which copies unless its arrays are parts of one array.
    offsets : array (N + 1,), optional
        Of a (T, D) array: sequence i is the rows offsets[i] … offsets[i + 1] - 1.
    mask : array, optional
        (N, S) of a padded array: what is a token and no padding. (T,) of a flat one, or a list of arrays (L,): tokens
        that probes may look at; the others count as positions.
    pooled : bool
        Whether a row of a two-dimensional array is a sequence of its own.
    scales : array (T,), (N, S) or (N,), optional
        Of float8 states: what the numbers of each token are multiplied with; as many as there are rows, or with ones behind.

    Raises
    ------
    ValueError
        What was expected, what was found and where.

    Examples
    --------
    >>> import numpy as np
    >>> from attention_probes import Sequences
    >>> sequences = Sequences(np.ones((5, 4), np.float32), offsets=[0, 2, 5])
    >>> sequences
    Sequences(2 of 5 tokens, width 4, float32)
    >>> sequences[1:].lengths
    array([3])
    """

    __slots__ = ("address", "type", "tokens", "width", "stride", "offsets", "ends", "mask", "owner", "scales")

    address: int
    type: int
    tokens: int
    width: int
    stride: int
    offsets: np.ndarray
    ends: np.ndarray | None
    mask: np.ndarray | None
    owner: Any
    scales: np.ndarray | None

    def __init__(
        self, states: Any, offsets: Any = None, *, mask: Any = None, pooled: bool = False, scales: Any = None
    ) -> None:
        from ._inputs import as_sequences

        found = as_sequences(states, "states", offsets=offsets, mask=mask, pooled=pooled, scales=scales)
        for name in self.__slots__:
            setattr(self, name, getattr(found, name))

    @classmethod
    def _of(
        cls, rows: Rows, offsets: np.ndarray, ends: np.ndarray | None = None, mask: np.ndarray | None = None
    ) -> Sequences:
        # `rows` has two axes; `offsets` and `ends` are int64 and `mask` uint8, contiguous.
        self = cls.__new__(cls)
        self.address, self.type, self.owner = rows.address, rows.type, rows.owner
        self.tokens, self.width = rows.shape
        self.stride = rows.strides[0] if self.tokens > 1 else 0
        self.offsets, self.ends, self.mask, self.scales = offsets, ends, mask, None
        return self

    def __len__(self) -> int:
        return len(self.offsets) - (self.ends is None)

    @property
    def starts(self) -> np.ndarray:
        """The first row of each sequence, (N,)."""
        return self.offsets if self.ends is not None else self.offsets[:-1]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sequence, (N,)."""
        lengths: np.ndarray = self._ends() - self.starts
        return lengths

    @property
    def dtype(self) -> str:
        """How a number is stored: "float32", "float16", "bfloat16", "float8_e4m3fn" or "float8_e5m2"."""
        return s.TYPE_NAMES[self.type]

    def _ends(self) -> np.ndarray:
        return self.ends if self.ends is not None else self.offsets[1:]

    def __getitem__(self, index: Any) -> Sequences:
        """Some of the sequences, in place: by a number, a slice, numbers or a mask of N."""
        starts, ends = self.starts, self._ends()
        if isinstance(index, (int, np.integer)):
            index = [index]
        elif isinstance(index, list) and not index:
            index = np.zeros(0, np.int64)
        some = type(self).__new__(type(self))
        for name in self.__slots__:
            setattr(some, name, getattr(self, name))
        some.offsets, some.ends = np.ascontiguousarray(starts[index]), np.ascontiguousarray(ends[index])
        return some

    def __iter__(self) -> Iterator[Sequences]:
        return (self[i] for i in range(len(self)))

    def _rows(self, start: int, end: int) -> Rows:
        size = s.TYPE_SIZES[self.type]
        stride = self.stride or self.width * size
        rows = Rows(
            self.address + start * stride, self.type, (end - start, self.width), (stride, size), self.owner)
        if size > 1:
            return rows
        # What goes on from here knows no scales.
        rows = widened(rows)
        if self.scales is None:
            return rows
        states = array_of(rows) * self.scales[start:end, None]
        return Rows(states.__array_interface__["data"][0], s.F32, states.shape, states.strides, states)

    def arrays(self) -> list[np.ndarray]:
        """Each sequence as an array (L, D), in place and read-only.

        float8 is a copy as float32, with its scales, and so is bfloat16 where ml_dtypes is not installed, whose type it
        has elsewhere.
        """
        return [array_of(self._rows(int(a), int(b))) for a, b in zip(self.starts, self._ends())]

    def _fill(self, batch: s.Batch) -> None:
        batch.states, batch.type, batch.tokens = self.address, self.type, self.tokens
        batch.width, batch.stride, batch.sequences = self.width, self.stride, len(self)
        batch.offsets = self.offsets.__array_interface__["data"][0]
        batch.ends = None if self.ends is None else self.ends.__array_interface__["data"][0]
        batch.mask = None if self.mask is None else self.mask.__array_interface__["data"][0]
        batch.scales = None if self.scales is None else self.scales.__array_interface__["data"][0]

    def __repr__(self) -> str:
        return f"Sequences({len(self)} of {int(self.lengths.sum())} tokens, width {self.width}, {self.dtype})"
