"""Activation files from Python are what the command line writes and reads."""
import json
import os

import numpy as np
import pytest

import attention_probes as ap
from attention_probes._safetensors import TensorFile
from conftest import ROOT
from kinds import probe_of


def test_what_is_written_is_read(examples, tmp_path):
    found = examples["test"]
    path = tmp_path / "again.safetensors"
    with ap.write_activations(path, metadata={"layer": "4"}) as out:
        for start in range(0, 100, 16):
            some = slice(start, start + 16)
            out.add(found.states[some], found.y[some], groups=found.groups[some], ids=found.ids[some],
                    token_texts=found.token_texts[some], weights=np.ones(len(found.y[some])))
        assert not path.exists()
    again = ap.read_activations(path)
    assert (again.y == found.y).all() and (again.groups == found.groups).all() and again.ids == found.ids
    assert again.token_texts == found.token_texts and again.classes == ["benign", "injection"]
    assert all((a == b).all() for a, b in zip(again.states.arrays(), found.states.arrays()))
    assert again.metadata["layer"] == "4" and (again.weights == 1).all()
    assert os.listdir(tmp_path) == ["again.safetensors"]


def test_the_command_line_reads_it(command, examples, tmp_path):
    path, probe = tmp_path / "data.safetensors", tmp_path / "probe.safetensors"
    found = examples["test"]
    with ap.write_activations(path, classes=["benign", "injection"]) as out:
        out.add(found.states, found.y, token_ids=[np.arange(n) for n in found.states.lengths])
    estimator = probe_of("attention", 384)
    estimator.save(probe)
    rows = [json.loads(line) for line in command("score", probe, path).splitlines()]
    assert np.array_equal(np.float32([row["logits"][0] for row in rows]), estimator.decision_function(found.states))
    assert "benign 50, injection 50" in command("inspect", path)


def test_masks_types_and_kinds_of_labels(random, tmp_path):
    states = random.standard_normal((2, 5, 8), dtype=np.float32)
    mask = [[0, 1, 1, 1, 0], [1, 0, 1, 0, 1]]
    for labels, y in [([0, 1], [0, 1]), (["b", "a"], ["b", "a"]), ([0.25, 3.5], [0.25, 3.5]), ([True, False], [1, 0]),
                      ([[0, 1], [1, 1]], [[0, 1], [1, 1]])]:
        with ap.write_activations(tmp_path / "a.safetensors", dtype="float16") as out:
            out.add(states[0, 1:4][None], labels[:1])
            out.add(states[1:], labels[1:], mask=mask[1:])
        found = ap.read_activations(tmp_path / "a.safetensors")
        assert found.y.tolist() == y and found.states.dtype == "float16"
        assert found.states.lengths.tolist() == [3, 5] and found.states.mask.tolist() == [1, 1, 1, 1, 0, 1, 0, 1]
    whole = np.concatenate([states[0, 1:4], states[1]]).astype(np.float16)
    assert (np.concatenate(found.states.arrays()) == whole).all()


def test_bfloat16_is_rounded_to_nearest_even(random, tmp_path):
    types = pytest.importorskip("ml_dtypes")
    states = random.standard_normal((400, 33), dtype=np.float32) * np.float32(2.0) ** random.integers(-40, 40, (400, 1))
    states[0, :5] = [np.inf, -np.inf, np.nan, 0, -0.0]
    with ap.write_activations(tmp_path / "a.safetensors", dtype="bfloat16") as out:
        out.add([states])
    found = ap.read_activations(tmp_path / "a.safetensors").states.arrays()[0]
    assert np.array_equal(found.astype(np.float32), states.astype(types.bfloat16).astype(np.float32), equal_nan=True)
    probe = probe_of("attention", 33)
    assert probe.decision_function([found[1:]]) == probe.decision_function([found[1:].astype(np.float32)])


