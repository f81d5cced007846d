"""Cross-validated logistic regression in scikit-learn, for the benchmark (see bench_peers.py)."""

from __future__ import annotations

import numpy as np
import safetensors
import torch
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV


def implementations(request):
    """Of one token a sequence with `labels` and `groups`, the fold of each: what searches a penalty.

    Results are the mean area under the ROC curve over folds, one a penalty, strongest last, as the
    benchmark lists them. Penalties are those of the mean loss over the training part of a fold.
    """
    with safetensors.safe_open(request["activations"], framework="np") as file:
        x, y, fold = (file.get_tensor(name) for name in ("hidden_states", "labels", "groups"))
    penalties = np.array(request["penalties"])
    folds = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in np.unique(fold)]
    strengths = np.sort(1 / (penalties * len(folds[0][0])))

    def search(jobs):
        model = LogisticRegressionCV(
            Cs=strengths, cv=folds, scoring="roc_auc", n_jobs=jobs, l1_ratios=(0,),
            use_legacy_attributes=False, max_iter=1000,
        ).fit(x, y)
        # The greatest strength is the least penalty.
        return torch.from_numpy(np.asarray(model.scores_).reshape(len(folds), -1).mean(axis=0)[::-1].copy())

    def optimum():
        """The least mean loss plus penalty, one a penalty, as exact as the solver gets."""
        losses = []
        for penalty in penalties:
            model = LogisticRegression(C=1 / (penalty * len(y)), tol=1e-10, max_iter=100_000)
            model.fit(x.astype(np.float64), y)
            z = x @ model.coef_[0] + model.intercept_[0]
            loss = np.logaddexp(0, -np.where(y == 1, z, -z)).mean()
            losses.append(loss + penalty / 2 * (model.coef_**2).sum())
        return torch.tensor(losses)

    jobs = request["threads"]
    return {
        "scikit-learn": lambda: search(None),
        f"scikit-learn, {jobs} jobs": lambda: search(jobs),
        "optimum": optimum,
    }
