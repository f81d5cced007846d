"""What training, selection, judgement and calibration say, as dataclasses that print well."""
from __future__ import annotations

import os
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _text_table(title: str, rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    lines = [title] + ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def _html_table(title: str, rows: list[tuple[str, ...]]) -> str:
    cells = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption style='text-align:left'>{escape(title)}</caption>{cells}</table>"


class _Shown:
    # Results print as a table, in a terminal and in a notebook.
    def _table(self) -> tuple[str, list[tuple[str, ...]]]:
        raise NotImplementedError

    def _notes(self) -> list[str]:
        # Lines below the table.
        return []

    def __repr__(self) -> str:
        return "\n".join([_text_table(*self._table()), *(f"  {note}" for note in self._notes())])

    def _repr_html_(self) -> str:
        return _html_table(*self._table()) + "".join(f"<p>{escape(note)}</p>" for note in self._notes())


@dataclass(frozen=True, repr=False)
class Training(_Shown):
    """How a probe was trained.

    Attributes
    ----------
    stop : str
        Why it ended: "converged", "finished", "interrupted", …
    epoch, epochs_run : int
        The epoch whose parameters were kept, and how many ran.
    loss : float
        The training loss of that epoch, without penalties.
    validation_loss : float or None
    values : dict
        All that `attnprobe train --json` prints.
    """

    stop: str
    epoch: int
    epochs_run: int
    loss: float
    validation_loss: float | None
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def _of(cls, said: dict[str, Any]) -> Training:
        return cls(
            str(said.get("stop", "")), int(said.get("epoch", 0)), int(said.get("epochs_run", said.get("epoch", 0))),
            float(said.get("loss", np.nan)), said.get("validation_loss"), said)

    def _table(self) -> tuple[str, list[tuple[str, ...]]]:
        rows: list[tuple[str, ...]] = [("epoch", f"{self.epoch} of {self.epochs_run}"), ("loss", _number(self.loss))]
        if self.validation_loss is not None:
            rows.append(("validation loss", _number(self.validation_loss)))
        return f"Training: {self.stop}", rows


@dataclass(frozen=True)
class CandidateScore:
    """A candidate of a selection: its name, the mean score over the folds, and each fold's."""

    name: str
    score: float | None
    folds: list[float]
    converged: bool
    chosen: bool


@dataclass(frozen=True, repr=False)
class Selection(_Shown):
    """What a cross-validation chose.

    Attributes
    ----------
    chosen : str
        The candidate, which was trained on all sequences.
    metric : str
    score : float
        Its mean over the folds.
    candidates : list of CandidateScore
    threshold : float or None
    out_of_fold : list of dict
        Of every sequence the scores by a probe that did not see its fold.
    values : dict
        All that `attnprobe train --select --json` prints.
    """

    chosen: str
    metric: str
    score: float
    candidates: list[CandidateScore]
    threshold: float | None
    out_of_fold: list[dict[str, Any]]
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def _of(cls, said: dict[str, Any]) -> Selection:
        candidates = [
            CandidateScore(
                str(one.get("name")), one.get("score"), list(one.get("folds") or []), bool(one.get("converged", True)),
                bool(one.get("chosen", False)))
            for one in said.get("candidates", [])
        ]
        scores = said.get("out_of_fold")
        return cls(
            str(said.get("chosen", "")), str(said.get("metric", "")), float(said.get("score", np.nan)), candidates,
            said.get("threshold"), scores if isinstance(scores, list) else [], said)

    def _table(self) -> tuple[str, list[tuple[str, ...]]]:
        rows: list[tuple[str, ...]] = [("", "candidate", self.metric, "folds")]
        for one in self.candidates:
            score = "failed" if one.score is None else _number(one.score)
            folds = f"{_number(min(one.folds))} – {_number(max(one.folds))}" if one.folds else ""
            rows.append(("*" if one.chosen else "", one.name + ("" if one.converged else " (did not converge)"), score, folds))
        return f"Selection: {self.chosen}", rows


@dataclass(frozen=True, repr=False)
class Evaluation(_Shown):
    """How well a probe does on data with labels.

    Attributes
    ----------
    task : str
    sequences, tokens : int
    metrics : dict of float
        "auroc", "accuracy", "loss", …, by the definitions of scikit-learn.
    intervals : dict of (float, float)
        95 % confidence intervals of the bootstrap.
    values : dict
        All that `attnprobe evaluate --json` prints: by class, by length, the streaming rule, documents, "controls", …
    """

    task: str
    sequences: int
    tokens: int
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def _of(cls, said: dict[str, Any]) -> Evaluation:
        others = {"sequences", "tokens", "threshold"}
        metrics = {
            name: float(value) for name, value in said.items()
            if name not in others and isinstance(value, (int, float)) and not isinstance(value, bool)
        }
        intervals = {name: (float(low), float(high)) for name, (low, high) in said.get("intervals", {}).items()}
        return cls(
            str(said.get("task", "")), int(said.get("sequences", 0)), int(said.get("tokens", 0)), metrics, intervals, said)

    def __getitem__(self, name: str) -> Any:
        """A metric by its name, or what else `values` has by it, "controls" for instance."""
        return self.metrics[name] if name in self.metrics else self.values[name]

    def _controls(self, failed: bool) -> list[dict[str, Any]]:
        rows = (self.values.get("controls") or {}).get("rows", [])
        return [row for row in rows if ("failure" in row) == failed]

    def _notes(self) -> list[str]:
        return [f"{row['name']}: {row['failure']}" for row in self._controls(failed=True)]

    def _table(self) -> tuple[str, list[tuple[str, ...]]]:
        controls = self._controls(failed=False)
        rows: list[tuple[str, ...]] = [("", "probe", "interval", *(row["name"] for row in controls))] if controls else []
        for name, value in self.metrics.items():
            low, high = self.intervals.get(name, (None, None))
            others = (_number(row[name]) if row.get(name) is not None else "" for row in controls)
            rows.append((name, _number(value), "" if low is None else f"{_number(low)} – {_number(high)}", *others))
        return f"Evaluation: {self.task}, {self.sequences} sequences of {self.tokens} tokens", rows


@dataclass(frozen=True, repr=False)
class CalibrationResult(_Shown):
    """How outputs become probabilities, and from which on a sequence is counted as positive.

    Attributes
    ----------
    method : str
    threshold : float
    sequences : int
    values : dict
        All that `attnprobe calibrate --json` prints.
    """

    method: str
    threshold: float
    sequences: int
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def _of(cls, said: dict[str, Any]) -> CalibrationResult:
        method = (said.get("calibration") or {}).get("method", "none")
        return cls(str(method), float(said.get("threshold", 0.5)), int(said.get("sequences", 0)), said)

    def _table(self) -> tuple[str, list[tuple[str, ...]]]:
        return f"Calibration: {self.method}", [("threshold", _number(self.threshold)), ("sequences", str(self.sequences))]


@dataclass(frozen=True, repr=False)
class TokenScores:
    """What a probe says of the tokens of one sequence.

    Attributes
    ----------
    prefix_logits : array (L, O)
        The logits of the text up to and with each token, in the order of the probe file: of two classes above 0 for
        `positive_`. NaN before the first that the probe may look at.
    attention : array (L, H) or None
        Of probes that attend.
    contributions : array (L, H, O) or None
        What a token adds to an output through a head.
    """

    prefix_logits: np.ndarray
    attention: np.ndarray | None
    contributions: np.ndarray | None

    def __repr__(self) -> str:
        heads = "" if self.attention is None else f", {self.attention.shape[1]} heads"
        return f"TokenScores({len(self.prefix_logits)} tokens, {self.prefix_logits.shape[1]} outputs{heads})"


@dataclass(frozen=True, repr=False)
class Report:
    """A page about a probe: shown in a notebook, and in a browser from the file.

    Attributes
    ----------
    html : str
    path : str or None
        Where it was written.
    """

    html: str
    path: str | None = None

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the page."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.html)

    def __repr__(self) -> str:
        where = "not written" if self.path is None else self.path
        return f"Report({len(self.html) / 1e6:.2g} MB, {where})"

    def _repr_html_(self) -> str:
        return (f"<iframe srcdoc=\"{escape(self.html)}\" style='width:100%;height:40em;border:0' "
                "sandbox='allow-scripts'></iframe>")
