"""A whole extraction: rows in, activation files out, one batch of states in memory at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import transformers

from .activation_file import ActivationFile
from .encoding import Encoded, Encoder
from .failure import Failure
from .model import DTYPES, HiddenStateModel
from .progress import Progress
from .projection import Projection
from .rows import Rows
from .survey import Survey, characters

_LARGEST_F16 = 65504.0


@dataclass(frozen=True)
class Settings:
    """How states are computed and written."""

    out: Path
    dtype: str = "bf16"
    batch_tokens: int = 4096
    shard_bytes: int | None = None
    resume: bool = False
    save_every: float = 10.0
    skip_empty: bool = False
    projection: Projection | None = None


class Extraction:
    """The states of `model` for `rows`, in the files that `settings` name."""

    def __init__(
        self,
        model: HiddenStateModel,
        encoder: Encoder,
        rows: Rows,
        survey: Survey,
        settings: Settings,
        metadata: dict[str, str],
        progress: Progress,
    ) -> None:
        self.model, self.encoder, self.rows, self.survey = model, encoder, rows, survey
        self.settings, self.metadata, self.progress = settings, metadata, progress
        self.skipped = 0
        self._warned: set[int] = set()
        self._characters = self._tokens = self._sequences = 0

    def run(self) -> list[Path]:
        """Writes every file, and says where."""
        paths: list[Path] = []
        for number, shard in enumerate(self._shards()):
            named = [self._path(layer, number) for layer in self.model.layers]
            self._write(shard, named)
            paths += named
        if not paths:
            raise Failure("expected at least one text, found none")
        return paths

    @property
    def notes(self) -> list[str]:
        """What happened that a user should know."""
        notes = [f"{self._sequences} texts, {self._tokens} tokens"]
        if self.encoder.truncated:
            notes.append(
                f"{self.encoder.truncated} texts cut to {self.encoder.max_length} tokens (--max-length)"
            )
        if self.skipped:
            notes.append(f"{self.skipped} texts without a token left out (--skip-empty)")
        return notes

    def _path(self, layer: int, shard: int) -> Path:
        out, several = self.settings.out, len(self.model.layers) > 1
        if out.suffix == ".safetensors":
            return out
        if self.settings.shard_bytes is None:
            return out / f"layer-{layer}.safetensors"
        return (out / f"layer-{layer}" if several else out) / f"{shard:05}.safetensors"

    def _encoded(self) -> Iterator[Encoded]:
        remaining = iter(self.rows)
        while rows := list(islice(remaining, 256)):
            for encoded in self.encoder.encode(rows):
                self._characters += characters(encoded.row)
                if encoded.count:
                    yield replace(encoded, row=replace(encoded.row, text=""))
                elif self.settings.skip_empty:
                    self.skipped += 1
                else:
                    raise Failure(
                        f"{encoded.row.place}: expected a text with at least one token, "
                        f"found none in {encoded.row.text!r:.60} (--skip-empty leaves such rows out)"
                    )

    def _shards(self) -> Iterator[list[Encoded]]:
        widths = [self.settings.projection.width] if self.settings.projection else self.model.widths
        row = max(widths) * DTYPES[self.settings.dtype].itemsize
        shard: list[Encoded] = []
        size = 0
        for encoded in self._encoded():
            bytes_ = row * encoded.count
            if shard and self.settings.shard_bytes and size + bytes_ > self.settings.shard_bytes:
                yield shard
                shard, size = [], 0
            shard.append(encoded)
            size += bytes_
        if shard:
            yield shard

    def _batches(self, shard: list[Encoded]) -> list[list[int]]:
        """Texts of like length together, the longest first: what does not fit fails at once."""
        batches: list[list[int]] = []
        longest = 0
        for index in sorted(range(len(shard)), key=lambda index: (-len(shard[index].ids), index)):
            length = len(shard[index].ids)
            fits = batches and (len(batches[-1]) + 1) * longest <= self.settings.batch_tokens
            if fits and (length == longest or not self.model.batches_equal_lengths_only):
                batches[-1].append(index)
            else:
                batches.append([index])
                longest = length
        return batches

    def _write(self, shard: list[Encoded], paths: list[Path]) -> None:
        tensors = self._tensors(shard)
        offsets, batches = tensors["offsets"], self._batches(shard)
        self._tokens += int(offsets[-1])
        self._sequences += len(shard)
        self.progress.expect(self._tokens, self._characters / max(self.survey.characters, 1))
        files = [
            self._file(path, layer, width, tensors)
            for path, layer, width in zip(paths, self.model.layers, self.model.widths)
        ]
        open_files = {column: file for column, file in enumerate(files) if not file.is_complete}
        start = min((file.done for file in open_files.values()), default=len(batches))
        self.progress.skip(sum(shard[index].count for batch in batches[:start] for index in batch))
        saved = time.monotonic()
        done = start
        try:
            for batch in batches[start:]:
                states = self.model.states([shard[i].ids for i in batch], [shard[i].kept for i in batch])
                for column, file in open_files.items():
                    self._put(states[column], column, file, shard, batch, offsets)
                done += 1
                self.progress.add(sum(shard[index].count for index in batch))
                if time.monotonic() - saved >= self.settings.save_every:
                    for file in open_files.values():
                        file.save(done)
                    saved = time.monotonic()
        except BaseException:
            for file in open_files.values():
                file.save(done)
            raise
        for file in open_files.values():
            file.commit()

    def _file(self, path: Path, layer: int, width: int, tensors: dict[str, np.ndarray]) -> ActivationFile:
        metadata = self.metadata | {"layer": str(layer)}
        projection = self.settings.projection
        if projection:
            metadata["projection"] = projection.description(width)
            width = projection.width
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (int(tensors["offsets"][-1]), width)
        return ActivationFile(
            path, (self.settings.dtype.upper(), shape), tensors, metadata, self.settings.resume
        )

    def _put(
        self,
        states: torch.Tensor,
        column: int,
        file: ActivationFile,
        shard: list[Encoded],
        batch: list[int],
        offsets: np.ndarray,
    ) -> None:
        if self.settings.projection:
            states = self.settings.projection(states)
        largest = states.abs().amax().item()  # NaN if there is any
        if not np.isfinite(largest):
            bad = ~torch.isfinite(states).all(dim=1)
            lengths = np.cumsum([shard[index].count for index in batch])
            row = shard[batch[int(np.searchsorted(lengths, int(bad.nonzero()[0]), side="right"))]].row
            raise Failure(
                f"{row.place}: layer {self.model.layers[column]} gives NaN or infinity; "
                "try --model-dtype f32, or bf16 in place of f16"
            )
        if largest > _LARGEST_F16 and column not in self._warned:
            self._warned.add(column)
            is_lost = self.settings.dtype == "f16"
            self.progress.warn(
                f"layer {self.model.layers[column]} reaches {largest:.3g}, beyond the {_LARGEST_F16:.0f} of f16: "
                + ("written as infinity; use --dtype bf16" if is_lost else "do not convert it to f16")
            )
        rows = states.to(DTYPES[self.settings.dtype]).contiguous().cpu()
        first = 0
        for index in batch:
            count = int(offsets[index + 1] - offsets[index])
            file.write(int(offsets[index]), rows[first : first + count].view(torch.uint8).numpy().tobytes())
            first += count

    def _tensors(self, shard: list[Encoded]) -> dict[str, np.ndarray]:
        """All that the file holds beside the states."""
        ids = [encoded.row.id.encode() for encoded in shard]
        tensors = {
            "offsets": _offsets([encoded.count for encoded in shard]),
            "token_ids": np.concatenate([encoded.ids[encoded.kept] for encoded in shard]),
            "token_text": np.frombuffer(b"".join(encoded.text for encoded in shard), np.uint8),
            "token_text_offsets": _offsets(np.concatenate([encoded.text_lengths for encoded in shard])),
            "sequence_ids": np.frombuffer(b"".join(ids), np.uint8),
            "sequence_ids_offsets": _offsets([len(id) for id in ids]),
        }
        if self.survey.labels:
            tensors["labels"] = self.survey.labels.tensor([encoded.row.label for encoded in shard])
        if self.survey.groups:
            tensors["groups"] = np.array(
                [self.survey.groups[str(encoded.row.group)] for encoded in shard], np.int64
            )
        return tensors


def _offsets(lengths: list[int] | np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def metadata(
    name: str, survey: Survey, settings: Settings, special: str, model: HiddenStateModel
) -> dict[str, str]:
    """What a file says about itself. A run that goes on with a file must come to the same."""
    result = {"format": "attention-probes/activations", "version": "1", "model": name}
    if survey.labels:
        result["task"] = survey.labels.task
        if survey.labels.classes:
            result["classes"] = json.dumps(survey.labels.classes, ensure_ascii=False)
    # Rounding depends on all of these.
    result["extraction"] = json.dumps(
        {
            "special_tokens": special,
            "batch_tokens": settings.batch_tokens,
            "device": model.device.type,
            "model_dtype": str(model.dtype).removeprefix("torch."),
            "revision": model.commit,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }
    )
    return result
