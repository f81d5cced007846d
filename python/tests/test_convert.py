"""Files of HDF5, Zarr, Arrow and Parquet become activation files with the same states."""
import os
import sys

import numpy as np
import pytest

import attention_probes as ap
from attention_probes.convert import convert, main

LABELS = [0, 1, 1, 0]


def check(path, ragged, labels=LABELS, ids=None):
    found = ap.read_activations(path)
    assert len(found.states.arrays()) == len(ragged)
    for a, b in zip(found.states.arrays(), ragged):
        assert a.dtype == np.float32 and (a == b).all()
    assert labels is None or found.y.tolist() == labels
    assert ids is None or found.ids == ids


def padded(ragged):
    states, mask = np.full((4, 9, 16), np.nan, np.float32), np.zeros((4, 9), np.uint8)
    for row, one in enumerate(ragged):
        states[row, -len(one):], mask[row, -len(one):] = one, 1
    return states, mask


def forms(ragged):
    states, mask = padded(ragged)
    right = np.stack([np.roll(row, int(m.sum()), 0) for row, m in zip(states, mask)])
    lengths = mask.sum(1)
    yield {"hidden_states": np.concatenate(ragged), "offsets": np.cumsum([0, *lengths]), "labels": LABELS}
    yield {"acts": states.astype(">f8"), "attention_mask": mask, "y": LABELS}
    yield {"x": right, "seq_lens": lengths, "labels": LABELS}


def stores(tmp_path):
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    yield tmp_path / "data.h5", lambda: h5py.File(tmp_path / "data.h5", "w")
    yield tmp_path / "data.zarr", lambda: zarr.open_group(str(tmp_path / "data.zarr"), mode="w")


def fill(root, arrays):
    for name, values in arrays.items():
        values = np.asarray(values)
        if hasattr(root, "create_array"):
            root.create_array(name, data=values)
        else:
            root[name] = values
    if hasattr(root, "close"):
        root.close()


def test_arrays(ragged, tmp_path):
    for path, create in stores(tmp_path):
        for arrays in forms(ragged):
            fill(create(), arrays)
            assert convert(path, tmp_path / "out.safetensors") == (4, 19)
            check(tmp_path / "out.safetensors", ragged)


def test_pooled_states(random, tmp_path):
    matrix = random.standard_normal((4, 16), dtype=np.float32)
    rows = [matrix[i : i + 1] for i in range(4)]
    for path, create in stores(tmp_path):
        fill(create(), {"X": matrix, "y": LABELS})
        convert(path, tmp_path / "out.safetensors")
        check(tmp_path / "out.safetensors", rows)
        fill(create(), {"X": matrix})
        assert main([str(path), "--out", str(tmp_path / "none.safetensors")]) == 65
        assert not (tmp_path / "none.safetensors").exists()
        assert main([str(path), "--out", str(tmp_path / "out.safetensors"), "--pooled"]) == 0
        check(tmp_path / "out.safetensors", rows, labels=None)


def test_a_group_of_sequences(ragged, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "data.h5", "w") as root:
        for number, one in zip([10, 2, 0, 1], ragged):
            root[f"hidden_states/{number}"] = one
    convert(tmp_path / "data.h5", tmp_path / "out.safetensors")
    check(tmp_path / "out.safetensors", [ragged[i] for i in (2, 3, 1, 0)], None, ["0", "1", "2", "10"])


