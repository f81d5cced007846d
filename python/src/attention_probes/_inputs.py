"""Everything that can be passed as X, as `Sequences`."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import _structures as s
from ._float8 import token_scales
from ._joined import Item, joined
from ._rows import Rows, rows_of
from .sequences import Sequences

# The kinds that are linear in a vector, for which two dimensions are vectors, one a sequence.
LINEAR_KINDS = frozenset({"mean", "last", "mass-mean", "lda"})


def as_sequences(
    x: Any, where: str = "X", *, offsets: Any = None, mask: Any = None, pooled: bool = False,
    linear: bool = False, scales: Any = None
) -> Sequences:
    """`x` as one batch; a list of arrays that lie apart is copied together."""
    if isinstance(x, Sequences):
        _refuse(where, "Sequences", offsets=offsets, mask=mask, scales=scales)
        return x
    if is_list(x):
        _refuse(where, "a list of arrays", offsets=offsets, scales=scales)
        return joined(items(x, where, mask), where)
    rows = rows_of(_stacked(x), where, float8=True)
    found = _of_rows(rows, where, offsets, mask, pooled or linear)
    if scales is not None:
        found.scales = _scales(scales, rows, found.tokens, where)
    return found


def _of_rows(rows: Rows, where: str, offsets: Any, mask: Any, pooled: bool) -> Sequences:
    if len(rows.shape) == 3:
        _refuse(where, "three dimensions", offsets=offsets)
        return _padded(rows, mask, where)
    if len(rows.shape) != 2:
        raise ValueError(f"{where}: {_ranks(rows.shape)}")
    if offsets is not None:
        return Sequences._of(rows, whole_numbers(offsets, f"offsets of {where}"), None, _token_mask(mask, rows, where))
    if not pooled:
        raise ValueError(
            f"{where}: expected offsets beside two dimensions {_text(rows.shape)}, or pooled=True where each row is "
            "a sequence, or a list with an array of each sequence; found none of them")
    _refuse(where, "pooled states", mask=mask)
    if rows.shape[0] == 0 or rows.shape[1] == 0:
        # The words of scikit-learn.
        found, axis = (("0 sample(s)", 0) if rows.shape[0] == 0 else ("0 feature(s)", 1))
        raise ValueError(
            f"{where}: found array with {found} (shape={rows.shape}) while a minimum of 1 is required along axis {axis}.")
    return Sequences._of(rows, np.arange(rows.shape[0] + 1, dtype=np.int64))


def is_list(x: Any) -> bool:
    """Whether `x` is a list of arrays, one a sequence."""
    if getattr(x, "ndim", None) == 1 and getattr(x, "dtype", None) == object:
        # Of numpy, or of pandas, whose numbers need not begin at 0.
        return len(x) > 0 and np.ndim(next(iter(x))) == 2
    if not isinstance(x, (list, tuple)):
        return False
    if not x:
        return True
    first = x[0]
    if isinstance(first, Sequences):
        return True
    shape = getattr(first, "shape", None)
    return shape is not None and len(shape) > 1


def items(x: Any, where: str, mask: Any = None) -> list[Item]:
    """A list of arrays as items, each with its name in errors; all of one width."""
    if len(x) == 0:
        raise ValueError(f"{where}: expected at least one sequence, found an empty list")
    if mask is not None and len(mask) != len(x):
        raise ValueError(f"mask of {where}: expected {len(x)} arrays, one a sequence, found {len(mask)}")
    masks = None if mask is None else list(mask)
    found: list[Item] = []
    width = -1
    for i, one in enumerate(x):
        own = None
        if isinstance(one, Sequences):
            if len(one) != 1:
                raise ValueError(f"{where}[{i}]: expected one sequence, found {len(one)}")
            start, end = int(one.starts[0]), int(one._ends()[0])
            rows = one._rows(start, end)
            if one.mask is not None:
                own = one.mask[start:end]
        else:
            rows = rows_of(one, f"{where}[{i}]")
        shape = rows.shape
        if len(shape) != 2:
            raise ValueError(f"{where}[{i}]: expected two dimensions, tokens and width, found {_text(shape)}")
        if width < 0:
            width = shape[1]
        if shape[1] != width:
            raise ValueError(f"{where}[{i}]: expected the width of {where}[0], {width}, found {shape[1]}")
        if shape[0] == 0:
            raise ValueError(f"{where}[{i}]: expected at least one token, found none")
        if masks is not None:
            own = _bytes(masks[i], (shape[0],), f"mask of {where}[{i}]")
        found.append(Item(rows, own))
    return found


def _padded(rows: Rows, mask: Any, where: str) -> Sequences:
    count, length, width = rows.shape
    if count == 0 or length == 0:
        raise ValueError(f"{where}: expected at least one sequence and one token, found {_text(rows.shape)}")
    starts = np.zeros(count, np.int64)
    ends = np.full(count, length, np.int64)
    gaps = None
    if mask is not None:
        seen = _bytes(mask, (count, length), f"mask of {where}")
        some = seen.any(axis=1)
        if not some.all():
            raise ValueError(
                f"mask of {where}: expected at least one true token in every row, found none in row {int(some.argmin())}")
        starts = seen.argmax(axis=1)
        ends = length - seen[:, ::-1].argmax(axis=1)
        if (seen.sum(axis=1, dtype=np.int64) != ends - starts).any():
            gaps = seen
    outer, inner = rows.strides[0], rows.strides[1]
    if length == 1:
        inner = outer if count > 1 else width * s.TYPE_SIZES[rows.type]
    step, rest = divmod(outer, inner) if count > 1 else (length, 0)
    if rest:
        from ._rows import raw_array, warn_of_copy

        array = raw_array(rows)
        warn_of_copy(array.nbytes, where, "its rows do not lie at even distances")
        dense = np.ascontiguousarray(array)
        size = dense.itemsize
        rows = Rows(dense.__array_interface__["data"][0], rows.type, dense.shape, dense.strides, dense)
        step, inner = length, width * size
    flat = Rows(
        rows.address, rows.type, ((count - 1) * step + length, width), (inner, s.TYPE_SIZES[rows.type]), rows.owner)
    token_mask = None
    if gaps is not None:
        spread = np.zeros((count, step), np.uint8)
        spread[:, :length] = gaps
        token_mask = np.ascontiguousarray(spread.reshape(-1)[: flat.shape[0]])
    first = np.arange(count, dtype=np.int64) * step
    return Sequences._of(flat, first + starts, first + ends, token_mask)


def _scales(scales: Any, rows: Rows, tokens: int, where: str) -> np.ndarray:
    found = token_scales(scales, rows.shape[:-1], rows.type, where)
    if len(rows.shape) == 2:
        return found
    # Between the rows of a padded array there may be others.
    count, length = found.shape
    step = (tokens - length) // (count - 1) if count > 1 else length
    spread = np.ones((count, step), np.float32)
    spread[:, :length] = found
    return np.ascontiguousarray(spread.reshape(-1)[:tokens])


def _token_mask(mask: Any, rows: Rows, where: str) -> np.ndarray | None:
    return None if mask is None else _bytes(mask, (rows.shape[0],), f"mask of {where}")


def _bytes(mask: Any, shape: tuple[int, ...], where: str) -> np.ndarray:
    found = np.asarray(mask)
    if found.shape != shape:
        raise ValueError(f"{where}: expected the shape {_text(shape)}, found {_text(found.shape)}")
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{where}: expected bools or numbers, found dtype {found.dtype}")
    return np.ascontiguousarray(found != 0).view(np.uint8)


def whole_numbers(x: Any, where: str, count: int | None = None) -> np.ndarray:
    """A vector of int64, of a length if there is one to have."""
    found = np.asarray(x)
    if found.ndim != 1:
        raise ValueError(f"{where}: expected one dimension, found {_text(found.shape)}")
    if found.dtype.kind not in "iub":
        raise ValueError(f"{where}: expected whole numbers, found dtype {found.dtype}")
    if count is not None and len(found) != count:
        raise ValueError(f"{where}: expected {count} numbers, one a sequence, found {len(found)}")
    return np.ascontiguousarray(found, np.int64)


def _stacked(x: Any) -> Any:
    # Vectors in a list are the rows of an array.
    if isinstance(x, (list, tuple)) and x and len(getattr(x[0], "shape", ())) == 1:
        return np.stack([np.asarray(one) for one in x])
    return x


def _refuse(where: str, form: str, **given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} of {where}: expected none beside {form}, found some")


def _ranks(shape: tuple[int, ...]) -> str:
    text = f"expected a list of arrays (L, D), or an array (T, D) with offsets, (N, S, D) or (N, D), found {_text(shape)}"
    if len(shape) == 1:
        text += ". Reshape your data either using array.reshape(-1, 1) or array.reshape(1, -1) if it is one vector"
    return text


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) if shape else "a single number"
