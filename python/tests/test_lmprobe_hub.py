"""Data sets that lmprobe wrote for the hub (recorded/record_lmprobe_hub.py) become activation files with the same states."""
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: pip install 'attention-probes[convert]'")

import attention_probes as ap  # noqa: E402
from attention_probes.convert import convert, main  # noqa: E402

RECORDED = Path(__file__).parent / "recorded"
LENGTHS = [2, 1, 3, 2]
# In the order that lmprobe shuffled the prompts into.
ORDER, LABELS = [1, 3, 0, 2], ["yes", "yes", "no", "no"]


def states(number, layer):
    token, dimension = np.meshgrid(np.arange(LENGTHS[number]), np.arange(4), indexing="ij")
    return ((1000 * number + 10 * token + dimension) * (1 if layer == 6 else -1)).astype(np.float32)


@pytest.mark.parametrize("layer", [6, 10])
def test_states_of_tokens(tmp_path, layer):
    """The last token of each prompt lies in other shards than the rest."""
    out = tmp_path / "out.safetensors"
    assert convert(RECORDED / "lmprobe-hub-tokens", out, layer=layer) == (4, 8)
    found = ap.read_activations(out)
    for number, array in zip(ORDER, found.states.arrays()):
        assert (array == states(number, layer)).all() and array.shape == (LENGTHS[number], 4)
    assert found.y.tolist() == LABELS and found._file.metadata["layer"] == str(layer)
    assert found._file.metadata["model"] == "model"


def test_pooled_states(tmp_path, capsys):
    out = tmp_path / "out.safetensors"
    assert main([str(RECORDED / "lmprobe-hub-pooled"), "--out", str(out), "--layer", "10", "--dtype", "float16"]) == 0
    assert "wrote 4 sequences, 4 tokens" in capsys.readouterr().err
    found = ap.read_activations(out)
    for number, array in zip(ORDER, found.states.arrays()):
        assert (array == states(number, 10)[-1:].astype(np.float16)).all()


def test_tokens_that_lie_side_by_side(tmp_path):
    """An older index: a prompt in one shard, from a row on; labels that are numbers, and a row without one."""
    folder = tmp_path / "set"
    shutil.copytree(RECORDED / "lmprobe-hub-pooled", folder)
    [index] = (folder / "index").iterdir()
    table = pq.read_table(index)
    said = {key: value for key, value in table.schema.metadata.items()}
    hidden = json.loads(said[b"lmprobe:tensors"])
    hidden["hidden_layers"] |= {"storage": "full_sequence", "layers": [6]}

    def write(columns):
        import pyarrow as pa

        new = pa.table(columns).replace_schema_metadata(said | {b"lmprobe:tensors": json.dumps(hidden).encode()})
        pq.write_table(new, index)

    columns = {"label": [1, 0], "num_tokens": [2, 1], "shard_index": [0, 1], "row_offset": [0, 0], "token_offset": [0, 1]}
    write(columns)
    # There is one layer, which nobody has to name.
    convert(folder, tmp_path / "out.safetensors")
    found = ap.read_activations(tmp_path / "out.safetensors")
    assert [array[:, 0].tolist() for array in found.states.arrays()] == [[1000, 3010], [2020]] and found.y.tolist() == [1, 0]
    write(columns | {"label": [1, None]})
    with pytest.raises(ValueError, match="row 1: expected a label, found none"):
        convert(folder, tmp_path / "bad.safetensors")
    write(columns | {"label": [None, None]})
    assert convert(folder, tmp_path / "none.safetensors") == (2, 3)
    assert ap.read_activations(tmp_path / "none.safetensors").y is None
    write(columns | {"num_tokens": [3, 1]})
    with pytest.raises(ValueError, match="row 0: expected rows 0 to 1 of shard 0, found 2"):
        convert(folder, tmp_path / "bad.safetensors")
    write(columns | {"shard_index": [0, 7]})
    with pytest.raises(FileNotFoundError, match="hidden_layer006_shard007"):
        convert(folder, tmp_path / "bad.safetensors")
    hidden["hidden_layers"]["file_pattern"] = "../{layer}-{shard}"
    write(columns)
    with pytest.raises(ValueError, match="expected the name of a file in the folder"):
        convert(folder, tmp_path / "bad.safetensors")
    assert not (tmp_path / "bad.safetensors").exists()


def test_the_file_beside_the_index_is_no_input(tmp_path):
    folder = tmp_path / "set"
    shutil.copytree(RECORDED / "lmprobe-hub-pooled", folder)
    for _ in range(2):
        convert(folder, folder / "out.safetensors", layer=10)
    for part in ("index", "tensors"):
        path = next((folder / part).iterdir())
        before = path.read_bytes()
        with pytest.raises(ValueError, match="out: expected another file than the input"):
            convert(folder, path, layer=10)
        assert main([str(folder), "--out", str(path), "--layer", "10"]) == 64 and path.read_bytes() == before


def test_what_is_refused(tmp_path):
    out = tmp_path / "out.safetensors"
    with pytest.raises(ValueError, match="expected --layer with one of 6, 10, found none"):
        convert(RECORDED / "lmprobe-hub-tokens", out)
    with pytest.raises(ValueError, match="expected a layer of 6, 10, found 7"):
        convert(RECORDED / "lmprobe-hub-tokens", out, layer=7)
    with pytest.raises(ValueError, match="found no index"):
        convert(tmp_path, out, layer=7)
    with pytest.raises(ValueError, match="expected a layer only with a folder"):
        convert(tmp_path / "x.parquet", out, layer=7)
    assert not out.exists()
