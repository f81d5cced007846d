"""Options as the library takes them: JSON with the names of the command line's options."""
from __future__ import annotations

import json
import os
from typing import Any

import numpy as np


# Options that are on or off.
_FLAGS = frozenset({
    "labels_in_order", "no_standardize", "pooled", "sequence", "skip_bad_shards", "skip_empty", "skip_nonfinite", "streaming",
    "whiten"})


def options(**given: Any) -> bytes:
    """JSON of the options that are not None, underscores as dashes; tuples and arrays are lists."""
    return json.dumps({name.replace("_", "-"): _plain(name, value) for name, value in given.items()
                       if value is not None}).encode()


def _plain(name: str, value: Any) -> Any:
    if name in _FLAGS:
        if not isinstance(value, (bool, int, np.bool_, np.integer)) or value not in (0, 1):
            raise ValueError(f"{name}: expected True or False, found {value!r}")
        return bool(value)
    if isinstance(value, np.generic) or isinstance(value, np.ndarray) and value.ndim == 0:
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple, set, frozenset, range, np.ndarray)):
        return [_plain(name, one) for one in value]
    if not isinstance(value, (str, int, float, bool)):
        raise ValueError(f"{name}: expected a number, a text, a bool or a list of them, found {type(value).__name__}")
    return value
