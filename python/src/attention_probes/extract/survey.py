"""What a first pass over the rows finds out: how many there are, what their labels are, which groups.

Labels of a row and the tensor that they become:

    whole numbers from 0                     class indices, I64 of shape N
    words                                    class indices; the classes in the order of --classes, or sorted
    other numbers, or --regression           F32 of shape N×1
    a list of numbers, or several columns    N×O: U8 if all are 0 or 1 (multi-label), else F32
    a list of words                          N×O, U8: which classes a row has
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .failure import Failure
from .rows import Row

MOST_CLASSES = 65536
_LARGEST = float(np.finfo(np.float32).max)


def _number(value: Any) -> float | None:
    """The value if it is a number that F32 can hold, or a string that says one."""
    number = _any_number(value)
    return number if number is not None and abs(number) <= _LARGEST else None


def _any_number(value: Any) -> float | None:
    """The same with infinity, NaN and numbers too large."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return None


@dataclass
class Labels:
    """The form of all labels, built up row by row, and then the tensor of some of them."""

    classes: list[str] | None = None
    is_regression: bool = False
    _words: dict[str, None] = field(default_factory=dict)
    _is_list: bool = False
    _columns: int = 0  # O of a list
    _are_numbers: bool = True
    _are_indices: bool = True
    _are_bits: bool = True
    _highest: int = 0
    _count: int = 0

    def add(self, row: Row) -> None:
        label = row.label
        values = label if isinstance(label, list) else [label]
        if bad := [value for value in values if value is None or isinstance(value, dict | list)]:
            raise Failure(f"{row.place}: expected a label of words or numbers, found {bad[0]!r:.60}")
        numbers = [number for value in values if (number := _number(value)) is not None]
        if len(numbers) < len(values) or not values:
            self._are_numbers = False
        else:
            self._are_indices &= all(number >= 0 and number.is_integer() for number in numbers)
            self._are_bits &= all(number in (0, 1) for number in numbers)
            self._highest = max(self._highest, int(max(numbers)))
        if len(self._words) <= MOST_CLASSES:
            self._words.update((str(value), None) for value in values)
        elif not self._are_numbers:
            raise Failure(f"{row.place}: expected at most {MOST_CLASSES} classes, found more")
        is_list, columns = isinstance(label, list), len(values)
        if self._count and is_list != self._is_list:
            raise Failure(f"{row.place}: expected a label like the rows before, found {label!r}")
        if self._count and self._are_numbers and columns != self._columns:
            raise Failure(
                f"{row.place}: expected {self._columns} labels as in the rows before, found {columns}"
            )
        self._is_list, self._columns = is_list, columns
        self._count += 1

    def close(self) -> None:
        """Settles the classes, when every label was added."""
        if self.is_regression and not self._are_numbers:
            words = [word for word in self._words if _number(word) is None]
            raise Failure(f"--regression: expected numbers as labels, found {words[0]!r}")
        if self.classes and not self._is_list and set(self._words) <= set(self.classes):
            self._are_numbers = False  # names that happen to be numbers
        if not self._are_numbers:
            if not self.classes and self._words and None not in map(_any_number, self._words):
                bad = next((word for word in self._words if _number(word) is None), None)
                if bad is not None:
                    raise Failure(f"labels: expected numbers that F32 can hold, found {bad:.60}")
            self.classes = self.classes or sorted(self._words)
            if unknown := [word for word in self._words if word not in self.classes]:
                raise Failure(f"labels: expected one of {', '.join(self.classes)}, found {unknown[0]!r}")
        elif self.task == "multiclass" and self._highest >= MOST_CLASSES:
            raise Failure(
                f"labels: expected classes from 0 to {MOST_CLASSES - 1}, or --regression, "
                f"found {self._highest}"
            )
        elif self.task in ("binary", "multiclass") and self.classes and self._highest >= len(self.classes):
            raise Failure(
                f"labels: expected a class from 0 to {len(self.classes) - 1}, found {self._highest}"
            )
        elif self.task == "multilabel" and self.classes and len(self.classes) != self._columns:
            raise Failure(f"labels: expected {len(self.classes)} columns, one a class, found {self._columns}")
        if self.task == "regression" and self.classes:
            raise Failure(
                f"labels: expected one of {', '.join(self.classes)}, or its index, found other numbers"
            )
        if self.classes and (
            len(set(self.classes)) != len(self.classes) or len(self.classes) < 2 and not self._is_list
        ):
            raise Failure(
                f"classes: expected at least two different names, found {', '.join(self.classes)} "
                "(--classes names all there are, --label-column '' takes no labels)"
            )

    @property
    def task(self) -> str:
        """The kind of probe that fits the labels."""
        if self._is_list:
            return (
                "regression"
                if self._are_numbers and (self.is_regression or not self._are_bits)
                else "multilabel"
            )
        if self._are_numbers and (self.is_regression or not self._are_indices):
            return "regression"
        return "binary" if (len(self.classes) if self.classes else self._highest + 1) <= 2 else "multiclass"

    def tensor(self, labels: list[Any]) -> np.ndarray:
        """Labels of some rows: I64 of shape N, or U8 or F32 of shape N×O."""
        if self.task in ("binary", "multiclass"):
            if self._are_numbers:
                return np.array([int(float(label)) for label in labels], np.int64)
            index = {name: number for number, name in enumerate(self.classes or [])}
            return np.array([index[str(label)] for label in labels], np.int64)
        if self._are_numbers:
            type_ = np.uint8 if self.task == "multilabel" else np.float32
            return np.array(labels, dtype=np.float64).astype(type_).reshape(len(labels), -1)
        rows = [set(map(str, label)) for label in labels]
        return np.array([[name in row for name in self.classes or []] for row in rows], np.uint8)


@dataclass
class Survey:
    """Numbers of rows and characters, and the forms of labels and groups; None without any."""

    rows: int = 0
    characters: int = 0
    # The first row of every text without a letter or digit: these may come to no token.
    blanks: dict[str, Row] = field(default_factory=dict)
    labels: Labels | None = None
    groups: dict[str, int] | None = None

    @classmethod
    def of(cls, rows: Iterable[Row], classes: list[str] | None, is_regression: bool) -> Survey:
        survey = cls()
        labels = Labels(classes, is_regression)
        groups: dict[str, None] = {}
        ids: set[str] = set()
        for row in rows:
            if row.id in ids:
                raise Failure(
                    f"{row.place}: expected an id of its own, found {row.id!r:.60} again "
                    "(--id-column '' takes row numbers)"
                )
            ids.add(row.id)
            survey.rows += 1
            survey.characters += characters(row)
            if isinstance(row.text, str) and not any(map(str.isalnum, row.text)):
                survey.blanks.setdefault(row.text, row)
            if row.label is not None:
                labels.add(row)
                survey.labels = labels
            if row.group is not None:
                groups[str(row.group)] = None
        if survey.labels:
            labels.close()
        if groups:
            # Whole numbers stay what they are; names are counted in the order of their appearance.
            survey.groups = {name: number for number, name in enumerate(groups)}
            try:
                numbers = {name: int(name) for name in groups}
            except ValueError:
                return survey
            if all(-(2**63) <= number < 2**63 for number in numbers.values()):
                survey.groups = numbers
        return survey


def characters(row: Row) -> int:
    """Characters of a row's text, before any template."""
    if isinstance(row.text, str):
        return len(row.text)
    return sum(len(str(turn.get("content", ""))) for turn in row.text)
