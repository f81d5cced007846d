"""scikit-learn's own tools on sequences."""
import unittest

import numpy as np
import pytest

import attention_probes as ap
from conftest import needs

pytest.importorskip("sklearn")
pytestmark = needs("ap_train")

from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score  # noqa: E402


@pytest.fixture(scope="module")
def samples():
    random = np.random.default_rng(2)
    y = np.arange(40) % 2
    return [random.normal(0.8 * label, 1, (random.integers(3, 9), 8)).astype(np.float32) for label in y], y


def test_cross_validation_of_lists(samples):
    X, y = samples
    for form in (X, ap.Sequences(X)):
        scores = cross_val_score(ap.AttentionProbe("mean"), form, y, cv=3)
        assert scores.shape == (3,) and scores.mean() > 0.7
    assert cross_val_score(
        ap.AttentionProbe("mean"), X, y, groups=np.arange(40) // 4, cv=GroupKFold(3), scoring="roc_auc").mean() > 0.7
    weights = np.linspace(1, 2, 40)
    assert cross_val_score(ap.AttentionProbe("mean"), X, y, cv=3, params={"sample_weight": weights}).mean() > 0.7
    assert cross_val_predict(ap.AttentionProbe("mean"), X, y, cv=3, method="predict_proba").shape == (40, 2)


def test_grid_search(samples):
    X, y = samples
    search = GridSearchCV(ap.AttentionProbe("mean", seed=1), {"kind": ["mean", "last"], "l2": [0.01, 1.0]}, cv=2, n_jobs=2)
    search.fit(X, np.array(["no", "yes"])[y])
    assert set(search.best_params_) == {"kind", "l2"} and search.best_score_ > 0.7
    assert search.predict(X[:2]).dtype.kind == "U"


def test_vectors_in_a_pipeline(samples):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = samples
    pooled = np.stack([one.mean(0) for one in X])
    assert make_pipeline(StandardScaler(), ap.AttentionProbe("mean")).fit(pooled, y).score(pooled, y) > 0.8


def test_scikit_learns_own_checks():
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    if not hasattr(checks, "estimator_checks_generator"):
        pytest.skip("an older scikit-learn")
    failed = {}
    for estimator, check in checks.estimator_checks_generator(ap.AttentionProbe("mean"), mark=None):
        name = getattr(check, "func", check).__name__
        try:
            check(estimator)
        except unittest.SkipTest:
            pass
        except Exception as fault:  # noqa: BLE001 - all of them are counted
            failed[name] = f"{type(fault).__name__}: {str(fault)[:200]}"
    unexpected = {name: said for name, said in failed.items() if name not in EXPECTED}
    assert not unexpected, "\n".join(f"{name}: {said}" for name, said in unexpected.items())


# Checks that an estimator does not pass, and why.
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "a weight is a repetition up to rounding of floats, not to 1e-7",
    "check_classifiers_regression_target": "floats that are no classes are numbers to predict",
    "check_class_weight_classifiers": "classes count as they are or balanced, not by a dict",
}
