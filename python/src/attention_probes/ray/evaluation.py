"""Metrics from scores that workers wrote, without the hidden states."""
from __future__ import annotations

import ctypes
import json
import os
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .. import _structures as s
from .._labels import class_name
from .._native import lib
from .._options import options
from .._rows import rows_of
from ..estimator import AttentionProbe
from ..results import Evaluation
from ..sequences import Sequences
from .engine import ENDING, Place
from .scoring import RUN, SKIPPED, fingerprint, read_json, score
from .shards import located


def evaluate(
    paths: Any, probe: Any, out: Any, *, bootstrap: int | None = None, seed: int | None = None,
    filesystem: Any = None, **scoring: Any
) -> Evaluation:
    """Scores labelled shards by the workers of a cluster, and judges the probe by what they found.

    Parameters
    ----------
    paths, out, filesystem, scoring
        As in `score`, whose results are in `out` afterwards.
    probe : path or AttentionProbe
    bootstrap, seed : optional
        As in `AttentionProbe.evaluate`.

    Returns
    -------
    Evaluation
        With the digits of `attnprobe evaluate` on the same shards in the same order; shards that were left out
        (`skip_bad_shards`) are in `out/_skipped.json`.
    """
    if not isinstance(probe, (str, os.PathLike, AttentionProbe)):
        raise ValueError(f"probe: expected one, a path or an AttentionProbe, found {type(probe).__name__}")
    score(paths, probe, out, filesystem=filesystem, **scoring)
    return evaluate_scores(out, probe, filesystem=filesystem, bootstrap=bootstrap, seed=seed)


def evaluate_scores(
    scores: Any, probe: Any, *, filesystem: Any = None, bootstrap: int | None = None, seed: int | None = None
) -> Evaluation:
    """Judges a probe by what `score` wrote into a folder, on this machine.

    Memory: some tens of bytes a sequence.

    Parameters
    ----------
    scores : path or URI
        The folder.
    probe : path or AttentionProbe
        One of those that the scores are of.
    filesystem, bootstrap, seed : optional
        As in `evaluate`.

    Raises
    ------
    ValueError
        Where the scores are of other probes, shards are missing, or sequences have no labels.
    """
    fitted = probe if isinstance(probe, AttentionProbe) else AttentionProbe.load(probe)
    place = Place(*located(scores, filesystem))
    prefix, shards = _of_run(place, fitted)
    wanted = ["tokens", "unmasked", "target", f"{prefix}logits"] + [f"{prefix}entropies"] * fitted._fitted().has_entropies
    tables = [_read(place, shard, wanted) for shard in shards]
    table = pa.concat_tables([table for table in tables if len(table)])
    data = fitted._judged(_states(table), _y(table, fitted))
    room = s.Scores()
    # Held here until the call is over.
    logits = _filled(room.logits, table[f"{prefix}logits"])
    entropies = _filled(room.entropies, table[wanted[-1]]) if fitted._fitted().has_entropies else None
    said = options(bootstrap=bootstrap, seed=seed, threads=fitted._threads())
    text = fitted._told(lambda watch, text: lib().ap_evaluate_scores(
        fitted._fitted().handle.value, data._handle.value, ctypes.byref(room), said, watch.function, None, text))
    del logits, entropies
    return Evaluation._of(json.loads(text))


def _of_run(place: Place, probe: AttentionProbe) -> tuple[str, list[str]]:
    """What columns of the probe begin with, and the shards that were scored, in order."""
    try:
        run = read_json(place, RUN)
    except FileNotFoundError:
        raise FileNotFoundError(f"{place.path}: expected {RUN} of a run of score, found none") from None
    own = fingerprint(probe.to_bytes())
    names = [name for name, other in run["probes"].items() if other == own]
    if not names:
        found = ", ".join(name or "another" for name in run["probes"])
        raise ValueError(f"{place.path}: expected scores of this probe, found those of {found}")
    try:
        skipped = read_json(place, SKIPPED)
    except FileNotFoundError:
        skipped = {}
    shards = [shard for shard in run["shards"] if shard not in skipped]
    if not shards:
        raise ValueError(f"{place.path}: expected scores of at least one shard, found that all were left out")
    return f"{names[0]}." if names[0] else "", shards


def _read(place: Place, shard: str, wanted: list[str]) -> pa.Table:
    path = place.file(shard + ENDING)
    try:
        with place.filesystem.open_input_file(path) as file:
            found = pq.ParquetFile(file)
            if "target" not in found.schema_arrow.names:
                raise ValueError(f"{shard}: expected labels, found none")
            table = found.read(columns=[name for name in wanted if name in found.schema_arrow.names])
            # Where an earlier version wrote them, without masks.
            return table if "unmasked" in table.column_names else table.append_column("unmasked", table["tokens"]).select(wanted)
    except FileNotFoundError:
        raise ValueError(f"{path}: expected the scores of a shard, found none; go on with score(…, resume=True)") from None


def _states(table: pa.Table) -> Sequences:
    """Sequences of the same lengths, with as many tokens in sight, of the same rows, at whose numbers nobody looks."""
    lengths = table["tokens"].to_numpy().astype(np.int64)
    seen = table["unmasked"].to_numpy().astype(np.int64)
    # Rows in sight, and behind them the others: each sequence lies across the border.
    border, rest = int(seen.max()), int((lengths - seen).max())
    rows = rows_of(np.zeros((border + rest, 1), np.float16), "scores")
    mask = (np.arange(border + rest) < border).astype(np.uint8) if rest else None
    starts = border - seen
    return Sequences._of(rows, starts, starts + lengths, mask)


def _y(table: pa.Table, probe: AttentionProbe) -> np.ndarray:
    column = table["target"].combine_chunks()
    if pa.types.is_list(column.type):
        values = column.flatten().to_numpy()
        return np.asarray(values.reshape(len(column), -1))
    if not pa.types.is_string(column.type):
        return np.asarray(column.to_numpy())
    own = {class_name(one): one for one in getattr(probe, "classes_", ())}
    found = column.dictionary_encode()
    names = np.array([own.get(name, name) for name in found.dictionary.to_pylist()])
    return np.asarray(names[found.indices.to_numpy()])


def _filled(room: s.Floats, column: pa.ChunkedArray) -> np.ndarray:
    values = np.ascontiguousarray(column.combine_chunks().flatten().to_numpy(), np.float32)
    room.values, room.count = values.ctypes.data, values.size
    return values
