"""An estimator is what scikit-learn asks of one, and keeps its probe."""
import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import attention_probes as ap
from kinds import KINDS, probe_of


def test_arguments_are_stored_unchanged():
    given = {"kind": "topk", "k": 3, "l2": [0.1, 1], "callback": print}
    estimator = ap.AttentionProbe(**given)
    params = estimator.get_params()
    assert all(params[name] is value for name, value in given.items())
    assert estimator.set_params(k=4) is estimator and estimator.k == 4
    with pytest.raises(ValueError, match="Invalid parameter 'heds' for estimator AttentionProbe"):
        estimator.set_params(k=5, heds=3)
    assert estimator.k == 4
    assert repr(ap.AttentionProbe(heads=2)) == "AttentionProbe(kind='attention', heads=2)"


def test_clone_leaves_the_probe():
    base = pytest.importorskip("sklearn.base")
    probe = probe_of("swim")
    fresh = base.clone(probe)
    assert fresh.get_params() == probe.get_params() and not fresh.__sklearn_is_fitted__()
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(probe)
    with pytest.raises(NotFittedError):
        check_is_fitted(fresh)
    with pytest.raises(NotFittedError):
        fresh.predict([np.ones((2, 16))])
    assert base.is_classifier(probe) and base.is_regressor(ap.AttentionProbe(task="regression"))


@pytest.mark.parametrize("name", KINDS)
def test_files_bytes_and_pickles_keep_the_probe(name, ragged, tmp_path):
    probe = probe_of(name, outputs=2)
    truth = probe.decision_function(ragged)
    probe.save(tmp_path / "probe.safetensors")
    for again in (ap.AttentionProbe.load(tmp_path / "probe.safetensors"), ap.AttentionProbe.from_bytes(probe.to_bytes()),
                  pickle.loads(pickle.dumps(probe)), copy.deepcopy(probe)):
        assert (again.decision_function(ragged) == truth).all()
        assert again.get_params() == probe.get_params() and again.to_bytes() == probe.to_bytes()
        assert again.description_["kind"] == KINDS[name][0]
    assert pickle.loads(pickle.dumps(ap.AttentionProbe(k=2))).get_params()["k"] == 2


def test_files_that_are_no_probes(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.safetensors"):
        ap.AttentionProbe.load(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"abc")
    with pytest.raises(ValueError, match="bad.safetensors"):
        ap.AttentionProbe.load(tmp_path / "bad.safetensors")
    with pytest.raises(OSError):
        probe_of("mean").save(tmp_path / "none" / "probe.safetensors")
    with pytest.raises(ValueError, match="the bytes of the probe"):
        ap.AttentionProbe.from_bytes(b"abc")


def test_parameters_that_do_not_fit():
    for kind, tensors, known, message in [
        ("none", {}, {}, "kind: expected one of attention, "),
        ("mean", {}, {}, "tensors: expected v.weight of two dimensions, found none"),
        ("attention", {"v.weight": np.ones((1, 4))}, {}, "tensors: expected those of attention, from which heads follows"),
        ("mean", {"v.weight": np.ones((1, 4))}, {"window": 3}, "window: expected none of mean, found window"),
        ("mean", {"v.weight": np.ones((3, 4))}, {}, "task: expected multiclass, multilabel or regression for 3 outputs"),
        ("mean", {"v.weight": np.full((1, 4), np.nan)}, {}, "finite"),
        ("topk", {"v.weight": np.ones((1, 4))}, {"k": 0}, "k"),
    ]:
        with pytest.raises(ValueError, match=message):
            ap.AttentionProbe.from_parameters(kind, tensors, **known)


def test_classes_are_numbers_where_their_names_are():
    tensors = {"v.weight": np.ones((1, 4))}
    assert ap.AttentionProbe.from_parameters("mean", tensors, classes=[-1, 1]).classes_.tolist() == [-1, 1]
    assert ap.AttentionProbe.from_parameters("mean", tensors, classes=["01", "1"]).classes_.tolist() == ["01", "1"]


def test_attention_and_tokens(ragged):
    probe = probe_of("attention")
    for found, one in zip(probe.attention(ragged), ragged):
        assert found.shape == (len(one), 3) and np.allclose(found.sum(0), 1, atol=1e-5)
    found = probe.token_scores(ragged)[2]
    assert repr(found) == "TokenScores(9 tokens, 1 outputs, 3 heads)"
    logit = probe.decision_function(ragged)[2]
    assert np.isclose(found.contributions.sum(), logit, atol=1e-5) and np.isclose(found.prefix_logits[-1, 0], logit, atol=1e-5)
    with pytest.raises(ValueError, match="a probe that attends"):
        probe_of("mean").attention(ragged)


def test_score_is_accuracy_or_r2(ragged):
    probe = probe_of("attention")
    truth = probe.predict(ragged)
    assert probe.score(ragged, truth) == 1 and probe.score(ragged, truth.astype(str)) == 1
    wrong = truth.copy()
    wrong[0] = 1 - wrong[0]
    assert probe.score(ragged, wrong) == 0.75 and np.isclose(probe.score(ragged, wrong, [3, 1, 1, 1]), 0.5)
    with pytest.raises(ValueError, match=r"y: expected labels of the shape \(4,\), found \(3,\)"):
        probe.score(ragged, truth[:3])
    number = ap.AttentionProbe.from_parameters("mean", {"v.weight": np.eye(1, 16)}, task="regression")
    y = np.array([0.1, 0.4, -1, 2])
    metrics = pytest.importorskip("sklearn.metrics")
    assert np.isclose(number.score(ragged, y), metrics.r2_score(y, number.predict(ragged)))
    weights = [1, 2, 3, 4]
    assert np.isclose(number.score(ragged, y, weights), metrics.r2_score(y, number.predict(ragged), sample_weight=weights))


def test_import_loads_little():
    code = ("import sys, attention_probes; "
            "print([name for name in ('torch', 'sklearn', 'ml_dtypes', 'scipy', 'pandas') if name in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_library_that_is_not_there(monkeypatch, tmp_path):
    from attention_probes import _native

    monkeypatch.setattr(_native, "_library", None)
    monkeypatch.setenv("ATTENTION_PROBES_LIBRARY", str(tmp_path / "none.so"))
    with pytest.raises(ImportError, match=r"expected libattention_probes.so, found nothing at .*none.so"):
        _native.lib()


def test_a_threshold_is_no_float32():
    x = [np.ones((2, 3), np.float32)]
    tensors = {"v.weight": np.full((1, 3), 0.3, np.float32), "v.bias": np.zeros(1, np.float32)}
    probability = float(ap.AttentionProbe.from_parameters("mean", tensors).predict_proba(x)[0, 1])
    for threshold, label in [(probability, 1), (probability + 1e-12, 0)]:
        probe = ap.AttentionProbe.from_parameters("mean", tensors, threshold=threshold)
        assert probe.predict(x).tolist() == [label]
