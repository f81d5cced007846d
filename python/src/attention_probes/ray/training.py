"""A selection whose trainings the workers of a Ray cluster share."""
from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Callable, Mapping

import ray
from ray.util.queue import Queue

from .._native import error
from .._options import options as options_of
from .._outputs import activation_files, input_at
from .._progress import option_words
from ..results import Selection
from . import trainer
from .journal import Journal

# What says how data are opened, and not what is learned from them.
_READING = frozenset({
    "labels", "id_column", "label_column", "group_column", "layer", "layers", "pooled", "sequence", "skip_nonfinite",
    "skip_empty", "skip_bad_shards", "mask", "prompt_lengths",
})
# What says both.
_BOTH = frozenset({"task", "layers_each"})
# Shares a worker of a round: the last ones are short then.
_SHARES = 4


@dataclass(frozen=True)
class Trained:
    """How far a call of `train` has come.

    Attributes
    ----------
    done, total : int
        Trainings that have ended, and how many are known of: further ones follow from their results.
    kept : int
        Trainings that an earlier run had left.
    """

    done: int
    total: int
    kept: int


def train(
    paths: Any, out: str | os.PathLike[str], *, out_of_fold: str | os.PathLike[str] | None = None,
    workers: int | None = None, threads: int = 1, progress: Callable[[Trained], Any] | None = None,
    notes: Callable[[str], Any] | None = None, ray_options: Mapping[str, Any] | None = None, **options: Any
) -> Selection:
    """Chooses a probe by cross-validation as `attnprobe train --select` does, its trainings spread over a cluster.

    The result is the probe file of one machine, bit for bit but for the seconds that trainings took, and beside it the same
    out-of-fold scores. Folds, candidates, paths of penalties and seeds are shared; a path of penalties is trained by one
    worker, and what depends on others' results waits for them. Each worker opens the paths itself.

    `OUT.selection.partial` gains every training as it ends. Where a run is stopped, the same call goes on from it, and so
    does `attnprobe train --select`.

    Parameters
    ----------
    paths : path or list of paths
        Activation files or folders of them that every worker can open.
    out : path
        The probe file, written here.
    out_of_fold : path, optional
        Where out-of-fold scores go; else beside the probe.
    workers : int, optional
        How many work at a time; else as many as the cluster has room for.
    threads : int
        Processors of a worker. The result does not depend on it.
    progress : callable, optional
        Called with a `Trained` as trainings end.
    notes : callable, optional
        Called with each note that the command line would print.
    ray_options : dict, optional
        Options of the tasks: `memory`, `runtime_env`, `max_retries`, …
    options
        Those of `attnprobe train --select`, with underscores for dashes, and lists for what is listed with commas:
        kind=["attention", "mean"], l2=[0.01, 0.1], fpr=0.01, layers_each="all", labels="labels.csv", seed=1, …

    Returns
    -------
    Selection
        The table of candidates.

    Raises
    ------
    ValueError
        What one machine refuses, in its words.
    FileNotFoundError
        Where there is no such file.
    """
    try:
        return train_in_shares(
            paths, out, out_of_fold, workers, threads, progress, notes, dict(ray_options or {}), options)
    except trainer.Refused as refused:
        raise error(refused.status, option_words(refused.said)) from None


