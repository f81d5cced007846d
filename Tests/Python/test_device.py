"""A model that is elsewhere than the texts: nothing is left behind. Tensors here have a device and a shape and no
numbers, so that it needs no accelerator; an operation on tensors of two devices fails as it would on one."""

from __future__ import annotations

import unittest

from support import ExtractionTest, bert, gpt2, llama, t5

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from extraction.model import HiddenStateModel, ModelChoice
from extraction.projection import Projection


def move(module: torch.nn.Module, device: torch.device) -> None:
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            empty = torch.empty(parameter.shape, dtype=parameter.dtype, device=device)
            setattr(part, name, torch.nn.Parameter(empty, requires_grad=False))
        for name, buffer in part.named_buffers(recurse=False):
            setattr(part, name, torch.empty(buffer.shape, dtype=buffer.dtype, device=device))


class DeviceTest(ExtractionTest):
    def test_everything_goes_to_the_device(self) -> None:
        texts = [np.arange(5, dtype=np.int32), np.arange(3, dtype=np.int32)]
        kept = [np.ones(5, bool), np.array([True, False, True])]
        for build in (gpt2, bert, llama, t5):
            with self.subTest(build.__name__):
                model = HiddenStateModel(ModelChoice(str(self.model(build)), device="cpu"), [0, 1])
                with FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True), torch.inference_mode():
                    model.device = torch.device("cuda:0")
                    move(model._model, model.device)
                    for states in model.states(texts, kept):
                        self.assertEqual(states.device, model.device)
                        projected = Projection(16, seed=1)(states)
                        self.assertEqual((projected.device, projected.shape[1]), (model.device, 16))
                        self.assertEqual(projected.cpu().device.type, "cpu")


if __name__ == "__main__":
    unittest.main()
