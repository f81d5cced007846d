"""Scores while a text is read or written, token by token."""
from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from . import _structures as s
from ._native import Handle, bytes_of, check, error, lib, opened
from ._probe import NativeProbe
from ._rows import rows_of

_FLOAT32 = np.dtype(np.float32)


def native(probe: Any) -> NativeProbe:
    """The fitted probe of an estimator; `ValueError` for what is none."""
    if isinstance(probe, NativeProbe):
        return probe
    fitted = getattr(probe, "_fitted", None)
    if fitted is None:
        raise ValueError(f"probe: expected an AttentionProbe, found {type(probe).__name__}")
    found: NativeProbe = fitted()
    return found


def token_mask(mask: Any, count: int) -> np.ndarray:
    """A byte a token from what a caller passed."""
    found = np.atleast_1d(np.asarray(mask))
    if found.shape != (count,):
        raise ValueError(f"mask: expected {count} numbers, one a token, found the shape {found.shape}")
    return np.ascontiguousarray(found != 0).view(np.uint8)


class Stream:
    """What a probe knows of a text so far.

    Parameters
    ----------
    probe : AttentionProbe
        A fitted one. The stream does not need it afterwards.

    Examples
    --------
    >>> import numpy as np
    >>> from attention_probes import AttentionProbe, Stream
    >>> states = np.random.default_rng(0).standard_normal((3, 4), dtype=np.float32)
    >>> probe = AttentionProbe.from_parameters("mean", {"v.weight": np.ones((1, 4)), "v.bias": [0]})
    >>> stream = Stream(probe)
    >>> for token in states:
    ...     logits = stream.append(token)
    >>> len(stream)
    3
    >>> bool(np.isclose(logits[0], probe.decision_function([states])[0]))
    True
    """

    __slots__ = ("_probe", "_handle", "_append")

    def __init__(self, probe: Any) -> None:
        fitted = native(probe)
        self._begin(fitted, opened(lib().ap_stream_open, lib().ap_stream_free, fitted.handle.value))

    def _begin(self, probe: NativeProbe, handle: Handle) -> None:
        self._probe, self._handle = probe, handle
        self._append = lib().ap_stream_append

    @classmethod
    def _of(cls, probe: NativeProbe, handle: Handle) -> Stream:
        self = cls.__new__(cls)
        self._begin(probe, handle)
        return self

    def append(self, states: Any, *, mask: Any = None) -> np.ndarray:
        """Adds tokens.

        Parameters
        ----------
        states : array (D,) or (L, D)
            Of any library and type that probes read.
        mask : array (L,), optional
            Tokens that the probe may look at; the others count as positions.

        Returns
        -------
        array (O,)
            The logits of all tokens so far; NaN where there was none to look at.
        """
        if type(states) is np.ndarray and states.dtype is _FLOAT32 and states.flags.c_contiguous:
            kind, shape, stride = s.F32, states.shape, 0
            address = states.__array_interface__["data"][0]
            rows = None
        else:
            rows = rows_of(states, "states")
            address, kind, shape = rows.address, rows.type, rows.shape
            stride = rows.strides[0] if len(shape) == 2 and shape[0] > 1 else 0
        if len(shape) == 1:
            tokens, width = 1, shape[0]
        elif len(shape) == 2:
            tokens, width = shape
        else:
            raise ValueError(f"states: expected (D,) or (L, D), found {len(shape)} dimensions")
        seen = None if mask is None else token_mask(mask, tokens)
        logits = np.empty(self._probe.outputs, _FLOAT32)
        room = s.Floats(logits.__array_interface__["data"][0], self._probe.outputs)
        status = self._append(
            self._handle.value, address, kind, tokens, width, stride,
            None if seen is None else seen.ctypes.data, room)
        if status:
            raise error(status)
        return logits

    def _scores(self, probabilities: bool) -> np.ndarray:
        values = np.empty(self._probe.outputs, np.float32)
        room = s.Floats(values.ctypes.data, values.size)
        none = s.Floats(None, 0)
        check(lib().ap_stream_scores(
            self._handle.value, none if probabilities else room, room if probabilities else none))
        return values

    @property
    def logits(self) -> np.ndarray:
        """The logits of the tokens so far, (O,), in the order of the probe file: of a binary probe above 0 for its `positive_`.

        NaN where there was none to look at.
        """
        return self._scores(False)

    @property
    def probabilities(self) -> np.ndarray:
        """The probabilities of the tokens so far, (O,): of a binary probe one, of its class `positive_`."""
        return self._scores(True)

    @property
    def probability(self) -> float:
        """The probability of the positive class of a binary probe, its `positive_`."""
        if self._probe.task != "binary":
            raise ValueError(f"probability: expected a binary probe, found a {self._probe.task} one; see probabilities")
        return float(self._scores(True)[0])

    @property
    def flagged(self) -> bool:
        """Whether the probability of a binary probe's positive class has reached its threshold."""
        return self.probability >= self._probe.threshold

    def _counts(self) -> tuple[int, int]:
        tokens, unmasked = ctypes.c_int64(), ctypes.c_int64()
        check(lib().ap_stream_counts(self._handle.value, ctypes.byref(tokens), ctypes.byref(unmasked)))
        return tokens.value, unmasked.value

    def __len__(self) -> int:
        """Tokens so far."""
        return self._counts()[0]

    @property
    def unmasked(self) -> int:
        """Tokens so far that the probe may look at."""
        return self._counts()[1]

    def copy(self) -> Stream:
        """Another that knows the same, for a text that branches."""
        return self._of(self._probe, opened(lib().ap_stream_copy, lib().ap_stream_free, self._handle.value))

    __copy__ = copy

    def merge(self, later: Stream) -> None:
        """Adds all that `later` has seen, as if its tokens had followed.

        `ValueError` for kinds whose windows or averages reach over the border.
        """
        check(lib().ap_stream_merge(self._handle.value, later._handle.value))

    def clear(self) -> None:
        """Forgets all tokens."""
        check(lib().ap_stream_clear(self._handle.value))

    def to_bytes(self) -> bytes:
        """The stream as bytes, for a text that goes on elsewhere."""
        return bytes_of(lib().ap_stream_bytes, self._handle.value)

    @classmethod
    def from_bytes(cls, probe: Any, content: bytes) -> Stream:
        """A stream of this probe from its bytes; `ValueError` for those of another, or that were changed."""
        fitted = native(probe)
        return cls._of(fitted, opened(
            lib().ap_stream_load_bytes, lib().ap_stream_free, fitted.handle.value, bytes(content), len(content)))

    def __repr__(self) -> str:
        return f"Stream({self._probe.said['kind']}, {len(self)} tokens)"
