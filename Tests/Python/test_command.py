"""`python -m attention_probes.extract` and its script: what they load, which versions they refuse, what they name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unittest
from importlib import import_module
from unittest import mock

from support import SCRIPTS, ExtractionTest, gpt2

from attention_probes.extract import compatibility
from attention_probes.extract.failure import is_download

import torch
from huggingface_hub.errors import HfHubHTTPError, HTTPError

PACKAGES = ("torch", "transformers", "tqdm", "datasets", "huggingface_hub")
# The command in a process of its own, with what stands in place of {}.
COMMAND = """
import runpy, sys
{}
sys.argv = ["extract", *sys.argv[1:]]
runpy.run_module("attention_probes.extract", run_name="__main__", alter_sys=True)
"""


class CommandTest(ExtractionTest):
    def command(self, code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", COMMAND.format(code), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ)

    def without(self, *packages: str) -> str:
        """Code after which these are as if they were not installed."""
        return f"sys.modules |= dict.fromkeys({packages})"

    def test_help_needs_no_other_package(self) -> None:
        found = self.command(self.without(*PACKAGES), "--help")
        self.assertEqual((found.returncode, found.stderr), (0, ""))
        self.assertRegex(found.stdout, r"^usage: python -m attention_probes\.extract ")
        script = subprocess.run(
            [sys.executable, SCRIPTS / "extract_hidden_states.py", "--help"], capture_output=True, text=True
        )
        options = [re.findall(r"^  (--[a-z-]+)", text, re.M) for text in (found.stdout, script.stdout)]
        self.assertGreater(len(options[0]), 25)
        self.assertEqual(*options)
        self.assertRegex(script.stdout, r"^usage: extract_hidden_states\.py ")

    def test_a_package_that_is_missing(self) -> None:
        arguments = ["no-model", "--layers", 1, "--out", self.out]
        for package in ("torch", "transformers", "tqdm"):
            found = self.command(self.without(package), *arguments, "--text", self.texts())
            self.assertEqual(found.returncode, 69, found.stderr)
            self.assertRegex(found.stderr, f"^Error: .*{package}.*: pip install 'attention-probes\\[extract\\]'\n$")
        found = self.command(self.without("datasets"), *arguments, "--dataset", "me/set")
        self.assertEqual(found.returncode, 69, found.stderr)
        self.assertRegex(found.stderr, "^Error: --dataset .*datasets.*: pip install .*datasets.*\n$")

    def test_module_and_script_write_the_same(self) -> None:
        arguments = [self.model(gpt2), "--text", self.texts(), "--layers", 1, "--quiet", "--out", self.out]
        found = []
        for command in (["-m", "attention_probes.extract"], [SCRIPTS / "extract_hidden_states.py"]):
            done = subprocess.run(
                [*map(str, [sys.executable, *command, *arguments])], capture_output=True, text=True
            )
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            found.append(self.out.read_bytes())
            self.out.unlink()
        self.assertEqual(*found)


class VersionsTest(ExtractionTest):
    def refused(self, sentence: str, name: str, value: object) -> None:
        with mock.patch.object(compatibility, name, value):
            self.refuse(69, sentence, self.model(gpt2), "--text", self.texts(), "--layers", 1)

    def test_versions_that_do_not_go_together(self) -> None:
        self.refused("^Error: expected transformers 4.45 or later, found", "_VERSION", (4, 44))
        self.refused(
            "^Error: expected a torch that transformers .* takes, found ", "is_torch_available", lambda: False
        )
        with mock.patch.object(torch, "from_numpy", side_effect=RuntimeError("Numpy is not available")):
            self.refuse(
                69, "^Error: expected a NumPy that torch .* takes, found .*: pip install 'numpy<2'",
                self.model(gpt2), "--text", self.texts(), "--layers", 1,
            )

    def test_downloads_that_broke_off(self) -> None:
        package = import_module(HTTPError.__module__.split(".")[0])
        broken = package.ConnectionError if package.__name__ == "requests" else package.ReadError
        self.assertTrue(is_download(broken("peer closed connection")))
        self.assertFalse(is_download(HfHubHTTPError("gated", response=mock.Mock())))
        # The base of those of requests, and what transformers raises where there is no such model.
        self.assertFalse(is_download(OSError("no such model")))

    def test_ranges_are_the_same_everywhere(self) -> None:
        """The script, its requirements, and the package's extras name the same packages in the same ranges."""
        lines = (SCRIPTS / "requirements.txt").read_text().splitlines()
        named = [line for line in lines if not line.startswith("#")]
        self.assertTrue(all(re.fullmatch(r"[a-z]+>=[0-9.]+", line) for line in named), named)
        script = (SCRIPTS / "extract_hidden_states.py").read_text()
        self.assertEqual(re.findall(r'^#     "(.*)",$', script, re.M), named)
        project = (SCRIPTS.parent / "python" / "pyproject.toml").read_text()
        lists = re.findall(r'^(?:dependencies|extract|datasets) = \[(.*)\]$', project, re.M)
        self.assertEqual(sorted(re.findall('"(.*?)"', " ".join(lists))), sorted(named))
        oldest = ".".join(map(str, compatibility.OLDEST))
        self.assertIn(f"transformers>={oldest}", named)


if __name__ == "__main__":
    unittest.main()
