"""Texts from JSON lines, CSV or a data set of the `datasets` library, one row at a time.

A source can be read twice: once to survey labels and groups, once to compute.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from .failure import DATA, IO, NO_INPUT, UNAVAILABLE, USAGE, Failure, first_sentence, is_download, is_full

SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv")


@dataclass(frozen=True)
class Columns:
    """Names of columns; None for one that is taken only if it is there (`label`, `group`, `id`),
    and "" for one that is not taken."""

    text: str | None = None
    label: str | None = None
    group: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Row:
    """A text (or the messages of a conversation) and what is known about it."""

    place: str
    id: str
    text: str | list[dict[str, Any]]
    label: Any = None
    group: Any = None


class Source(Protocol):
    """Records with the place of each, for messages."""

    def records(self) -> Iterator[tuple[str, dict[str, Any]]]: ...

    def class_names(self, column: str) -> list[str] | None:
        """Names of the classes that a column of class indices stands for."""

    @property
    def origin(self) -> dict[str, str | None]:
        """What a file of states says of it."""


class TextFiles:
    """JSON lines (.jsonl, .ndjson) and tables (.csv, .tsv), each also with .gz."""

    def __init__(self, paths: list[str]) -> None:
        for path in map(Path, paths):
            if not path.exists():
                raise Failure(f"{path}: no such file", NO_INPUT)
            if self._suffix(path) not in SUFFIXES:
                raise Failure(
                    f"{path}: expected a name that ends in {', '.join(SUFFIXES)} or one of these and .gz",
                    USAGE,
                )
        self.paths = [Path(path) for path in paths]

    @staticmethod
    def _suffix(path: Path) -> str:
        return path.with_suffix("").suffix.lower() if path.suffix == ".gz" else path.suffix.lower()

    origin: dict[str, str | None] = {}

    def class_names(self, column: str) -> list[str] | None:
        return None

    def records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in self.paths:
            suffix = self._suffix(path)
            opener = gzip.open if path.suffix == ".gz" else open
            try:
                with opener(
                    path, "rt", encoding="utf-8-sig", newline="" if "sv" in suffix else None
                ) as lines:
                    if suffix in (".csv", ".tsv"):
                        yield from self._table(path, lines, "," if suffix == ".csv" else "\t")
                    else:
                        yield from self._objects(path, lines)
            except UnicodeDecodeError as error:
                raise Failure(f"{path}: expected UTF-8, found bytes that are not ({error.reason})") from error
            except (gzip.BadGzipFile, EOFError) as error:
                raise Failure(f"{path}: expected a whole gzip file, found a broken one") from error

    @staticmethod
    def _objects(path: Path, lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:  # also numbers too long and lists too deep
                raise Failure(f"{path}, line {number}: expected a JSON object, found {error}") from error
            if not isinstance(record, dict):
                raise Failure(f"{path}, line {number}: expected a JSON object, found {type(record).__name__}")
            yield f"{path}, line {number}", record

    @staticmethod
    def _table(path: Path, lines: Iterator[str], delimiter: str) -> Iterator[tuple[str, dict[str, Any]]]:
        csv.field_size_limit(sys.maxsize)
        reader = csv.DictReader(lines, delimiter=delimiter, strict=True)
        try:
            names = reader.fieldnames or []
            if twice := [name for name in names if names.count(name) > 1]:
                raise Failure(f"{path}, line 1: expected one column {twice[0]}, found {names.count(twice[0])}")
            for record in reader:
                place = f"{path}, line {reader.line_num}"
                if None in record or None in record.values():
                    raise Failure(
                        f"{place}: expected {len(reader.fieldnames or [])} fields as in the first line"
                    )
                yield place, record
        except csv.Error as error:
            raise Failure(f"{path}, line {reader.line_num}: {error}") from error


class HubDataset:
    """A split of a data set that the `datasets` library knows by name or by folder."""

    def __init__(
        self, name: str, config: str | None, split: str, streaming: bool, revision: str | None
    ) -> None:
        try:
            import datasets
        except ImportError as error:
            raise Failure(
                f"--dataset needs another package ({error}): pip install 'attention-probes[datasets]'", UNAVAILABLE
            ) from error
        datasets.disable_progress_bars()
        datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # what fails, `_failure` says
        self.name = f"{name} ({split})"
        self._option = f"--dataset {name}"
        # A builder would take its files, and others that lie beside them, for tables.
        if (Path(name) / "state.json").exists():
            raise Failure(f"{self._option}: expected tables, found what save_to_disk wrote", NO_INPUT)
        try:
            builder = datasets.load_dataset_builder(name, config, revision=revision)
            commit = self._commit(builder, revision)
            if streaming:
                self.split = builder.as_streaming_dataset(split)
            else:
                builder.download_and_prepare()
                self.split = builder.as_dataset(split)
        except Failure:
            raise
        except (OSError, ValueError) as error:
            raise self._failure(error, NO_INPUT) from error
        except Exception as error:  # of the many packages that read and download
            raise self._failure(error, DATA) from error
        self.origin = {
            "dataset": name, "dataset_config": config, "dataset_split": split, "dataset_revision": commit
        }
        features = self.split.features or {}
        # Of a class, and of a list of classes.
        self._names = {name: getattr(feature, "names", None) for name, feature in features.items()}
        self._lists = {
            name: feature.feature
            for name, feature in features.items()
            if isinstance(getattr(feature, "feature", None), datasets.ClassLabel)
        }

    def class_names(self, column: str) -> list[str] | None:
        return self._lists[column].names if column in self._lists else self._names.get(column)

    def records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        try:
            for number, record in enumerate(self.split):
                # Indices of classes would be taken for one number a class.
                for name, feature in self._lists.items():
                    if record[name] is not None:
                        record[name] = feature.int2str(record[name])
                yield f"{self.name}, row {number}", record
        except OSError as error:
            raise self._failure(error, IO) from error
        except Exception as error:
            raise self._failure(error, DATA) from error

    def _commit(self, builder: Any, revision: str | None) -> str | None:
        """The commit on the hub, under which the packages keep what comes from there; None for a folder."""
        commit = builder.hash if re.fullmatch("[0-9a-f]{40}", builder.hash or "") else None
        # Where the hub cannot be reached, the cache gives whichever commit it had last, and knows no names.
        is_cached = type(builder).__module__.startswith("datasets.packaged_modules.cache")
        if revision and (commit is None or revision != commit and (is_cached or len(revision) == 40)):
            raise Failure(
                f"{self._option}: expected revision {revision}, found "
                + (f"only {commit} in the cache" if commit else "a data set that is not on the hub"),
                NO_INPUT,
            )
        return commit

    def _failure(self, error: BaseException, code: int) -> Failure:
        """An error of another package in one sentence; a broken download or a full disk is always IO."""
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        if lines and lines[0].startswith("An error occurred while generating the dataset"):
            if len(lines) == 1 and error.__cause__:
                return self._failure(error.__cause__, code)
            lines = lines[1:] or lines
        if lines and lines[0] == "Config name is missing.":
            lines[0] += f" {lines[1]} (--dataset-config)" if len(lines) > 1 else " (--dataset-config)"
        if is_download(error) or isinstance(error, OSError) and is_full(error):
            code = IO
        return Failure(f"{self._option}: {lines[0] if lines else first_sentence(error)}", code)


@dataclass(frozen=True)
class Rows:
    """The rows of a source, with its columns by name."""

    source: Source
    columns: Columns
    is_chat: bool = False
    limit: int | None = None

    @property
    def label_columns(self) -> list[str]:
        return (self.columns.label or "label").split(",")

    def __iter__(self) -> Iterator[Row]:
        records = islice(self.source.records(), self.limit)
        first: dict[str, Any] | None = None
        for number, (place, record) in enumerate(records):
            first = record if first is None else first
            # A column that the first row has must be in every row.
            label = [
                value
                for name in (self.label_columns if self.columns.label != "" else [])
                if (value := self._value(place, record, first, name, self.columns.label is not None))
                is not None
            ]
            group = (
                self._value(place, record, first, self.columns.group or "group", bool(self.columns.group))
                if self.columns.group != ""
                else None
            )
            name = (
                self._value(place, record, first, self.columns.id or "id", bool(self.columns.id))
                if self.columns.id != ""
                else None
            )
            yield Row(
                place,
                str(number if name is None else name),
                self._text(place, record),
                (label if len(self.label_columns) > 1 else label[0]) if label else None,
                group,
            )

    def _value(
        self, place: str, record: dict[str, Any], first: dict[str, Any], name: str, required: bool
    ) -> Any:
        if name not in record:
            if required or name in first:
                raise Failure(f"{place}: expected a column {name}, found {', '.join(record) or 'none'}")
            return None
        if record[name] is None or record[name] == "":
            raise Failure(f"{place}: expected a value in column {name}, found none")
        return record[name]

    def _text(self, place: str, record: dict[str, Any]) -> str | list[dict[str, Any]]:
        name = self.columns.text or ("messages" if self.is_chat and "messages" in record else "text")
        if name not in record:
            raise Failure(f"{place}: expected a column {name}, found {', '.join(record) or 'none'}")
        text = record[name]
        if isinstance(text, str):
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise Failure(
                    f"{place}: expected Unicode in column {name}, found half a surrogate pair"
                ) from error
            return [{"role": "user", "content": text}] if self.is_chat else text
        if self.is_chat and isinstance(text, list) and all(isinstance(turn, dict) for turn in text):
            return text
        expected = "a string or a list of messages" if self.is_chat else "a string"
        raise Failure(f"{place}: expected {expected} in column {name}, found {type(text).__name__}", DATA)
