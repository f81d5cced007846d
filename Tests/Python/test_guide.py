"""The commands of docs/guide.md, run in the order in which a reader meets them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import unittest

from support import SCRIPTS, TOOL, ExtractionTest, bert  # first: it keeps transformers offline

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
