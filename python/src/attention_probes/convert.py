"""Files of HDF5, Zarr, Arrow and Parquet, and lmprobe's data sets of the hub, as activation files.

  python -m attention_probes.convert train.h5 --out train.safetensors
  python -m attention_probes.convert train.parquet --out train.safetensors \\
    --pooled
  python -m attention_probes.convert dataset/ --out train.safetensors --layer 6

HDF5 and Zarr: arrays `hidden_states` T x D with `offsets`, N x S x D with
`attention_mask` or `seq_lens`, or N x D with N labels (pooled states; without
labels with --pooled), or a group of arrays L x D, one a sequence, called by its
name. Arrow and Parquet: a row a sequence, in the column `hidden_states` a list of
lists of numbers, or one list for pooled states. Beside them `labels`, `groups`,
`weights` and `ids`; `hidden_states` may be called activations, acts, x or X,
`labels` y or label, and `ids` id.

lmprobe: a folder with `index/*.parquet` and `tensors/`, as `push_dataset` makes it
and the hub holds it, of which `--layer` is taken. `label` gives the labels.

What torch.save and NumPy write needs no conversion: attnprobe reads it.
It needs h5py, zarr or pyarrow: `pip install 'attention-probes[convert]'`.
"""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from ._lmprobe_hub import HubFolder
from .activations import write_activations

_STATES = ("hidden_states", "hidden_state", "activations", "acts", "x", "X")
_BESIDE = {
    "labels": ("labels", "label", "y"), "groups": ("groups", "group"), "weights": ("weights", "weight"),
    "ids": ("ids", "id", "sequence_ids"),
}
# Numbers that are read at a time.
_BLOCK = 4 << 20


def convert(
    source: str | os.PathLike[str], out: str | os.PathLike[str], *, pooled: bool = False, dtype: str | None = None,
    classes: Any = None, layer: int | None = None
) -> tuple[int, int]:
    """Writes a file of HDF5, Zarr, Arrow or Parquet, or a folder of lmprobe's, as an activation file, in memory that does not
    grow with the tokens.

    Parameters
    ----------
    source : path
        Ends in .h5, .hdf5, .zarr, .parquet, .arrow or .feather; or a folder with `index/*.parquet`.
    out : path
        The activation file; it appears when it is whole.
    pooled : bool
        Whether a matrix without offsets or labels is one vector a sequence.
    dtype : {"float32", "float16", "bfloat16"}, optional
        How numbers are stored; else as in the source, float64 as float32.
    classes : list of str, optional
        Names of classes, in order.
    layer : int, optional
        The layer to take of a folder of lmprobe's, by the model's numbers; none is needed where it has one.

    Returns
    -------
    sequences, tokens : int
    """
    path = os.fspath(source)
    ending = os.path.splitext(path.rstrip("/"))[1].lower()
    if os.path.isdir(path) and ending not in (".zarr", ".parquet", ".arrow", ".feather"):
        folder = HubFolder(path, layer)
        with write_activations(out, dtype=dtype, classes=classes, metadata=folder.metadata) as writer:
            _add_all(writer, folder.batches())
        return writer.sequences, writer.tokens
    if layer is not None:
        raise ValueError(f"{path}: expected a layer only with a folder of lmprobe's, found {layer}")
    with write_activations(out, dtype=dtype, classes=classes) as writer:
        if ending in (".h5", ".hdf5", ".hdf"):
            import h5py

            with h5py.File(path) as root:
                _add_all(writer, _array_batches(root, path, pooled))
        elif ending == ".zarr":
            import zarr

            _add_all(writer, _array_batches(zarr.open_group(path, mode="r"), path, pooled))
        elif ending in (".parquet", ".arrow", ".feather"):
            _add_all(writer, _table_batches(path, ending))
        else:
            raise ValueError(f"{path}: expected a file of HDF5, Zarr, Arrow or Parquet by its ending, found {ending or 'none'}")
    return writer.sequences, writer.tokens


