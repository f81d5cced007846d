"""What the files that `convert` reads call hidden states and what is known of them, and its values."""
from __future__ import annotations

from typing import Any

import numpy as np

STATES = ("hidden_states", "hidden_state", "activations", "acts", "x", "X")
BESIDE = {
    "labels": ("labels", "label", "y"), "groups": ("groups", "group"), "weights": ("weights", "weight"),
    "ids": ("ids", "id", "sequence_ids"),
}


def find(names: Any, wanted: tuple[str, ...], path: str) -> str | None:
    """The one of some names that is there; None without any."""
    found = [name for name in wanted if name in names]
    if len(found) > 1:
        raise ValueError(f"{path}: expected one of {', '.join(wanted)}, found {' and '.join(found)}")
    return found[0] if found else None


def states_name(names: Any, path: str) -> str:
    """What the hidden states are called."""
    name = find(names, STATES, path)
    if name is None:
        raise ValueError(f"{path}: expected hidden_states, found {', '.join(sorted(names)) or 'nothing'}")
    return name


def numbers(values: Any) -> np.ndarray:
    """Numbers in this machine's order, float64 as float32."""
    array = np.asarray(values)
    if array.dtype.kind == "f" and array.dtype.itemsize > 4:
        return array.astype(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def whole(values: Any, name: str, path: str) -> list[int]:
    """Whole numbers, of whatever type."""
    array = np.asarray(values)
    found: np.ndarray = array.astype(np.int64)
    if not (found == array).all():
        raise ValueError(f"{path}: {name}: expected whole numbers, found others")
    return [int(one) for one in found]


def known(values: Any, place: str, first: int = 0) -> np.ndarray:
    """What is known of rows, from the row `first` on: none of it missing."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{place}: expected as many values in every row, found {error}") from error
    if array.dtype.kind in "fO" and array.size:
        # NaN alone differs from itself.
        missing = np.array([one is None or one != one for one in array.ravel().tolist()]).reshape(len(array), -1).any(axis=1)
        if missing.any():
            raise ValueError(f"{place}, row {first + int(missing.argmax())}: expected a value, found none or NaN")
    if array.dtype.kind in "SO":
        return np.array([one.decode() if isinstance(one, bytes) else str(one) for one in array.tolist()])
    return array
