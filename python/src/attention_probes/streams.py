"""Scores of many texts that are read or written side by side, as a serving loop has them."""
from __future__ import annotations

import ctypes
import operator
from typing import Any, Iterable, NamedTuple, Sequence

import numpy as np

from . import _structures as s
from ._native import check, error, lib, opened
from ._rows import rows_of
from .stream import Stream, native, token_mask

_FLOAT32 = np.dtype(np.float32)


def _number(id: Any) -> int:
    """An id as the library takes it."""
    try:
        number = operator.index(id)
    except TypeError:
        number = 2**63
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"id: expected a whole number from -2^63 to 2^63 - 1, found {id!r}")
    return number


class StepScores(NamedTuple):
    """What a probe says after a step: `logits` (B, O), `probabilities` (B, O) or None for regression.

    Of a binary probe both are of its class `positive_`, of others in the order of the probe file.
    """

    logits: np.ndarray
    probabilities: np.ndarray | None


class Streams:
    """Streams of one or several probes for many texts, each known by a whole number.

    Parameters
    ----------
    probes : AttentionProbe or list of them
        Fitted ones of the same width.
    threads : int
        Of a step; 0 for all processors.

    Examples
    --------
    >>> import numpy as np
    >>> from attention_probes import AttentionProbe, Streams
    >>> probe = AttentionProbe.from_parameters("mean", {"v.weight": np.ones((1, 4)), "v.bias": [0]})
    >>> streams = Streams(probe)
    >>> streams.open(7)
    >>> streams.open(9)
    >>> streams.step([9, 7], np.eye(2, 4, dtype=np.float32)).logits.tolist()
    [[1.0], [1.0]]
    >>> streams.close(9)
    >>> streams.ids
    [7]
    """

    __slots__ = ("_probes", "_single", "_handle", "_step", "_rooms")

    def __init__(self, probes: Any, *, threads: int = 0) -> None:
        self._single = not isinstance(probes, (list, tuple))
        self._probes = [native(probe) for probe in ([probes] if self._single else probes)]
        count = len(self._probes)
        handles = (ctypes.c_void_p * max(1, count))(*(probe.handle.value for probe in self._probes))
        self._handle = opened(
            lib().ap_streams_create, lib().ap_streams_free, ctypes.addressof(handles), count, threads)
        self._step = lib().ap_streams_step
        # The type of the room for results: to name it anew costs more than a step.
        self._rooms = s.Floats * count

    def open(self, id: int, after: Stream | Sequence[Stream] | None = None) -> None:
        """Opens a stream, known by a whole number of 64 bits. `after`: what to go on from, a stream of each probe."""
        start = None
        if after is not None:
            given = [after] if isinstance(after, Stream) else list(after)
            if len(given) != len(self._probes):
                raise ValueError(f"after: expected {len(self._probes)} streams, one a probe, found {len(given)}")
            start = (ctypes.c_void_p * len(given))(*(stream._handle.value for stream in given))
        check(lib().ap_streams_open(self._handle.value, _number(id), start))

    def close(self, id: int) -> None:
        """Closes a stream that is open."""
        check(lib().ap_streams_close(self._handle.value, _number(id)))

    @property
    def ids(self) -> list[int]:
        """The streams that are open, in rising order."""
        count = ctypes.c_int64()
        handle = self._handle.value
        check(lib().ap_streams_ids(handle, None, 0, ctypes.byref(count)))
        found = (ctypes.c_int64 * max(1, count.value))()
        check(lib().ap_streams_ids(handle, found, count.value, ctypes.byref(count)))
        return list(found[: count.value])

    def __len__(self) -> int:
        return len(self.ids)

    def get(self, id: int, probe: int = 0) -> Stream:
        """What one of the probes knows of a text, as a stream of its own."""
        handle = opened(lib().ap_streams_get, lib().ap_stream_free, self._handle.value, _number(id), probe)
        return Stream._of(self._probes[probe], handle)

    def step(self, ids: Iterable[int] | np.ndarray, states: Any, *, mask: Any = None) -> Any:
        """Adds one token to each of B open streams, none twice.

        Parameters
        ----------
        ids : B whole numbers
        states : array (B, D)
        mask : array (B,), optional
            Tokens that the probes may look at.

        Returns
        -------
        StepScores, or a list of them, one a probe, where `probes` was a list
        """
        numbers = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids))
        if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
            raise ValueError(f"ids: expected whole numbers, found dtype {numbers.dtype}, {numbers.ndim} dimensions")
        if numbers.dtype == np.uint64:
            for number in numbers.tolist():
                _number(number)
        numbers = np.ascontiguousarray(numbers, np.int64)
        rows = rows_of(states, "states")
        count = len(numbers)
        if len(rows.shape) != 2 or rows.shape[0] != count:
            raise ValueError(f"states: expected {count} rows, one a stream, found the shape {rows.shape}")
        seen = None if mask is None else token_mask(mask, count)
        # Arguments of this call alone: several threads may be here.
        rooms, chances = self._rooms(), self._rooms()
        found = []
        for i, probe in enumerate(self._probes):
            logits = np.empty((count, probe.outputs), _FLOAT32)
            odds = None if probe.task == "regression" else np.empty((count, probe.outputs), _FLOAT32)
            room = rooms[i]
            room.values, room.count = logits.__array_interface__["data"][0], logits.size
            room = chances[i]
            if odds is not None:
                room.values, room.count = odds.__array_interface__["data"][0], odds.size
            found.append(StepScores(logits, odds))
        status = self._step(
            self._handle.value, numbers.__array_interface__["data"][0], count, rows.address, rows.type, rows.shape[1],
            rows.strides[0] if count > 1 else 0, None if seen is None else seen.ctypes.data,
            ctypes.addressof(rooms), ctypes.addressof(chances))
        if status:
            raise error(status)
        return found[0] if self._single else found

    def __repr__(self) -> str:
        return f"Streams({len(self._probes)} probes, {len(self)} open)"