def test_bfloat16_comes_back_as_numbers_without_a_type_for_it(random, tmp_path, monkeypatch):
    states = (random.standard_normal((5, 4), dtype=np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)
    with ap.write_activations(tmp_path / "a.safetensors", dtype="bfloat16") as out:
        out.add([states])
    found = ap.read_activations(tmp_path / "a.safetensors").states
    monkeypatch.setattr("attention_probes._rows.bfloat16", lambda: None)
    (array,) = found.arrays()
    assert array.dtype == np.float32 and (array == states).all() and not array.flags.writeable
    probe = probe_of("attention", 4)
    assert probe.decision_function([array]) == probe.decision_function(found)


def test_reading_copies_no_state(examples):
    found = examples["train"]
    base = found.states.owner
    assert found.states.address == base.__array_interface__["data"][0] and not base.flags.owndata


def test_what_cannot_be_written(random, tmp_path):
    path = tmp_path / "a.safetensors"
    states = random.standard_normal((2, 5, 8), dtype=np.float32)

    def write(*batches, **options):
        with ap.write_activations(path, **options) as out:
            for batch in batches:
                out.add(*batch[:2], **(batch[2] if len(batch) > 2 else {}))

    for call, message in [
        (lambda: write(), "expected at least one sequence, found none"),
        (lambda: write((states, [1])), r"labels: expected 2, one a sequence, found the shape \(1,\)"),
        (lambda: write((states, [0, 1]), (states, None)), "expected labels as in the first batch, found states alone"),
        (lambda: write((states, None), (states[:, :, :7], None)), "states: expected the width of the first batch, 8, found 7"),
        (lambda: write((states, ["a", "c"]), classes=["a", "b"]), "labels: expected one of the classes a, b, found c"),
        (lambda: write((states, None, {"token_ids": [[1] * 5, [1] * 4]})), r"token_ids\[1\]: expected 5, one a token, found 4"),
        (lambda: write((states * 1e6, None), dtype="float16"),
         r"states\[0\], token 0, dimension 0: expected a number that float16 can hold"),
        (lambda: write((states, None), dtype="int8"), "dtype: expected float32, float16, bfloat16, found int8"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
        assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        ap.write_activations(tmp_path / "none" / "a.safetensors")


def test_what_cannot_be_read(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(FileNotFoundError):
        ap.read_activations(path)
    for content, message in [
        (b"abc", "expected a safetensors file, found 3 bytes"),
        (b"\xff" * 16, "expected a header of at most 8 bytes"),
        (b"\x02" + b"\0" * 7 + b"{{", "expected a header of JSON"),
        (b"\x02" + b"\0" * 7 + b"{}", "expected a tensor hidden_states, found none"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            ap.read_activations(path)
    header = json.dumps({"hidden_states": {"dtype": "F32", "shape": [2, 8], "data_offsets": [0, 64]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 60)
    with pytest.raises(ValueError, match="tensor hidden_states: expected 64 bytes within 60"):
        ap.read_activations(path)
    assert TensorFile(path).metadata == {}


def test_what_is_left_out_and_out_of_sight(random, tmp_path):
    shards = tmp_path / "shards"
    shards.mkdir()
    states = random.standard_normal((2, 5, 8), dtype=np.float32)
    with ap.write_activations(shards / "a.safetensors") as out:
        out.add(states, ["no", "yes"], ids=["a", "b"], token_ids=np.array([[1, 2, 3, 2, 4], [1, 2, 3, 5, 2]]))
    (shards / "b.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match="b.npy"):
        ap.open_activations(shards)
    bad = ap.open_activations(shards, skip_bad_shards=True).description["left_out"]["bad_shards"]
    assert bad["count"] == 1 and bad["names"] == [str(shards / "b.npy")] and "b.npy" in bad["faults"][0]
    with pytest.raises(ValueError, match="expected a token that --mask after:2 lets the probe look at"):
        ap.open_activations(shards / "a.safetensors", mask="after:2")
    found = ap.open_activations(shards / "a.safetensors", mask="after:2", skip_empty=True)
    assert found.description["left_out"]["empty_sequences"] == {"count": 1, "names": ["b"]}
    found.write(tmp_path / "out.safetensors")
    assert TensorFile(tmp_path / "out.safetensors").array("token_mask").tolist() == [0, 0, 0, 0, 1]
    (tmp_path / "lengths.csv").write_text("id,prompt_length\na,4\nb,1\n")
    replies = ap.open_activations(shards / "a.safetensors", mask="reply", prompt_lengths=tmp_path / "lengths.csv")
    replies.write(tmp_path / "out.safetensors")
    mask = TensorFile(tmp_path / "out.safetensors").array("token_mask").tolist()
    assert mask == [0, 0, 0, 0, 1, 0, 1, 1, 1, 1]
    (tmp_path / "rows.csv").write_text("text,target\nx,yes\nx,no\n")
    rows = ap.open_activations(
        shards / "a.safetensors", labels=tmp_path / "rows.csv", labels_in_order=True, label_column="target")
    rows.write(tmp_path / "out.safetensors")
    assert TensorFile(tmp_path / "out.safetensors").array("labels").tolist() == [1, 0]
    with pytest.raises(ValueError, match="--mask: expected a number of tokens from 1, found last:0"):
        ap.open_activations(shards, mask="last:0")


def test_names_that_are_no_utf8(random, tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.safetensors"
    with ap.write_activations(tmp_path / "a.safetensors") as out:
        out.add(random.standard_normal((2, 5, 8), dtype=np.float32), ["no", "yes"])
    found = ap.open_activations(tmp_path / "a.safetensors")
    found.write(os.fsdecode(path))
    assert os.path.exists(path) and len(ap.open_activations(os.fsdecode(path))) == 2
    with pytest.raises(FileNotFoundError, match=r"none\\xE9"):
        ap.open_activations(os.fsdecode(os.fsencode(tmp_path) + b"/none\xe9.npy"))

def test_fp8_with_a_scale_a_token_is_float32():
    recorded = ROOT / "Tests" / "TestSupport" / "Recorded"
    expected = ap.read_activations(recorded / "float8-e4m3.safetensors").states
    for name in ["flat-e4m3.safetensors", "padded-e4m3.safetensors", "scaled-e4m3.pt"]:
        data = ap.open_activations(recorded / name)
        assert data.description["type"] == "F8_E4M3"
        found = data.sequences()
        assert all(np.array_equal(a, b) and a.dtype == np.float32 for a, b in zip(found.arrays(), expected.arrays(), strict=True))
    with pytest.raises(ValueError, match="F8_E4M3 of 2 dimensions; see open_activations"):
        ap.read_activations(recorded / "flat-e4m3.safetensors")


def test_a_batch_that_is_refused_changes_nothing(random, tmp_path):
    path, states = tmp_path / "a.safetensors", random.standard_normal((2, 3, 4), dtype=np.float32)
    bad = [states[0], np.full((1, 4), 1e9, np.float32)]
    known = {"ids": ["a", "b"], "groups": [4, 5], "weights": [1, 2], "token_texts": [["x", "y", "z"]] * 2,
             "mask": [[1, 0, 1]] * 2}
    refused = {**known, "token_texts": [["x", "y", "z"], ["x"]], "mask": [[1, 0, 1], [1]]}
    with ap.write_activations(path, dtype="float16") as out:
        for _ in range(2):
            with pytest.raises(ValueError, match=r"states\[1\], token 0, dimension 0: expected a number that float16 can hold"):
                out.add(bad, ["no", "yes"], **refused)
            assert (out.sequences, out.tokens) == (0, 0)
        # Of a first batch that is refused nothing counts as what all have to have.
        out.add(list(states), ["no", "yes"], **known)
        with pytest.raises(ValueError, match=r"states\[1\]"):
            out.add(bad, ["yes", "no"], **refused)
        with pytest.raises(UnicodeEncodeError):
            out.add(list(states), ["yes", "no"], **known | {"ids": ["c", "\ud800"]})
        for labels, message in [
            ([0, 1], "labels: expected names as in the first batch, found numbers"),
            ([[0, 1]] * 2, r"labels: expected names as in the first batch, found numbers of the shape \(2,\) a sequence"),
            ([["a", "b"]] * 2, "labels: expected numbers in two dimensions, found dtype <U1"),
            (np.array(["no", None], object), r"labels\[1\]: expected a class, found None"),
        ]:
            with pytest.raises(ValueError, match=message):
                out.add(list(states), labels, **known)
        out.add([states[1]], ["maybe"], ids=["c"], groups=[6], weights=[3], token_texts=[["u", "v", "w"]])
    found = ap.read_activations(path)
    assert found.y.tolist() == ["no", "yes", "maybe"] and found.ids == ["a", "b", "c"] and found.groups.tolist() == [4, 5, 6]
    assert found.token_texts == [["x", "y", "z"], ["x", "y", "z"], ["u", "v", "w"]] and found.weights.tolist() == [1, 2, 3]
    assert [(one == two.astype(np.float16)).all() for one, two in zip(found.states.arrays(), [*states, states[1]])] == [True] * 3
    assert found.states.mask.tolist() == [1, 0, 1, 1, 0, 1, 1, 1, 1] and os.listdir(tmp_path) == ["a.safetensors"]


def test_a_disk_that_is_full_leaves_no_file(random, tmp_path):
    class Full:
        def __init__(self, file):
            self.tell, self.seek, self.close = file.tell, file.seek, file.close

        def write(self, *_):
            raise OSError(28, "No space left on device")

        truncate = write

    with pytest.raises(ValueError, match="closed file"):
        with ap.write_activations(tmp_path / "a.safetensors") as out:
            out.add(random.standard_normal((2, 3, 4)))
            out._file = Full(out._file)
            with pytest.raises(OSError, match="No space left"):
                out.add(random.standard_normal((2, 3, 4)))
            with pytest.raises(ValueError, match="closed file"):
                out.add(random.standard_normal((2, 3, 4)))
    assert os.listdir(tmp_path) == []


def test_places_where_nothing_can_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"expected a folder, found none: '{tmp_path}/none'"):
        ap.write_activations(tmp_path / "none" / "a.safetensors")
    with pytest.raises(IsADirectoryError, match="expected the name of a file, found a folder"):
        ap.write_activations(tmp_path)
