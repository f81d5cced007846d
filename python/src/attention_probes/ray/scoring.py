"""Scores of many shards by the workers of a Ray cluster."""
from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

from pyarrow import fs
from ray.data import ActorPoolStrategy, from_items

from .._native import version
from ..estimator import AttentionProbe
from .engine import ENDING, HIDDEN, Engine, Place
from .shards import Shards, found_shards, located

RUN, SKIPPED = "_run.json", "_skipped.json"


@dataclass(frozen=True)
class Scored:
    """What a call of `score` did.

    Attributes
    ----------
    shards, sequences, tokens : int
        Of what was scored now.
    kept : int
        Shards whose scores were there already (`resume`).
    skipped : dict of str to str
        Shards that could not be scored, and why (`skip_bad_shards`).
    seconds : float
        From the first shard's beginning to the last one's end; the start of the workers is not in it.
    """

    shards: int = 0
    sequences: int = 0
    tokens: int = 0
    kept: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def score(
    paths: Any, probes: Any, out: Any, *, filesystem: Any = None, workers: int | None = None, threads: int = 1,
    skip_bad_shards: bool = False, resume: bool = False, layer: int | None = None, layers: Any = None,
    skip_nonfinite: bool | None = None, skip_empty: bool | None = None,
    mask: str | None = None, progress: Callable[[Scored, int], Any] | None = None, **ray_options: Any
) -> Scored:
    """Scores shards of activations, each by one worker, with the bits of `attnprobe score` on the same shard.

    The result is `out/SHARD.parquet` for each shard, SHARD being its path below the folder that holds all. Columns:
    `id` (of a file that names no sequences SHARD:NUMBER), `shard`, `row` (among those not left out), `tokens`, `unmasked`
    (those that probes may look at), `target` (what the shard has as labels: names of classes, numbers, or lists of numbers;
    none where it has none), and of each probe `logits` and
    `probabilities` (lists of float32, O of each), `label` (the name of the predicted class, a list of names of several
    labels) and, of softmax attention, `entropies` (one a head). Regression has neither probabilities nor labels. With
    several probes these columns are called `NAME.logits` and so on.

    Parameters
    ----------
    paths : path, URI, or list of them
        Activation files or folders of them, in all forms that the command line reads. Each file is a shard.
    probes : path, AttentionProbe, list of paths, or dict of str to path or AttentionProbe
        Of one width; of a list the names are those of the files.
    out : path or URI
        A folder.
    filesystem : pyarrow.fs.FileSystem or fsspec file system, optional
        Of `paths` and `out`, where a URI does not say it.
    workers : int, optional
        How many there are; else as many as Ray finds room for.
    threads : int
        Processors of a worker. Scores do not depend on it.
    skip_bad_shards : bool
        Whether a shard that is cut or refused is listed in `out/_skipped.json`, instead of ending the run.
    resume : bool
        Whether to go on with a run that did not end: shards whose results are in `out` are left out.
    layer, layers, skip_nonfinite, skip_empty, mask : optional
        As in `open_activations`.
    progress : callable, optional
        Called after each shard with a `Scored` of what is done and the number of shards of this call.
    ray_options
        What `ray.data.Dataset.map` takes beside: `memory`, `label_selector`, `runtime_env`, …

    Returns
    -------
    Scored

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    FileExistsError
        Where `out` has results already, and `resume` is not asked for.
    ValueError
        Where a shard or an option breaks a rule; it says which, and where.
    """
    found = found_shards(paths, filesystem)
    named = probes_named(probes)
    system, folder = located(out, filesystem)
    place = Place(system, folder)
    options = {name: value for name, value in (
        ("layer", layer), ("layers", layers), ("skip_nonfinite", skip_nonfinite or None),
        ("skip_empty", skip_empty or None), ("mask", mask)) if value is not None}
    _check(workers, threads)
    done = _begun(place, found, named, options, resume)
    todo = [name for name in found.names if name not in done]
    engine = (named, Place(found.filesystem, found.root), place, threads, options)
    try:
        total, faults = _run(todo, engine, workers, threads, skip_bad_shards, len(done), progress, ray_options)
    finally:
        _remove_partial(place)
    _write_json(place, SKIPPED, faults) if faults else _remove(place, SKIPPED)
    return total


