"""Training, selection, judgement and calibration."""
import os
import signal
import threading
import time

import numpy as np
import pytest

import attention_probes as ap
from attention_probes import _native, _structures
from conftest import needs

pytestmark = needs("ap_train")


@pytest.fixture(scope="module")
def fitted(samples):
    return ap.AttentionProbe("mean").fit(*samples)


def test_a_probe_has_the_bytes_of_the_command_line(command, examples, tmp_path):
    train = examples["train"]
    options = {"kind": "attention", "heads": 2, "epochs": 2, "seed": 5, "learning_rate": 0.01}
    estimator = ap.AttentionProbe(**options).fit(train.states, train.y, groups=train.groups)
    flags = [word for name, value in options.items() for word in ("--" + name.replace("_", "-"), value)]
    command("train", train._file.path, "--out", tmp_path / "probe.safetensors", "--quiet", *flags)
    theirs = ap.AttentionProbe.load(tmp_path / "probe.safetensors")
    for name, values in theirs.parameters_.items():
        assert (values == estimator.parameters_[name]).all()
    assert estimator.training_.stop == "finished" and estimator.training_.epoch == 2
    assert "epoch" in repr(estimator.training_) and "<table>" in estimator.training_._repr_html_()
    # Of the file itself the same, whatever form it comes in.
    files = ap.AttentionProbe(**options).fit(train._file.path)
    assert all((values == files.parameters_[name]).all() for name, values in theirs.parameters_.items())
    assert (files.decision_function(train._file.path) == estimator.decision_function(train.states)).all()


def test_forms_of_labels(samples):
    X, y = samples
    for labels, classes in [(y, [0, 1]), (y.astype(bool), [False, True]), (2 * y - 1, [-1, 1]), (y.astype(float), [0, 1]),
                            (np.array(["no", "yes"])[y], ["no", "yes"]), (np.array(["no", "yes"], object)[y], ["no", "yes"]),
                            (y[:, None], [0, 1])]:
        probe = ap.AttentionProbe("mean").fit(X, labels)
        assert probe.classes_.tolist() == classes and probe.task_ == "binary"
        assert probe.score(X, labels) > 0.8
        assert probe.classes_.dtype.kind == np.asarray(labels).dtype.kind or probe.classes_.dtype.kind == "i"
    turned = ap.AttentionProbe("mean", positive="no").fit(X, np.array(["no", "yes"])[y])
    assert turned.classes_.tolist() == ["no", "yes"] and turned.positive_ == "no"
    assert turned.score(X, np.array(["no", "yes"])[y]) > 0.8
    many = ap.AttentionProbe("mean").fit(X, np.arange(60) % 3)
    assert many.task_ == "multiclass" and many.predict_proba(X).shape == (60, 3)
    several = ap.AttentionProbe("mean").fit(X, np.stack([y, 1 - y], 1))
    assert several.task_ == "multilabel" and several.predict(X).shape == (60, 2)
    number = ap.AttentionProbe("mean").fit(X, y + 0.25)
    assert number.task_ == "regression" and number.predict(X).shape == (60,) and not hasattr(number, "classes_")
    soft = ap.AttentionProbe("mean", task="binary").fit(X, 0.1 + 0.8 * y)
    assert soft.task_ == "binary" and soft.score(X, y) > 0.8
    # As evaluate cuts them.
    truth = np.where(np.arange(60) < 4, 0.5, 0.1 + 0.8 * y)
    assert soft.score(X, 0.1 + 0.8 * y) == soft.score(X, y)
    assert soft.score(X, truth) == soft.evaluate(X, truth, bootstrap=0)["accuracy"] < soft.score(X, y)
    for bad, words in [(1.5, "sequence 2: expected .*probability from 0 to 1, found 1.5"), (np.nan, r"found NaN or infinity in y\[2\]")]:
        with pytest.raises(ValueError, match=words):
            soft.score(X, np.where(np.arange(60) == 2, bad, 0.25))
    turned = ap.AttentionProbe("mean", task="binary", positive="0").fit(X, 0.1 + 0.8 * y)
    assert turned.score(X, 0.1 + 0.8 * y) == turned.evaluate(X, 0.1 + 0.8 * y, bootstrap=0)["accuracy"] > 0.8


def test_weights_of_zero_leave_out(samples):
    X, y = samples
    weights = np.ones(60)
    weights[::3] = 0
    kept = np.flatnonzero(weights)
    a = ap.AttentionProbe("mean").fit(X, y, sample_weight=weights)
    b = ap.AttentionProbe("mean").fit([X[i] for i in kept], y[kept], sample_weight=weights[kept])
    assert (a.parameters_["v.weight"] == b.parameters_["v.weight"]).all()


