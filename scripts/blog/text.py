"""Documents: OpenWebText, files of the user's, or what is on any machine that has this Python."""

from __future__ import annotations

import ast
import random
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from attention_probes.extract.failure import Failure, first_sentence
from attention_probes.extract.rows import Columns, Rows, TextFiles

OPENWEBTEXT = "Skylion007/openwebtext"
# The data set's own branch is a loading script, which recent versions of datasets refuse; the hub
# keeps a copy as tables beside it.
REVISIONS = (None, "refs/convert/parquet")
# A text shares so many of its runs of eight words with those before at most.
MOST_SHARED, RUN = 0.2, 8


@dataclass(frozen=True)
class Document:
    """A text, and the group that must not be split between training and test."""

    group: str
    text: str


@dataclass(frozen=True)
class Documents:
    """Documents with the name of where they are from, and why it is not what was asked for."""

    name: str
    documents: Iterator[Document]
    fallback: str | None = None


def find(files: list[str] | None, seed: int) -> Documents:
    """The user's files if there are any; else OpenWebText; else docstrings."""
    if files:
        rows = Rows(TextFiles(files), Columns(label=""))
        documents = (Document(str(row.group or row.id), str(row.text)) for row in rows)
        return Documents(", ".join(files), documents)
    try:
        return Documents("OpenWebText", _openwebtext())
    except Failure as failure:
        reason = (
            f"OpenWebText could not be had ({failure}); docstrings of the Python packages here take its place"
        )
    return Documents("docstrings of the Python packages here", _docstrings(seed), reason)


def _openwebtext() -> Iterator[Document]:
    try:
        import datasets
    except ImportError as error:
        raise Failure("it needs the package datasets") from error
    reason = ""
    for revision in REVISIONS:
        try:
            rows = iter(datasets.load_dataset(OPENWEBTEXT, split="train", streaming=True, revision=revision))
            first = next(rows)["text"]
        except Exception as error:  # a network has more ways to fail than one can list
            reason = reason or first_sentence(error)
            continue
        texts = (text for part in ([first], (row["text"] for row in rows)) for text in part)
        return (Document(str(number), text) for number, text in enumerate(texts))
    raise Failure(reason)


def _docstrings(seed: int) -> Iterator[Document]:
    """Docstrings of the standard library and of the installed packages, file by file in random order."""
    places = {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), *filter(None, sys.path[1:])}
    files = sorted(
        {file for place in places for file in Path(place).rglob("*.py") if "test" not in file.name}
    )
    random.Random(seed).shuffle(files)
    for file in files:
        try:
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError, RecursionError, OSError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (
                text := ast.get_docstring(node)
            ):
                yield Document(str(file), text)


def distinct(documents: Iterator[Document], words: int, count: int) -> list[Document]:
    """The first so many documents that have so many words and are not nearly one of those before."""
    seen: set[int] = set()
    chosen: list[Document] = []
    for document in documents:
        parts = document.text.split()
        if len(parts) < words:
            continue
        runs = {hash(tuple(parts[start : start + RUN])) for start in range(words - RUN)}
        if len(runs & seen) > MOST_SHARED * len(runs):
            continue
        seen |= runs
        chosen.append(document)
        if len(chosen) == count:
            break
    return chosen