def _add_all(writer: Any, batches: Iterator[tuple[list[np.ndarray], dict[str, Any]]]) -> None:
    for states, beside in batches:
        writer.add(states, **beside)


def _find(names: Any, wanted: tuple[str, ...], path: str) -> str | None:
    found = [name for name in wanted if name in names]
    if len(found) > 1:
        raise ValueError(f"{path}: expected one of {', '.join(wanted)}, found {' and '.join(found)}")
    return found[0] if found else None


def _states_name(names: Any, path: str) -> str:
    name = _find(names, _STATES, path)
    if name is None:
        raise ValueError(f"{path}: expected hidden_states, found {', '.join(sorted(names)) or 'nothing'}")
    return name


def _numbers(values: Any) -> np.ndarray:
    """Numbers in this machine's order, float64 as float32."""
    array = np.asarray(values)
    if array.dtype.kind == "f" and array.dtype.itemsize > 4:
        return array.astype(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _whole(values: Any, name: str, path: str) -> list[int]:
    array = np.asarray(values)
    numbers: np.ndarray = array.astype(np.int64)
    if not (numbers == array).all():
        raise ValueError(f"{path}: {name}: expected whole numbers, found others")
    return [int(one) for one in numbers]


def _beside(values: Any) -> Any:
    array = np.asarray(values)
    if array.dtype.kind in "SO":
        return np.array([one.decode() if isinstance(one, bytes) else str(one) for one in array.tolist()])
    return array


def _array_batches(root: Any, path: str, pooled: bool) -> Iterator[tuple[list[np.ndarray], dict[str, Any]]]:
    names = list(root.keys())
    states = root[_states_name(names, path)]
    beside = {name: _beside(root[found][:]) for name, wanted in _BESIDE.items() if (found := _find(names, wanted, path))}
    if hasattr(states, "keys"):
        keys = list(states.keys())
        if all(key.isdigit() for key in keys):
            keys.sort(key=int)
        beside.setdefault("ids", np.array(keys))
        lengths = [states[key].shape[0] for key in keys]
        width = states[keys[0]].shape[1] if keys else 1
        rows = [(key, slice(None)) for key in keys]
    else:
        width, rows, lengths = _places(root, states, names, beside, path, pooled)
    for name, column in beside.items():
        if len(column) != len(rows):
            raise ValueError(f"{path}: {name}: expected {len(rows)}, one a sequence, found {len(column)}")
    start = 0
    while start < len(rows):
        end, size = start, 0
        while end < len(rows) and (end == start or size < _BLOCK):
            size += lengths[end] * width
            end += 1
        batch = []
        for place in rows[start:end]:
            values = states
            for part in place:
                values = values[part]
            batch.append(_numbers(values).reshape(-1, width))
        yield batch, {name: column[start:end] for name, column in beside.items()}
        start = end


def _places(
    root: Any, states: Any, names: list[str], beside: dict[str, Any], path: str, pooled: bool
) -> tuple[int, list[tuple[Any, ...]], list[int]]:
    """The width, where each sequence is, and how long."""
    shape = states.shape
    if len(shape) == 3 and "attention_mask" in names:
        mask = np.asarray(root["attention_mask"][:]) != 0
        if mask.shape != shape[:2]:
            raise ValueError(f"{path}: attention_mask: expected the shape {shape[:2]}, found {mask.shape}")
        bounds = [np.flatnonzero(row) for row in mask]
        for i, one in enumerate(bounds):
            if len(one) == 0 or one[-1] - one[0] + 1 != len(one):
                raise ValueError(f"{path}: attention_mask, row {i}: expected tokens side by side, found {len(one)} with gaps or none")
        return shape[2], [((i, slice(int(one[0]), int(one[-1]) + 1)),) for i, one in enumerate(bounds)], [len(one) for one in bounds]
    if len(shape) == 3 and "seq_lens" in names:
        lengths = _whole(root["seq_lens"][:], "seq_lens", path)
        if len(lengths) != shape[0] or not all(0 < one <= shape[1] for one in lengths):
            raise ValueError(f"{path}: seq_lens: expected {shape[0]} lengths from 1 to {shape[1]}, found others")
        return shape[2], [((i, slice(0, one)),) for i, one in enumerate(lengths)], lengths
    if len(shape) == 2 and "offsets" in names:
        offsets = _whole(root["offsets"][:], "offsets", path)
        if offsets[:1] != [0] or offsets[-1] != shape[0] or any(a >= b for a, b in zip(offsets, offsets[1:])):
            raise ValueError(f"{path}: offsets: expected numbers that rise from 0 to {shape[0]}, found others")
        pairs = list(zip(offsets, offsets[1:]))
        return shape[1], [(slice(a, b),) for a, b in pairs], [b - a for a, b in pairs]
    if len(shape) == 2 and (pooled or any(len(column) == shape[0] for column in beside.values())):
        return shape[1], [(i,) for i in range(shape[0])], [1] * shape[0]
    raise ValueError(
        f"{path}: expected offsets beside hidden_states T x D, attention_mask or seq_lens beside N x S x D, or pooled states "
        f"(--pooled), found the shape {tuple(shape)} and {', '.join(sorted(names))}")


def _table_batches(path: str, ending: str) -> Iterator[tuple[list[np.ndarray], dict[str, Any]]]:
    import pyarrow.dataset

    data = pyarrow.dataset.dataset(path, format="parquet" if ending == ".parquet" else "feather")
    names = data.schema.names
    states = _states_name(names, path)
    beside = {name: found for name, wanted in _BESIDE.items() if (found := _find(names, wanted, path))}
    row = 0
    for batch in data.to_batches(columns=[states, *beside.values()], batch_size=256):
        arrays = []
        for value in batch.column(states):
            arrays.append(_sequence(value, f"{path}: {states}, row {row}"))
            row += 1
        if arrays:
            yield arrays, {name: _beside(batch.column(found).to_pylist()) for name, found in beside.items()}


def _sequence(value: Any, place: str) -> np.ndarray:
    """A list of lists of numbers, or of numbers for one token."""
    inner = getattr(value, "values", None)
    if inner is None or len(inner) == 0:
        raise ValueError(f"{place}: expected a list of tokens, found {'an empty list' if inner is not None else 'another value'}")
    rows = len(inner) if hasattr(inner, "flatten") and hasattr(inner.type, "value_type") else 1
    numbers = _numbers((inner.flatten() if rows > 1 or hasattr(inner.type, "value_type") else inner).to_numpy(zero_copy_only=False))
    if len(numbers) % rows or (hasattr(inner.type, "value_type") and len({len(one) for one in inner}) != 1):
        raise ValueError(f"{place}: expected tokens of one width, found several")
    return numbers.reshape(rows, -1)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m attention_probes.convert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="IN")
    parser.add_argument("--out", required=True, help="the activation file to write")
    parser.add_argument("--pooled", action="store_true", help="each row of a matrix is a sequence")
    parser.add_argument("--dtype", choices=["float32", "float16", "bfloat16"], help="how numbers are stored (default: as they are)")
    parser.add_argument("--layer", type=int, help="of lmprobe's data sets, by the model's numbers")
    options = parser.parse_args(arguments)
    if not os.path.exists(options.source):
        print(f"{options.source}: expected a file, found none", file=sys.stderr)
        return 66
    try:
        sequences, tokens = convert(options.source, options.out, pooled=options.pooled, dtype=options.dtype, layer=options.layer)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 65
    except OSError as error:
        print(f"{options.source}: {error}", file=sys.stderr)
        return 74
    print(f"wrote {sequences} sequences, {tokens} tokens to {options.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
