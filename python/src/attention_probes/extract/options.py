"""The command line's options."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import NoReturn

from .failure import USAGE


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"Error: {message}\nUsage: see {self.prog} --help\n")


def layers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",") if re.fullmatch(r"\s*-?\d+\s*", part)]
    if len(set(numbers)) != len(text.split(",")):
        raise argparse.ArgumentTypeError(f"expected different numbers such as 4,8,-1, found {text}")
    return numbers


def positive(text: str) -> int:
    if not text.isdecimal() or not (number := int(text)):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, found {text}")
    return number


def size(text: str) -> int:
    """Bytes, of the units that attnprobe takes: 500MB, and 500M or 500MiB in powers of 1024."""
    match = re.fullmatch(r"(\d{1,18}(?:\.\d+)?)\s*(?:([KMGT])(B|IB)?|B)?", text.strip().upper())
    base = 1000 if match and match[3] == "B" else 1024
    if not match or not (number := int(float(match[1]) * base ** " KMGT".index(match[2] or " "))):
        raise argparse.ArgumentTypeError(f"expected a size such as 500MB or 4GiB, found {text}")
    return number


def parser(program: str, description: str) -> Parser:
    """Of the command, which calls itself `program`."""
    top = Parser(
        prog=program,
        description=description,
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
    text.add_argument("--dataset-revision", metavar="COMMIT", help="of the data set on the hub (the newest)")
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
        "--id-column", metavar="NAME", help="names of sequences (id, if there is one; '' for row numbers)"
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

    tokens.add_argument(
        "--whole-chat",
        action="store_true",
        help="with --chat, let probes look at all turns, not at what the assistant says alone",
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
