"""Modules of torch compute what probes score; tensors of torch are scored in place, bfloat16 too."""
import copy
import json
import pickle

import numpy as np
import pytest

import attention_probes as ap
from attention_probes._inputs import as_sequences
from attention_probes._safetensors import metadata_of, packed
from kinds import KINDS, probe_of

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", KINDS)
def test_modules_compute_the_same(name, outputs, random):
    probe = probe_of(name, outputs=outputs)
    module = probe.to_torch().double()
    states = random.standard_normal((3, 11, 16), dtype=np.float32)
    mask = np.ones((3, 11), bool)
    mask[0, :4] = mask[1, 9:] = mask[2, [0, 1, 5]] = False
    truth = probe.decision_function(states, mask=mask).reshape(3, outputs)
    found = module(torch.tensor(states).double(), torch.tensor(mask))
    assert np.allclose(found.detach().numpy(), truth, atol=1e-5)
    whole = module(torch.tensor(states[0]).double()).detach().numpy()
    assert np.allclose(whole, probe.decision_function([states[0]]).reshape(outputs), atol=1e-5)
    back = ap.AttentionProbe.from_torch(module)
    assert (back.decision_function(states) == probe.decision_function(states)).all()
    assert back.task_ == probe.task_ and back.get_params() == probe.get_params()
    names = set(module.state_dict())
    assert names == set(probe.parameters_)


def test_ensembles_compute_the_same(tmp_path, random):
    states = random.standard_normal((60, 7, 16), dtype=np.float32)
    # The last token tells one half of what there is to tell, the mean the other.
    y = (states[:, -1, 0] + np.sqrt(7) * states.mean(1)[:, 1] > 0).astype(int)
    probe = ap.AttentionProbe(["mean", "last"], l2=[0.01, 0.1]).select(states, y, folds=3)
    said = probe.description_
    assert said["kind"] == "ensemble" and {part["kind"] for part in said["parts"]} == {"mean", "last"}
    module = probe.to_torch().double()
    mask = np.ones((60, 7), bool)
    mask[0, :4] = mask[1, 5:] = False
    truth = probe.decision_function(states, mask=mask)
    found = module(torch.tensor(states).double(), torch.tensor(mask)).detach().numpy()[:, 0]
    assert np.allclose(found, truth, atol=1e-5)
    assert set(module.state_dict()) == set(probe.parameters_)
    back = ap.AttentionProbe.from_torch(module)
    assert (back.decision_function(states) == probe.decision_function(states)).all()
    assert back.classes_.tolist() == probe.classes_.tolist() and back.calibration_ is None
    with pytest.raises(ValueError, match="expected none beside an ensemble"):
        ap.AttentionProbe.from_torch(module, threshold=0.2)
    probe.save(tmp_path / "probe.safetensors")
    again = ap.AttentionProbe.load(tmp_path / "probe.safetensors")
    assert (again.decision_function(states) == probe.decision_function(states)).all()
    single = ap.AttentionProbe(["mean", "last"], l2=[0.01, 0.1]).select(states, y, folds=3, max_rows=0)
    assert single.description_["kind"] in ("mean", "last") and "parts" not in single.description_


def test_parts_read_layers_of_their_own(random):
    states = random.standard_normal((5, 7, 12), dtype=np.float32)
    parts = [probe_of("attention", 6), probe_of("mean", 6)]
    tensors = {f"parts.{i}.{name}": array for i, part in enumerate(parts) for name, array in part.parameters_.items()}
    tensors |= {
        "weights": np.array([0.25, 0.75]), "shifts": np.array([[0.5], [-1]]), "scales": np.array([[2], [0.5]]),
        "bias": np.array([0.125])}
    said = [metadata_of(part.to_bytes()) for part in parts]
    common = ("format", "outputs", "task", "classes", "threshold")
    own = [{name: text for name, text in one.items() if name not in (*common, "version")} for one in said]
    metadata = {name: said[0][name] for name in common} | {
        "version": "2", "kind": "ensemble", "parts": json.dumps(own), "part_layers": "[0, 1]"}
    content = packed({name: np.asarray(array, np.float32) for name, array in tensors.items()}, metadata)
    probe = ap.AttentionProbe.from_bytes(content)
    module = probe.to_torch()
    assert module.layers == [0, 1]
    found = module(torch.tensor(states)).detach().numpy()[:, 0]
    assert np.allclose(found, probe.decision_function(states), atol=1e-5)
    truth = 0.125 + 0.25 * (parts[0].decision_function(states[:, :, :6]) - 0.5) / 2
    truth = truth + 0.75 * (parts[1].decision_function(states[:, :, 6:]) + 1) / 0.5
    assert np.allclose(found, truth, atol=1e-5)
    back = ap.AttentionProbe.from_torch(module)
    assert (back.decision_function(states) == probe.decision_function(states)).all()


