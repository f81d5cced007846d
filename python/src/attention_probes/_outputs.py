"""Files that are to be written, and must not be ones that are read."""
from __future__ import annotations

import os
from typing import Any, Iterable, Iterator

# Of files in folders, as the library has them.
_ENDINGS = (".safetensors", ".npy", ".npz", ".pt", ".pth", ".bin", "meta.json")


def absolute(paths: Any) -> tuple[str, ...]:
    """A path, or several, that stay what they are where the working folder changes; None for none."""
    given = [] if paths is None else [paths] if isinstance(paths, (str, os.PathLike)) else paths
    return tuple(os.path.abspath(os.fspath(path)) for path in given)


def activation_files(paths: Iterable[str]) -> Iterator[str]:
    """The files that are read at some paths: of a folder those in it, not below, that may hold activations."""
    for path in paths:
        yield path
        if os.path.isdir(path):
            for name in os.listdir(path):
                if name.removesuffix(".zst").endswith(_ENDINGS):
                    yield os.path.join(path, name)


def input_at(path: Any, files: Iterable[str]) -> str | None:
    """Which of some files is the one at `path`, through links too; None where none is."""
    if not os.path.exists(path):
        return None
    return next((file for file in files if os.path.exists(file) and os.path.samefile(file, path)), None)


def refuse_input(path: Any, files: Iterable[str], where: str) -> None:
    """`ValueError` where the file that is to be written at `path` is one of some files that are read."""
    if (found := input_at(path, files)) is not None:
        raise ValueError(f"{where}: expected another file than the input, found {found}")
