"""`attnprobe-ray train`: the options of `attnprobe train --select`, and what the command prints."""
from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any, Callable

from .extract.failure import USAGE, Failure
from .extract.options import positive

if TYPE_CHECKING:
    from .ray import Trained

# What attnprobe calls them, and what stands for their value; None of flags. The library checks the values.
_SELECTION = {
    "kind": "KIND,…", "heads": "H,…", "hidden": "M", "units": "M", "attention": "FUNCTION", "k": "K", "window": "W",
    "order": "N", "rank": "N", "temperature": "T", "decay": "A", "coherence": "C", "smoothing": "HOW",
    "optimizer": "NAME,…", "epochs": "N", "batch-size": "N", "learning-rate": "RATE", "l2": "L2,…",
    "token-dropout": "P,…", "class-weight": "HOW", "no-standardize": None, "whiten": None, "average": "N", "layers-each": "K,…",
    "folds": "N", "metric": "NAME", "group": "NAME", "calibration": "METHOD", "fpr": "RATE", "confidence": "P",
    "streaming": None, "max-rows": "N", "task": "TASK", "positive": "NAME", "seed": "N",
}
_DATA = {
    "labels": "TABLE", "id-column": "NAME", "label-column": "NAME", "group-column": "NAME", "layer": "K", "layers": "K,…",
    "pooled": None, "sequence": None, "skip-nonfinite": None, "skip-empty": None, "skip-bad-shards": None,
    "mask": "EXPRESSION", "prompt-lengths": "TABLE",
}
# Further names of an option.
_ALSO = {"learning-rate": "lr", "l2": "weight-decay", "fpr": "false-positive-rate"}


def add(commands: Any) -> None:
    """Adds the subcommand."""
    command = commands.add_parser("train", help="choose a probe by cross-validation, its trainings spread over the workers")
    command.add_argument("paths", nargs="+", metavar="PATH", help="activation files or folders that every worker can open")
    command.add_argument("-o", "--out", required=True, metavar="PROBE", help="the probe file to write, here")
    command.add_argument(
        "--select", action="store_true", help="choose by cross-validation, whose trainings the workers share; needed")
    command.add_argument("--out-of-fold", metavar="FILE", help="where out-of-fold scores go (beside the probe)")
    command.add_argument("--json", action="store_true", help="print a JSON object about the selection on standard output")
    command.add_argument("--address", help="of a Ray cluster, or auto (else one that runs here, or is started)")
    command.add_argument("--workers", type=positive, metavar="N", help="at a time (as many as there is room for)")
    command.add_argument("--threads", type=positive, default=1, metavar="N", help="of each worker (%(default)s)")
    command.add_argument("--quiet", action="store_true", help="no progress and no notes")
    for title, options in (("selection", _SELECTION), ("data", _DATA)):
        group = command.add_argument_group(title, "as attnprobe train --help says")
        for name, metavar in options.items():
            names = [f"--{one}" for one in (name, _ALSO.get(name)) if one]
            if metavar is None:
                group.add_argument(*names, action="store_true", default=None)
            else:
                group.add_argument(*names, metavar=metavar)


def check(options: argparse.Namespace) -> None:
    """Refuses a single training, which is one machine's."""
    if not options.select:
        raise Failure(
            "expected --select: what workers share are the trainings of a selection. A single training is one machine's: "
            "attnprobe train", USAGE)


def run(options: argparse.Namespace) -> None:
    """Trains and prints."""
    from .ray.trainer import Refused
    from .ray.training import train_in_shares

    given = {name: getattr(options, name) for name in (
        one.replace("-", "_") for one in (*_SELECTION, *_DATA)) if getattr(options, name) is not None}
    shown = None if options.quiet else _told(time.monotonic())
    noted = None if options.quiet else lambda note: print(note, file=sys.stderr)
    try:
        found = train_in_shares(
            options.paths, options.out, options.out_of_fold, options.workers, options.threads, shown, noted, {}, given)
    except Refused as refused:
        raise Failure(refused.said, refused.status) from None
    finally:
        if shown is not None and sys.stderr.isatty():
            print(file=sys.stderr)
    scores = options.out_of_fold or options.out.removesuffix(".safetensors") + ".out-of-fold.jsonl"
    if options.json:
        said = {name: value for name, value in found.values.items() if name != "notes"}
        print(json.dumps(said | {"probe": options.out, "out_of_fold": scores}, indent=2, sort_keys=True, ensure_ascii=False))
    else:
        print(found)
    if not options.quiet:
        print(f"saved {options.out}: {found.chosen}, trained on all sequences", file=sys.stderr)
        print(f"saved {scores}: scores of every sequence by probes that did not see its fold", file=sys.stderr)


def _told(began: float) -> Callable[[Trained], None]:
    """Prints how many trainings have ended: over one line of a terminal, else a line now and then."""
    last = began

    def show(trained: Trained) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (0.1 if sys.stderr.isatty() else 10) and trained.done < trained.total:
            return
        last = now
        kept = f" ({trained.kept} from before)" if trained.kept else ""
        line = f"training {trained.done}/{trained.total}{kept}, {now - began:.0f} s"
        print("\r" + line if sys.stderr.isatty() else line, end="" if sys.stderr.isatty() else "\n", file=sys.stderr)

    return show
