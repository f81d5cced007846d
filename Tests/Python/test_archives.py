"""Archives as NumPy writes them: masks and labels are packed a thousand times smaller than states."""

from __future__ import annotations

import subprocess
import tempfile
import unittest
from pathlib import Path

from support import TOOL

import numpy as np


@unittest.skipUnless(TOOL, "needs a built attnprobe")
class ArchiveTest(unittest.TestCase):
    def inspect(self, **arrays: np.ndarray) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "data.npz"
            np.savez_compressed(path, **arrays)
            return subprocess.run([TOOL, "inspect", path], capture_output=True, text=True)

    def test_a_mask_may_unpack_to_more_than_the_states(self) -> None:
        states = np.random.default_rng(0).standard_normal((700, 512, 2)).astype(np.float16)
        found = self.inspect(hidden_states=states, attention_mask=np.ones((700, 512), np.int64))
        self.assertEqual((found.returncode, found.stderr), (0, ""))

    def test_many_members_are_a_bomb_together(self) -> None:
        found = self.inspect(**{f"array{k}": np.zeros(1 << 19, np.uint8) for k in range(8)})
        self.assertEqual(found.returncode, 65)
        self.assertIn("at most 200 times the", found.stderr)


if __name__ == "__main__":
    unittest.main()
