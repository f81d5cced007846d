"""Puts the shared library into the wheel: one that is ready, or one that `scripts/library` makes."""
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "libattention_probes.so"


class LibraryHook(BuildHookInterface):
    """A wheel for every Python of one platform."""

    def initialize(self, version, build_data):
        root = Path(self.root)
        target = root / "src" / "attention_probes" / NAME
        ready = os.environ.get("ATTENTION_PROBES_LIBRARY")
        if ready:
            if not Path(ready).is_file():
                raise FileNotFoundError(f"ATTENTION_PROBES_LIBRARY: expected a library, found nothing at {ready}")
        elif version == "editable" and target.is_file():
            ready = str(target)
        else:
            script = root.parent / "scripts" / "library"
            if not script.is_file() or not shutil.which("swift"):
                raise RuntimeError(
                    "expected Swift and the whole repository to build the library, or a ready one in "
                    f"ATTENTION_PROBES_LIBRARY; found neither ({script})"
                )
            folder = root / "build"
            folder.mkdir(exist_ok=True)
            ready = str(folder / NAME)
            subprocess.run([str(script), ready, "-c", "release"], check=True)
        if version == "editable":
            # An editable installation finds the library beside its sources.
            if Path(ready).resolve() != target.resolve():
                shutil.copyfile(ready, target)
        else:
            build_data["force_include"][ready] = f"attention_probes/{NAME}"
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
