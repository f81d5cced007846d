"""Data sets as lmprobe pushes them to the hub: a Parquet index, and a safetensors file a layer and shard."""
from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ._safetensors import TensorFile

# Rows of the index that are read at a time, and files that are open at a time.
_ROWS, _OPEN = 256, 16
_BESIDE = {"labels": "label", "groups": "groups", "weights": "weights", "ids": "ids"}


class HubFolder:
    """A folder with `index/*.parquet`, whose schema describes the tensors, and `tensors/`.

    A row of the index is a prompt. Its tokens are rows of the tensors `hidden.layer_L`, one a file: as `token_shard_ids` and
    `token_shard_offsets` say, or from `token_offset` on in the file of `shard_index`; of pooled states one row, `row_offset`.

    Attributes
    ----------
    path : str
    layer : int
        Whose states are taken.
    metadata : dict of str
        What an activation file says of them: "layer", and "model" where it is known.
    """

    def __init__(self, path: str, layer: int | None) -> None:
        import pyarrow.dataset

        self.path = path
        files = sorted(glob.glob(os.path.join(glob.escape(path), "index", "*.parquet")))
        if not files:
            raise ValueError(f"{path}: expected a data set of lmprobe, with index/*.parquet and tensors/, found no index")
        self._index = pyarrow.dataset.dataset(files, format="parquet")
        self._where = files[0]
        hidden = self._said("tensors").get("hidden_layers")
        if not isinstance(hidden, dict):
            raise ValueError(f"{self._where}: expected hidden_layers among lmprobe:tensors, found none")
        layers = [int(one) for one in hidden.get("layers", [])]
        if layer is None and len(layers) != 1:
            raise ValueError(f"{path}: expected --layer with one of {', '.join(map(str, layers))}, found none")
        self.layer = layers[0] if layer is None else layer
        if self.layer not in layers:
            raise ValueError(f"{path}: expected a layer of {', '.join(map(str, layers))}, found {self.layer}")
        self._width = int(hidden["dim"])
        self._is_pooled = hidden.get("storage", "pooled") == "pooled"
        self._file = str(hidden.get("file_pattern", "tensors/hidden_layer{layer:03d}_shard{shard:03d}.safetensors"))
        self._key = str(hidden.get("key_pattern", "hidden.layer_{layer}")).format(layer=self.layer)
        self._shards: dict[int, np.ndarray] = {}
        self.metadata = {"layer": str(self.layer)}
        name = self._said("model").get("name")
        if name:
            self.metadata["model"] = str(name)

    def _said(self, name: str) -> dict[str, Any]:
        text = (self._index.schema.metadata or {}).get(f"lmprobe:{name}".encode())
        if text is None:
            raise ValueError(f"{self._where}: expected lmprobe:{name} in the metadata of its schema, found none")
        found = json.loads(text)
        return found if isinstance(found, dict) else {}

    def batches(self) -> Iterator[tuple[list[np.ndarray], dict[str, Any]]]:
        """States of some prompts, each L×D, and what is known of them."""
        names = self._index.schema.names
        places = ["shard_index", "row_offset"] if self._is_pooled else (
            ["token_shard_ids", "token_shard_offsets"] if "token_shard_ids" in names
            else ["shard_index", "token_offset", "num_tokens"])
        beside = {ours: theirs for ours, theirs in _BESIDE.items() if theirs in names}
        for name in places:
            if name not in names:
                raise ValueError(f"{self._where}: expected a column {name}, found {', '.join(names)}")
        if "label" in names and self._is_empty("label"):
            del beside["labels"]
        row = 0
        for batch in self._index.to_batches(columns=[*places, *beside.values()], batch_size=_ROWS):
            found = batch.to_pydict()
            states = []
            for place in zip(*(found[name] for name in places)):
                states.append(self._states(place, f"{self._where}: row {row}"))
                row += 1
            known = {ours: self._known(found[theirs], theirs, row - len(states)) for ours, theirs in beside.items()}
            if states:
                yield states, known

    def _is_empty(self, name: str) -> bool:
        return all(batch.column(0).null_count == len(batch) for batch in self._index.to_batches(columns=[name]))

    def _known(self, values: list[Any], name: str, row: int) -> np.ndarray:
        if None in values:
            raise ValueError(f"{self._where}: row {row + values.index(None)}: expected a {name}, found none")
        return np.array(values)

    def _states(self, place: tuple[Any, ...], where: str) -> np.ndarray:
        if self._is_pooled:
            shards, rows = [place[0]], [place[1]]
        elif len(place) == 2:
            shards, rows = place
        else:
            shard, start, count = place
            shards, rows = [shard] * count, list(range(start, start + count))
        if not shards or len(shards) != len(rows):
            raise ValueError(f"{where}: expected a shard and a row a token, found {len(shards)} and {len(rows)}")
        ids, places = np.asarray(shards, np.int64), np.asarray(rows, np.int64)
        states = np.empty((len(ids), self._width), np.float32)
        for shard in np.unique(ids).tolist():
            own, held = ids == shard, self._shard(shard)
            if (bad := places[own][(places[own] < 0) | (places[own] >= len(held))]).size:
                raise ValueError(f"{where}: expected rows 0 to {len(held) - 1} of shard {shard}, found {bad[0]}")
            states[own] = _floats(held[places[own]])
        return states

    def _shard(self, number: int) -> np.ndarray:
        if number not in self._shards:
            name = self._file.format(layer=self.layer, shard=number)
            path = os.path.join(self.path, name)
            if os.path.isabs(name) or ".." in name.split("/"):
                raise ValueError(f"{self._where}: expected the name of a file in the folder, found {name}")
            held = TensorFile(path).array(self._key)
            if held.ndim != 2 or held.shape[1] != self._width:
                raise ValueError(f"{path}: {self._key}: expected rows of {self._width}, found the shape {held.shape}")
            if len(self._shards) == _OPEN:
                self._shards.pop(next(iter(self._shards)))
            self._shards[number] = held
        return self._shards[number]


def _floats(values: np.ndarray) -> np.ndarray:
    """As float32; two bytes without a sign are those of bfloat16."""
    if values.dtype == np.uint16:
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)
