"""What is known of sequences: labels, groups, weights, names, texts of tokens, as the library takes them."""
from __future__ import annotations

import ctypes
from typing import Any, Sequence

import numpy as np

from . import _structures as s
from .sequences import Sequences


class Labels:
    """y, told apart: `classes` (N,), numbers of `names`, or `values` (N, V).

    `originals` are the labels that the names stand for, in the order of `names`, where there are names.
    """

    __slots__ = ("classes", "names", "originals", "values")

    def __init__(
        self, classes: np.ndarray | None = None, originals: np.ndarray | None = None, values: np.ndarray | None = None
    ) -> None:
        self.classes, self.originals, self.values = classes, originals, values
        self.names = None if originals is None else [class_name(one) for one in originals]


def class_name(label: Any) -> str:
    """What a probe file calls a class: text as it is, a bool as 0 or 1, a whole number without a point."""
    if isinstance(label, (bool, np.bool_)):
        return str(int(label))
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        return str(int(label))
    return str(label)


def labels_of(y: Any, count: int, *, task: str | None = None, known: np.ndarray | None = None, where: str = "y") -> Labels:
    """Labels of `count` sequences.

    `known`: the classes of a fitted probe; a label that is none of them is an error. Floats that are all 0 and 1, or -1
    and 1, are classes unless `task` says otherwise, as on the command line.
    """
    found = np.asarray(y)
    if found.ndim == 0:
        raise ValueError(f"{where}: expected {count} labels, one a sequence, found {found!r}")
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim > 2:
        raise ValueError(f"{where}: expected one or two dimensions, found {found.ndim}")
    if len(found) != count:
        raise ValueError(
            f"{where}: expected {count} labels, one a sequence, found {len(found)} "
            f"(inconsistent numbers of samples: {[count, len(found)]})")
    kind = found.dtype.kind
    if kind == "c":
        raise ValueError(f"{where}: Complex data not supported: expected labels, found dtype {found.dtype}")
    if kind == "f" and not np.isfinite(found).all():
        bad = int(np.argmin(np.isfinite(found).reshape(count, -1).all(axis=1)))
        raise ValueError(f"{where}: expected finite labels, found NaN or infinity in {where}[{bad}]; Input contains NaN")
    if found.ndim == 2:
        if kind not in "fiub":
            raise ValueError(f"{where}: expected numbers in two dimensions, found dtype {found.dtype}")
        return Labels(values=np.ascontiguousarray(found, np.float32))
    if kind in "iubf" and (task == "regression" or (kind == "f" and not _are_classes(found, task, known))):
        return Labels(values=np.ascontiguousarray(found[:, None], np.float32))
    if kind not in "iubfUSO":
        raise ValueError(f"{where}: expected classes or numbers, found dtype {found.dtype}")
    return _classes(found, known, where)


def _are_classes(y: np.ndarray, task: str | None, known: np.ndarray | None) -> bool:
    if known is not None or task == "multiclass":
        return bool((y == np.round(y)).all())
    some = set(np.unique(y)[:3].tolist())
    return some <= {0.0, 1.0} or some <= {-1.0, 1.0}


def _classes(y: np.ndarray, known: np.ndarray | None, where: str) -> Labels:
    try:
        originals, numbers = np.unique(y, return_inverse=True)
    except TypeError as fault:
        raise ValueError(f"{where}: expected labels of one type, found {fault}") from fault
    if known is not None:
        # Matched by name: a probe file knows its classes by their names alone.
        places = {class_name(one): i for i, one in enumerate(known)}
        matched = []
        for one in originals:
            if class_name(one) not in places:
                raise ValueError(
                    f"{where}: expected one of the probe's classes {', '.join(places)}, found {class_name(one)} in "
                    f"{where}[{int(np.argmax(y == one))}]")
            matched.append(places[class_name(one)])
        numbers, originals = np.array(matched, np.int64)[numbers.reshape(-1)], known
    elif len(originals) < 2:
        raise ValueError(f"{where}: expected two classes or more, found one class, {class_name(originals[0])}")
    return Labels(np.ascontiguousarray(numbers.reshape(-1), np.int64), originals)


def known_of(
    sequences: Sequences, labels: Labels | None, groups: Any = None, weights: Any = None, ids: Any = None,
    token_texts: Any = None, name: str | None = None
) -> tuple[s.Known, list[Any]]:
    """ap_known, and what it points to and has to be kept with it."""
    known = s.Known()
    keep: list[Any] = []
    count = len(sequences)

    def pointer(array: np.ndarray) -> int:
        keep.append(array)
        return int(array.ctypes.data)

    def texts(given: Sequence[Any]) -> int:
        array = (ctypes.c_char_p * len(given))(*(str(one).encode() for one in given))
        keep.append(array)
        return ctypes.addressof(array)

    if labels is not None:
        if labels.classes is not None:
            assert labels.names is not None
            known.classes = pointer(labels.classes)
            known.class_names, known.class_count = texts(labels.names), len(labels.names)
        else:
            assert labels.values is not None
            known.values, known.value_count = pointer(labels.values), labels.values.shape[1]
    if groups is not None:
        known.groups = pointer(_groups(groups, count))
    if weights is not None:
        known.weights = pointer(weights_of(weights, count))
    if ids is not None:
        if len(ids) != count:
            raise ValueError(f"ids: expected {count} names, one a sequence, found {len(ids)}")
        known.ids = texts(ids)
    if token_texts is not None:
        known.token_texts = texts(_texts(token_texts, sequences))
    if name is not None:
        known.name = name.encode()
    return known, keep


def _groups(groups: Any, count: int) -> np.ndarray:
    found = np.asarray(groups)
    if found.shape != (count,):
        raise ValueError(f"groups: expected {count} groups, one a sequence, found the shape {found.shape}")
    if found.dtype.kind not in "iu":
        found = np.unique(found, return_inverse=True)[1].reshape(-1)
    return np.ascontiguousarray(found, np.int64)


def weights_of(weights: Any, count: int) -> np.ndarray:
    """Weights of sequences, (N,) float32; one number stands for all."""
    found = np.asarray(weights)
    if found.dtype.kind not in "fiub":
        raise ValueError(f"sample_weight: expected numbers, found dtype {found.dtype}")
    if found.ndim == 0:
        found = np.full(count, found)
    if found.ndim != 1:
        raise ValueError("sample_weight: Sample weights must be 1D array or scalar")
    if found.shape != (count,):
        raise ValueError(f"sample_weight.shape == {found.shape}, expected {(count,)}!")
    return np.ascontiguousarray(found, np.float32)


def _texts(texts: Any, sequences: Sequences) -> list[str]:
    given: list[Any] = list(texts)
    if len(given) == sequences.tokens and (len(given) == 0 or isinstance(given[0], str)):
        return given
    if len(given) != len(sequences) or any(isinstance(one, str) for one in given):
        raise ValueError(
            f"token_texts: expected {len(sequences)} lists, one a sequence, or {sequences.tokens} texts, found {len(given)}")
    placed = [""] * sequences.tokens
    for i, (own, start, length) in enumerate(zip(given, sequences.starts.tolist(), sequences.lengths.tolist())):
        if len(own) != length:
            raise ValueError(f"token_texts[{i}]: expected {length} texts, one a token, found {len(own)}")
        placed[start : start + length] = own
    return placed
