"""What goes wrong, as one sentence and an exit code of sysexits."""

from __future__ import annotations

import errno
import os

USAGE = os.EX_USAGE  # 64
DATA = os.EX_DATAERR  # 65
NO_INPUT = os.EX_NOINPUT  # 66
UNAVAILABLE = os.EX_UNAVAILABLE  # 69
IO = os.EX_IOERR  # 74


class Failure(Exception):
    """Ends the run: says what was expected, what was found and where."""

    def __init__(self, message: str, code: int = DATA) -> None:
        super().__init__(message)
        self.code = code


def first_sentence(error: BaseException) -> str:
    """The first line of another library's message, which may be a page long."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def is_download(error: BaseException) -> bool:
    """Whether a download broke off: an error of the package through which huggingface_hub downloads, and no answer of the hub."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    # That package is requests before huggingface_hub 1.0, where broken connections stand beside HTTPError; later below it.
    top = HTTPError if HTTPError.__base__ is Exception else HTTPError.__base__
    return isinstance(error, top) and not isinstance(error, HfHubHTTPError)


def is_full(error: OSError) -> bool:
    """Whether there was no room for what was written: on the disk, for the user, or in one file."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