def test_validation_of_arrays(samples):
    X, y = samples
    probe = ap.AttentionProbe(heads=1, epochs=5, patience=2).fit(X[:40], y[:40], validation=(X[40:], y[40:]))
    assert probe.training_.validation_loss is not None
    with pytest.raises(ValueError, match="validation: expected"):
        probe.fit(X, y, validation=3)


BAD = [
    (dict(y=None), "AttentionProbe requires y to be passed, but the target y is None"),
    (dict(y=[0, 1]), "y: expected 60 labels, one a sequence, found 2"),
    (dict(y=np.full(60, np.nan)), "y: expected finite labels, found NaN or infinity in y.0."),
    (dict(y=np.zeros((60, 2, 2))), "y: expected one or two dimensions, found 3"),
    (dict(y=3), "y: expected 60 labels"),
    (dict(y=["a"] * 60), "y: expected two classes or more, found one class, a"),
    (dict(groups=[1]), r"groups: expected 60 groups, one a sequence, found the shape \(1,\)"),
    (dict(sample_weight=[1]), "sample_weight.shape"),
    (dict(sample_weight=np.zeros(60)), "sample_weight: expected one above zero, found none"),
    (dict(ids=["a"]), "ids: expected 60 names, one a sequence, found 1"),
    (dict(token_texts=["a"]), "token_texts: expected 60 lists, one a sequence"),
]


@pytest.mark.parametrize("given, message", BAD, ids=range(len(BAD)))
def test_bad_input_leaves_the_estimator(samples, given, message):
    X, y = samples
    probe = ap.AttentionProbe("mean").fit(X, y)
    before = probe.to_bytes()
    with pytest.raises(ValueError, match=message):
        probe.fit(X, **({"y": y} | given))
    assert probe.to_bytes() == before


def test_bad_options_name_themselves(samples):
    for options, message in [(dict(kind="none"), "none"), (dict(epochs=-1), "epochs"), (dict(l2=object()), "l2: expected a number"),
                             (dict(kind="mean", window=3), "window"), (dict(positive="x"), "x")]:
        with pytest.raises(ValueError, match=message):
            ap.AttentionProbe(**options).fit(*samples)


def test_flags_are_true_or_false(samples):
    plain, whitened = (ap.AttentionProbe("mean", whiten=one).fit(*samples).parameters_["v.weight"] for one in (False, True))
    assert (plain != whitened).any()
    for value in (1, np.True_, np.int64(1)):
        assert (ap.AttentionProbe("mean", whiten=value).fit(*samples).parameters_["v.weight"] == whitened).all()
    for value in (0, np.False_, None):
        assert (ap.AttentionProbe("mean", whiten=value).fit(*samples).parameters_["v.weight"] == plain).all()
    for value in (2, 1.0, "yes", [True, False], np.array([True])):
        with pytest.raises(ValueError, match="whiten: expected True or False, found "):
            ap.AttentionProbe("mean", whiten=value).fit(*samples)
    with pytest.raises(ValueError, match="skip_empty: expected True or False, found 'no'"):
        ap.open_activations("none.safetensors", skip_empty="no")


def test_progress_and_callbacks(samples, capfd):
    seen = []
    probe = ap.AttentionProbe(heads=1, epochs=6, verbose=True, callback=seen.append).fit(*samples)
    assert seen and seen[-1].total >= seen[-1].done > 0 and seen[0].phase
    assert "6/6" in capfd.readouterr().err
    probe = ap.AttentionProbe(heads=1, epochs=500, callback=lambda report: report.done >= 3).fit(*samples)
    assert probe.training_.stop == "interrupted" and probe.training_.epoch < 10

    def fail(report):
        raise ZeroDivisionError

    before = probe.to_bytes()
    with pytest.raises(ZeroDivisionError):
        probe.set_params(callback=fail).fit(*samples)
    assert probe.to_bytes() == before


