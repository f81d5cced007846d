"""The functions of `libattention_probes.so` through ctypes, which releases the interpreter lock while one runs.

`lib()` is the library, loaded at first use. Statuses become exceptions by `check`, handles are freed by `Handle`.
"""
from __future__ import annotations

import ctypes
import json
import os
import threading
import warnings
import weakref
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p
from typing import Any, Callable

from . import _structures as s

_handles = POINTER(c_void_p)
_texts = POINTER(c_void_p)
_count = POINTER(c_int64)
_size = POINTER(c_size_t)

# Name: argument types. Handles and arrays are plain addresses, which are the cheapest to pass.
_FUNCTIONS: dict[str, list[Any]] = {
    "ap_text_free": [c_void_p],
    "ap_probe_load": [c_char_p, _handles],
    "ap_probe_load_bytes": [c_char_p, c_size_t, _handles],
    "ap_probe_save": [c_void_p, c_char_p],
    "ap_probe_bytes": [c_void_p, c_void_p, c_size_t, _size],
    "ap_probe_shape": [c_void_p, POINTER(s.Shape)],
    "ap_probe_describe": [c_void_p, _texts],
    "ap_probe_tensor": [c_void_p, c_char_p, c_void_p, c_int64, _count],
    "ap_probe_free": [c_void_p],
    "ap_score": [c_void_p, c_int64, c_void_p, c_void_p, c_int32],
    "ap_stream_open": [c_void_p, _handles],
    "ap_stream_copy": [c_void_p, _handles],
    "ap_stream_append": [c_void_p, c_void_p, c_int, c_int64, c_int64, c_int64, c_void_p, s.Floats],
    "ap_stream_scores": [c_void_p, s.Floats, s.Floats],
    "ap_stream_counts": [c_void_p, _count, _count],
    "ap_stream_merge": [c_void_p, c_void_p],
    "ap_stream_clear": [c_void_p],
    "ap_stream_bytes": [c_void_p, c_void_p, c_size_t, _size],
    "ap_stream_load_bytes": [c_void_p, c_char_p, c_size_t, _handles],
    "ap_stream_free": [c_void_p],
    "ap_streams_create": [c_void_p, c_int64, c_int32, _handles],
    "ap_streams_open": [c_void_p, c_int64, c_void_p],
    "ap_streams_close": [c_void_p, c_int64],
    "ap_streams_ids": [c_void_p, c_void_p, c_int64, _count],
    "ap_streams_get": [c_void_p, c_int64, c_int64, _handles],
    "ap_streams_step": [
        c_void_p, c_void_p, c_int64, c_void_p, c_int, c_int64, c_int64, c_void_p, c_void_p, c_void_p,
    ],
    "ap_streams_free": [c_void_p],
    "ap_machine": [_texts],
    "ap_data_create": [POINTER(s.Batch), POINTER(s.Known), _handles],
    "ap_data_open": [c_void_p, c_int64, c_char_p, _handles],
    "ap_data_describe": [c_void_p, _texts],
    "ap_data_write": [c_void_p, c_char_p, c_int],
    "ap_data_free": [c_void_p],
    "ap_train": [c_void_p, c_void_p, c_char_p, s.Progress, c_void_p, _handles, _texts],
    "ap_select": [c_void_p, c_char_p, c_char_p, s.Progress, c_void_p, _handles, _texts],
    "ap_select_share": [c_void_p, c_char_p, c_char_p, c_int64, c_int64, s.Progress, c_void_p, _texts],
    "ap_evaluate": [c_void_p, c_void_p, c_char_p, s.Progress, c_void_p, _texts],
    "ap_evaluate_controls": [c_void_p, c_void_p, c_void_p, c_char_p, s.Progress, c_void_p, _texts],
    "ap_evaluate_scores": [c_void_p, c_void_p, c_void_p, c_char_p, s.Progress, c_void_p, _texts],
    "ap_calibrate": [c_void_p, c_void_p, c_char_p, s.Progress, c_void_p, _handles, _texts],
    "ap_report": [c_void_p, c_void_p, c_char_p, c_char_p, s.Progress, c_void_p, _texts],
    "ap_report_controls": [c_void_p, c_void_p, c_void_p, c_char_p, c_char_p, s.Progress, c_void_p, _texts],
}

_ERRORS: dict[int, Callable[[str], BaseException]] = {
    s.USAGE: ValueError,
    s.DATA: ValueError,
    s.NO_INPUT: FileNotFoundError,
    s.IO: OSError,
    s.INTERRUPTED: KeyboardInterrupt,
}