@pytest.mark.parametrize("ending", [".parquet", ".arrow"])
def test_tables(ending, ragged, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.feather
    import pyarrow.parquet

    path, ids = tmp_path / f"data{ending}", ["a", "b", "c", "d"]
    write = pyarrow.parquet.write_table if ending == ".parquet" else pyarrow.feather.write_feather
    labels = ["no", "yes", "yes", "no"]
    states = pyarrow.array([one.tolist() for one in ragged], pyarrow.list_(pyarrow.list_(pyarrow.float32())))
    write(pyarrow.table({"id": ids, "label": labels, "hidden_states": states}), path)
    convert(path, tmp_path / "out.safetensors")
    check(tmp_path / "out.safetensors", ragged, labels, ids)
    vectors = pyarrow.array([one[0].tolist() for one in ragged], pyarrow.list_(pyarrow.float64(), 16))
    write(pyarrow.table({"label": labels, "activations": vectors}), path)
    convert(path, tmp_path / "out.safetensors")
    check(tmp_path / "out.safetensors", [one[:1] for one in ragged], labels)
    broken = pyarrow.array([[[1.0, 2.0], [3.0]]])
    write(pyarrow.table({"hidden_states": broken}), path)
    with pytest.raises(ValueError, match="row 0: expected tokens of one width"):
        convert(path, tmp_path / "none.safetensors")


def test_other_files(tmp_path):
    assert main([str(tmp_path / "none.h5"), "--out", "x"]) == 66
    (tmp_path / "data.txt").write_text("1")
    assert main([str(tmp_path / "data.txt"), "--out", str(tmp_path / "x")]) == 65
    assert not (tmp_path / "x").exists()


def table(path, **columns):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    states = columns.pop("states")
    columns["hidden_states"] = pyarrow.array(states, pyarrow.list_(pyarrow.list_(pyarrow.float32())))
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_the_input_is_not_written_over(ragged, tmp_path, capsys):
    path = table(tmp_path / "data.parquet", states=[one.tolist() for one in ragged])
    before = path.read_bytes()
    (tmp_path / "soft").symlink_to(path)
    os.link(path, tmp_path / "hard")
    (tmp_path / "data.zarr").mkdir()
    (tmp_path / "data.zarr" / "inner").write_text("1")
    for source, out in [("data.parquet", name) for name in ("data.parquet", "soft", "hard")] + [("data.zarr", "data.zarr/inner")]:
        source, out = tmp_path / source, tmp_path / out
        assert main([str(source), "--out", str(out)]) == 64
        assert f"Error: --out: expected another file than the input, found {out}" in capsys.readouterr().err
        with pytest.raises(ValueError, match="out: expected another file than the input"):
            convert(source, out)
    assert path.read_bytes() == before and (tmp_path / "soft").is_symlink()


def test_what_is_wrong_says_where(ragged, tmp_path):
    good, out = [one.tolist() for one in ragged], tmp_path / "out.safetensors"
    late = [one[:1] for one in good] * 100
    for columns, message in [
        (dict(states=[*good, [[1.0] * 15]]), "hidden_states, row 4: expected the width of row 0, 16, found 15"),
        (dict(states=[*late, [[1.0] * 15]]), "hidden_states, row 400: expected the width of row 0, 16, found 15"),
        (dict(states=[good[0], [None]]), "hidden_states, row 1: expected numbers alone, found an empty place among them"),
        (dict(states=[good[0], [[None] * 16]]), "hidden_states, row 1: expected numbers alone"),
        (dict(states=[]), "expected at least one sequence, found none"),
        (dict(states=good, label=["no", None, "yes", "no"]), "label, row 1: expected a value, found none or NaN"),
        (dict(states=good, labels=[0, 1, None, 0]), "labels, row 2: expected a value, found none or NaN"),
        (dict(states=good, y=[0.0, float("nan"), 1.0, 0.0]), "y, row 1: expected a value, found none or NaN"),
        (dict(states=late, id=[*map(str, range(300)), None, *map(str, range(99))]), "id, row 300: expected a value"),
        (dict(states=good, labels=[[0, 1], [1], [1, 1], [0, 0]]), "labels: expected as many values in every row"),
    ]:
        path = table(tmp_path / "data.parquet", **columns)
        with pytest.raises(ValueError, match=f"^{path}: {message}"):
            convert(path, out)
        assert os.listdir(tmp_path) == ["data.parquet"]
    path = table(tmp_path / "data.parquet", states=[*late, [[1e9] * 16]])
    with pytest.raises(ValueError, match=f"{path}: row 400, token 0, dimension 0: expected a number that float16 can hold"):
        convert(path, out, dtype="float16")


def test_arrays_of_a_group_have_one_width(ragged, tmp_path):
    for path, create in stores(tmp_path):
        fill(create(), {"acts/0": ragged[0], "acts/1": ragged[2][:, :8]})
        with pytest.raises(ValueError, match=r"acts/1: expected tokens x D, the same D as in 0, found the shape \(9, 8\)"):
            convert(path, tmp_path / "out.safetensors")
        fill(create(), {"X": np.stack([one[0] for one in ragged]), "y": np.array([0, 1, np.nan, 0])})
        with pytest.raises(ValueError, match="y, row 2: expected a value, found none or NaN"):
            convert(path, tmp_path / "out.safetensors")


def test_exit_codes(ragged, tmp_path, capsys, monkeypatch):
    path = table(tmp_path / "data.parquet", states=[one.tolist() for one in ragged])
    with pytest.raises(SystemExit) as ended:
        main([str(path)])
    assert ended.value.code == 64 and "Error: the following arguments are required: --out" in capsys.readouterr().err
    assert main([str(path), "--out", str(tmp_path / "none" / "x")]) == 74
    assert f"there is no folder {tmp_path}/none" in capsys.readouterr().err
    assert main([str(path), "--out", str(tmp_path)]) == 74
    assert f"Error: {tmp_path}: expected the name of a file, found a folder" in capsys.readouterr().err
    (tmp_path / "junk.h5").write_text("junk")
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert main([str(tmp_path / "junk.h5"), "--out", str(tmp_path / "x")]) == 69
    assert capsys.readouterr().err.endswith(": pip install 'attention-probes[convert]'\n")