def _run(
    todo: list[str], engine: tuple[Any, ...], workers: int | None, threads: int, skips: bool, kept: int,
    progress: Callable[[Scored, int], Any] | None, ray_options: dict[str, Any]
) -> tuple[Scored, dict[str, str]]:
    faults: dict[str, str] = {}
    if not todo:
        return Scored(kept=kept), faults
    pool = ActorPoolStrategy(size=workers) if workers else ActorPoolStrategy(min_size=1, max_size=len(todo))
    told = from_items([{"shard": name} for name in todo], override_num_blocks=len(todo)).map(
        Engine, fn_constructor_args=engine, compute=pool, num_cpus=threads, **ray_options)
    total = Scored(kept=kept)
    began = ended = None
    for row in told.iter_rows():
        if row["fault"]:
            if not skips:
                raise ValueError(row["fault"])
            faults[row["shard"]] = row["fault"]
        began = row["began"] if began is None else min(began, row["began"])
        ended = row["ended"] if ended is None else max(ended, row["ended"])
        total = Scored(
            total.shards + (not row["fault"]), total.sequences + row["sequences"], total.tokens + row["tokens"], kept,
            dict(faults), ended - began)
        if progress is not None:
            progress(total, len(todo))
    return total, faults


def probes_named(probes: Any) -> dict[str, bytes]:
    """Bytes of probe files by the prefix of their columns; "" where there is one."""
    if isinstance(probes, (str, os.PathLike, AttentionProbe)):
        return {"": _bytes(probes)}
    if isinstance(probes, Mapping):
        named = {str(name): _bytes(probe) for name, probe in probes.items()}
    else:
        given = list(probes)
        for one in given:
            if not isinstance(one, (str, os.PathLike)):
                raise ValueError(f"probes: expected paths, or a dict with a name for each, found {type(one).__name__}")
        names = [os.path.basename(os.fspath(one)).removesuffix(".safetensors") for one in given]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise ValueError(f"probes: expected names that differ, found {name} twice; a dict gives others")
        named = {name: _bytes(one) for name, one in zip(names, given)}
    if not named:
        raise ValueError("probes: expected at least one, found none")
    return {"": next(iter(named.values()))} if len(named) == 1 else named


def _bytes(probe: Any) -> bytes:
    content: bytes = (probe if isinstance(probe, AttentionProbe) else AttentionProbe.load(probe)).to_bytes()
    return content


def _check(workers: int | None, threads: int) -> None:
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"{name}: expected a number from 1 on, found {value!r}")


def _begun(
    out: Place, shards: Shards, probes: dict[str, bytes], options: dict[str, Any], resume: bool
) -> set[str]:
    """Shards whose results are there; what a run is of is written down, and compared with `resume`."""
    run = {
        "format": "attention-probes/scores", "version": 1, "library": version(), "root": shards.root,
        "probes": {name: fingerprint(content) for name, content in probes.items()}, "options": options,
    }
    files = {one.path for one in out.filesystem.get_file_info(
        fs.FileSelector(out.path, allow_not_found=True, recursive=True)) if one.type == fs.FileType.File}
    written = out.file(RUN)
    if written in files or any(file.endswith(ENDING) for file in files):
        if not resume:
            raise FileExistsError(f"{out.path}: expected a folder without scores, or resume; found {len(files)} files")
        if written not in files:
            raise ValueError(f"{out.path}: expected {RUN} of the run to go on with, found none")
        before = read_json(out, RUN)
        for name, value in run.items():
            if before.get(name) != value:
                raise ValueError(
                    f"{written}: expected a run of the same {name}, {json.dumps(value)}, found "
                    f"{json.dumps(before.get(name))}")
    out.filesystem.create_dir(out.path, recursive=True)
    _write_json(out, RUN, run | {"shards": shards.names})
    return {name for name in shards.names if out.file(name + ENDING) in files}


def fingerprint(probe: bytes) -> str:
    """By which a probe is known again."""
    return hashlib.sha256(probe).hexdigest()


def read_json(out: Place, name: str) -> Any:
    """What a file beside the results says."""
    with out.filesystem.open_input_stream(out.file(name)) as stream:
        return json.loads(stream.read())


def _write_json(out: Place, name: str, value: Any) -> None:
    with out.filesystem.open_output_stream(out.file(name)) as stream:
        stream.write((json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode())


def _remove(out: Place, name: str) -> None:
    if out.filesystem.get_file_info(out.file(name)).type == fs.FileType.File:
        out.filesystem.delete_file(out.file(name))


def _remove_partial(out: Place) -> None:
    """What workers that died had begun to write."""
    for one in out.filesystem.get_file_info(fs.FileSelector(out.path, allow_not_found=True, recursive=True)):
        if one.base_name.startswith(HIDDEN) and one.base_name.endswith(".partial"):
            out.filesystem.delete_file(one.path)