class Library:
    """The functions, each an attribute; one that an older library lacks fails when it is called."""

    def __init__(self, path: str) -> None:
        self.path = path
        library = ctypes.CDLL(path)
        for name, restype in (("ap_version", c_char_p), ("ap_last_error", c_char_p)):
            function = getattr(library, name)
            function.argtypes, function.restype = [], restype
            setattr(self, name, function)
        for name, types in _FUNCTIONS.items():
            try:
                function = getattr(library, name)
            except AttributeError:
                setattr(self, name, self._missing(name))
                continue
            function.argtypes, function.restype = types, c_int
            setattr(self, name, function)

    def _missing(self, name: str) -> Callable[..., int]:
        def fail(*_: Any) -> int:
            raise NotImplementedError(f"expected a library with {name}, found an older one: {self.path}")

        return fail

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


_library: Library | None = None
_lock = threading.Lock()


def _path() -> str:
    given = os.environ.get("ATTENTION_PROBES_LIBRARY")
    path = given or os.path.join(os.path.dirname(__file__), "libattention_probes.so")
    if not os.path.isfile(path):
        where = "ATTENTION_PROBES_LIBRARY" if given else "the package"
        raise ImportError(f"expected libattention_probes.so, found nothing at {path} ({where})")
    return path


def lib() -> Library:
    """The library: that of the environment's ATTENTION_PROBES_LIBRARY, or the package's own."""
    global _library
    if _library is None:
        with _lock:
            if _library is None:
                library = Library(_path())
                _advise(library)
                _library = library
    return _library


def _advise(library: Library) -> None:
    """Says once where OpenBLAS has taken kernels below what the processor can do."""
    try:
        advice = _machine(library).get("advice")
    except NotImplementedError:
        return
    if advice:
        warnings.warn(advice, RuntimeWarning, stacklevel=4)


def _machine(library: Library) -> dict[str, Any]:
    text = c_void_p()
    status = library.ap_machine(ctypes.byref(text))
    if status:
        raise RuntimeError(library.ap_last_error().decode("utf-8", "replace"))
    try:
        found: dict[str, Any] = json.loads(ctypes.string_at(text))
        return found
    finally:
        library.ap_text_free(text)


def machine() -> dict[str, Any]:
    """What is computed with here.

    Returns
    -------
    dict
        `instruction_set` of the library's own kernels ("AVX-512", "AVX2", "NEON", "plain"), `openblas_core` and `openblas`, `threads`
        that are used unless fewer are asked for, and `advice` where OpenBLAS has taken kernels below what the
        processor can do: only the environment that Python is started in can change that, and a RuntimeWarning says so when
        the library is loaded.
    """
    return _machine(lib())


def version() -> str:
    """The version of the library."""
    found: bytes = lib().ap_version()
    return found.decode()


def error(status: int, said: str | None = None) -> BaseException:
    """The exception of a status other than OK, with what the library says of the last failure in this thread, or said."""
    if said is None:
        last: bytes = lib().ap_last_error()
        said = last.decode("utf-8", "replace")
    # Python and scikit-learn say NaN.
    return _ERRORS.get(status, RuntimeError)(said.replace("found nan", "found NaN"))


def check(status: int) -> None:
    """Raises the exception of a status that is not OK."""
    if status:
        raise error(status)


class Handle:
    """Owns a handle of the library: `value`, an address to pass. Freed with the object."""

    __slots__ = ("value", "_finalizer", "__weakref__")

    def __init__(self, value: c_void_p, free: Callable[[int], int]) -> None:
        assert value.value is not None
        self.value = value.value
        self._finalizer = weakref.finalize(self, free, value.value)

    def close(self) -> None:
        """Frees it now; what is called with it later is an error."""
        self._finalizer()


def opened(function: Callable[..., int], free: Callable[[int], int], *arguments: Any) -> Handle:
    """Calls a function whose last argument becomes a handle."""
    value = c_void_p()
    check(function(*arguments, ctypes.byref(value)))
    return Handle(value, free)


def take_text(value: c_void_p) -> str:
    """A text that the library gave, which is freed."""
    assert value.value is not None
    try:
        return ctypes.string_at(value.value).decode("utf-8")
    finally:
        lib().ap_text_free(value.value)


def told(function: Callable[..., int], *arguments: Any) -> str:
    """Calls a function whose last argument becomes a text."""
    value = c_void_p()
    check(function(*arguments, ctypes.byref(value)))
    return take_text(value)


def bytes_of(function: Callable[..., int], handle: int) -> bytes:
    """Calls a function of the form of ap_probe_bytes."""
    size = c_size_t()
    check(function(handle, None, 0, ctypes.byref(size)))
    buffer = ctypes.create_string_buffer(max(1, size.value))
    check(function(handle, buffer, size.value, ctypes.byref(size)))
    return buffer.raw[: size.value]