def train_in_shares(
    paths: Any, out: Any, out_of_fold: Any, workers: int | None, threads: int,
    progress: Callable[[Trained], Any] | None, notes: Callable[[str], Any] | None, ray_options: dict[str, Any],
    options: dict[str, Any]
) -> Selection:
    """The same, whose refusals are as the library says them."""
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and value < 1:
            raise ValueError(f"{name}: expected at least 1, found {value}")
    out = os.fspath(out)
    scores = os.fspath(out_of_fold) if out_of_fold is not None else out.removesuffix(".safetensors") + ".out-of-fold.jsonl"
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    named = tuple(os.fspath(path) for path in given)
    _check(named, out, scores, options.get("labels"), options.get("prompt_lengths"))
    told = trainer.Work(
        named, os.getcwd(), options_of(threads=threads, **_of(options, _READING | _BOTH)),
        options_of(threads=threads, **_of(options, options.keys() - _READING)), out + ".selection" + trainer.PARTIAL)
    with Journal(told.journal) as journal:
        found = _Rounds(told, journal, workers, threads, progress, notes, ray_options).run()
        said = json.loads(found["result"])
        rows = said["out_of_fold"]
        _write(scores, "".join(
            json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n" for row in rows).encode())
        _write(out, found["probe"])
        journal.remove(keeps_earlier=found["left"])
    return Selection._of(said)


class _Rounds:
    """Rounds of shares, each from the journal that those before have left."""

    def __init__(
        self, work: trainer.Work, journal: Journal, workers: int | None, threads: int,
        progress: Callable[[Trained], Any] | None, notes: Callable[[str], Any] | None, ray_options: dict[str, Any]
    ) -> None:
        self.work, self.journal, self.workers, self.threads = work, journal, workers, threads
        self.progress, self.notes = progress, notes
        self.options = {"num_cpus": threads, "name": "attention-probes-train"} | ray_options
        self.kept = len(journal)
        self.total = 0
        self.noted: set[str] = set()

    def run(self) -> dict[str, Any]:
        """Until nothing is open: the probe, and what is said of it."""
        # Started when there is something to train.
        queue: Queue | None = None
        try:
            while True:
                told: list[dict[str, Any]] = []
                self._tasks(_rest, [()], None, told.append)
                found = told[0]
                for note in found["notes"]:
                    if self.notes is not None and note not in self.noted:
                        self.notes(note)
                    self.noted.add(note)
                if found["jobs"] == 0:
                    return found
                self.total = self.journal.gained + found["trainings"]
                count = self._shares(found["jobs"])
                if queue is None:
                    queue = Queue(actor_options={"num_cpus": 0})
                self._tasks(_share, [(number, count, queue) for number in range(count)], queue, self._add)
        finally:
            if queue is not None:
                queue.shutdown(force=True)

    def _shares(self, jobs: int) -> int:
        room = int(ray.cluster_resources().get("CPU", 1)) // self.threads
        workers = self.workers or max(1, room)
        # A share has work for all threads of a worker, as long as there is so much.
        return max(min(workers, jobs), min(_SHARES * workers, jobs // self.threads))

    def _tasks(
        self, function: Any, calls: list[tuple[Any, ...]], queue: Queue | None, done: Callable[[Any], Any]
    ) -> None:
        """Runs as many tasks at a time as there may be workers, and hands over results as they come."""
        task = ray.remote(function).options(**self.options)
        journal = ray.put(self.journal.content)
        waiting = calls[::-1]
        running: list[Any] = []
        try:
            while waiting or running:
                while waiting and (not self.workers or len(running) < self.workers):
                    running.append(task.remote(self.work, journal, *waiting.pop()))
                ready, running = ray.wait(running, timeout=0.2)
                for lines in _gathered(queue):
                    self._add(lines)
                for one in ready:
                    found = ray.get(one)
                    if isinstance(found, trainer.Refused):
                        raise found
                    done(found)
        finally:
            for one in running:
                ray.cancel(one, force=True)
            for lines in _gathered(queue):
                self.journal.add(lines)

    def _add(self, lines: bytes) -> None:
        before = self.journal.gained
        self.journal.add(lines)
        if self.progress is not None and self.journal.gained > before:
            self.progress(Trained(self.journal.gained, self.total, self.kept))


def _gathered(queue: Queue | None) -> list[bytes]:
    count = 0 if queue is None else queue.qsize()
    found: list[bytes] = queue.get_nowait_batch(count) if queue is not None and count else []
    return found


# What Ray runs. What the library refuses is a result, as Ray would wrap what is raised.


def _rest(work: trainer.Work, journal: bytes) -> Any:
    try:
        return trainer.rest(work, journal)
    except trainer.Refused as refused:
        return refused


def _share(work: trainer.Work, journal: bytes, number: int, count: int, queue: Queue) -> Any:
    try:
        return trainer.share(work, journal, number, count, queue.put)
    except trainer.Refused as refused:
        return refused


def _of(options: Mapping[str, Any], names: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in names}


def _check(paths: tuple[str, ...], out: str, scores: str, *tables: Any) -> None:
    if not paths:
        raise ValueError("paths: expected at least one, found none")
    for path in paths:
        if "://" in path:
            raise ValueError(
                f"{path}: expected a path that every worker can open, found a URI; score reads those, train does not")
    read = [os.fspath(table) for table in tables if table is not None]
    if "-" in read:
        raise ValueError("labels, prompt_lengths: expected files that every worker can open, found standard input")
    if os.path.realpath(out) == os.path.realpath(scores):
        raise trainer.Refused(64, f"--out-of-fold: expected another file than --out, found {out}")
    inputs = [*paths, *read]
    for option, path in (("out", out), ("out-of-fold", scores)):
        if not path:
            raise trainer.Refused(64, f"--{option}: expected the name of a file, found an empty one")
        if input_at(path, activation_files(inputs)) is not None:
            raise trainer.Refused(64, f"--{option}: {path} is also an input; choose another file")
        if not os.access(os.path.dirname(os.path.abspath(path)), os.W_OK):
            raise OSError(f"{path}: expected a folder that takes files, found none")


def _write(path: str, content: bytes) -> None:
    """The file appears when it is whole."""
    partial = f"{path}.{os.getpid()}.partial"
    with open(partial, "wb") as file:
        file.write(content)
    os.replace(partial, path)
