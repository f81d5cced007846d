"""What beside kinds and penalties there is to choose and to compare with: layers, and controls."""
import json

import numpy as np
import pytest

import attention_probes as ap
from conftest import needs


def write(path, layer=None, shift=0.0, seed=0, count=40):
    """Sequences of width 4, of which class 1 has a little more in every dimension, and longer ids."""
    random = np.random.default_rng(seed)
    with ap.write_activations(path, classes=["no", "yes"], metadata={} if layer is None else {"layer": str(layer)}) as out:
        out.add([random.standard_normal((random.integers(2, 6), 4), dtype=np.float32) + shift * (k % 2) for k in range(count)],
                [k % 2 for k in range(count)], ids=["ab"[k % 2] + str(k) for k in range(count)])
    return path


@needs("ap_select_share")
def test_a_selection_on_every_layer(command, tmp_path):
    folder = tmp_path / "layers"
    folder.mkdir()
    for layer, shift in ((2, 0.1), (4, 1.5), (6, 0.2)):
        # The same sequences, so of the same lengths.
        random = np.random.default_rng(3)
        with ap.write_activations(folder / f"{layer}.safetensors", classes=["no", "yes"], metadata={"layer": str(layer)}) as out:
            lengths = random.integers(2, 6, 40)
            out.add([np.random.default_rng([layer, k]).standard_normal((lengths[k], 4), dtype=np.float32) + shift * (k % 2)
                     for k in range(40)], [k % 2 for k in range(40)], ids=[f"s{k}" for k in range(40)])
    truth = json.loads(command(
        "train", folder, "--select", "--layers-each", "all", "--kind", "mean", "--folds", "3", "--json", "--quiet",
        "--out", tmp_path / "probe.safetensors"))
    theirs = ap.AttentionProbe.load(tmp_path / "probe.safetensors")

    def check(found):
        assert [row["layers"] for row in found.selection_.values["layers"]] == [row["layers"] for row in truth["layers"]]
        assert [row["value"] for row in found.selection_.values["layers"]] == [row["value"] for row in truth["layers"]]
        assert all((values == found.parameters_[name]).all() for name, values in theirs.parameters_.items())

    check(ap.AttentionProbe("mean").select(folder, layers_each="all", folds=3))
    data = ap.open_activations(folder, layers_each=[2, 4, 6])
    check(ap.AttentionProbe("mean").select(data, layers_each="all", folds=3))
    two = ap.AttentionProbe("mean").select(data, layers_each=[2, 6], folds=3)
    assert [row["layers"] for row in two.selection_.values["layers"]][:2] == [[2], [6]]
    with pytest.raises(ValueError, match="expected layers 2,5, found"):
        ap.AttentionProbe("mean").select(data, layers_each=[2, 5], folds=3)
    with pytest.raises(ValueError, match="expected several layers, side by side"):
        ap.AttentionProbe("mean").select(ap.open_activations(folder / "2.safetensors"), layers_each="all", folds=3)


@needs("ap_evaluate_controls")
def test_controls_are_those_of_the_command_line(command, tmp_path):
    train, test = write(tmp_path / "train.safetensors", shift=0.7), write(tmp_path / "test.safetensors", shift=0.7, seed=1)
    probe = ap.AttentionProbe("mean").fit(train)
    probe.save(tmp_path / "probe.safetensors")
    truth = json.loads(command(
        "evaluate", tmp_path / "probe.safetensors", test, "--controls", train, "--confound", "^(.)", "--bootstrap", "20",
        "--json", "--quiet"))
    found = probe.evaluate(test, controls=train, confound="^(.)", bootstrap=20)
    assert found.values["controls"] == truth["controls"]
    assert {row["name"]: row.get("auroc") for row in found.values["controls"]["rows"]}["confound"] == 1
    # From memory the same, of what needs no ids.
    read, judged = ap.read_activations(train), ap.read_activations(test)
    again = probe.evaluate(judged.states, judged.y, controls=(read.states, read.y), bootstrap=0)
    def rows(evaluation):
        return {row["name"]: row.get("auroc") for row in evaluation.values["controls"]["rows"] if row["name"] != "confound"}

    assert rows(again) == rows(found) and rows(found)["length"] is not None
    assert "controls" not in probe.evaluate(test, bootstrap=0).values
    with pytest.raises(ValueError, match="confound: expected it only with controls"):
        probe.evaluate(test, confound="^(.)")
    for wrong, said in [(3, "int"), ((1, 2, 3, 4), "a tuple of 4")]:
        with pytest.raises(ValueError, match=rf"controls: expected \(X, y\), \(X, y, groups\), a path or Data, found {said}"):
            probe.evaluate(test, controls=wrong)


