"""The texts of one file, in their order, and in which batches they are computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from .encoding import Encoded
from .survey import Survey


class Shard:
    """Texts that go into one file (a layer)."""

    def __init__(self, texts: list[Encoded]) -> None:
        self.texts = texts
        self.offsets = _offsets([text.count for text in texts])

    @property
    def tokens(self) -> int:
        return int(self.offsets[-1])

    def batches(self, most_tokens: int, equal_lengths_only: bool) -> list[list[int]]:
        """Texts of like length together, the longest first: what does not fit fails at once."""
        batches: list[list[int]] = []
        longest = 0
        for index in sorted(range(len(self.texts)), key=lambda index: (-len(self.texts[index].ids), index)):
            length = len(self.texts[index].ids)
            fits = batches and (len(batches[-1]) + 1) * longest <= most_tokens
            if fits and (length == longest or not equal_lengths_only):
                batches[-1].append(index)
            else:
                batches.append([index])
                longest = length
        return batches

    def tensors(self, survey: Survey) -> dict[str, np.ndarray]:
        """All that the file holds beside the states."""
        ids = [text.row.id.encode() for text in self.texts]
        tensors = {
            "offsets": self.offsets,
            "token_ids": np.concatenate([text.ids[text.kept] for text in self.texts]),
            "token_text": np.frombuffer(b"".join(text.text for text in self.texts), np.uint8),
            "token_text_offsets": _offsets(np.concatenate([text.text_lengths for text in self.texts])),
            "sequence_ids": np.frombuffer(b"".join(ids), np.uint8),
            "sequence_ids_offsets": _offsets([len(id) for id in ids]),
        }
        if any(text.reply is not None for text in self.texts):
            tensors["token_mask"] = np.concatenate(
                [np.ones(text.count, bool) if text.reply is None else text.reply for text in self.texts]
            ).astype(np.uint8)
        if survey.labels:
            tensors["labels"] = survey.labels.tensor([text.row.label for text in self.texts])
        if survey.groups:
            tensors["groups"] = np.array(
                [survey.groups[str(text.row.group)] for text in self.texts], np.int64
            )
        return tensors


def shards(texts: Iterable[Encoded], token_bytes: int, most_bytes: int | None) -> Iterator[Shard]:
    """Texts in files of at most so many bytes of states, or in one; a longer text has its own."""
    shard: list[Encoded] = []
    size = 0
    for text in texts:
        if shard and most_bytes and size + token_bytes * text.count > most_bytes:
            yield Shard(shard)
            shard, size = [], 0
        shard.append(text)
        size += token_bytes * text.count
    if shard:
        yield Shard(shard)


def _offsets(lengths: list[int] | np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