def test_modules_learn_and_are_kept(ragged):
    module = probe_of("attention").to_torch()
    loss = sum(module(torch.tensor(one)).square().sum() for one in ragged)
    loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in module.parameters())
    again = pickle.loads(pickle.dumps(copy.deepcopy(module)))
    assert torch.equal(again(torch.tensor(ragged[0])), module(torch.tensor(ragged[0])))


def test_modules_of_others(ragged):
    class Linear(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.v = torch.nn.Linear(16, 1)

    module = Linear()
    probe = ap.AttentionProbe.from_torch(module, "mean", classes=["no", "yes"])
    truth = [float(module.v(torch.tensor(one).mean(0)).detach()) for one in ragged]
    assert np.allclose(probe.decision_function(ragged), truth, atol=1e-5)
    assert probe.classes_.tolist() == ["no", "yes"]
    with pytest.raises(ValueError, match="kind: expected one beside a Linear, found none"):
        ap.AttentionProbe.from_torch(module)
    with pytest.raises(ValueError, match="kind: expected one of attention, "):
        ap.AttentionProbe.from_torch(module, "none")


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_float8_in_place(name):
    torch.manual_seed(0)
    probe = probe_of("attention")
    states, scales = torch.randn(7, 16).to(getattr(torch, name)), torch.rand(7) + 0.5
    found = ap.Sequences(states, [0, 3, 7], scales=scales)
    assert found.dtype == name and found.address == states.data_ptr()
    wide = states.float() * scales[:, None]
    assert (probe.decision_function(found) == probe.decision_function(wide, offsets=[0, 3, 7])).all()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_tensors_are_scored_in_place(dtype, random):
    probe = probe_of("attention")
    tensor = torch.tensor(random.standard_normal((2, 8, 16))).to(getattr(torch, dtype))
    truth = probe.decision_function(tensor.float().numpy())
    assert (probe.decision_function(tensor) == truth).all()
    assert (probe.decision_function(list(tensor)) == truth).all()
    assert (probe.decision_function(tensor.flatten(0, 1), offsets=torch.tensor([0, 8, 16])) == truth).all()
    assert (probe.decision_function(tensor, mask=torch.ones(2, 8, dtype=torch.bool)) == truth).all()
    if dtype != "float64":
        assert as_sequences(tensor).address == tensor.data_ptr()
        view = tensor[:, 2:6]
        assert as_sequences(view).address == view.data_ptr()
    grown = tensor.clone().requires_grad_()
    assert (probe.decision_function(grown) == truth).all()
    turned = tensor.transpose(1, 2).contiguous().transpose(1, 2)
    assert not turned.is_contiguous() and (probe.decision_function(turned) == truth).all()
    stream = probe.stream()
    assert np.allclose(stream.append(tensor[0]), truth[0], atol=1e-5)


def test_types_without_a_score(random):
    probe = probe_of("attention")
    assert probe.decision_function(torch.ones(2, 3, 16, dtype=torch.int64)).shape == (2,)
    with pytest.raises(ValueError, match="X: Complex data not supported"):
        probe.decision_function(torch.ones(2, 3, 16, dtype=torch.complex64))
    with pytest.raises(ValueError, match="X: expected an array that DLPack can lend"):
        probe.decision_function(torch.ones(2, 3, 16).to_sparse())


class OnDevice:
    """What a tensor of an accelerator says of itself."""

    shape = (2, 3, 16)

    def __dlpack_device__(self):
        return (2, 0)

    def __dlpack__(self, **_):
        raise BufferError


def test_devices_are_named():
    with pytest.raises(ValueError, match=r"X: expected an array in the memory of the processor, found one on CUDA; use .cpu\(\)"):
        probe_of("attention").decision_function(OnDevice())
