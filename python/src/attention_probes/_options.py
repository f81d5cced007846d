"""Options as the library takes them: JSON with the names of the command line's options."""
from __future__ import annotations

import json
import os
from typing import Any

import numpy as np


def options(**given: Any) -> bytes:
    """JSON of the options that are not None, underscores as dashes; tuples and arrays are lists."""
    return json.dumps({name.replace("_", "-"): _plain(name, value) for name, value in given.items()
                       if value is not None}).encode()


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple, set, frozenset, range, np.ndarray)):
        return [_plain(name, one) for one in value]
    if not isinstance(value, (str, int, float, bool)):
        raise ValueError(f"{name}: expected a number, a text, a bool or a list of them, found {type(value).__name__}")
    return value
