"""A word to who waits for a download."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def waiting(what: str, is_quiet: bool, seconds: float = 10) -> Iterator[None]:
    """Says after a while what it is that takes long: the hub's packages are silent while they load, also
    where they try for minutes to reach a hub that is not there."""
    note = f"still loading {what}"
    if not Path(what).exists() and not os.environ.get("HF_HUB_OFFLINE"):
        note += ": downloads take their time; without a network, HF_HUB_OFFLINE=1"
    timer = threading.Timer(seconds, lambda: print(note, file=sys.stderr, flush=True))
    timer.daemon = True
    if not is_quiet:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
