"""The commands of docs/guide.md, run in the order in which a reader meets them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import unittest
from importlib.util import find_spec
from pathlib import Path

from support import SCRIPTS, TOOL, ExtractionTest, bert  # first: it keeps transformers offline

import numpy as np
import torch
from safetensors.torch import save_file

ROOT = SCRIPTS.parent
MODEL = "sentence-transformers/all-MiniLM-L6-v2"


class GuideTest(ExtractionTest):
    @unittest.skipUnless(TOOL, "needs a built attnprobe")
    def test_every_command(self) -> None:
        for name in ("train", "test"):
            records = [
                {
                    "id": f"mail-{number}",
                    "text": f"{'One head' if number % 2 else 'The attention'} of a probe, number {number}",
                    "label": ["benign", "injection"][number % 2],
                    "group": number // 4,
                }
                for number in range(40)
            ]
            self.jsonl(records, f"{name}.jsonl")
        self.dumps()
        (self.folder / "Examples").symlink_to(ROOT / "Examples")
        programs = {
            "attnprobe": [TOOL],
            "scripts/extract_hidden_states.py": [sys.executable, SCRIPTS / "extract_hidden_states.py"],
        }
        ran = 0
        for line in (ROOT / "docs" / "guide.md").read_text().splitlines():
            words = shlex.split(line) if line.startswith(("    attnprobe ", "    scripts/extract")) else []
            if not words:
                continue
            words = [str(self.model(bert)) if word == MODEL else word for word in words]
            # The small model has fewer blocks.
            words = ["2" if before == "--layers" else word for before, word in zip(["", *words], words)]
            command = [*programs[words[0]], *words[1:]]
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=os.environ)
            self.assertEqual(done.returncode, 0, f"{line}\n{done.stderr}")
            ran += 1
        self.assertGreaterEqual(ran, 19)
        scores = [json.loads(row) for row in (self.folder / "scores.jsonl").read_text().splitlines()]
        self.assertEqual([row["id"] for row in scores], [f"mail-{number}" for number in range(40)])

    @unittest.skipUnless(TOOL and find_spec("datasets"), "needs a built attnprobe and the package datasets")
    def test_every_line_that_sets_up(self) -> None:
        """Where the packages are already: pip looks at them and downloads nothing. The demo prepares and builds."""
        starts = ("    export ", "    python3 ", "    source ", "    pip ")
        lines = (ROOT / "docs" / "guide.md").read_text().splitlines()
        commands = [line.strip() for line in lines if line.startswith(starts)]
        self.assertEqual(len(commands), 4)
        (self.folder / "scripts").symlink_to(SCRIPTS)
        (self.folder / ".build" / "release").mkdir(parents=True)
        (self.folder / ".build" / "release" / "attnprobe").symlink_to(TOOL)
        there = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(str(Path(one.__file__).parents[1]) for one in (np, torch)),
            "PIP_NO_INDEX": "1",
        }
        check = ["command -v attnprobe", "command -v python", 'python -c "import torch, transformers"']
        done = subprocess.run(
            ["bash", "-ec", "\n".join([*commands, *check])],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env=os.environ | there,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        found = done.stdout.splitlines()[-2:]
        self.assertEqual(found[0], str(self.folder / ".build" / "release" / "attnprobe"))
        self.assertEqual(found[1], str(self.folder / ".build-python" / "bin" / "python"))

    def dumps(self) -> None:
        """A folder of a vLLM server's files, and labels for them."""
        (self.folder / "dumps").mkdir()
        rows = ["id,label"]
        for number in range(40):
            states = torch.randn(3 + number % 5, 2, 8, generator=torch.Generator().manual_seed(number))
            tensors = {"hidden_states": states, "token_ids": torch.arange(len(states))}
            save_file(tensors, self.folder / "dumps" / f"cmpl-{number}.safetensors")
            rows.append(f"cmpl-{number},{['no', 'yes'][number % 2]}")
        (self.folder / "labels.csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    unittest.main()
