"""Writes files of float8 with the tools that write such files in life: torch, safetensors, and ml_dtypes.

    python3 record_float8.py      in this folder

float8.bin has the float32 values of the 256 bytes of float8_e4m3fn, and then those of float8_e5m2, by ml_dtypes. All others
hold the same six tokens, two wide, of three sequences of 2, 1 and 3 tokens, with a scale a token, as vLLM's hs-connectors
quantize them; float8-TYPE.safetensors has what these stand for in float32.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import torch
from safetensors.torch import save_file

VALUES = [[1.0, 0.3], [3e-5, 4.7], [5.1, -6.2], [7.77, 8.1], [0, 0], [-1100, 12]]
PARTS = [slice(0, 2), slice(2, 3), slice(3, 6)]
OFFSETS, LABELS = torch.tensor([0, 2, 3, 6]), torch.tensor([0, 1, 1])


def quantized(states: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers and scales of one shape; a scale for all but the first dimension."""
    largest = states.abs().amax(dim=tuple(range(1, states.ndim)), keepdim=True).clamp(min=1e-12)
    scales = largest / torch.finfo(dtype).max
    return (states / scales).to(dtype), scales


def main() -> None:
    codes = np.arange(256, dtype=np.uint8)
    types = [ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2]
    np.concatenate([codes.view(dtype).astype("<f4") for dtype in types]).tofile("float8.bin")

    states = torch.tensor(VALUES)
    for name, dtype in [("e4m3", torch.float8_e4m3fn), ("e5m2", torch.float8_e5m2)]:
        numbers, scales = quantized(states, dtype)
        save_file(
            {"hidden_states": numbers.float() * scales, "offsets": OFFSETS, "labels": LABELS}, f"float8-{name}.safetensors"
        )
        save_file(
            {"hidden_states": numbers, "hidden_states_scales": scales[:, 0], "offsets": OFFSETS, "labels": LABELS},
            f"flat-{name}.safetensors",
        )
        padded, mask = torch.full((3, 4, 2), torch.nan).to(dtype), torch.zeros(3, 4, dtype=torch.long)
        padded_scales = torch.ones(3, 4, 1)
        for row, part in enumerate(PARTS):
            length = part.stop - part.start
            padded[row, :length], padded_scales[row, :length], mask[row, :length] = numbers[part], scales[part], 1
        fields = {"hidden_states": padded, "hidden_states_scales": padded_scales, "attention_mask": mask, "labels": LABELS}
        save_file(fields, f"padded-{name}.safetensors")
        torch.save(
            {
                "acts": [numbers[part].clone() for part in PARTS],
                "acts_scales": [scales[part].clone() for part in PARTS],
                "labels": [0, 1, 1],
            },
            f"scaled-{name}.pt",
        )
        # A request a file, the states as the second of two layers, which share the scale of their token; the older form
        # has it in two dimensions.
        for number, part in enumerate(PARTS):
            two = torch.stack([states[part] / 2, states[part]], 1)
            numbers_of_two, scales_of_two = quantized(two, dtype)
            if dtype == torch.float8_e5m2:
                scales_of_two = scales_of_two[:, :, 0]
            save_file(
                {
                    "hidden_states": numbers_of_two,
                    "hidden_states_scales": scales_of_two,
                    "token_ids": torch.arange(part.start, part.stop),
                },
                f"request-{name}-{number}.safetensors",
            )


if __name__ == "__main__":
    main()
