"""Writes the caches of this folder with the packages that write them: lmprobe and probelab.

    python3 record_caches.py      in this folder
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import torch
from probelab import Activations
from probelab.storage import memmap

from record import PARTS, STATES


def main() -> None:
    # Layer 6 holds the states, and layer 10 twice as much. The first token of the last sequence is no one to look at.
    layers = torch.stack([STATES, 2 * STATES], 1)
    activations = Activations.from_flat(
        data=layers,
        dims="blsh",
        offsets=torch.tensor([0, 2, 3, 6]),
        detection_mask=torch.tensor([True, True, True, False, True, True]),
        layers=(6, 10),
    )
    memmap.save(activations, "probelab")

    with tempfile.TemporaryDirectory() as folder:
        os.environ["LMPROBE_CACHE_DIR"] = folder
        os.environ["LMPROBE_CACHE_DTYPE"] = "float32"
        from lmprobe import cache

        for number, part in enumerate(PARTS):
            states = torch.cat([torch.full((1, 1, 4), torch.nan), torch.cat([STATES[part], 2 * STATES[part]], 1)[None]], 1)
            mask = torch.ones(1, states.shape[1], dtype=torch.long)
            mask[0, 0] = 0
            cache.save_prompt_activations("model", f"prompt {number}", [6, 10], states, mask)
            [path] = Path(folder).rglob("*.safetensors")
            shutil.move(path, f"lmprobe-{number}.safetensors")


if __name__ == "__main__":
    main()
