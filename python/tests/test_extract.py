"""An extraction that ends early keeps what every layer's file has, with a model and an encoder that do nothing."""
import os
import struct

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("tqdm")

import attention_probes as ap  # noqa: E402
from attention_probes.extract.activation_file import ActivationFile  # noqa: E402
from attention_probes.extract.encoding import Encoded  # noqa: E402
from attention_probes.extract.failure import Failure  # noqa: E402
from attention_probes.extract.progress import Progress  # noqa: E402
from attention_probes.extract.rows import Row  # noqa: E402
from attention_probes.extract.run import Extraction, Settings  # noqa: E402
from attention_probes.extract.survey import Survey  # noqa: E402

ROWS = [Row(f"line {i + 1}", str(i), "one two", i % 2) for i in range(6)]


class Model:
    """States that say which text and layer they are of; after `batches` it is interrupted."""

    batches_equal_lengths_only = False

    def __init__(self, layers, batches):
        self.layers, self.widths, self.left = layers, [4] * len(layers), batches

    def states(self, ids, kept):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        first = torch.tensor(np.concatenate(ids)).float()
        return [(first + 100 * layer)[:, None].expand(-1, 4) for layer in self.layers]


class Encoder:
    truncated = 0

    def encode(self, rows):
        return [Encoded(row, np.full(2, int(row.id), np.int32), np.ones(2, bool), b"ab", np.ones(2, np.int32)) for row in rows]


def extract(out, layers, batches=100, **settings):
    """A batch a text."""
    given = Settings(out, "f32", batch_tokens=2, resume=True, **settings)
    Extraction(Model(layers, batches), Encoder(), ROWS, Survey.of(ROWS, None, False), given, {}, Progress(False)).run()


def batches_of(path):
    return struct.unpack("<Q", path.read_bytes()[-8:])[0]


@pytest.mark.parametrize("batches", [0, 1, 4, 6])
@pytest.mark.parametrize("save_every", [0.0, 10.0])
def test_a_further_layer_keeps_what_the_others_have(tmp_path, batches, save_every):
    with pytest.raises(KeyboardInterrupt):
        extract(tmp_path, [1, 3], 4)
    partials = [tmp_path / f"layer-{layer}.safetensors.partial" for layer in (1, 2, 3)]
    assert [batches_of(partials[i]) for i in (0, 2)] == [4, 4] and not partials[1].exists()
    if batches < 6:
        with pytest.raises(KeyboardInterrupt):
            extract(tmp_path, [1, 2, 3], batches, save_every=save_every)
        assert [batches_of(partials[i]) for i in (0, 2)] == [4, 4] and partials[1].exists() == (batches > 0)
    extract(tmp_path, [1, 2, 3])
    assert sorted(os.listdir(tmp_path)) == [f"layer-{layer}.safetensors" for layer in (1, 2, 3)]
    for layer in (1, 2, 3):
        states = ap.read_activations(tmp_path / f"layer-{layer}.safetensors").states.arrays()
        assert [one[0, 0] for one in states] == [100 * layer + i for i in range(6)]


def test_a_file_that_is_refused_leaves_the_others(tmp_path):
    (tmp_path / "layer-3.safetensors").write_bytes(b"of another run")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Failure, match="layer-3.safetensors is of another run"):
        extract(tmp_path, [1, 3])
    assert os.listdir(tmp_path) == ["layer-3.safetensors"] and len(os.listdir("/proc/self/fd")) == before


def test_every_file_is_left_where_one_cannot_be_saved(tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        extract(tmp_path, [1, 3], 2)

    def full(self, done):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ActivationFile, "save", full)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No space left"):
        extract(tmp_path, [1, 3], 1)
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_read_is_not_written_over(tmp_path, monkeypatch, capsys):
    from attention_probes.extract.__main__ import main

    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "link.safetensors").symlink_to(model / "model.safetensors")
    (model / "other.safetensors").write_bytes(b"states of an earlier run")
    monkeypatch.setattr("sys.argv", ["extract", str(model), "--text", "none.jsonl", "--layers", "1", "--out", str(
        model / "other.safetensors")])
    assert main() == 66 and "none.jsonl" in capsys.readouterr().err
    for out in (model / "model.safetensors", tmp_path / "link.safetensors"):
        monkeypatch.setattr("sys.argv", ["extract", str(model), "--text", "x.jsonl", "--layers", "1", "--out", str(out)])
        assert main() == 64
        assert f"Error: --out: expected another file than the input, found {out}" in capsys.readouterr().err
