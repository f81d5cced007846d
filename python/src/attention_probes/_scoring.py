"""Scores of probes: calls of ap_score with as little around them as there has to be."""
from __future__ import annotations

import ctypes
import os
from typing import Any, Callable, Sequence

import numpy as np

from . import _structures as s
from ._inputs import LINEAR_KINDS, as_sequences, is_list, items
from ._joined import Part, parts
from ._native import error, lib
from ._probe import NativeProbe
from .sequences import Sequences

_FLOAT32 = np.dtype(np.float32)


class _Call:
    """The arguments of a call for one sequence in one array, made once and filled each time."""

    __slots__ = ("probe", "batch", "scores", "offsets", "values", "room", "addresses", "function")

    def __init__(self, probe: NativeProbe) -> None:
        self.probe = (ctypes.c_void_p * 1)(probe.handle.value)
        self.batch, self.scores = s.Batch(), s.Scores()
        self.offsets = (ctypes.c_int64 * 2)(0, 0)
        self.batch.type, self.batch.width, self.batch.sequences = s.F32, probe.width, 1
        self.batch.offsets = ctypes.addressof(self.offsets)
        self.scores.logits.count = self.scores.probabilities.count = probe.outputs
        self.values = np.empty((1, probe.outputs), _FLOAT32)
        self.room = self.values.ctypes.data
        self.addresses = tuple(map(ctypes.addressof, (self.probe, self.batch, self.scores)))
        self.function = lib().ap_score


def one_output(
    probe: NativeProbe, x: Any, field: str, threads: int, offsets: Any, mask: Any, pooled: bool
) -> np.ndarray:
    """"logits" or "probabilities" of X, (N, O)."""
    if type(x) is list and len(x) == 1 and mask is None:
        one = x[0]
        # A single sequence, as a server has it: below the price of everything else.
        if (type(one) is np.ndarray and one.ndim == 2 and one.dtype is _FLOAT32 and one.flags.c_contiguous
                and offsets is None and one.shape[1] == probe.width):
            return _of_one(probe, one, field, threads)
    values: np.ndarray = scores([probe], x, [(field,)], threads, offsets, mask, pooled)[0].values[field]
    return values


def _of_one(probe: NativeProbe, x: np.ndarray, field: str, threads: int) -> np.ndarray:
    try:
        call = probe.calls.pop()
    except IndexError:
        call = _Call(probe)
    batch, scores = call.batch, call.scores
    batch.states = address(x)
    batch.tokens = call.offsets[1] = x.shape[0]
    room = scores.logits if field == "logits" else scores.probabilities
    room.values = call.room
    first, second, third = call.addresses
    status = call.function(first, 1, second, third, threads)
    room.values = None
    if status:
        probe.calls.append(call)
        raise error(status)
    values: np.ndarray = call.values.copy()
    probe.calls.append(call)
    return values


def address(x: np.ndarray) -> int:
    """Where the numbers of an array in C's order are: what `x.ctypes.data` says, in a third of its time."""
    if x.flags.writeable and x.size:
        return ctypes.addressof(ctypes.c_char.from_buffer(x.data))
    return x.ctypes.data


class Found:
    """What a probe said: arrays by field. Fields of tokens are lists, an array (L, …) a sequence."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}


_OF_TOKENS = ("attention", "contributions", "prefix_logits")


def _columns(probe: NativeProbe, field: str) -> tuple[int, ...]:
    return {
        "logits": (probe.outputs,), "probabilities": (probe.outputs,), "entropies": (probe.heads,),
        "attention": (probe.heads,), "contributions": (probe.heads, probe.outputs),
        "prefix_logits": (probe.outputs,),
    }[field]


def scores(
    probes: Sequence[NativeProbe], x: Any, fields: Sequence[Sequence[str]], threads: int = 0,
    offsets: Any = None, mask: Any = None, pooled: bool = False, where: str = "X"
) -> list[Found]:
    """Fields of each probe, of one pass over X.

    Scores of a list whose arrays lie apart are several calls side by side, so that nothing large is copied.
    """
    linear = all(probe.said["kind"] in LINEAR_KINDS for probe in probes) if _is_flat(x, offsets) else False
    if is_list(x) and offsets is None:
        batches = parts(items(x, where, mask))
    else:
        batches = [Part(0, 0, as_sequences(x, where, offsets=offsets, mask=mask, pooled=pooled, linear=linear))]
    for probe in probes:
        check_width(probe, batches[0].sequences.width, where)
    count = sum(len(part.sequences) for part in batches)
    found = [Found() for _ in probes]
    for probe, one, wanted in zip(probes, found, fields):
        for field in wanted:
            one.values[field] = [] if field in _OF_TOKENS else np.empty(
                (count, *_columns(probe, field)), _FLOAT32)
    # Room for what tokens have, a batch each, in order.
    rooms = [_room(probes, fields, found, part) for part in batches]
    calls = [
        _prepared(probes, part, room, 1 if len(batches) > 1 else threads, count, where)
        for part, room in zip(batches, rooms)
    ]
    _run(calls, threads)
    for part, room in zip(batches, rooms):
        starts, ends = part.sequences.starts, part.sequences._ends()
        for one, arrays in zip(found, room):
            for field, array in arrays.items():
                if field in _OF_TOKENS:
                    one.values[field] += [array[a:b] for a, b in zip(starts.tolist(), ends.tolist())]
    return found


def _is_flat(x: Any, offsets: Any) -> bool:
    return offsets is None and not isinstance(x, Sequences) and not is_list(x)


def check_width(probe: NativeProbe, width: int, where: str) -> None:
    """Refuses hidden states of another width, in the words of scikit-learn."""
    if width != probe.width:
        raise ValueError(
            f"{where} has {width} features, but AttentionProbe is expecting {probe.width} features as input")


def _room(
    probes: Sequence[NativeProbe], fields: Sequence[Sequence[str]], found: list[Found], part: Part
) -> list[dict[str, np.ndarray]]:
    rooms = []
    for probe, wanted, one in zip(probes, fields, found):
        room = {}
        for field in wanted:
            if field in _OF_TOKENS:
                room[field] = np.empty((part.sequences.tokens, *_columns(probe, field)), _FLOAT32)
            else:
                room[field] = one.values[field][part.start : part.start + len(part.sequences)]
        rooms.append(room)
    return rooms


def _prepared(
    probes: Sequence[NativeProbe], part: Part, rooms: list[dict[str, np.ndarray]], threads: int, count: int, where: str
) -> Callable[[], None]:
    handles = (ctypes.c_void_p * len(probes))(*(probe.handle.value for probe in probes))
    batch = s.Batch()
    part.sequences._fill(batch)
    wanted = (s.Scores * len(probes))()
    for one, room in zip(wanted, rooms):
        for field, array in room.items():
            floats = getattr(one, field)
            floats.values, floats.count = array.ctypes.data, array.size

    def call() -> None:
        status = lib().ap_score(
            ctypes.addressof(handles), len(probes), ctypes.addressof(batch), ctypes.addressof(wanted), threads)
        if status:
            fault = error(status)
            if len(part.sequences) < count:
                last = part.start + len(part.sequences) - 1
                named = f"{where}[{part.start}]" + (f" to {where}[{last}]" if last > part.start else "")
                fault = type(fault)(f"{named}: {fault}")
            raise fault

    return call


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(calls: list[Callable[[], None]], threads: int) -> None:
    workers = min(len(calls), threads or processors())
    if workers <= 1:
        for call in calls:
            call()
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(call) for call in calls]:
            future.result()
