"""scikit-learn's own tools on sequences."""
import pickle
import unittest

import numpy as np
import pytest

import attention_probes as ap
from conftest import needs

pytest.importorskip("sklearn")
pytestmark = needs("ap_train")

from sklearn.base import clone  # noqa: E402
from sklearn.metrics import get_scorer  # noqa: E402
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


@pytest.mark.parametrize("classes", [[0, 1], [-1, 1], [False, True], ["attack", "benign"]])
def test_scorers_whichever_class_is_positive(samples, classes, tmp_path):
    X, y = samples
    truth = np.array(classes)[y]
    judged = []
    for positive in classes:
        probe = ap.AttentionProbe("mean", positive=positive).fit(X, truth)
        probe.save(tmp_path / "probe.safetensors")
        for one in (probe, clone(probe).fit(X, truth), pickle.loads(pickle.dumps(probe)),
                    ap.AttentionProbe.load(tmp_path / "probe.safetensors")):
            assert one.classes_.tolist() == classes and one.positive_ == positive
            assert (one.predict(X) == one.classes_[(one.decision_function(X) > 0).astype(int)]).all()
            assert (one.predict(X) == one.classes_[one.predict_proba(X).argmax(1)]).all()
            judged.append([get_scorer(name)(one, X, truth) for name in ("roc_auc", "neg_log_loss", "accuracy", "balanced_accuracy")])
        assert cross_val_score(probe, X, truth, cv=3, scoring="roc_auc").mean() > 0.8
        # As versions pickled it that had the classes of the file.
        state = probe.__getstate__() | {"classes_": probe._in_file()}
        state.pop("_order", None)
        old = ap.AttentionProbe()
        old.__setstate__(state)
        assert old.classes_.tolist() == classes and (old.decision_function(X) == probe.decision_function(X)).all()
        found = probe.evaluate(X, truth, bootstrap=0)
        assert np.isclose(found["auroc"], judged[-1][0]) and np.isclose(found["loss"], -judged[-1][1], atol=1e-5)
        # What is not scikit-learn's speaks of the positive class.
        place = classes.index(positive)
        stream = probe.stream()
        stream.append(X[0])
        assert np.isclose(stream.probability, probe.predict_proba(X[:1])[0, place], atol=1e-5)
        logits = [one.prefix_logits[-1, 0] for one in probe.token_scores(X)]
        assert np.allclose(logits, probe.decision_function(X) * (1 if place else -1), atol=1e-5)
        assert np.allclose(ap.score_probes([probe], X)[0][:, 0], probe.decision_function(X), atol=1e-5)
    assert np.allclose(judged, judged[0], atol=1e-3) and judged[0][0] > 0.9


def test_the_threshold_is_of_the_positive_class(samples):
    X, y = samples
    truth = np.array(["attack", "benign"])[y]
    probe = ap.AttentionProbe("mean", positive="attack").fit(X, truth).calibrate(X, truth, fpr=0.3)
    assert probe.threshold_ != 0.5
    flagged = probe.predict_proba(X)[:, 0] >= probe.threshold_
    assert (probe.predict(X) == np.where(flagged, "attack", "benign")).all()
    assert [bool(stream_of(probe, one).flagged) for one in X] == flagged.tolist()


def stream_of(probe, states):
    stream = probe.stream()
    stream.append(states)
    return stream


def test_classes_of_files_are_sorted(tmp_path):
    random = np.random.default_rng(2)
    names, y = ["mild", "bad", "fatal"], np.arange(60) % 3
    X = [random.normal(np.eye(3, 8)[label], 1, (random.integers(3, 9), 8)).astype(np.float32) for label in y]
    truth = np.array(names)[y]
    with ap.write_activations(tmp_path / "train.safetensors", classes=names) as out:
        out.add(X, y)
    probe = ap.AttentionProbe("mean").fit(tmp_path / "train.safetensors")
    assert probe.description_["classes"] == names and probe.classes_.tolist() == sorted(names)
    same = ap.AttentionProbe("mean").fit(X, truth)
    assert np.allclose(probe.predict_proba(X), same.predict_proba(X), atol=1e-3)
    assert np.allclose(ap.score_probes([probe], X)[0], probe.decision_function(X), atol=1e-5)
    for one in (probe, ap.AttentionProbe.from_bytes(probe.to_bytes())):
        assert (one.predict(X) == one.classes_[one.predict_proba(X).argmax(1)]).all() and one.score(X, truth) > 0.7
        assert get_scorer("roc_auc_ovr")(one, X, truth) > 0.8 and np.isclose(
            get_scorer("neg_log_loss")(one, X, truth), -one.evaluate(X, truth, bootstrap=0)["loss"], atol=1e-5)
    with pytest.raises(AttributeError, match="positive_: expected a binary probe, found a multiclass one"):
        probe.positive_


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