@needs("ap_evaluate")
@pytest.mark.parametrize("name, call", [
    ("ap_train", lambda probe, *samples: probe.fit(*samples)),
    ("ap_select", lambda probe, *samples: probe.select(*samples, folds=2)),
    ("ap_calibrate", lambda probe, *samples: probe.calibrate(*samples)),
    ("ap_evaluate", lambda probe, *samples: probe.evaluate(*samples, bootstrap=10)),
    ("ap_report", lambda probe, *samples: probe.report(None, *samples, bootstrap=10)),
])
def test_a_callback_that_fails_at_last_leaves_nothing_behind(samples, fitted, monkeypatch, name, call):
    given, freed, library = [], [], _native.lib()

    def late(*arguments, function=getattr(library, name)):
        status = function(*arguments)
        given.extend(one._obj.value for one in arguments if hasattr(one, "_obj"))
        next(one for one in arguments if isinstance(one, _structures.Progress))(b'{"phase": "end"}', None)
        return status

    def fail(report):
        if report.phase == "end":
            raise ZeroDivisionError

    monkeypatch.setattr(library, name, late)
    for free in ("ap_probe_free", "ap_text_free"):
        monkeypatch.setattr(library, free, lambda value, function=getattr(library, free): (
            freed.append(getattr(value, "value", value)), function(value))[1])
    probe = ap.AttentionProbe.from_bytes(fitted.to_bytes()).set_params(callback=fail)
    with pytest.raises(ZeroDivisionError):
        call(probe, *samples)
    assert given and None not in given and set(given) <= set(freed)


@pytest.fixture
def interruptible():
    """Ctrl-C as Python has it, also where the tests were started with SIGINT ignored, as in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_keeps_the_probe_so_far(samples, interruptible):
    def press(report):
        if report.done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    probe = ap.AttentionProbe(heads=1, epochs=1000, callback=press)
    with pytest.raises(KeyboardInterrupt, match="keeps the best probe so far"):
        probe.fit(*samples)
    assert probe.training_.stop == "interrupted" and probe.training_.epoch < 20
    assert probe.predict(samples[0]).shape == (60,)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_interpreter_goes_on_meanwhile(samples):
    counted = []
    probe = ap.AttentionProbe(heads=2, epochs=100, callback=lambda report: None)
    worker = threading.Thread(target=lambda: probe.fit(*samples))
    worker.start()
    while worker.is_alive():
        counted.append(1)
        time.sleep(0.001)
    assert len(counted) > 10 and probe.training_.epoch > 0


@needs("ap_select")
def test_select_spans_a_grid(samples, tmp_path):
    X, y = samples
    probe = ap.AttentionProbe(["mean", "last"], l2=[0.01, 1.0]).select(X, y, folds=3, journal=tmp_path / "journal")
    found = probe.selection_
    assert len(found.candidates) >= 4 and sum(one.chosen for one in found.candidates) == 1
    assert len(found.out_of_fold) == 60 and found.metric == "auroc" and 0.5 < found.score <= 1
    assert "*" in repr(found) and "auroc" in repr(found)
    assert probe.score(X, y) > 0.8
    with pytest.raises(ValueError, match="fold"):
        probe.select(X, y, folds=1)
    # Arrays and ranges are lists.
    for l2 in ([1.0, 2.0], np.array([1.0, 2.0]), range(1, 3), (1, np.float32(2))):
        grid = ap.AttentionProbe(np.array(["mean", "last"]), l2=l2, seed=np.array(0)).select(X, y, folds=2, max_rows=0)
        assert len(grid.selection_.candidates) == 4 and "l2=" in repr(grid)


@needs("ap_evaluate")
def test_evaluate_has_the_metrics_of_scikit_learn(samples, fitted):
    metrics = pytest.importorskip("sklearn.metrics")
    X, y = samples
    found = fitted.evaluate(X, y, bootstrap=50)
    assert np.isclose(found["auroc"], metrics.roc_auc_score(y, fitted.decision_function(X)))
    assert np.isclose(found["accuracy"], fitted.score(X, y)) and found.sequences == 60
    low, high = found.intervals["auroc"]
    assert low <= found["auroc"] <= high and "auroc" in repr(found)
    assert fitted.evaluate(X, y, bootstrap=0).intervals == {}
    with pytest.raises(ValueError, match=r"y: expected one of the probe's classes 0, 1, found 2 in y\[59\]"):
        fitted.evaluate(X, np.append(y[:59], 2))


@needs("ap_calibrate")
def test_calibrate_changes_probabilities(samples):
    X, y = samples
    probe = ap.AttentionProbe("mean").fit(X, y)
    logits, before = probe.decision_function(X), probe.predict_proba(X)
    assert probe.calibrate(X, y, calibration="platt") is probe
    assert (probe.decision_function(X) == logits).all() and (probe.predict_proba(X) != before).any()
    assert probe.calibration_.method == "platt" and probe.threshold_ == 0.5
    with pytest.raises(ValueError):
        probe.calibrate(X, y, fpr=0.0001)


@needs("ap_report")
def test_report_is_a_page(samples, fitted, tmp_path):
    X, y = samples
    page = fitted.report(tmp_path / "report.html", X, y, name="the probe", bootstrap=0)
    assert (tmp_path / "report.html").read_text() == page.html and "the probe" in page.html
    assert "iframe" in page._repr_html_() and "report.html" in repr(page)
    assert fitted.report(None, X).path is None
