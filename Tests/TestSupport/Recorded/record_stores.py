"""Writes the files of this folder that follow the writers of tools that are on no package index, with the packages that these
call: torch and zstandard.

    python3 record_stores.py      in this folder

- models-under-pressure, `save_compressed` and `ManifestRow.from_spec` of src/models_under_pressure/activation_store.py;
- sae-probes, `generate_single_dataset_activations` of sae_probes/generate_model_activations.py, and a table as its
  `cleaned_data` are;
- llama.cpp, `save_output_data` of examples/debug/debug.cpp.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import ml_dtypes
import numpy as np
import torch
import zstandard

from record import STATES, padded, parts, saved


def packed(data: bytes) -> bytes:
    """Without the number of bytes, which a stream does not know."""
    return b"".join(zstandard.ZstdCompressor(level=4).read_to_iter(io.BytesIO(data), write_size=16 * 1024 * 1024))


def write(path: str, data: bytes) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(data)


def array(value: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, value)
    return file.getvalue()


def pressure() -> None:
    states, mask = padded()
    states = torch.nan_to_num(states, nan=0).half()
    ids = torch.arange(7, 19).reshape(3, 4) * mask
    rows = []
    for layer in [11, 20]:
        row = {
            "model_name": "meta-llama/Llama-3.2-1B-Instruct",
            "dataset_path": "data/training/prompts.jsonl",
            "layer": layer,
            "timestamp": "2025-04-01T12:00:00",
            "activations": f"activations/0a1b2c3d_{layer}.pt.zst",
            "input_ids": "input_ids/0a1b2c3d.pt.zst",
            "attention_mask": "attention_masks/0a1b2c3d.pt.zst",
        }
        rows.append(row)
        for key, tensor in [("activations", states * (layer - 10)), ("input_ids", ids), ("attention_mask", mask)]:
            write("pressure/" + row[key], packed(saved(tensor)))
    write("pressure/manifest.json", json.dumps({"rows": rows}, indent=2).encode())
    labels = ["low-stakes", "high-stakes", "high-stakes"]
    lines = [json.dumps({"ids": f"prompt {i}", "inputs": "…", "labels": label}) for i, label in enumerate(labels)]
    write("pressure/prompts.jsonl", "".join(line + "\n" for line in lines).encode())


def sae_probes() -> None:
    write("87_glue_cola_blocks.9.hook_resid_post.pt", saved(torch.stack(list(STATES))))
    rows = [f'"A text,{end}of two lines",{target}' for target, end in zip([0, 1] * 3, ["\n", " ", "\n", " ", "", ""])]
    write("87_glue_cola.csv", ("prompt,target\n" + "".join(row + "\n" for row in rows)).encode())


def llama() -> None:
    for folder, numbers in [("tokens", STATES), ("pooled", STATES[2]), ("odd", STATES.flatten()[:5])]:
        base = f"llama/{folder}/llamacpp-model-embeddings"
        write(base + ".bin", numbers.numpy().astype("<f4").tobytes())
        count = {"tokens": 6, "pooled": 2, "odd": 3}[folder]
        write(base + "-tokens.bin", np.arange(7, 7 + count, dtype="<i4").tobytes())


def main() -> None:
    pressure()
    sae_probes()
    llama()
    labelled = saved({"hidden_states": parts(), "labels": [0, 1, 1]})
    write("list.pt.zst", packed(labelled))
    # With the number of bytes, and in two frames.
    half = len(labelled) // 2
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    write("frames.pt.zst", compressor.compress(labelled[:half]) + compressor.compress(labelled[half:]))
    write("array.npy.zst", packed(array(STATES.numpy())))
    write("float8-e5m2.npy", array(STATES.numpy().astype(ml_dtypes.float8_e5m2)))
    write("float8-e4m3.npy", array(STATES.numpy().astype(ml_dtypes.float8_e4m3fn)))
    scales = np.array([1, 0.5, 2, 1, 1, 4], np.float32)
    np.savez(
        "float8-e5m2.npz", hidden_states=(STATES.numpy() / scales[:, None]).astype(ml_dtypes.float8_e5m2),
        hidden_states_scales=scales, offsets=np.array([0, 2, 3, 6]), labels=np.array([0, 1, 1]),
    )


if __name__ == "__main__":
    main()
