"""Progress on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys

from tqdm import tqdm


class _Lines:
    """Makes lines of what tqdm would write over itself."""

    def write(self, text: str) -> None:
        if text.strip():
            sys.stderr.write(text.strip() + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


class Progress:
    """Tokens done, tokens a second and time left."""

    def __init__(self, is_shown: bool) -> None:
        self._is_shown = is_shown
        self._bar: tqdm | None = None

    def expect(self, tokens: int, share: float) -> None:
        """So many tokens are in a share of all characters; with all of them known, it is exact."""
        if not self._is_shown:
            return
        if self._bar is None:
            is_terminal = sys.stderr.isatty()
            self._bar = tqdm(
                total=0,
                unit=" tokens",
                unit_scale=True,
                file=sys.stderr if is_terminal else _Lines(),
                mininterval=0.2 if is_terminal else 10,
                delay=0 if is_terminal else 0.1,  # no line that says nothing yet
                dynamic_ncols=is_terminal,
                ascii=not is_terminal,
            )
        self._bar.total = round(tokens / share) if share else tokens

    def skip(self, tokens: int) -> None:
        """Tokens that an earlier run did: they do not count as speed."""
        if self._bar is not None:
            self._bar.initial += tokens
            self._bar.n += tokens

    def add(self, tokens: int) -> None:
        if self._bar is not None:
            self._bar.update(tokens)

    def warn(self, text: str) -> None:
        """Shown even where progress is not."""
        tqdm.write(f"Warning: {text}", file=sys.stderr)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