@needs("ap_evaluate_controls")
def test_controls_are_shown_beside_the_metrics(tmp_path):
    read, judged = (ap.read_activations(write(tmp_path / "a.safetensors", shift=0.7, seed=seed)) for seed in (0, 1))
    groups = np.arange(40) // 2 % 10
    probe = ap.AttentionProbe("mean").fit(read.states, read.y)
    found = probe.evaluate(
        judged.states, judged.y, groups=groups, controls=(read.states, read.y, groups), confound="groups", bootstrap=0)
    rows = {row["name"]: row for row in found["controls"]["rows"]}
    assert found["controls"] is found.values["controls"] and found["auroc"] == found.metrics["auroc"]
    shown, html = repr(found).splitlines(), found._repr_html_()
    assert "probe" in shown[1] and "length" in shown[1] and "confound" in shown[1]
    auroc = next(line for line in shown if line.split()[0] == "auroc")
    assert all(f"{rows[name]['auroc']:.4g}" in auroc and f">{rows[name]['auroc']:.4g}<" in html for name in ("length", "confound"))
    assert f"token bag: {rows['token bag']['failure']}" in repr(found) and "token bag: expected" in html
    assert "length" not in repr(probe.evaluate(judged.states, judged.y, bootstrap=0))
    with pytest.raises(KeyError):
        found["none"]
    for given, message in [
        (dict(groups=groups, controls=(read.states, read.y)),
         r"confound: expected controls=\(X, y, groups\) with a group a sequence beside confound='groups', found none"),
        (dict(controls=(read.states, read.y, groups)), "confound: expected groups with a group a sequence"),
        (dict(controls=(read.states, read.y), confound="^(.)x", ids=["ax"] * 40), "the training data of controls: sequence 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            probe.evaluate(judged.states, judged.y, bootstrap=0, **{"confound": "groups"} | given)


@needs("ap_report_controls")
def test_a_report_with_controls_is_that_of_the_command_line(command, tmp_path):
    train, test = write(tmp_path / "train.safetensors", shift=0.7), write(tmp_path / "test.safetensors", shift=0.7, seed=1)
    probe = ap.AttentionProbe("mean").fit(train)
    probe.save(tmp_path / "probe.safetensors")
    command(
        "report", tmp_path / "probe.safetensors", test, "--controls", train, "--confound", "^(.)", "--bootstrap", "20",
        "--out", tmp_path / "page.html", "--quiet")
    page = probe.report(None, test, controls=train, confound="^(.)", bootstrap=20)
    assert page.html == (tmp_path / "page.html").read_text()
    with pytest.raises(ValueError, match="confound: expected it only with controls"):
        probe.report(None, test, confound="^(.)")


@needs("ap_select_share")
def test_numbers_of_a_table_are_read_for_regression(tmp_path):
    path = write(tmp_path / "states.safetensors")
    table = tmp_path / "labels.csv"
    table.write_text("id,label\n" + "".join(f"{'ab'[k % 2]}{k},{k % 3}\n" for k in range(40)))
    with pytest.raises(ValueError, match="expected a class from 0 to 1, found 2"):
        ap.open_activations(path, labels=table)
    data = ap.open_activations(path, labels=table, task="regression")
    assert ap.AttentionProbe("mean", task="regression").fit(data).task_ == "regression"
