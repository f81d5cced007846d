"""Scores have the bits of files that the command line writes."""
import os

import numpy as np
import pytest

import attention_probes as ap
from attention_probes._safetensors import TensorFile
from kinds import KINDS, probe_of


@pytest.fixture(scope="module")
def written(command, examples, tmp_path_factory):
    """What the command line says of the example data by a probe of every kind."""
    folder = tmp_path_factory.mktemp("scores")
    probes = {}
    for i, name in enumerate(KINDS):
        probes[name] = probe_of(name, width=384, outputs=1 + i % 3)
        probes[name].save(folder / f"{name}.safetensors")
    data = examples["test"]._file.path
    found = {}
    for name in KINDS:
        command("score", folder / f"{name}.safetensors", data, "--format", "safetensors", "--out", folder / f"{name}-s.st")
        command("score", folder / f"{name}.safetensors", data, "--tokens", "--format", "safetensors", "--out",
                folder / f"{name}-t.st")
        found[name] = (probes[name], TensorFile(folder / f"{name}-s.st"), TensorFile(folder / f"{name}-t.st"))
    return found


@pytest.mark.parametrize("name", KINDS)
def test_bits_are_those_of_the_command_line(written, examples, name):
    probe, sequences, tokens = written[name]
    states = examples["test"].states
    logits = probe.decision_function(states)
    assert (logits.reshape(len(states), -1) == sequences.array("logits")).all()
    odds = probe.predict_proba(states)
    if odds.shape[1] == 2 and probe.task_ == "binary":
        odds = odds[:, 1:]
    assert (odds == sequences.array("probabilities")).all()
    found = probe.token_scores(states)
    for field in ("prefix_logits", "attention", "contributions"):
        if field in tokens:
            mine = np.concatenate([getattr(one, field) for one in found])
            assert (mine == tokens.array(field).reshape(mine.shape)).all()
        else:
            assert getattr(found[0], field) is None


def test_lists_and_types_have_the_same_bits(written, examples):
    probe, sequences, _ = written["attention"]
    truth = sequences.array("logits")[:, 0]
    arrays = examples["test"].states.arrays()
    copies = [one.copy() for one in arrays]
    assert (probe.decision_function(copies) == truth).all()
    assert (probe.decision_function([one.astype(np.float32) for one in copies]) == truth).all()


def test_several_probes_in_one_pass(examples):
    probes = [probe_of("mean", 384), probe_of("attention", 384, outputs=3)]
    found = ap.score_probes(probes, examples["test"].states)
    assert found[0].shape == (100, 1) and found[1].shape == (100, 3)
    for probe, logits in zip(probes, found):
        alone = probe.decision_function(examples["test"].states).reshape(logits.shape)
        assert np.allclose(logits, alone, atol=1e-4)
    with pytest.raises(ValueError, match="probes: expected at least one, found none"):
        ap.score_probes([], examples["test"].states)


def test_threads_change_no_bit(examples):
    probe = probe_of("attention", 384)
    truth = probe.decision_function(examples["test"].states)
    assert (probe.set_params(threads=1).decision_function(examples["test"].states) == truth).all()


def test_predictions_follow_the_task(ragged):
    probe = probe_of("attention")
    logits, odds = probe.decision_function(ragged), probe.predict_proba(ragged)
    assert logits.dtype == np.float32 and odds.shape == (4, 2) and np.allclose(odds.sum(1), 1)
    assert np.allclose(odds[:, 1], 1 / (1 + np.exp(-logits)))
    assert (probe.predict(ragged) == (logits >= 0)).all() and probe.classes_.tolist() == [0, 1]
    several = probe_of("attention", outputs=3)
    assert (several.predict(ragged) == (several.predict_proba(ragged) >= 0.5)).all()
    many = ap.AttentionProbe.from_parameters(
        "mean", {"v.weight": np.eye(3, 16), "v.bias": np.zeros(3)}, classes=["a", "b", "c"])
    assert many.task_ == "multiclass"
    assert (many.predict(ragged) == np.array(["a", "b", "c"])[many.decision_function(ragged).argmax(1)]).all()
    number = ap.AttentionProbe.from_parameters(
        "mean", {"v.weight": np.eye(1, 16), "v.bias": np.zeros(1)}, task="regression")
    assert np.allclose(number.predict(ragged), [one[:, 0].mean() for one in ragged])
    with pytest.raises(ValueError, match="predict_proba: expected a probe that classifies"):
        number.predict_proba(ragged)


def test_probes_scored_in_two_orders_are_freed(tmp_path):
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    random = np.random.default_rng(0)
    X = random.normal(0, 1, (8, 1, 100_000)).astype(np.float32)
    ap.AttentionProbe("attention", heads=4, epochs=1, optimizer="adamw").fit(X, np.arange(8) % 2).save(tmp_path / "probe")

    def round_():
        first, second = (ap.AttentionProbe.load(tmp_path / "probe") for _ in range(2))
        ap.score_probes([first, second], X)
        ap.score_probes([second, first], X)

    for _ in range(3):
        round_()
    before = resident()
    for _ in range(10):
        round_()
    # Each holds 3 MB of weights, and as a set twice that.
    assert resident() - before < 40_000_000
