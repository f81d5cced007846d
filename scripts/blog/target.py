"""Which frequent words occur in a text's continuation: a multi-label target made from text alone."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .text import Document

_WORD = re.compile(r"[^\W\d_]{2,}")
# Words in more continuations than this say little about any.
MOST_FREQUENT = 0.5


@dataclass(frozen=True)
class Task:
    """Training and test documents, cut in two, and the words to predict."""

    train: list[Document]
    test: list[Document]
    words: list[str]
    context: int  # words that the model reads
    continuation: int  # words after them

    @classmethod
    def of(cls, documents: list[Document], context: int, continuation: int, words: int, seed: int) -> Task:
        """A fifth of the documents, in whole groups, is for testing; words are chosen on the others."""
        groups = sorted({document.group for document in documents})
        random.Random(seed).shuffle(groups)
        sizes = Counter(document.group for document in documents)
        held_out: set[str] = set()
        while groups and sum(sizes[group] for group in held_out) < len(documents) / 5:
            held_out.add(groups.pop())
        train = [document for document in documents if document.group not in held_out]
        test = [document for document in documents if document.group in held_out]
        task = cls(train, test, [], context, continuation)
        counts = Counter(word for document in train for word in task._continued(document))
        frequent = [word for word, count in counts.most_common() if count <= MOST_FREQUENT * len(train)]
        return cls(train, test, sorted(frequent[:words]), context, continuation)

    def _continued(self, document: Document) -> set[str]:
        parts = document.text.split()[self.context : self.context + self.continuation]
        return set(_WORD.findall(" ".join(parts).lower()))

    def labels(self, documents: Iterable[Document]) -> np.ndarray:
        """N×O zeros and ones."""
        found = map(self._continued, documents)
        return np.array([[word in words for word in self.words] for words in found], np.uint8)

    def write(self, documents: list[Document], path: Path) -> None:
        """JSON lines with the words that the model reads, the labels and the group."""
        with open(path, "w", encoding="utf-8") as file:
            for document, labels in zip(documents, self.labels(documents).tolist(), strict=True):
                text = " ".join(document.text.split()[: self.context])
                json.dump({"text": text, "label": labels, "group": document.group}, file)
                file.write("\n")

    def base_rates(self) -> dict[str, float]:
        """What someone scores who knows how frequent each word is and never reads a text."""
        train, test = self.labels(self.train), self.labels(self.test)
        rates = (train.sum(0) + 0.5) / (len(train) + 1)
        loss = -(test * np.log(rates) + (1 - test) * np.log(1 - rates)).mean()
        return {"loss": float(loss), "auroc": 0.5, "average_precision": float(test.mean(0).mean())}
