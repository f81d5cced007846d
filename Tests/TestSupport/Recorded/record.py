"""Writes the files of this folder with the tools that write such files in life: torch, numpy with ml_dtypes.

    python3 record.py      in this folder

All hold the same six tokens, two wide, of three sequences of 2, 1 and 3 tokens, or each of the six as a pooled state.
"""

from __future__ import annotations

import io
import zipfile

import ml_dtypes
import numpy as np
import torch

VALUES = [[1, 2], [3, 4], [5, -6], [7, 8], [0, 10], [-11, 12]]
STATES = torch.tensor(VALUES, dtype=torch.float32)
PARTS = [slice(0, 2), slice(2, 3), slice(3, 6)]


def parts(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    return [STATES[part].to(dtype).clone() for part in PARTS]


def padded() -> tuple[torch.Tensor, torch.Tensor]:
    states, mask = torch.full((3, 4, 2), torch.nan), torch.zeros(3, 4, dtype=torch.long)
    for row, part in enumerate(parts()):
        states[row, : len(part)], mask[row, : len(part)] = part, 1
    return states, mask


def big_endian(data: bytes) -> bytes:
    """The file that a big-endian machine writes of float32 storages."""
    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(output, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("byteorder"):
                content = b"big"
            elif "/data/" in name:
                content = np.frombuffer(content, "<f4").astype(">f4").tobytes()
            new.writestr(name, content)
    return output.getvalue()


def saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def main() -> None:
    for name, dtype in [("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16), ("f64", torch.float64)]:
        torch.save({"hidden_states": parts(dtype), "labels": [0, 1, 1]}, f"list-{name}.pt")
    torch.save({"hidden_states": parts(torch.float8_e4m3fn), "labels": [0, 1, 1]}, "list-f8.pt")
    torch.save((tuple(parts()), torch.tensor([0, 1, 1])), "pair.pt")
    torch.save(parts(), "alone.pt")
    torch.save([(part, label) for part, label in zip(parts(), [0, 1, 1])], "pairs.pt")
    torch.save(
        [{"acts": part, "y": torch.tensor(y), "id": i} for part, y, i in zip(parts(), [0, 1, 1], "abc")], "rows.pt"
    )
    torch.save({"hidden_states": parts(), "labels": ["no", "yes", "yes"]}, "protocol4.pth", pickle_protocol=4)
    states, mask = padded()
    torch.save({"acts": states, "attention_mask": mask, "y": torch.tensor([0, 1, 1])}, "padded.pt")
    torch.save({"x": states, "seq_lens": mask.sum(1), "labels": torch.tensor([0, 1, 1])}, "lengths.pt")
    # As ModelOptimizer's collect_hidden_states writes a conversation.
    torch.save(
        {
            "input_ids": torch.arange(7, 13),
            "hidden_states": STATES,
            "aux_hidden_states": torch.cat([STATES, STATES], 1),
            "conversation_id": "c1",
            "loss_mask": torch.tensor([0, 0, 1, 1, 1, 1]),
        },
        "conversation.pt",
    )
    turned = STATES.T.contiguous().T
    torch.save({"activations": [turned[:2], turned[2:3], STATES[3:]], "labels": torch.tensor([0, 1, 1])}, "views.pt")
    torch.save({"x": torch.nn.Parameter(STATES), "labels": torch.tensor([0, 1, 0, 1, 0, 1])}, "pooled.pt")
    torch.save({"hidden_states": parts(), "labels": np.array([0, 1, 1])}, "object.pt")
    torch.save({"hidden_states": parts()}, "legacy.pt", _use_new_zipfile_serialization=False)
    with open("big.pt", "wb") as file:
        file.write(big_endian(saved(parts())))

    matrix, labels = STATES.numpy(), np.array([0, 1, 0, 1, 0, 1])
    np.save("X.npy", matrix)
    np.save("X-y.npy", np.array(["no", "yes"] * 3))
    np.save("bfloat16.npy", matrix.astype(ml_dtypes.bfloat16))
    np.save("big.npy", matrix.astype(">f4"))
    np.save("fortran.npy", np.asfortranarray(matrix.astype(">f8")))
    np.savez("Xy.npz", X=matrix, y=labels)
    np.savez_compressed(
        "ids.npz", activations=matrix.astype(np.float16), labels=labels.astype(bool),
        ids=np.array([f"s{i}é" for i in range(6)]),
    )
    np.savez("labels.npz", hidden_states=matrix, labels=np.array([b"no", b"yes"] * 3))
    np.savez("offsets.npz", hidden_states=matrix, offsets=np.array([0, 2, 3, 6], np.int32), labels=np.array([0, 1, 1], np.uint8))


if __name__ == "__main__":
    main()
