"""`reproduce_the_blog` from text to figures: few documents, a small model, no network."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import unittest

from support import SCRIPTS, TOOL, Activations, ExtractionTest, gpt2

WORDS = [first + second for first in ("ba", "do", "mi", "nu", "re") for second in ("ka", "lo", "pe", "ti")]
DOCUMENTS, OUTPUTS, WIDTH = 60, 6, 8


class BlogTest(ExtractionTest):
    def documents(self) -> list[str]:
        generator = random.Random(0)
        return [" ".join(generator.choices(WORDS, k=30)) for _ in range(DOCUMENTS)]

    @unittest.skipUnless(TOOL, "needs a built attnprobe")
    def test_from_text_to_figures(self) -> None:
        texts = self.documents()
        out = self.folder / "blog"
        command = [sys.executable, SCRIPTS / "reproduce_the_blog", "--attnprobe", TOOL, "--out", out]
        command += ["--model", self.model(gpt2), "--text", self.texts(texts), "--documents", DOCUMENTS]
        command += ["--context", 12, "--continuation", 6, "--words", OUTPUTS, "--width", WIDTH]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=os.environ)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("NOT THE BLOG'S OWN", done.stderr)

        sizes = {}
        for part in ("train", "test"):
            rows = [json.loads(line) for line in (out / f"{part}.jsonl").read_text().splitlines()]
            file = Activations(out / f"{part}.safetensors")
            sizes[part] = len(rows)
            self.assertEqual(file.states.shape[1], WIDTH)
            self.assertEqual(json.loads(file.metadata["projection"])["to"], WIDTH)
            # The labels are the words of the continuation, which the model did not read.
            words = json.loads(file.metadata["classes"])
            self.assertEqual(len(words), OUTPUTS)
            for row, labels in zip(rows, file.labels().tolist(), strict=True):
                read = row["text"].split()
                self.assertEqual(len(read), 12)
                text = next(text for text in texts if text.split()[:12] == read)
                self.assertEqual(labels, [word in text.split()[12:18] for word in words])
        self.assertEqual(sizes, {"train": DOCUMENTS * 4 // 5, "test": DOCUMENTS // 5})

        figures = json.loads((out / "figures.json").read_text())
        names = ["word frequencies alone", "attention, 12 heads", "mean", "last token"]
        self.assertEqual(list(figures), names)
        for name, row in figures.items():
            self.assertTrue(math.isfinite(row["loss"]) and 0 < row["auroc"] < 1, name)
            self.assertIn(f"| {name} | {row['loss']:.3f} |", done.stdout)
        for page in ("report.html", "compare.html"):
            self.assertIn("</html>", (out / page).read_text())

    @unittest.skipUnless(TOOL, "needs a built attnprobe")
    def test_a_model_that_is_named_is_never_replaced(self) -> None:
        command = [sys.executable, SCRIPTS / "reproduce_the_blog", "--attnprobe", TOOL, "--model", self.folder / "none"]
        command += ["--text", self.texts(self.documents()), "--out", self.folder / "blog"]
        command += ["--context", 12, "--continuation", 6]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=os.environ)
        self.assertEqual(done.returncode, 66, done.stderr)
        self.assertIn("--model: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
