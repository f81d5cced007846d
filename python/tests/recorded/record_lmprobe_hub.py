"""Writes the folders of this one with the package that writes such data sets for the hub: lmprobe (0.10.3).

    python record_lmprobe_hub.py      in this folder, with lmprobe, torch and pyarrow
"""
from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import torch

PROMPTS = ["one", "two", "three", "four"]
LENGTHS = [2, 1, 3, 2]
LABELS = ["no", "yes", "no", "yes"]


def states(number: int, layer: int) -> torch.Tensor:
    """A prompt's states at a layer, L×4: every number says prompt, layer, token and dimension."""
    token, dimension = torch.meshgrid(torch.arange(LENGTHS[number]), torch.arange(4), indexing="ij")
    return (1000.0 * number + 10 * token + dimension) * (1 if layer == 6 else -1)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LMPROBE_CACHE_DIR"] = folder
        os.environ["LMPROBE_CACHE_DTYPE"] = "float32"
        from lmprobe import cache, sharing

        for number, prompt in enumerate(PROMPTS):
            own = torch.cat([states(number, 6), states(number, 10)], 1)[None]
            cache.save_prompt_activations("model", prompt, [6, 10], own, torch.ones(1, own.shape[1], dtype=torch.long))
            pooled = torch.cat([states(number, 6)[-1], states(number, 10)[-1]])[None]
            cache.save_prompt_pooled_activations("pooled", prompt, [6, 10], pooled, "last_token")
        for model, name in (("model", "lmprobe-hub-tokens"), ("pooled", "lmprobe-hub-pooled")):
            shutil.rmtree(name, ignore_errors=True)
            kept, infos = sharing._discover_prompts(model, PROMPTS, skip_missing=True)
            types = sharing._filter_tensor_types(sharing._compute_tensor_intersection(infos), None)
            path, tensors, index = sharing._consolidate_and_shard(
                model, PROMPTS, kept, types, LABELS, 40, "user/data", metadata=[{"topic": f"t{k % 2}"} for k in range(4)],
                tmpdir=Path(name))
            sharing._write_parquet_index(path, index, sharing._build_lmprobe_info(model, len(index), tensors))


if __name__ == "__main__":
    main()
