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

Exit codes: 64 usage, 65 bad data, 66 no such file, 69 a package is missing, 74
input or output failed.
"""
from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from ._columns import BESIDE, find, known, numbers, states_name, whole
from ._lmprobe_hub import HubFolder
from ._outputs import input_at, refuse_input
from .activations import write_activations
from .extract.failure import DATA, IO, NO_INPUT, UNAVAILABLE, USAGE, Failure
from .extract.options import Parser

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
    refuse_input(out, _files(path), "out")
    ending = os.path.splitext(path.rstrip("/"))[1].lower()
    if os.path.isdir(path) and ending not in (".zarr", ".parquet", ".arrow", ".feather"):
        folder = HubFolder(path, layer)
        with write_activations(out, dtype=dtype, classes=classes, metadata=folder.metadata) as writer:
            _add_all(writer, folder.batches(), path)
        return writer.sequences, writer.tokens
    if layer is not None:
        raise ValueError(f"{path}: expected a layer only with a folder of lmprobe's, found {layer}")
    with write_activations(out, dtype=dtype, classes=classes) as writer:
        if ending in (".h5", ".hdf5", ".hdf"):
            import h5py

            with h5py.File(path) as root:
                _add_all(writer, _array_batches(root, path, pooled), path)
        elif ending == ".zarr":
            import zarr

            _add_all(writer, _array_batches(zarr.open_group(path, mode="r"), path, pooled), path)
        elif ending in (".parquet", ".arrow", ".feather"):
            _add_all(writer, _table_batches(path, ending), path)
        else:
            raise ValueError(f"{path}: expected a file of HDF5, Zarr, Arrow or Parquet by its ending, found {ending or 'none'}")
    return writer.sequences, writer.tokens


def _files(path: str) -> Iterator[str]:
    """The file, or of a folder those that are read: beside the folders of lmprobe there may be others."""
    yield path
    parts = [os.path.join(path, name) for name in ("index", "tensors")]
    for top in parts if os.path.isdir(parts[0]) else [path]:
        for folder, _, names in os.walk(top):
            for name in names:
                yield os.path.join(folder, name)


def _add_all(writer: Any, batches: Iterator[tuple[list[np.ndarray], dict[str, Any]]], path: str) -> None:
    for states, beside in batches:
        first = writer.sequences
        try:
            writer.add(states, **beside)
        except ValueError as error:
            # The writer counts from the batch's first, people from the file's.
            said = re.sub(r"^states\[(\d+)\]", lambda found: f"row {first + int(found[1])}", str(error))
            raise ValueError(f"{path}: {said}") from error
    if writer.sequences == 0:
        raise ValueError(f"{path}: expected at least one sequence, found none")


def _array_batches(root: Any, path: str, pooled: bool) -> Iterator[tuple[list[np.ndarray], dict[str, Any]]]:
    names = list(root.keys())
    called = states_name(names, path)
    states = root[called]
    beside = {
        name: known(root[found][:], f"{path}: {found}")
        for name, wanted in BESIDE.items() if (found := find(names, wanted, path))}
    if hasattr(states, "keys"):
        keys = list(states.keys())
        if all(key.isdigit() for key in keys):
            keys.sort(key=int)
        beside.setdefault("ids", np.array(keys))
        shapes: list[tuple[int, ...]] = [getattr(states[key], "shape", ()) for key in keys]
        for key, shape in zip(keys, shapes):
            if len(shape) != 2 or shape[1] != shapes[0][1]:
                raise ValueError(
                    f"{path}: {called}/{key}: expected tokens x D, the same D as in {keys[0]}, found the shape {shape}")
        lengths, width = [shape[0] for shape in shapes], shapes[0][1] if keys else 1
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
            batch.append(numbers(values).reshape(-1, width))
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
        lengths = whole(root["seq_lens"][:], "seq_lens", path)
        if len(lengths) != shape[0] or not all(0 < one <= shape[1] for one in lengths):
            raise ValueError(f"{path}: seq_lens: expected {shape[0]} lengths from 1 to {shape[1]}, found others")
        return shape[2], [((i, slice(0, one)),) for i, one in enumerate(lengths)], lengths
    if len(shape) == 2 and "offsets" in names:
        offsets = whole(root["offsets"][:], "offsets", path)
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
    states = states_name(names, path)
    beside = {name: found for name, wanted in BESIDE.items() if (found := find(names, wanted, path))}
    row, width = 0, None
    for batch in data.to_batches(columns=[states, *beside.values()], batch_size=256):
        arrays = []
        for value in batch.column(states):
            one = _sequence(value, f"{path}: {states}, row {row}")
            width = width or one.shape[1]
            if one.shape[1] != width:
                raise ValueError(f"{path}: {states}, row {row}: expected the width of row 0, {width}, found {one.shape[1]}")
            arrays.append(one)
            row += 1
        if arrays:
            yield arrays, {
                name: known(batch.column(found).to_pylist(), f"{path}: {found}", row - len(arrays))
                for name, found in beside.items()}


def _sequence(value: Any, place: str) -> np.ndarray:
    """A list of lists of numbers, or of numbers for one token."""
    inner = getattr(value, "values", None)
    if inner is None or len(inner) == 0:
        raise ValueError(f"{place}: expected a list of tokens, found {'an empty list' if inner is not None else 'another value'}")
    rows = len(inner) if hasattr(inner, "flatten") and hasattr(inner.type, "value_type") else 1
    values = inner.flatten() if rows > 1 or hasattr(inner.type, "value_type") else inner
    if inner.null_count or values.null_count:
        raise ValueError(f"{place}: expected numbers alone, found an empty place among them")
    flat = numbers(values.to_numpy(zero_copy_only=False))
    if len(flat) % rows or (hasattr(inner.type, "value_type") and len({len(one) for one in inner}) != 1):
        raise ValueError(f"{place}: expected tokens of one width, found several")
    return flat.reshape(rows, -1)


def _check(options: argparse.Namespace) -> None:
    """What needs no file to be read."""
    if not os.path.exists(options.source):
        raise Failure(f"{options.source}: expected a file, found none", NO_INPUT)
    if input_at(options.out, _files(options.source)) is not None:
        raise Failure(f"--out: expected another file than the input, found {options.out}", USAGE)
    folder = os.path.dirname(options.out) or "."
    if not os.path.isdir(folder):
        raise Failure(f"--out {options.out}: there is no folder {folder}", IO)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = Parser(
        prog="python -m attention_probes.convert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="IN")
    parser.add_argument("--out", required=True, help="the activation file to write")
    parser.add_argument("--pooled", action="store_true", help="each row of a matrix is a sequence")
    parser.add_argument("--dtype", choices=["float32", "float16", "bfloat16"], help="how numbers are stored (default: as they are)")
    parser.add_argument("--layer", type=int, help="of lmprobe's data sets, by the model's numbers")
    options = parser.parse_args(arguments)
    try:
        _check(options)
        sequences, tokens = convert(options.source, options.out, pooled=options.pooled, dtype=options.dtype, layer=options.layer)
    except Failure as failure:
        code, sentence = failure.code, str(failure)
    except ImportError as error:
        code, sentence = UNAVAILABLE, f"{error}: pip install 'attention-probes[convert]'"
    except ValueError as error:
        code, sentence = DATA, str(error)
    except OSError as error:
        code = NO_INPUT if isinstance(error, FileNotFoundError) else IO
        sentence = f"{error.filename}: {error.strerror}" if error.filename else f"{options.source}: {error}"
    else:
        print(f"wrote {sequences} sequences, {tokens} tokens to {options.out}", file=sys.stderr)
        return os.EX_OK
    print(f"Error: {sentence}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
