"""Shards and results by their paths, on this machine's file system or any other that pyarrow reads."""
from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from typing import Any, Sequence

from pyarrow import fs

# What the command line looks for in folders.
_ENDINGS = (".safetensors", ".npy", ".npz")


@dataclass(frozen=True)
class Shards:
    """Activation files: where they lie, and their names, which are their paths below the folder that holds all."""

    filesystem: fs.FileSystem
    root: str
    names: list[str]

    def path(self, name: str) -> str:
        """Where a shard lies."""
        return posixpath.join(self.root, name)


def located(path: Any, filesystem: Any = None) -> tuple[fs.FileSystem, str]:
    """The file system of a path or URI, and the path there: absolute on this machine's.

    `filesystem` is pyarrow's, or one of fsspec; without it a URI says which, by pyarrow's or else fsspec's names.
    """
    text = os.fspath(path)
    if filesystem is not None:
        if not isinstance(filesystem, fs.FileSystem):
            filesystem = fs.PyFileSystem(fs.FSSpecHandler(filesystem))
        return filesystem, os.path.abspath(text) if is_local(filesystem) else text.rstrip("/")
    if "://" not in text:
        return fs.LocalFileSystem(), os.path.abspath(text)
    try:
        found: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(text)
    except ValueError:
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise ValueError(f"{text}: expected a URI that pyarrow reads, or fsspec for others; found neither") from None
        other, inner = url_to_fs(text)
        return fs.PyFileSystem(fs.FSSpecHandler(other)), inner
    return found


def is_local(filesystem: fs.FileSystem) -> bool:
    """Whether paths are those of the machine itself, whose files can be mapped."""
    return isinstance(filesystem, fs.LocalFileSystem)


def found_shards(paths: Any, filesystem: Any = None) -> Shards:
    """The files at `paths`; of folders the activation files in them, as the command line takes them.

    Raises
    ------
    FileNotFoundError
        Where there is no such file, or none in a folder.
    ValueError
        Where paths are of several file systems, or one file is named twice.
    """
    given: Sequence[Any] = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not given:
        raise ValueError("paths: expected at least one, found none")
    places = [located(path, filesystem) for path in given]
    system = places[0][0]
    files: list[str] = []
    for path, (own, place) in zip(given, places):
        if not own.equals(system):
            raise ValueError(f"{path}: expected a path of the same file system as {given[0]}, found another")
        info = system.get_file_info(place)
        if info.type == fs.FileType.NotFound:
            raise FileNotFoundError(f"{path}: expected activation files, found none")
        if info.type != fs.FileType.Directory:
            files.append(place)
            continue
        inside = system.get_file_info(fs.FileSelector(place))
        inner = sorted(one.path for one in inside if one.type == fs.FileType.File and one.path.endswith(_ENDINGS))
        if not inner:
            raise FileNotFoundError(f"{path}: expected files named *{', *'.join(_ENDINGS)}, found none")
        files += inner
    seen: set[str] = set()
    for file in files:
        if file in seen:
            raise ValueError(f"{file}: expected each shard once, found it twice")
        seen.add(file)
    root = posixpath.commonpath([posixpath.dirname(file) for file in files])
    return Shards(system, root, [posixpath.relpath(file, root or ".") for file in files])
