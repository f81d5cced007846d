"""Shards scored by a Ray cluster on this machine: bits, workers that die, shards that are bad, runs that go on."""
import json
import os
import signal

import numpy as np
import pytest

pytest.importorskip("ray.data", reason="Ray is not installed: pip install 'ray[data]'")
import pyarrow.parquet as pq  # noqa: E402

import attention_probes as ap  # noqa: E402
from attention_probes._safetensors import TensorFile  # noqa: E402
from attention_probes.ray import score  # noqa: E402
from attention_probes.ray_command import main  # noqa: E402
from kinds import probe_of  # noqa: E402
from ray_shards import STORE, WIDTH, bounded, cluster, probe, shards, workers, write  # noqa: E402, F401


def truth(command, folder, *arguments):
    """What `attnprobe score` says: ids and tensors."""
    path = folder / "truth.safetensors"
    command("score", *arguments, "--format", "safetensors", "--out", path)
    file = TensorFile(path)
    content, places = file.array("sequence_ids").tobytes(), file.array("sequence_ids_offsets").tolist()
    return [content[a:b].decode() for a, b in zip(places, places[1:])], file


def table(out):
    found = pq.read_table(out)
    return found.sort_by([("shard", "ascending"), ("row", "ascending")])


def numbers(found, name):
    return np.array(found[name].to_pylist(), np.float32)


def test_scores_have_the_bits_of_the_command_line(cluster, command, probe, shards, tmp_path):
    ids, file = truth(command, tmp_path, probe, shards)
    told = score(shards, probe, tmp_path / "out", workers=2)
    found = table(tmp_path / "out")
    assert (told.shards, told.sequences, told.skipped) == (6, 120, {}) and told.tokens == sum(found["tokens"].to_pylist())
    assert found["id"].to_pylist() == ids
    assert (numbers(found, "logits") == file.array("logits")).all()
    assert (numbers(found, "probabilities") == file.array("probabilities")).all()
    rows = [json.loads(line) for line in command("score", probe, shards).splitlines()]
    assert found["label"].to_pylist() == [row["label"] for row in rows]
    assert (numbers(found, "entropies") > 0).any() and numbers(found, "entropies").shape == (120, 3)


def test_several_probes_of_other_tasks(cluster, command, shards, tmp_path):
    tensors = {"v.weight": np.eye(3, WIDTH), "v.bias": np.zeros(3)}
    probes = {
        "several": probe_of("max", WIDTH, outputs=3),
        "many": ap.AttentionProbe.from_parameters("mean", tensors, classes=["a", "b", "c"]),
        "number": ap.AttentionProbe.from_parameters("last", tensors, task="regression"),
    }
    for name, one in probes.items():
        one.save(tmp_path / f"{name}.safetensors")
    paths = [tmp_path / f"{name}.safetensors" for name in probes]
    score(shards, paths, tmp_path / "out", workers=1)
    found = table(tmp_path / "out")
    rows = [json.loads(line)["probes"] for line in command("score", *paths, shards).splitlines()]
    assert "number.label" not in found.column_names and "number.probabilities" not in found.column_names
    for name in probes:
        assert (numbers(found, f"{name}.logits") == np.array([row[name]["logits"] for row in rows], np.float32)).all()
    for name in ("several", "many"):
        assert found[f"{name}.label"].to_pylist() == [row[name]["label"] for row in rows]


@pytest.fixture
def large(tmp_path):
    """Ten times as many bytes of states as the object store has room for."""
    folder = tmp_path / "shards"
    folder.mkdir()
    numbers_ = np.random.default_rng(5).standard_normal((1 << 16, WIDTH)).astype(np.float16)
    for i in range(16):
        random = np.random.default_rng(i)
        with ap.write_activations(folder / f"{i:05}.safetensors") as out:
            for k in range(260):
                start, length = random.integers(0, 1 << 15), random.integers(1, 800)
                out.add([numbers_[start : start + length]], ids=[f"{i}-{k}"])
    assert sum(path.stat().st_size for path in folder.iterdir()) > 10 * STORE
    yield folder
    for path in folder.iterdir():
        path.unlink()


