"""Selections that a Ray cluster trains: the bytes of one machine, workers that die, runs that go on, what is refused."""
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("ray.data", reason="Ray is not installed: pip install 'ray[data]'")

import attention_probes as ap  # noqa: E402
from attention_probes.ray import train  # noqa: E402
from attention_probes.ray.journal import Journal  # noqa: E402
from attention_probes.ray_command import main  # noqa: E402
from conftest import needs  # noqa: E402
from ray_shards import bounded, cluster, workers  # noqa: E402, F401

pytestmark = needs("ap_select_share")
SECONDS = re.compile(rb'(\\*"seconds\\*": ?)[0-9.e+-]+')
GRID = {"kind": ["mean", "attention"], "heads": 1, "l2": [0.01, 0.1], "epochs": 3, "folds": 3, "average": 2}
WORDS = ("--kind", "mean,attention", "--heads", "1", "--l2", "0.01,0.1", "--epochs", "3", "--folds", "3", "--average", "2")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two shards of 40 sequences, width 8; of one class each first dimension is a little more."""
    folder = tmp_path_factory.mktemp("labelled")
    random = np.random.default_rng(4)
    for i in range(2):
        labels = np.arange(40) % 2
        with ap.write_activations(folder / f"{i}.safetensors", classes=["no", "yes"]) as out:
            out.add([random.standard_normal((random.integers(2, 9), 8), dtype=np.float32) + 0.4 * label for label in labels],
                    labels.tolist(), ids=[f"{i}-{k}" for k in range(40)])
    return folder


def content(path):
    """A probe file without the seconds of its table and the length that these give its header; of other files the bytes."""
    found = path.read_bytes()
    if path.suffix != ".safetensors":
        return SECONDS.sub(rb"\1", found)
    size = int.from_bytes(found[:8], "little")
    return SECONDS.sub(rb"\1", found[8 : 8 + size]).rstrip(), found[8 + size :]


def check_same(one, other):
    for name in ("probe.safetensors", "probe.out-of-fold.jsonl"):
        assert content(one / name) == content(other / name), name
    assert sorted(path.name for path in other.iterdir()) == ["probe.out-of-fold.jsonl", "probe.safetensors"]


@pytest.fixture
def folders(tmp_path):
    for name in ("one", "many"):
        (tmp_path / name).mkdir()
    return tmp_path / "one", tmp_path / "many"


def test_the_bytes_of_one_machine(cluster, command, data, folders):
    one, many = folders
    command("train", data, "--select", *WORDS, "--fpr", "0.2", "--out", one / "probe.safetensors")
    told = []
    found = train(data, many / "probe.safetensors", workers=2, progress=told.append, fpr=0.2, **GRID)
    check_same(one, many)
    assert told[-1].done == told[-1].total and [each.done for each in told] == sorted({each.done for each in told})
    assert found.candidates and found.chosen and found.threshold == ap.AttentionProbe.load(one / "probe.safetensors").threshold_


def test_numbers_of_a_table_and_layers(cluster, command, data, folders, tmp_path):
    """Labels of a table that are numbers; of files of one layer each the best layer. With two threads a worker."""
    one, many = folders
    random = np.random.default_rng(9)
    for layer in (3, 5):
        (tmp_path / "layers").mkdir(exist_ok=True)
        states = [random.standard_normal((4, 8), dtype=np.float32) + (layer == 5) * k / 20 for k in range(40)]
        file = tmp_path / "layers" / f"layer-{layer}.safetensors"
        with ap.write_activations(file, metadata={"layer": str(layer)}) as out:
            out.add(states, ids=[f"s{k}" for k in range(40)])
    table = tmp_path / "labels.csv"
    table.write_text("id,label\n" + "".join(f"s{k},{k}\n" for k in range(40)))
    words = ("--labels", table, "--task", "regression", "--layers-each", "all", "--kind", "mean", "--folds", "3")
    command("train", tmp_path / "layers", "--select", *words, "--out", one / "probe.safetensors")
    found = train(
        tmp_path / "layers", many / "probe.safetensors", workers=1, threads=2, labels=table, task="regression",
        layers_each="all", kind="mean", folds=3)
    check_same(one, many)
    assert found.values["layers"]


def test_a_worker_that_is_killed_loses_and_doubles_nothing(cluster, command, data, folders):
    one, many = folders
    words = [word if word != "3" else "30" for word in WORDS]
    words[words.index("--folds") + 1] = "3"
    command("train", data, "--select", *words, "--out", one / "probe.safetensors")
    killed = []

    def kill(trained):
        running = workers("ray::attention-probes-train")
        if trained.done >= 3 and not killed and running:
            killed.append(running[0])
            os.kill(killed[0], signal.SIGKILL)

    train(data, many / "probe.safetensors", workers=2, progress=kill, **GRID | {"epochs": 30})
    assert killed
    check_same(one, many)


def test_a_run_goes_on_where_it_was_stopped(cluster, command, data, folders):
    one, many = folders
    command("train", data, "--select", *WORDS, "--out", one / "probe.safetensors")

    class Enough(Exception):
        pass

    def stop(trained):
        if trained.done >= 4:
            raise Enough

    with pytest.raises(Enough):
        train(data, many / "probe.safetensors", workers=1, progress=stop, **GRID)
    journal = many / "probe.safetensors.selection.partial"
    left = journal.read_bytes()
    assert left.count(b"\n") >= 5 and [path.name for path in many.iterdir()] == [journal.name]
    # The command line goes on from it, and the other way round.
    said = subprocess.run(
        [command.path, "train", str(data), "--select", *WORDS, "--seed", "1", "--out",
         str(many / "probe.safetensors")], capture_output=True, text=True)
    assert said.returncode == 65 and "one with seed 0" in said.stderr
    with pytest.raises(ValueError, match=re.escape(f"{journal}: expected an interrupted selection with seed 1, found one")):
        train(data, many / "probe.safetensors", workers=1, seed=1, **GRID)
    assert journal.read_bytes() == left
    # A line that was cut off is trained anew.
    journal.write_bytes(left + left.splitlines(keepends=True)[1][:30])
    kept = []
    train(data, many / "probe.safetensors", workers=2, progress=lambda trained: kept.append(trained.kept), **GRID)
    assert set(kept) == {left.count(b"\n") - 1}
    check_same(one, many)
    for path in many.iterdir():
        path.unlink()
    journal.write_bytes(left)
    command("train", data, "--select", *WORDS, "--out", many / "probe.safetensors")
    check_same(one, many)


def test_control_c_leaves_what_was_trained(data, folders):
    """A process of its own, with its own cluster."""
    _, many = folders
    journal = many / "probe.safetensors.selection.partial"
    run = subprocess.Popen(
        [sys.executable, "-m", "attention_probes.ray_command", "train", str(data), "--select", *WORDS, "--seed", "2",
         "--epochs", "400", "--workers", "1", "--out", str(many / "probe.safetensors")], stderr=subprocess.PIPE, text=True)
    try:
        while run.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 3):
            time.sleep(0.1)
        assert run.poll() is None, run.stderr.read()
        run.send_signal(signal.SIGINT)
        said = run.communicate(timeout=60)[1]
    finally:
        run.kill()
    assert run.returncode == 130 and "interrupted; the same command goes on from here" in said
    assert journal.read_bytes().count(b"\n") >= 3 and [path.name for path in many.iterdir()] == [journal.name]


def test_trainings_of_no_use_stay(cluster, data, folders):
    _, many = folders
    journal = many / "probe.safetensors.selection.partial"

    class Enough(Exception):
        pass

    def stop(trained):
        raise Enough

    with pytest.raises(Enough):
        train(data, many / "probe.safetensors", workers=1, progress=stop, **GRID)
    left = journal.read_bytes()
    train(data, many / "probe.safetensors", workers=1, kind="last", folds=3)
    assert journal.read_bytes() == left


def test_what_one_machine_refuses(cluster, command, data, folders, tmp_path):
    one, many = folders
    single = tmp_path / "single.safetensors"
    with ap.write_activations(single) as out:
        out.add([np.ones((2, 8), np.float32)] * 20, [1] * 20)
    nan = tmp_path / "nan.safetensors"
    with ap.write_activations(nan) as out:
        out.add([np.full((2, 8), np.nan if k == 3 else k, np.float32) for k in range(20)], [k % 2 for k in range(20)])

    def refused(path, error, *words, **options):
        said = subprocess.run(
            [command.path, "train", str(path), "--select", "--quiet", *words, "--out", str(one / "probe.safetensors")],
            capture_output=True, text=True)
        sentence = re.sub("^(Error|attnprobe): ", "", said.stderr.splitlines()[0])
        with pytest.raises(error) as found:
            train(path, many / "probe.safetensors", workers=2, **options)
        assert str(found.value).splitlines()[0] == re.sub(r"--([a-z-]+)", lambda m: m[1].replace("-", "_"), sentence).replace(
            "found nan", "found NaN")
        assert not list(many.iterdir())

    refused(single, ValueError)
    refused(nan, ValueError, "--kind", "attention", kind="attention")
    refused(tmp_path / "nothing", FileNotFoundError)
    refused(data, ValueError, "--max-rows", "-1", max_rows=-1)
    with pytest.raises(ValueError, match="Unknown option 'kinds'"):
        train(data, many / "probe.safetensors", kinds="mean")
    with pytest.raises(ValueError, match="expected a path that every worker can open, found a URI"):
        train("s3://bucket/train", many / "probe.safetensors")
    with pytest.raises(ValueError, match="out: .* is also an input"):
        train(data, data / "0.safetensors")
    lengths = tmp_path / "lengths.csv"
    lengths.write_text("id,prompt_length\n")
    with pytest.raises(ValueError, match="out_of_fold: .*lengths.csv is also an input"):
        train(data, many / "probe.safetensors", out_of_fold=lengths, mask="reply", prompt_lengths=lengths)
    assert lengths.read_text() == "id,prompt_length\n"


def test_a_journal_takes_each_training_once_and_no_other_data(tmp_path):
    path = str(tmp_path / "journal")
    first, one, two = b'{"data":"a"}\n', b'{"key":"1","outputs":[]}\n', b'{"key":"2","outputs":[]}\n'
    with Journal(path) as journal:
        journal.add(first + one)
        journal.add(first + one + two)
        journal.add(two)
        assert journal.content == first + one + two and journal.gained == 2
        with pytest.raises(ValueError, match="expected the same data at every worker"):
            journal.add(b'{"data":"b"}\n')
        with pytest.raises(OSError, match="expected no other run"):
            Journal(path)
    with Journal(path) as journal:
        assert journal.content == first + one + two and journal.gained == 0
        journal.remove(keeps_earlier=False)
    assert not list(tmp_path.iterdir())
    with Journal(path):
        pass
    assert not list(tmp_path.iterdir())


def test_the_command(cluster, command, data, folders, monkeypatch, capsys):
    one, many = folders
    truth = json.loads(command("train", data, "--select", *WORDS, "--out", one / "probe.safetensors", "--json"))

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["attnprobe-ray", "train", *map(str, arguments)])
        return main(), capsys.readouterr()

    code, said = run(data, "--select", *WORDS, "--out", many / "probe.safetensors", "--json", "--workers", 2)
    assert code == 0 and "trained on all sequences" in said.err and "80 sequences" in said.err
    found = json.loads(said.out)

    def plain(value):
        text = json.dumps(value, sort_keys=True).encode()
        return SECONDS.sub(rb"\1", text).replace(str(one).encode(), str(many).encode())

    assert plain(found) == plain(truth)
    check_same(one, many)
    code, said = run(data, "--out", many / "probe.safetensors")
    assert code == 64 and "expected --select" in said.err
    code, said = run(data, "--select", "--folds", 1, "--out", many / "probe.safetensors")
    assert code == 64 and "--folds: expected" in said.err
    code, said = run(data / "nothing", "--select", "--out", many / "probe.safetensors")
    assert code == 66 and "nothing" in said.err
