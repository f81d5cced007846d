"""Files of HDF5, Zarr, Arrow and Parquet become activation files with the same states."""
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
