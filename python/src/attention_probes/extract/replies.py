"""Which tokens of a conversation the assistant says: what a monitor judges."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .failure import Failure, first_sentence
from .rows import Row


class Replies:
    """Finds the tokens of replies by the chat template of a tokenizer.

    A template that marks what the assistant says, by `{% generation %}`, says it of every turn. By others the reply
    is the last turn of the assistant: what stands behind the messages before it as the template ends them where the
    assistant begins to speak, up to the next turn.
    """

    def __init__(self, tokenizer: Any, max_length: int | None) -> None:
        self.tokenizer, self.max_length = tokenizer, max_length
        template = tokenizer.chat_template
        marks = isinstance(template, str) and re.search(r"\{%-?\s*generation\s*-?%\}", template)
        # Where characters are among tokens only such a tokenizer knows.
        self.are_marked = bool(marks) and tokenizer.is_fast

    def mask(
        self, row: Row, text: str, ids: np.ndarray, offsets: list[tuple[int, int]] | None
    ) -> np.ndarray | None:
        """For each token whether it is of a reply; None for a conversation without a turn of the assistant."""
        turns = [number for number, message in enumerate(row.text) if _role(message) == "assistant"]
        if not turns:
            return None
        try:
            if self.are_marked:
                return self._marked(row, ids)
            start, end = self._span(row, text, turns[-1])
        except Failure:
            raise
        except Exception as error:  # templates raise what their authors chose
            raise Failure(
                f"{row.place}: the chat template refused the messages: {first_sentence(error)}"
            ) from error
        if offsets is not None:
            return np.array([start < stop and begin < end for begin, stop in offsets], bool)
        first, last = (len(self._tokens(text[:place])) for place in (start, end))
        places = np.arange(len(ids))
        return (first <= places) & (places < last)

    def _marked(self, row: Row, ids: np.ndarray) -> np.ndarray:
        found = self.tokenizer.apply_chat_template(
            row.text,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
            truncation=self.max_length is not None,
            max_length=self.max_length,
        )
        own, mask = (np.asarray(found[name]).reshape(-1) for name in ("input_ids", "assistant_masks"))
        if not np.array_equal(own, ids):
            raise Failure(
                f"{row.place}: expected the chat template to mark replies in the tokens of its text, "
                f"found {len(own)} others (--whole-chat marks none)"
            )
        return mask.astype(bool)

    def _span(self, row: Row, text: str, turn: int) -> tuple[int, int]:
        """Where the reply of a turn is in the text of all."""
        before = self._text(row.text[:turn], True)
        up_to = text if turn + 1 == len(row.text) else self._text(row.text[: turn + 1], False)
        if not (text.startswith(before) and text.startswith(up_to)):
            raise Failure(
                f"{row.place}: expected the chat template to write the messages before a reply as it does without "
                "it, found another text (--whole-chat marks no replies)"
            )
        return len(before), len(up_to)

    def _text(self, messages: Any, has_prompt: bool) -> str:
        if not messages and not has_prompt:
            return ""
        text: str = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=has_prompt
        )
        return text

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None
