"""Metrics from the scores that a Ray cluster wrote: the digits of one machine."""
import json

import numpy as np
import pytest

pytest.importorskip("ray.data", reason="Ray is not installed: pip install 'ray[data]'")

import attention_probes as ap  # noqa: E402
from attention_probes.ray import evaluate, evaluate_scores, score  # noqa: E402
from attention_probes.ray_command import main  # noqa: E402
from conftest import needs  # noqa: E402
from kinds import probe_of  # noqa: E402
from ray_shards import WIDTH, bounded, cluster, probe, shards  # noqa: E402, F401


def labelled(folder, labels, classes=None):
    """Three shards of 40 sequences; labels by a function of the number of a sequence."""
    folder.mkdir()
    random = np.random.default_rng(8)
    for i in range(3):
        with ap.write_activations(folder / f"{i}.safetensors", classes=classes) as out:
            out.add([random.standard_normal((length, WIDTH), dtype=np.float32) for length in random.integers(1, 30, 40)],
                    [labels(random, 40 * i + k) for k in range(40)])
    return folder


EYE = {"v.weight": np.eye(3, WIDTH), "v.bias": np.zeros(3)}
TASKS = {
    "binary": (lambda: probe_of("attention", WIDTH), lambda random, k: int(random.integers(2)), None),
    "names": (
        lambda: ap.AttentionProbe.from_parameters(
            "mean", {"v.weight": np.eye(1, WIDTH), "v.bias": np.zeros(1)}, classes=["no", "yes"]),
        lambda random, k: ["yes", "no"][k % 2], ["no", "yes"]),
    "multiclass": (
        lambda: ap.AttentionProbe.from_parameters("mean", EYE, classes=["a", "b", "c"]),
        lambda random, k: "abc"[k % 3], ["a", "b", "c"]),
    "multilabel": (lambda: probe_of("max", WIDTH, outputs=3), lambda random, k: random.integers(0, 2, 3).tolist(), None),
    "regression": (
        lambda: ap.AttentionProbe.from_parameters("last", EYE, task="regression"),
        lambda random, k: random.standard_normal(3).tolist(), None),
    "soft": (lambda: probe_of("mean", WIDTH), lambda random, k: float(random.random()), None),
}


def told(evaluation):
    return {name: value for name, value in evaluation.values.items() if name != "notes"}


@needs("ap_evaluate_scores")
@pytest.mark.parametrize("task", TASKS)
def test_metrics_have_the_digits_of_one_machine(cluster, command, tmp_path, task):
    make, labels, classes = TASKS[task]
    folder = labelled(tmp_path / "shards", labels, classes)
    probe = tmp_path / "probe.safetensors"
    make().save(probe)
    truth_ = json.loads(command("evaluate", probe, folder, "--json", "--bootstrap", 60))
    found = evaluate(folder, probe, tmp_path / "out", workers=1, bootstrap=60)
    assert told(found) == truth_ and truth_["by_length"] and truth_["intervals"]
    again = evaluate_scores(tmp_path / "out", ap.AttentionProbe.load(probe), bootstrap=60)
    assert told(again) == truth_


@needs("ap_evaluate_scores")
def test_of_what_a_mask_leaves_and_without_what_is_empty(cluster, command, tmp_path):
    make, labels, classes = TASKS["names"]
    folder = labelled(tmp_path / "shards", labels, classes)
    probe = tmp_path / "probe.safetensors"
    make().save(probe)
    # Of a sequence without tokens only the offsets know.
    one = folder / "1.safetensors"
    content = bytearray(one.read_bytes())
    size = int.from_bytes(content[:8], "little")
    start, end = json.loads(content[8 : 8 + size])["offsets"]["data_offsets"]
    offsets = np.frombuffer(bytes(content[8 + size + start : 8 + size + end]), np.int64).copy()
    offsets[5] = offsets[4]
    content[8 + size + start : 8 + size + end] = offsets.tobytes()
    one.write_bytes(content)
    words = ("--mask", "last:2", "--skip-empty", "--json", "--bootstrap", 20)
    truth_ = json.loads(command("evaluate", probe, folder, *words))
    found = evaluate(folder, probe, tmp_path / "out", workers=2, mask="last:2", skip_empty=True, bootstrap=20)
    assert found.sequences == truth_["sequences"] == 119
    left_out = truth_.pop("left_out")
    assert told(found) == truth_ and left_out["empty_sequences"]["count"] == 1
    with pytest.raises(ValueError, match="^1.safetensors: "):
        evaluate(folder, probe, tmp_path / "bad", workers=1)


@needs("ap_evaluate_scores")
def test_scores_that_cannot_be_judged(cluster, probe, shards, tmp_path):
    score(shards, probe, tmp_path / "out", workers=1)
    with pytest.raises(ValueError, match="^00000.safetensors: expected labels, found none"):
        evaluate_scores(tmp_path / "out", probe)
    with pytest.raises(ValueError, match="expected scores of this probe, found those of another"):
        evaluate_scores(tmp_path / "out", probe_of("mean", WIDTH))
    with pytest.raises(FileNotFoundError, match="expected _run.json"):
        evaluate_scores(tmp_path, probe)
    (tmp_path / "out" / "00000.safetensors.parquet").unlink()
    with pytest.raises(ValueError, match="expected the scores of a shard, found none"):
        evaluate_scores(tmp_path / "out", probe)


@needs("ap_evaluate_scores")
def test_the_command(cluster, command, tmp_path, monkeypatch, capsys):
    make, labels, classes = TASKS["names"]
    folder = labelled(tmp_path / "shards", labels, classes)
    probe = tmp_path / "probe.safetensors"
    make().save(probe)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["attnprobe-ray", "evaluate", *map(str, arguments)])
        return main(), capsys.readouterr()

    truth_ = json.loads(command("evaluate", probe, folder, "--json", "--bootstrap", 20, "--seed", 3))
    arguments = (probe, folder, "--out", tmp_path / "out", "--bootstrap", 20, "--seed", 3)
    code, said = run(*arguments, "--json", "--workers", 1)
    found = json.loads(said.out)
    found.pop("notes", None)
    assert code == 0 and found == truth_ and "tokens/s" in said.err
    code, said = run(*arguments, "--resume", "--quiet")
    assert code == 0 and "auroc" in said.out and said.err == ""
    code, said = run(probe, probe, folder, "--out", tmp_path / "two")
    assert code == 64 and "expected one probe" in said.err
