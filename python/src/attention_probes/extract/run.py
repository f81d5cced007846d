"""A whole extraction: rows in, activation files out, one batch of states in memory at a time."""

from __future__ import annotations

import contextlib
import json
import math
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
from .rows import Rows, Source
from .shard import Shard, shards
from .survey import Survey, characters

_LARGEST_F16 = 65504.0


def _texts(count: int) -> str:
    return f"{count} text{'s' * (count != 1)}"


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
        if not self.settings.skip_empty and self.survey.blanks:
            # Before the first text is computed, not when their turn comes.
            for encoded in self.encoder.encode(list(self.survey.blanks.values())):
                self._require_tokens(encoded)
            self.encoder.truncated = 0
        paths: list[Path] = []
        widths = [self.settings.projection.width] if self.settings.projection else self.model.widths
        token_bytes = max(widths) * DTYPES[self.settings.dtype].itemsize
        for number, shard in enumerate(shards(self._encoded(), token_bytes, self.settings.shard_bytes)):
            named = [self._path(layer, number) for layer in self.model.layers]
            self._write(shard, named)
            paths += named
        if not paths:
            raise Failure("expected at least one text, found none")
        return paths

    @property
    def notes(self) -> list[str]:
        """What happened that a user should know."""
        notes = [f"{_texts(self._sequences)}, {self._tokens} tokens"]
        if self.encoder.truncated:
            notes.append(
                f"{_texts(self.encoder.truncated)} cut to {self.encoder.max_length} tokens (--max-length)"
            )
        if self.skipped:
            notes.append(f"{_texts(self.skipped)} without a token left out (--skip-empty)")
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
                if not encoded.is_empty:
                    yield replace(encoded, row=replace(encoded.row, text=""))
                elif self.settings.skip_empty:
                    self.skipped += 1
                else:
                    self._require_tokens(encoded)

    @staticmethod
    def _require_tokens(encoded: Encoded) -> None:
        if encoded.is_empty:
            what = "text" if encoded.reply is None else "reply"
            raise Failure(
                f"{encoded.row.place}: expected a {what} with at least one token, "
                f"found none in {encoded.row.text!r:.60} (--skip-empty leaves such rows out)"
            )

    def _write(self, shard: Shard, paths: list[Path]) -> None:
        self._tokens += shard.tokens
        self._sequences += len(shard.texts)
        self.progress.expect(self._tokens, self._characters / max(self.survey.characters, 1))
        tensors = shard.tensors(self.survey)
        batches = shard.batches(self.settings.batch_tokens, self.model.batches_equal_lengths_only)
        unfinished: dict[int, ActivationFile] = {}
        done = 0
        try:
            for column, path in enumerate(paths):
                file = self._file(path, column, shard, tensors)
                if not file.is_complete:
                    unfinished[column] = file
            done = min((file.done for file in unfinished.values()), default=len(batches))
            self.progress.skip(sum(shard.texts[index].count for batch in batches[:done] for index in batch))
            saved = time.monotonic()
            for batch in batches[done:]:
                texts = [shard.texts[index] for index in batch]
                states = self.model.states([text.ids for text in texts], [text.kept for text in texts])
                for column, file in unfinished.items():
                    if done >= file.done:
                        self._put(self._checked(states[column], column, texts), file, shard, batch)
                done += 1
                self.progress.add(sum(text.count for text in texts))
                if time.monotonic() - saved >= self.settings.save_every:
                    for file in unfinished.values():
                        file.save(done)
                    saved = time.monotonic()
        except BaseException:
            with contextlib.ExitStack() as left:  # each of them, whatever happens to another
                for file in unfinished.values():
                    left.callback(file.leave, done)
            raise
        for file in unfinished.values():
            file.commit()

    def _file(self, path: Path, column: int, shard: Shard, tensors: dict[str, np.ndarray]) -> ActivationFile:
        width = self.model.widths[column]
        metadata = self.metadata | {"layer": str(self.model.layers[column])}
        if projection := self.settings.projection:
            metadata["projection"] = projection.description(width)
            width = projection.width
        path.parent.mkdir(parents=True, exist_ok=True)
        states = (self.settings.dtype.upper(), (shard.tokens, width))
        return ActivationFile(path, states, tensors, metadata, self.settings.resume)

    def _checked(self, states: torch.Tensor, column: int, texts: list[Encoded]) -> torch.Tensor:
        """States as they are written, before rounding."""
        if self.settings.projection:
            states = self.settings.projection(states)
        largest = states.abs().amax().item()  # NaN if there is any
        layer = self.model.layers[column]
        if not math.isfinite(largest):
            bad = int((~torch.isfinite(states).all(dim=1)).nonzero()[0])
            ends = np.cumsum([text.count for text in texts])
            row = texts[int(np.searchsorted(ends, bad, side="right"))].row
            raise Failure(
                f"{row.place}: layer {layer} gives NaN or infinity; "
                "try --model-dtype f32, or bf16 in place of f16"
            )
        if largest > _LARGEST_F16 and layer not in self._warned:
            self._warned.add(layer)
            advice = "do not convert it to f16"
            if self.settings.dtype == "f16":
                advice = "written as infinity; use --dtype bf16"
            self.progress.warn(
                f"layer {layer} reaches {largest:.4g}, f16 ends at {_LARGEST_F16:.0f}: {advice}"
            )
        return states

    def _put(self, states: torch.Tensor, file: ActivationFile, shard: Shard, batch: list[int]) -> None:
        """Writes the states of a batch, one text after the other, to the texts' places."""
        rows = states.to(DTYPES[self.settings.dtype]).contiguous().cpu()
        counts = [shard.texts[index].count for index in batch]
        for index, part in zip(batch, rows.split(counts), strict=True):
            file.write(int(shard.offsets[index]), part.view(torch.uint8).numpy().tobytes())


def metadata(
    name: str,
    survey: Survey,
    settings: Settings,
    special: str,
    model: HiddenStateModel,
    source: Source,
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
        | source.origin
    )
    return result
