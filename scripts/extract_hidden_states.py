#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "torch==2.15.0",
#     "transformers==5.23.0",
#     "numpy==2.4.6",
#     "tqdm==4.70.1",
#     "datasets==5.2.0",
# ]
# ///
"""Hidden states of any Hugging Face model, for text with or without labels, as activation files.

  scripts/extract_hidden_states.py MODEL --text train.jsonl --layers 6 --out train.safetensors
  scripts/extract_hidden_states.py MODEL --dataset stanfordnlp/imdb --split test --layers 4,8,-1 --out imdb

Texts are JSON lines or CSV with a column `text` and, where there are any, `label`, `group` and `id`.
Run it with `uv run scripts/extract_hidden_states.py`, or after `pip install -r scripts/requirements.txt`.

Layers: 0 is the output of the embeddings, k that of block k, -1 the last, which most models give
after their final normalisation. Several layers are one file each.

OUT that ends in .safetensors is one file. Any other is a folder: layer-K.safetensors for each layer;
with --shard-size 00000.safetensors and so on, for several layers in folders layer-K.

A run that is killed or interrupted leaves OUT.partial, and the same command with --resume goes on
and writes the same bytes. Memory: the model, one batch of states, and some 20 bytes a token of a shard.

Exit codes: 64 usage, 65 bad data, 66 no such file, data set or model, 69 a package is missing,
74 input or output failed, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import NoReturn

from extraction.failure import IO, NO_INPUT, UNAVAILABLE, USAGE, Failure
from extraction.rows import Columns, HubDataset, Rows, Source, TextFiles

INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"Error: {message}\nUsage: see {self.prog} --help\n")


def layers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if len(set(numbers)) != len(numbers):
        raise ValueError
    return numbers


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", text.strip(), re.IGNORECASE)
    if not match or not (number := int(float(match[1]) * 1000 ** " KMGT".index(match[2].upper() or " "))):
        raise ValueError
    return number


def parser() -> Parser:
    top = Parser(
        prog="extract_hidden_states.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("model", help="name on the hub, or a folder")
    top.add_argument("--out", type=Path, required=True, help="a .safetensors file, or a folder")
    top.add_argument(
        "--layers",
        type=layers,
        required=True,
        metavar="K,…",
        help="numbers of hidden states, e.g. 6 or 4,8,-1 (a first negative: --layers=-1)",
    )

    text = top.add_argument_group("text")
    source = text.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--text", nargs="+", metavar="FILE", help=".jsonl, .ndjson, .csv or .tsv, also with .gz"
    )
    source.add_argument("--dataset", metavar="NAME", help="name or folder for the datasets library")
    text.add_argument("--dataset-config", metavar="NAME", help="configuration of the data set")
    text.add_argument("--split", default="train", help="split of the data set (%(default)s)")
    text.add_argument("--streaming", action="store_true", help="do not download the whole data set first")
    text.add_argument("--limit", type=positive, metavar="N", help="only the first N rows")
    text.add_argument("--text-column", metavar="NAME", help="(text; with --chat messages, if there is one)")
    text.add_argument(
        "--label-column",
        metavar="NAME,…",
        help="(label, if there is one; '' for none; several make several labels)",
    )
    text.add_argument(
        "--group-column", metavar="NAME", help="rows never split in validation (group, if there is one)"
    )
    text.add_argument(
        "--id-column", metavar="NAME", help="names of sequences (id, if there is one; else row numbers)"
    )
    text.add_argument(
        "--classes", metavar="NAME,…", help="names of the classes in order (else sorted, or numbers)"
    )
    text.add_argument("--regression", action="store_true", help="labels are numbers to predict, not classes")
    text.add_argument(
        "--skip-empty", action="store_true", help="leave out texts without a token; else an error"
    )

    tokens = top.add_argument_group("tokens")
    tokens.add_argument(
        "--special-tokens",
        choices=["keep", "drop", "none"],
        default="keep",
        help="such as [CLS] and <s>: keep their states; drop them, though the model sees the tokens; "
        "none are added (%(default)s)",
    )
    tokens.add_argument(
        "--max-length", type=positive, metavar="N", help="cut texts to N tokens (the model's limit)"
    )
    tokens.add_argument(
        "--chat", action="store_true", help="apply the chat template; a string is one user message"
    )
    tokens.add_argument(
        "--generation-prompt", action="store_true", help="with --chat, end where the answer begins"
    )

    run = top.add_argument_group("computing and writing")
    run.add_argument(
        "--dtype", choices=["bf16", "f16", "f32"], default="bf16", help="of the file (%(default)s)"
    )
    run.add_argument(
        "--model-dtype",
        choices=["auto", "bf16", "f16", "f32"],
        default="auto",
        help="of the model (as it was saved)",
    )
    run.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps (the best there is)")
    run.add_argument(
        "--batch-tokens",
        type=positive,
        default=4096,
        metavar="N",
        help="of a batch, padding included (%(default)s)",
    )
    run.add_argument(
        "--project", type=positive, metavar="WIDTH", help="seeded random projection to this width"
    )
    run.add_argument("--seed", type=int, default=0, help="of the projection (%(default)s)")
    run.add_argument(
        "--shard-size", type=size, metavar="SIZE", help="of hidden states a file, e.g. 500MB or 4GB"
    )
    run.add_argument("--resume", action="store_true", help="go on with a run that did not end")
    run.add_argument(
        "--save-every", type=float, default=10, metavar="SECONDS", help="for --resume (%(default)s)"
    )
    run.add_argument("--revision", help="of the model on the hub")
    run.add_argument("--model-name", help="for the file's metadata (as given)")
    run.add_argument("--trust-remote-code", action="store_true", help="run code that comes with the model")
    run.add_argument("--quiet", action="store_true", help="no progress and no notes")
    return top


def check(options: argparse.Namespace) -> None:
    """What needs no model."""
    if options.out.suffix == ".safetensors":
        if len(options.layers) > 1 or options.shard_size:
            raise Failure(
                f"--out {options.out}: expected a folder for several layers or shards, found a file's name",
                USAGE,
            )
        if not options.out.parent.is_dir():
            raise Failure(f"--out {options.out}: there is no folder {options.out.parent}", IO)
    elif options.out.exists() and not options.out.is_dir():
        raise Failure(
            f"--out {options.out}: expected a folder or a name that ends in .safetensors, found a file", USAGE
        )
    elif options.shard_size and not options.resume and any(options.out.glob("**/*.safetensors")):
        raise Failure(
            f"--out {options.out}: expected a folder without .safetensors files, or --resume", USAGE
        )
    if options.generation_prompt and not options.chat:
        raise Failure("--generation-prompt: expected --chat with it", USAGE)


def extract(options: argparse.Namespace) -> None:
    check(options)
    source: Source = (
        TextFiles(options.text)
        if options.text
        else HubDataset(options.dataset, options.dataset_config, options.split, options.streaming)
    )
    columns = Columns(options.text_column, options.label_column, options.group_column, options.id_column)
    rows = Rows(source, columns, options.chat, options.limit)
    try:
        from extraction.encoding import Encoder
        from extraction.model import HiddenStateModel, ModelChoice
        from extraction.progress import Progress
        from extraction.projection import Projection
        from extraction.run import Extraction, Settings, metadata
        from extraction.survey import Survey
    except ImportError as error:
        raise Failure(f"{error}: pip install -r scripts/requirements.txt", UNAVAILABLE) from error

    classes = options.classes.split(",") if options.classes else source.class_names(rows.label_columns[0])
    survey = Survey.of(rows, classes, options.regression)
    if survey.labels and survey.labels.task == "multilabel" and len(rows.label_columns) > 1:
        survey.labels.classes = survey.labels.classes or rows.label_columns
    model = HiddenStateModel(
        ModelChoice(
            options.model, options.revision, options.model_dtype, options.device, options.trust_remote_code
        ),
        options.layers,
    )
    encoder = Encoder(
        model.tokenizer,
        options.special_tokens,
        options.max_length or model.longest_text(),
        options.chat,
        options.generation_prompt,
    )
    settings = Settings(
        options.out,
        options.dtype,
        options.batch_tokens,
        options.shard_size,
        options.resume,
        options.save_every,
        options.skip_empty,
        Projection(options.project, options.seed) if options.project else None,
    )
    progress = Progress(not options.quiet)
    if model.batches_equal_lengths_only:
        progress.warn("padding changes this model's states: only texts of one length share a batch")
    extraction = Extraction(
        model,
        encoder,
        rows,
        survey,
        settings,
        metadata(options.model_name or options.model, survey, settings, options.special_tokens, model),
        progress,
    )
    try:
        paths = extraction.run()
    finally:
        progress.close()
    if not options.quiet:
        print(*extraction.notes, sep="\n", file=sys.stderr)
        print(*(f"wrote {path}" for path in paths), sep="\n", file=sys.stderr)


def main() -> int:
    options = parser().parse_args()
    try:
        extract(options)
        return os.EX_OK
    except Failure as failure:
        print(f"Error: {failure}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        print(
            "Interrupted: what is complete stays, and the same command with --resume goes on.",
            file=sys.stderr,
        )
        return INTERRUPTED
    except OSError as error:
        print(f"Error: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
        return NO_INPUT if isinstance(error, FileNotFoundError) else IO


if __name__ == "__main__":
    sys.exit(main())
