"""A choice among linear probes on pooled states by scikit-learn, for the benchmark (see bench_peers.py)."""

from __future__ import annotations

import numpy as np
import safetensors
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

POOLS = {
    "mean": lambda x: x.mean(axis=0),
    "last": lambda x: x[-1],
    "absmax": lambda x: x[np.abs(x).argmax(axis=0), np.arange(x.shape[1])],
}


class Columns(TransformerMixin, BaseEstimator):
    """Of states that are pooled in several ways, side by side, those of one way."""

    def __init__(self, pool=0, width=1):
        self.pool, self.width = pool, width

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X[:, self.pool * self.width : (self.pool + 1) * self.width]


def implementations(request):
    """GridSearchCV over pools and penalties, on folds that stand in `groups`. The result is the AUROC on other data."""

    def sequences(path):
        with safetensors.safe_open(path, framework="np") as file:
            x, offsets, y = (file.get_tensor(name) for name in ("hidden_states", "offsets", "labels"))
        return np.split(x, offsets[1:-1]), y

    def pooled(sequences):
        return np.concatenate([[POOLS[pool](s) for s in sequences] for pool in request["pools"]], axis=1)

    training, y = sequences(request["activations"])
    others, other_y = sequences(request["validation"])
    others = pooled(others)

    with safetensors.safe_open(request["activations"], framework="np") as file:
        fold, width = file.get_tensor("groups"), file.get_slice("hidden_states").get_shape()[1]
    folds = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in np.unique(fold)]

    def search(jobs):
        X = pooled(training)
        model = Pipeline([
            ("pool", Columns(width=width)), ("scale", StandardScaler()), ("probe", LogisticRegression(max_iter=1000)),
        ])
        grid = {
            "pool__pool": range(len(request["pools"])),
            "probe__C": [1 / (penalty * len(folds[0][0])) for penalty in request["penalties"]],
        }
        found = GridSearchCV(model, grid, scoring="roc_auc", cv=folds, n_jobs=jobs).fit(X, y)
        return torch.tensor([roc_auc_score(other_y, found.decision_function(others))])

    jobs = request["threads"]
    return {"scikit-learn, linear": lambda: search(None), f"scikit-learn, linear, {jobs} jobs": lambda: search(jobs)}
