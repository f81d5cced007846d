"""Training and judging on files, and what may be written where."""
import json
import os
import pickle

import numpy as np
import pytest

import attention_probes as ap
from conftest import needs

pytestmark = needs("ap_train")


def test_files(samples, tmp_path):
    X, y = samples
    path = tmp_path / "data.safetensors"
    with ap.write_activations(path, classes=["no", "yes"]) as out:
        out.add(X, y)
    data = ap.open_activations(path)
    assert len(data) == 60 and data.description["width"] == 8 and "60 sequences" in repr(data)
    for form in (path, str(path), [path], data):
        probe = ap.AttentionProbe("mean").fit(form)
        assert probe.classes_.tolist() == ["no", "yes"]
        assert (probe.decision_function(form) == probe.decision_function(X)).all()
    with pytest.raises(ValueError, match="y: expected a path to a table of labels"):
        probe.fit(path, y)
    with pytest.raises(FileNotFoundError):
        probe.fit(tmp_path / "none.safetensors")
    table = tmp_path / "labels.jsonl"
    table.write_text("".join(json.dumps({"id": str(i), "label": "ab"[i % 2]}) + "\n" for i in range(60)))
    assert ap.AttentionProbe("mean").fit(path, table).classes_.tolist() == ["a", "b"]
    np.save(tmp_path / "one.npy", X[0])
    assert probe.decision_function(tmp_path / "one.npy") == probe.decision_function([X[0]])


def test_scores_have_the_labels_of_files(samples, tmp_path):
    X, y = samples
    path, table, mixed = tmp_path / "data.safetensors", tmp_path / "labels.jsonl", tmp_path / "mixed.jsonl"
    with ap.write_activations(path, classes=["no", "yes"]) as out:
        out.add(X, y)
    data = ap.open_activations(path)
    probe = ap.AttentionProbe("mean").fit(path)
    table.write_text("".join(json.dumps({"id": str(i), "label": "yn"[i % 2]}) + "\n" for i in range(60)))
    mixed.write_text("".join(json.dumps({"id": str(i), "label": ["no", "yes"][i // 2 % 2]}) + "\n" for i in range(60)))
    truth = np.array(["no", "yes"])[y]
    for form in (path, str(path), [path], data):
        assert probe.score(form) == probe.score(form, None) == probe.score(X, truth)
    assert probe.score(path, mixed) == probe.score(X, np.array(["no", "yes"])[np.arange(60) // 2 % 2]) == probe.score(
        path, np.array(["no", "yes"])[np.arange(60) // 2 % 2])
    with pytest.raises(ValueError, match="expected one of the probe's classes|expected .* found y"):
        probe.score(path, table)
    with pytest.raises(ValueError, match="AttentionProbe requires y to be passed"):
        probe.score(X)
    with pytest.raises(ValueError, match="sample_weight: expected none beside files"):
        probe.score(path, sample_weight=np.ones(60))
    with ap.write_activations(path) as out:
        out.add(X, y + 0.25)
    number = ap.AttentionProbe("mean").fit(path)
    assert number.score(path) == pytest.approx(number.score(X, y + 0.25))
    with ap.write_activations(path) as out:
        out.add(X, np.full(60, 0.25))
    assert number.score(path) == number.score(X, np.full(60, 0.25)) == 0


@needs("ap_report")
def test_what_is_read_is_not_written_over(samples, tmp_path, monkeypatch):
    X, y = samples
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("train", "test", "held"):
        with ap.write_activations(folder / f"{name}.safetensors") as out:
            out.add(X, y)
    train, test, held = (folder / f"{name}.safetensors" for name in ("train", "test", "held"))
    link, table = tmp_path / "link.safetensors", tmp_path / "labels.csv"
    os.link(train, link)
    table.write_text("id,label\n" + "".join(f"{i},{i % 2}\n" for i in range(60)))
    before = {path: path.read_bytes() for path in (train, test, held, table)}
    monkeypatch.chdir(folder)
    probe = ap.AttentionProbe("mean").fit("train.safetensors", table, validation=held)
    probe.calibrate(test, calibration="platt")
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(pickle.dumps(probe))
    for call in (
        *(lambda path=path: probe.save(path) for path in (train, link, held, table, test)), lambda: again.save(train),
        lambda: ap.AttentionProbe("mean").select([folder], folds=2).save(test),
        lambda: ap.AttentionProbe("mean").select(train, folds=2, journal=link),
        lambda: probe.report(train, X=train), lambda: probe.report(link, [folder]), lambda: probe.report(table, train, table),
        lambda: probe.report(train, test, controls=train), lambda: ap.open_activations(folder).write(train),
        lambda: ap.open_activations(train, labels=table).write(table),
    ):
        with pytest.raises(ValueError, match="(path|journal): expected another file than the input, found /"):
            call()
    assert all(path.read_bytes() == content for path, content in before.items())
    # What lies beside inputs is no input, however often it is written.
    for _ in range(2):
        (folder / "probes").mkdir(exist_ok=True)
        probe = ap.AttentionProbe("mean").fit([folder])
        probe.save(folder / "probes" / "probe.safetensors")
        probe.report(folder / "report.html", [folder], bootstrap=0)
    ap.AttentionProbe("mean").fit(X, y).save(train)
