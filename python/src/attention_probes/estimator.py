"""The estimator."""
from __future__ import annotations

import os
from typing import Any

import numpy as np

from ._inputs import LINEAR_KINDS
from ._judging import Judging
from ._labels import class_name
from ._scoring import one_output, scores
from .data import Data, is_path, open_activations
from .results import TokenScores
from .sequences import Sequences
from .stream import Stream


class AttentionProbe(Judging):
    """A probe on hidden states of a language model, in the manner of scikit-learn.

    Parameters
    ----------
    kind : str
        "attention", "mean", "last", "absmax", "max", "topk", "softmax", "rolling", "ema", "mlp-attention", "multimax",
        "rolling-attention", "mass-mean", "lda", "swim", "sc-topk" or "tpc".
    heads, hidden, units, attention_function, window, k, temperature, decay, coherence, smoothing, order,
    rank : optional
        What the kind has; None for its usual value, 8 heads for instance. `attention_function` is "softmax" or "tanh".
    optimizer, epochs, batch_size, learning_rate, l2, token_dropout, no_standardize, whiten, class_weight,
    average : optional
        How it is trained: the options of `attnprobe train`, which has their usual values. In `select`, lists span a grid.
    validation_fraction, patience : optional
        Early stopping: the share of sequences held out, and epochs without a lower loss on them.
    task : {"binary", "multiclass", "multilabel", "regression"}, optional
        Else it follows from the labels.
    positive : str, optional
        Of two classes the positive one; else the second in sorted order, of files the second that they name.
    seed, threads : int, optional
    verbose : bool
        Whether a bar on standard error shows how far a call has come.
    callback : callable, optional
        Called with a `Progress`; where it returns something true, the call stops and keeps what there is.

    Attributes
    ----------
    classes_ : array
        The classes, sorted, as all of scikit-learn expects: columns of `predict_proba` and `decision_function` are in this
        order, and of two classes `decision_function` is above 0 for the second. Of several labels as they are in y.
    positive_ : label
        The positive one of two classes: `threshold_`, `evaluate`, `calibrate`, `report`, `token_scores`, streams, `to_torch`
        and probe files speak of its probability and logit, wherever it is in `classes_`. Of more classes they have the order
        of `description_["classes"]`.
    n_features_in_ : int
        D, the width of a hidden state.
    training_, selection_, calibration_ : Training, Selection, CalibrationResult or None
        What the last call of `fit`, `select` and `calibrate` said.

    Notes
    -----
    X is, everywhere, a list of arrays (L, D); a `Sequences`; an array (T, D) with `offsets`, (N, S, D) with a `mask`, or
    (N, D) with `pooled=True` or where the probe is linear; a path, several, or a `Data` of `open_activations`.
    float32, float16 and bfloat16 are used in place, from numpy and from whatever has DLPack; float8 too, with scales in a
    `Sequences`, but in lists.

    Examples
    --------
    >>> import numpy as np
    >>> from attention_probes import AttentionProbe
    >>> random = np.random.default_rng(0)
    >>> y = np.arange(40) % 2
    >>> X = [random.normal(label, 1, (random.integers(3, 9), 16)) for label in y]
    >>> probe = AttentionProbe("mean").fit(X, y)
    >>> probe.score(X, y)
    1.0
    """

    def __init__(
        self, kind: Any = "attention", *, heads: Any = None, hidden: int | None = None, units: int | None = None,
        attention_function: str | None = None, window: int | None = None, k: int | None = None,
        temperature: float | None = None, decay: float | None = None, coherence: float | None = None,
        smoothing: str | None = None, order: int | None = None, rank: int | None = None,
        optimizer: Any = None, epochs: int | None = None, batch_size: int | None = None,
        learning_rate: float | None = None, l2: Any = None, token_dropout: Any = None,
        no_standardize: bool | None = None, whiten: bool | None = None, class_weight: str | None = None,
        average: int | None = None,
        validation_fraction: float | None = None, patience: int | None = None, task: str | None = None,
        positive: Any = None, seed: int | None = None, threads: int | None = None, verbose: bool = False,
        callback: Any = None
    ) -> None:
        self.kind, self.heads, self.hidden, self.units = kind, heads, hidden, units
        self.attention_function, self.window, self.k = attention_function, window, k
        self.temperature, self.decay, self.coherence, self.smoothing = temperature, decay, coherence, smoothing
        self.order, self.rank = order, rank
        self.optimizer, self.epochs, self.batch_size = optimizer, epochs, batch_size
        self.learning_rate, self.l2, self.token_dropout = learning_rate, l2, token_dropout
        self.no_standardize, self.whiten = no_standardize, whiten
        self.class_weight, self.average = class_weight, average
        self.validation_fraction, self.patience = validation_fraction, patience
        self.task, self.positive, self.seed, self.threads = task, positive, seed, threads
        self.verbose, self.callback = verbose, callback

    def _is_regressor(self) -> bool:
        return (self._probe.task if self._probe is not None else self.task) == "regression"

    def _takes_vectors(self) -> bool:
        return isinstance(self.kind, str) and self.kind in LINEAR_KINDS

    @property
    def task_(self) -> str:
        """What the fitted probe does: "binary", "multiclass", "multilabel" or "regression"."""
        return self._fitted().task

    @property
    def positive_(self) -> Any:
        """The positive one of two classes: `threshold_`, `evaluate`, streams and probe files speak of its probability."""
        task = self._fitted().task
        if task != "binary":
            raise AttributeError(f"positive_: expected a binary probe, found a {task} one")
        return self._in_file()[1]

    @property
    def threshold_(self) -> float:
        """The probability from which on a class counts as present: `positive_` of two (binary, multilabel)."""
        return self._fitted().threshold

    def _in_file(self) -> np.ndarray:
        """The classes in the order of the probe file."""
        return self.classes_ if self._order is None else self.classes_[np.argsort(self._order)]

    def _by_class(self, values: np.ndarray) -> np.ndarray:
        """Columns of the probe file in the order of `classes_`; one of two classes for the second of these."""
        if self._order is None:
            return values
        return -values if values.shape[1] == 1 else values[:, self._order]

    def _states(self, X: Any) -> Any:
        if is_path(X):
            X = open_activations(X)
        return X.sequences() if isinstance(X, Data) else X

    def _values(self, X: Any, field: str, offsets: Any, mask: Any, pooled: bool) -> np.ndarray:
        probe = self._fitted()
        if type(X) is not list or (X and type(X[0]) is not np.ndarray and isinstance(X[0], (str, os.PathLike))):
            X = self._states(X)
        return one_output(probe, X, field, self.threads or 0, offsets, mask, pooled)

    # Scores.

    def decision_function(self, X: Any, *, offsets: Any = None, mask: Any = None, pooled: bool = False) -> np.ndarray:
        """The logits, float32: (N,) of one output, else (N, O), in the order of `classes_`.

        Of two classes they are above 0 for the second.
        """
        values = self._by_class(self._values(X, "logits", offsets, mask, pooled))
        return values[:, 0] if values.shape[1] == 1 else values

    def predict_proba(self, X: Any, *, offsets: Any = None, mask: Any = None, pooled: bool = False) -> np.ndarray:
        """Probabilities, float32: (N, 2) of a binary probe, else (N, O), in the order of `classes_`.

        Those of a calibrated probe are calibrated.
        """
        if self._fitted().task == "regression":
            raise ValueError("predict_proba: expected a probe that classifies, found one for regression")
        values = self._values(X, "probabilities", offsets, mask, pooled)
        return self._by_class(np.concatenate([1 - values, values], axis=1) if self._fitted().task == "binary" else values)

    def predict(self, X: Any, *, offsets: Any = None, mask: Any = None, pooled: bool = False) -> np.ndarray:
        """Labels of `classes_`, (N,); of several labels 0 and 1, (N, O); of regression numbers, (N,) or (N, O).

        A class is present from the probability `threshold_` on: `positive_` of two (binary, multilabel).
        """
        probe = self._fitted()
        if probe.task == "regression":
            return self.decision_function(X, offsets=offsets, mask=mask, pooled=pooled)
        values = self._values(X, "probabilities", offsets, mask, pooled)
        if probe.task == "multiclass":
            found: np.ndarray = self._in_file()[values.argmax(axis=1)]
            return found
        # In double precision: NumPy would round the threshold to a float32, which a probability may equal.
        present: np.ndarray = (values.astype(np.float64) >= probe.threshold).astype(np.int64)
        if probe.task == "binary":
            present = self._in_file()[present[:, 0]]
        return present

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, *, offsets: Any = None, mask: Any = None,
              pooled: bool = False) -> float:
        """The accuracy, of regression R²; several labels have to be right together.

        y is as in `fit`; probabilities of two classes are cut at 0.5, as `evaluate` does.
        """
        if (isinstance(X, Data) or is_path(X)) and (y is None or isinstance(y, (str, os.PathLike))):
            judged = self.evaluate(
                X, y, bootstrap=0, sample_weight=sample_weight, offsets=offsets, mask=mask, pooled=pooled)
            if self.task_ != "regression":
                return float(judged["accuracy"])
            # There is none of labels that are all the same.
            return float(judged.metrics.get("r2", judged["mean_squared_error"] == 0))
        self._require(y)
        if self.task_ == "binary" and np.asarray(y).dtype.kind == "f" and (np.asarray(y) != np.round(y)).any():
            return float(self.evaluate(
                X, y, bootstrap=0, sample_weight=sample_weight, offsets=offsets, mask=mask, pooled=pooled)["accuracy"])
        found = self.predict(X, offsets=offsets, mask=mask, pooled=pooled)
        truth = np.asarray(y)
        if truth.ndim == 2 and truth.shape[1] == 1:
            truth = truth[:, 0]
        if truth.shape != found.shape:
            raise ValueError(f"y: expected labels of the shape {found.shape}, found {truth.shape}")
        weights = np.ones(len(found)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        if self.task_ != "regression":
            right = found == truth if found.dtype.kind == truth.dtype.kind else np.array(
                [class_name(a) == class_name(b) for a, b in zip(found.ravel(), truth.ravel())]).reshape(found.shape)
            return float(np.average(right if right.ndim == 1 else right.all(axis=1), weights=weights))
        truth = truth.astype(np.float64)
        spread = ((truth - np.average(truth, axis=0, weights=weights)) ** 2 * _columns(weights, truth)).sum(axis=0)
        rest = ((truth - found) ** 2 * _columns(weights, truth)).sum(axis=0)
        one = np.where(spread > 0, 1 - rest / np.where(spread > 0, spread, 1), np.where(rest > 0, 0.0, 1.0))
        return float(np.mean(one))

    def attention(self, X: Any, *, offsets: Any = None, mask: Any = None) -> list[np.ndarray]:
        """Where each head looks in a sequence: an array (L, H) each; 0 for tokens that the probe may not look at."""
        found = scores([self._fitted()], self._states(X), [("attention",)], self.threads or 0, offsets, mask)
        arrays: list[np.ndarray] = found[0].values["attention"]
        return arrays

    def token_scores(self, X: Any, *, offsets: Any = None, mask: Any = None) -> list[TokenScores]:
        """The scores of every prefix, and of probes that attend what each token adds: a `TokenScores` a sequence."""
        probe = self._fitted()
        fields = ("prefix_logits", "attention", "contributions") if probe.attends else ("prefix_logits",)
        found = scores([probe], self._states(X), [fields], self.threads or 0, offsets, mask)[0].values
        nothing = [None] * len(found["prefix_logits"])
        return [TokenScores(*one) for one in zip(
            found["prefix_logits"], found.get("attention", nothing), found.get("contributions", nothing))]

    def stream(self) -> Stream:
        """A stream without a token: what the probe knows of a text that is being read or written."""
        return Stream(self)


def _columns(weights: np.ndarray, like: np.ndarray) -> np.ndarray:
    return weights if like.ndim == 1 else weights[:, None]


def score_probes(probes: Any, X: Any, *, offsets: Any = None, mask: Any = None, pooled: bool = False,
                 threads: int = 0) -> list[np.ndarray]:
    """The logits (N, O) of several probes of one width, in one pass over X, each as its `decision_function` has them."""
    fitted = [probe._fitted() for probe in probes]
    if not fitted:
        raise ValueError("probes: expected at least one, found none")
    states: Sequences | Any = fitted and probes[0]._states(X)
    found = scores(fitted, states, [("logits",)] * len(fitted), threads, offsets, mask, pooled)
    return [probe._by_class(one.values["logits"]) for probe, one in zip(probes, found)]