def test_a_worker_that_is_killed_loses_and_doubles_nothing(cluster, command, probe, large, tmp_path):
    killed = []

    def kill(scored, shards):
        if scored.shards >= 3 and not killed and len(workers("ray::MapWorker")) == 3:
            killed.append(workers("ray::MapWorker")[0])
            os.kill(killed[0], signal.SIGKILL)

    ids, file = truth(command, tmp_path, probe, large)
    told = score(large, probe, tmp_path / "out", workers=3, progress=kill)
    found = table(tmp_path / "out")
    assert killed and killed[0] not in workers("ray::MapWorker") and told.shards == 16
    assert found["id"].to_pylist() == ids
    assert (numbers(found, "logits") == file.array("logits")).all()
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.endswith(".partial")]


def test_bad_shards_end_the_run_or_are_listed(cluster, probe, shards, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for i in range(3):
        write(folder / f"{i}.safetensors", i)
    cut = folder / "1.safetensors"
    cut.write_bytes(cut.read_bytes()[:-3000])
    (folder / "3.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match=r"^(1.safetensors|3.npy): "):
        score(folder, probe, tmp_path / "out", workers=1)
    told = score(folder, probe, tmp_path / "out", workers=1, skip_bad_shards=True, resume=True)
    listed = json.loads((tmp_path / "out" / "_skipped.json").read_text())
    assert listed == told.skipped and sorted(listed) == ["1.safetensors", "3.npy"]
    assert "bytes within" in listed["1.safetensors"]
    assert sorted(set(table(tmp_path / "out")["shard"].to_pylist())) == ["0.safetensors", "2.safetensors"]
    # What was mended is scored when the run goes on.
    write(cut, 1)
    (folder / "3.npy").unlink()
    again = score(folder, probe, tmp_path / "out", workers=1, resume=True)
    assert (again.shards, again.kept) == (1, 2) and not (tmp_path / "out" / "_skipped.json").exists()


def test_a_run_goes_on_with_the_same_probe_only(cluster, probe, shards, tmp_path):
    class Enough(Exception):
        pass

    def stop(scored, shards):
        raise Enough

    with pytest.raises(Enough):
        score(shards, probe, tmp_path / "out", workers=1, progress=stop)
    there = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.parquet")}
    assert there
    with pytest.raises(FileExistsError, match="expected a folder without scores, or resume"):
        score(shards, probe, tmp_path / "out")
    other = tmp_path / "other.safetensors"
    probe_of("attention", WIDTH, seed=4).save(other)
    with pytest.raises(ValueError, match="_run.json: expected a run of the same probes"):
        score(shards, other, tmp_path / "out", resume=True)
    told = score(shards, probe, tmp_path / "out", workers=1, resume=True)
    assert told.kept >= len(there) and told.kept + told.shards == 6
    for name, time_ in there.items():
        assert (tmp_path / "out" / name).stat().st_mtime_ns == time_
    assert len(table(tmp_path / "out")) == 120


def test_other_file_systems_and_forms(cluster, command, probe, tmp_path):
    """A file system of fsspec, of which workers fetch shards; files of other forms; files without ids."""
    local = pytest.importorskip("fsspec.implementations.dirfs")
    from fsspec.implementations.local import LocalFileSystem

    bucket = tmp_path / "bucket"
    (bucket / "in" / "deep").mkdir(parents=True)
    write(bucket / "in" / "flat.safetensors", 1, count=4, ids=False)
    states = np.random.default_rng(2).standard_normal((3, 5, WIDTH)).astype(np.float32)
    np.savez(bucket / "in" / "deep" / "padded.npz", hidden_states=states, attention_mask=np.ones((3, 5), np.int64))
    system = local.DirFileSystem(str(bucket), LocalFileSystem())
    score(["in", "in/deep"], probe, "out", filesystem=system, workers=1)
    found = table(bucket / "out")
    assert found["id"].to_pylist() == [f"deep/padded.npz:{i}" for i in range(3)] + [f"flat.safetensors:{i}" for i in range(4)]
    _, file = truth(command, tmp_path, probe, bucket / "in" / "deep" / "padded.npz", bucket / "in" / "flat.safetensors")
    assert (numbers(found, "logits") == file.array("logits")).all()


def test_sequences_that_are_not_finite_are_left_out(cluster, command, probe, tmp_path):
    states = [np.ones((3, WIDTH), np.float32) for _ in range(4)]
    states[1][0, 0] = np.nan
    with ap.write_activations(tmp_path / "nan.safetensors") as out:
        out.add(states)
    with pytest.raises(ValueError, match="^nan.safetensors: "):
        score(tmp_path / "nan.safetensors", probe, tmp_path / "out", workers=1)
    score(tmp_path / "nan.safetensors", probe, tmp_path / "left", workers=1, skip_nonfinite=True)
    assert table(tmp_path / "left")["id"].to_pylist() == [f"nan.safetensors:{i}" for i in (0, 2, 3)]


def with_an_empty_one(path):
    """A shard whose second sequence has no token."""
    states = np.random.default_rng(6).standard_normal((9, WIDTH)).astype(np.float32)
    offsets = np.array([0, 4, 4, 9], np.int64)
    header = json.dumps({
        "hidden_states": {"dtype": "F32", "shape": [9, WIDTH], "data_offsets": [0, states.nbytes]},
        "offsets": {"dtype": "I64", "shape": [4], "data_offsets": [states.nbytes, states.nbytes + offsets.nbytes]},
        "__metadata__": {"format": "attention-probes/activations", "version": "1"}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + states.tobytes() + offsets.tobytes())
    return path


def test_sequences_that_are_empty_are_left_out(cluster, command, probe, tmp_path):
    path = with_an_empty_one(tmp_path / "empty.safetensors")
    with pytest.raises(ValueError, match="^empty.safetensors: "):
        score(path, probe, tmp_path / "out", workers=1)
    score(path, probe, tmp_path / "left", workers=1, skip_empty=True)
    found = table(tmp_path / "left")
    assert found["id"].to_pylist() == [f"empty.safetensors:{i}" for i in (0, 2)]
    _, file = truth(command, tmp_path, probe, path, "--skip-empty")
    assert (numbers(found, "logits") == file.array("logits")).all()


def test_tokens_that_a_mask_hides(cluster, command, probe, shards, tmp_path):
    ids, file = truth(command, tmp_path, probe, shards, "--mask", "last:3")
    score(shards, probe, tmp_path / "out", workers=2, mask="last:3")
    found = table(tmp_path / "out")
    assert found["id"].to_pylist() == ids and (numbers(found, "logits") == file.array("logits")).all()
    score(shards, probe, tmp_path / "all", workers=2)
    assert (numbers(found, "logits") != numbers(table(tmp_path / "all"), "logits")).any()
    with pytest.raises(ValueError, match="mask"):
        score(shards, probe, tmp_path / "bad", workers=1, mask="last")


def test_the_command(cluster, probe, shards, tmp_path, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["attnprobe-ray", *map(str, arguments)])
        code = main()
        return code, capsys.readouterr().err

    code, said = run("score", probe, shards, "--out", tmp_path / "out")
    assert code == 0 and "120 sequences of 6 shards" in said and "tokens/s" in said
    assert len(table(tmp_path / "out")) == 120
    code, said = run("score", probe, shards, "--out", tmp_path / "out")
    assert code == 64 and "--resume" in said
    code, said = run("score", probe, shards, "--out", tmp_path / "out", "--resume")
    assert code == 0 and "6 were there" in said
    code, said = run("score", probe, tmp_path / "nothing", "--out", tmp_path / "none")
    assert code == 66 and "nothing" in said
    code, said = run("score", probe, "--out", tmp_path / "none")
    assert code == 64 and "found no activation files last" in said
    narrow = tmp_path / "narrow.safetensors"
    probe_of("mean", 16).save(narrow)
    code, said = run("score", narrow, shards, "--out", tmp_path / "bad")
    assert code == 65 and ".safetensors" in said
