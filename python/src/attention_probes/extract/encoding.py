"""Token ids of texts, and the text that each token stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .failure import USAGE, Failure, first_sentence
from .replies import Replies
from .rows import Row


@dataclass(frozen=True)
class Encoded:
    """One row as the model sees it, and which of its tokens go into the file."""

    row: Row
    ids: np.ndarray  # int32, all that the model sees
    kept: np.ndarray  # bool, those whose states are written
    text: bytes  # of the kept tokens, joined
    text_lengths: np.ndarray  # int32, bytes of each
    reply: np.ndarray | None = None  # bool, the kept tokens that a probe may look at; None for all

    @property
    def count(self) -> int:
        """Tokens that go into the file."""
        return len(self.text_lengths)

    @property
    def is_empty(self) -> bool:
        """Whether there is no token that a probe may look at."""
        return not self.count or self.reply is not None and not self.reply.any()


class Encoder:
    """A tokenizer with its settings.

    - `special`: "keep" writes the states of special tokens such as [CLS] and <s>; "drop" lets the
      model see them and leaves their states out; "none" adds no special tokens.
    - `is_chat`: rows are conversations and go through the tokenizer's chat template, which brings
      its own special tokens; `has_prompt` ends them where the assistant would begin to speak, and
      `is_whole` lets probes look at all of a conversation, not at what the assistant says alone.
    """

    def __init__(
        self,
        tokenizer: Any,
        special: str,
        max_length: int | None,
        is_chat: bool,
        has_prompt: bool,
        is_whole: bool = False,
    ) -> None:
        if is_chat and not tokenizer.chat_template:
            raise Failure("--chat: expected a tokenizer with a chat template, found one without")
        special_tokens = tokenizer.num_special_tokens_to_add() if special != "none" and not is_chat else 0
        if max_length is not None and max_length <= special_tokens:
            raise Failure(
                f"--max-length: expected at least {special_tokens + 1}, as this tokenizer adds "
                f"{special_tokens} special tokens, found {max_length}",
                USAGE,
            )
        self.tokenizer = tokenizer
        self.special = special
        self.is_chat, self.has_prompt = is_chat, has_prompt
        self.max_length = max_length
        self.replies = Replies(tokenizer, max_length) if is_chat and not is_whole else None
        self.truncated = 0
        named = {
            tokenizer.bos_token_id,
            tokenizer.eos_token_id,
            tokenizer.cls_token_id,
            tokenizer.sep_token_id,
        }
        # An unknown word is text; where the same token also begins or ends texts, it is special.
        unknown = {tokenizer.unk_token_id} - named
        self.special_ids = np.array(sorted(set(tokenizer.all_special_ids) - unknown), np.int32)

    def encode(self, rows: list[Row]) -> list[Encoded]:
        """Tokens of some rows. A row may come out without any."""
        texts = [self._text(row) for row in rows]
        is_fast = self.tokenizer.is_fast
        encoding = self.tokenizer(
            texts,
            add_special_tokens=self.special != "none" and not self.is_chat,
            padding=False,
            truncation=self.max_length is not None,
            max_length=self.max_length,
            return_attention_mask=False,
            return_offsets_mapping=is_fast,
            verbose=False,
        )
        result = []
        for number, row in enumerate(rows):
            ids = np.array(encoding["input_ids"][number], np.int32)
            if is_fast:
                self.truncated += bool(encoding.encodings[number].overflowing)
                tokens = self._texts_at(texts[number], ids, encoding["offset_mapping"][number])
            else:
                self.truncated += self.max_length is not None and len(ids) == self.max_length
                tokens = [self.tokenizer.decode([id]).encode() for id in ids.tolist()]
            reply = None
            if self.replies:
                offsets = encoding["offset_mapping"][number] if is_fast else None
                reply = self.replies.mask(row, texts[number], ids, offsets)
            kept = ~np.isin(ids, self.special_ids) if self.special == "drop" else np.ones(len(ids), bool)
            tokens = [token for token, keep in zip(tokens, kept) if keep]
            result.append(
                Encoded(
                    row,
                    ids,
                    kept,
                    b"".join(tokens),
                    np.array([len(token) for token in tokens], np.int32),
                    None if reply is None else reply[kept],
                )
            )
        return result

    def _text(self, row: Row) -> str:
        if isinstance(row.text, str):
            return row.text
        try:
            text: str = self.tokenizer.apply_chat_template(
                row.text, tokenize=False, add_generation_prompt=self.has_prompt
            )
            return text
        except Exception as error:  # templates raise what their authors chose
            raise Failure(
                f"{row.place}: the chat template refused the messages: {first_sentence(error)}"
            ) from error

    def _texts_at(self, text: str, ids: np.ndarray, offsets: list[tuple[int, int]]) -> list[bytes]:
        """The text of each token with the white space before it, so that joined they are the text.

        Of several tokens that make up one character the first has it. A token that stands for no
        text, like [CLS], is called by its name.
        """
        tokens, end = [], 0
        for id, (start, stop) in zip(ids.tolist(), offsets):
            if start == stop:
                name = self.tokenizer.convert_ids_to_tokens(id) if id in self.special_ids else ""
                tokens.append(name.encode())
                continue
            begin = end if text[end:start].isspace() or start < end else start
            tokens.append(text[begin:stop].encode("utf-8", "replace"))
            end = max(end, stop)
        return tokens
