"""Probes over many machines, with the words of attnprobe: shards scored, and selections trained, by the workers of a Ray cluster.

  attnprobe-ray score probe.safetensors shards/ --out scores
  attnprobe-ray evaluate probe.safetensors shards/ --out scores --json
  attnprobe-ray score probes/*.safetensors s3://bucket/shards --out s3://bucket/scores --address auto --threads 4

OUT is a folder with SHARD.parquet for each shard: `id`, `shard`, `row`, `tokens`, and of each probe `logits`,
`probabilities`, `label` and, of softmax attention, `entropies`; with several probes NAME.logits and so on. Scores are
those of `attnprobe score`, bit for bit, and the metrics of `evaluate` those of `attnprobe evaluate`.

A run that does not end leaves the results of complete shards, and the same command with --resume goes on.

  attnprobe-ray train train/ --select --fpr 0.01 --out probe.safetensors --address auto

spreads the trainings of a selection. The probe is that of `attnprobe train --select`, whose options it has. Every worker opens
the paths itself. A run that does not end leaves OUT.selection.partial, and the same command goes on from it.

Exit codes: 64 usage, 65 bad data, 66 no such file, 69 a package is missing, 70 a fault of ours, 74 input or output
failed, 130 interrupted.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Callable

from .extract.failure import DATA, IO, NO_INPUT, UNAVAILABLE, USAGE, Failure, first_sentence
from .extract.options import Parser, positive
from . import ray_train_command as train_command

if TYPE_CHECKING:
    from .ray import Scored, Trained

INTERRUPTED = 130


def parser() -> Parser:
    """The command's options."""
    top = Parser(prog="attnprobe-ray", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    score = commands.add_parser("score", help="score every sequence, with one probe or several in one pass")
    score.add_argument("paths", nargs="+", metavar="PATH", help="probe files, then activation files or folders of them")
    evaluate = commands.add_parser("evaluate", help="score labelled sequences and compare the scores with the labels")
    evaluate.add_argument("paths", nargs="+", metavar="PATH", help="a probe file, then activation files or folders")
    evaluate.add_argument("--bootstrap", type=int, metavar="N", help="draws for 95 %% confidence intervals (1000)")
    evaluate.add_argument("--seed", type=int, help="of the draws (0)")
    evaluate.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    for command in (score, evaluate):
        _add_shared(command)
    train_command.add(commands)
    return top


def _add_shared(command: argparse.ArgumentParser) -> None:
    command.add_argument("-o", "--out", required=True, metavar="FOLDER", help="where the scores go: a path or URI")
    command.add_argument("--address", help="of a Ray cluster, or auto (else one that runs here, or is started)")
    command.add_argument("--workers", type=positive, metavar="N", help="(as many as Ray finds room for)")
    command.add_argument("--threads", type=positive, default=1, metavar="N", help="of each worker (%(default)s)")
    command.add_argument("--skip-bad-shards", action="store_true", help="list them in FOLDER/_skipped.json and go on")
    command.add_argument("--resume", action="store_true", help="go on with a run that did not end")
    command.add_argument("--skip-nonfinite", action="store_true", help="leave out sequences with a NaN or infinity")
    command.add_argument(
        "--skip-empty", action="store_true", help="leave out sequences and requests without tokens, as attnprobe does")
    command.add_argument("--mask", metavar="EXPRESSION", help="tokens that probes look at, as in attnprobe")
    command.add_argument("--layer", type=int, metavar="K", help="of files that hold several, as in attnprobe")
    command.add_argument("--quiet", action="store_true", help="no progress and no notes")


def probes_and_data(paths: list[str], several: bool) -> tuple[list[str], list[str]]:
    """Paths of probes, the first and those behind it that are probe files, and paths of data."""
    from ._safetensors import TensorFile

    def is_probe(path: str) -> bool:
        try:
            return TensorFile(path).metadata.get("format") == "attention-probes/probe"
        except (OSError, ValueError):
            return False

    start = 1
    while start < len(paths) and is_probe(paths[start]):
        start += 1
    if start == len(paths):
        raise Failure("expected probes and then activation files, found no activation files last", USAGE)
    if start > 1 and not several:
        raise Failure(f"expected one probe and then activation files, found {start} probes", USAGE)
    return paths[:start], paths[start:]


def told(began: float) -> Callable[[Scored, int], None]:
    """Prints shards and tokens a second after each shard: over one line of a terminal, else a line now and then."""
    last = began

    def show(scored: Scored, shards: int) -> None:
        nonlocal last
        now, done = time.monotonic(), scored.shards + len(scored.skipped)
        if now - last < (0.1 if sys.stderr.isatty() else 10) and done < shards:
            return
        last = now
        rate = f", {scored.tokens / scored.seconds:,.0f} tokens/s" if scored.seconds > 0 else ""
        line = f"{done} of {shards} shards, {scored.tokens:,} tokens{rate}"
        print("\r" + line if sys.stderr.isatty() else line, end="" if sys.stderr.isatty() else "\n", file=sys.stderr)

    return show


def run(options: argparse.Namespace) -> None:
    """What was asked for."""
    if options.command == "train":
        train_command.check(options)
    else:
        probes, data = probes_and_data(options.paths, options.command == "score")
    try:
        import ray
        import ray.data

        from .ray import evaluate_scores, score
    except ImportError as error:
        hint = "" if "[ray]" in str(error) else ": pip install 'attention-probes[ray]'"
        raise Failure(f"{error}{hint}", UNAVAILABLE) from error
    quiet_ray(ray)
    began = time.monotonic()
    if not ray.is_initialized():
        ray.init(address=options.address, log_to_driver=False, logging_level="ERROR")
    if options.command == "train":
        train_command.run(options)
        return
    found = score(
        data, probes, options.out, workers=options.workers, threads=options.threads,
        skip_bad_shards=options.skip_bad_shards, resume=options.resume, layer=options.layer,
        skip_nonfinite=options.skip_nonfinite, skip_empty=options.skip_empty, mask=options.mask,
        progress=None if options.quiet else told(began))
    if not options.quiet:
        _sum_up(found, options.out, time.monotonic() - began)
    if options.command == "evaluate":
        evaluation = evaluate_scores(options.out, probes[0], bootstrap=options.bootstrap, seed=options.seed)
        print(json.dumps(evaluation.values, indent=2) if options.json else evaluation)


def _sum_up(found: Scored, out: str, seconds: float) -> None:
    if sys.stderr.isatty() and found.shards:
        print(file=sys.stderr)
    for fault in found.skipped.values():
        print(f"skipped {fault}", file=sys.stderr)
    kept = f", {found.kept} were there" if found.kept else ""
    print(
        f"{found.sequences:,} sequences of {found.shards} shards in {out}{kept}; {found.seconds:.1f} s, "
        f"{seconds - found.seconds:.1f} s around it", file=sys.stderr)


def quiet_ray(ray: Any) -> None:
    """Leaves progress to this command."""
    import logging

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def main() -> int:
    """Runs the arguments of the process; the result is its exit code."""
    options = parser().parse_args()
    try:
        run(options)
        return os.EX_OK
    except Failure as failure:
        code, sentence = failure.code, str(failure)
    except FileNotFoundError as error:
        code, sentence = NO_INPUT, str(error)
    except FileExistsError as error:
        code, sentence = USAGE, str(error).replace(", or resume", ", or --resume")
    except ValueError as error:
        code, sentence = DATA, str(error)
    except OSError as error:
        code, sentence = IO, str(error)
    except KeyboardInterrupt:
        code, sentence = INTERRUPTED, "interrupted; " + (
            "the same command goes on from here" if options.command == "train"
            else "what is complete stays, and the same command with --resume goes on")
    except Exception as error:  # noqa: BLE001 - what Ray raises where a worker failed
        code, sentence = _of_worker(error)
    print(f"Error: {sentence}", file=sys.stderr)
    return code


def _of_worker(error: BaseException) -> tuple[int, str]:
    cause: BaseException = error
    while (inner := getattr(cause, "cause", None) or cause.__cause__) is not None and inner is not cause:
        cause = inner
    return IO if isinstance(cause, OSError) else os.EX_SOFTWARE, first_sentence(cause)


if __name__ == "__main__":
    sys.exit(main())
