"""A model on another device than the texts gives the same file. The device is made up: its tensors say that they are
on card:0, keep their numbers in memory, and refuse to meet tensors of the CPU, as a graphics card does."""

from __future__ import annotations

import unittest

from support import Activations, ExtractionTest, bert, gpt2, llama, t5

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

try:
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend
except ImportError as error:
    raise unittest.SkipTest("needs a torch that takes devices written in Python, from 2.10 on") from error

# The type that PyTorch leaves to others, under a name of its own.
_setup_privateuseone_for_python_backend("card")
CARD = torch.device("card:0")
# What may read from one device and write to another.
COPIES = ("aten::to", "aten::_to_copy", "aten::copy_")


class OnDevice(torch.Tensor):
    """A tensor on the device; its numbers are in `numbers`."""

    numbers: torch.Tensor

    @staticmethod
    def __new__(cls, numbers: torch.Tensor) -> OnDevice:
        tensor = torch.Tensor._make_wrapper_subclass(
            cls, numbers.shape, numbers.stride(), numbers.storage_offset(), dtype=numbers.dtype, device=CARD
        )
        tensor.numbers = numbers
        return tensor

    @classmethod
    def __torch_dispatch__(cls, operation, types, arguments=(), options=None):
        return run(operation, arguments, options or {})


class Device(TorchDispatchMode):
    """Makes the tensors that are asked for on the device, and counts what it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        result = run(operation, arguments, options or {})
        self.operations += isinstance(result, OnDevice)
        return result


def run(operation, arguments, options):
    given = tree_leaves((arguments, options))
    tensors = [leaf for leaf in given if isinstance(leaf, torch.Tensor)]
    devices = [leaf for leaf in given if isinstance(leaf, torch.device)]
    there = any(isinstance(tensor, OnDevice) for tensor in tensors)
    here = any(not isinstance(tensor, OnDevice) and tensor.dim() > 0 for tensor in tensors)
    if operation is torch.ops.aten._has_compatible_shallow_copy_type.default:  # asked by Module.to
        return not (there and here)
    if there and here and operation._schema.name not in COPIES:
        raise RuntimeError(f"{operation}: expected all tensors on one device, found card:0 and cpu")
    arguments, options = tree_map_only(OnDevice, lambda tensor: tensor.numbers, (arguments, options))
    arguments, options = tree_map_only(torch.device, lambda _: torch.device("cpu"), (arguments, options))
    result = operation(*arguments, **options)
    if operation._schema.is_mutable:
        return tensors[0]
    if devices[0].type == "card" if devices else there:
        return tree_map_only(torch.Tensor, OnDevice, result)
    return result


class DeviceTest(ExtractionTest):
    def test_same_states_from_a_device(self) -> None:
        for build in (gpt2, bert, llama, t5):
            for options in (["--layers", 2], ["--layers", -1, "--project", 16, "--dtype", "f32"]):
                with self.subTest(build.__name__, options=options):
                    arguments = [self.model(build), "--text", self.texts(), "--batch-tokens", 40, *options]
                    self.extract(*arguments, "--device", "cpu")
                    expected = Activations(self.out)
                    with torch.inference_mode(), Device() as device:
                        self.extract(*arguments, "--device", "card")
                    found = Activations(self.out)
                    self.assertGreater(device.operations, 100)
                    self.assertIn('"device": "card"', found.metadata["extraction"])
                    for name, tensor in expected.tensors.items():
                        self.assertTrue(torch.equal(found.tensors[name], tensor), name)

    def test_devices_do_not_mix(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "expected all tensors on one device"):
            OnDevice(torch.ones(2)) + torch.ones(2)


if __name__ == "__main__":
    unittest.main()
