"""Runs that are killed or interrupted, and gone on with: the same bytes."""

from __future__ import annotations

import errno
import os
import resource
import signal
import struct
import subprocess
import sys
import time
import unittest
from pathlib import Path
from unittest import mock

from support import SCRIPTS, TEXTS, ExtractionTest, gpt2

from attention_probes.extract import activation_file
from attention_probes.extract.model import HiddenStateModel


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class ResumeTest(ExtractionTest):
    def setUp(self) -> None:
        super().setUp()
        records = [{"text": text, "label": number % 3} for number, text in enumerate(TEXTS * 40)]
        self.options = ["--text", self.jsonl(records), "--batch-tokens", 32]

    def test_a_killed_run_gone_on_with_writes_the_same_bytes(self) -> None:
        model = self.model(gpt2)
        options = [model, *self.options, "--layers", 2]
        self.extract(*options)
        expected = self.out.read_bytes()
        self.out.unlink()
        partial = self.out.with_name("out.safetensors.partial")
        command = [sys.executable, SCRIPTS / "extract_hidden_states.py", *options, "--save-every", 0]
        run = subprocess.Popen(
            [*map(str, command), "--out", str(self.out), "--quiet"], stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 120
        done = 0
        while done < 3 and run.poll() is None and time.monotonic() < deadline:
            done = self.batches(partial)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        self.assertEqual(run.returncode, -signal.SIGKILL)
        self.assertFalse(self.out.exists())
        self.assertNotEqual(partial.read_bytes()[: len(expected)], expected, "killed before the end")

        code, errors = self.run_script(*options, "--out", self.out)
        self.assertEqual(code, 64)
        self.assertRegex(errors, "partial holds states of a run that did not end: give --resume")
        computed = self.counted(lambda: self.extract(*options, "--resume"))
        self.assertLess(
            computed, self.counted(lambda: self.extract(*options, out=self.folder / "all.safetensors"))
        )
        self.assertEqual(self.out.read_bytes(), expected)
        self.assertFalse(partial.exists())

    def test_interrupted_anywhere_in_shards_of_several_layers(self) -> None:
        options = [self.model(gpt2), *self.options, "--layers", "1,3", "--shard-size", "20KB"]
        self.extract(*options, out=self.folder / "whole")
        expected = contents(self.folder / "whole")
        self.assertGreater(len(expected), 6)
        out = self.folder / "parts"
        original = HiddenStateModel.states
        for batches in (1, 0, 7, 30, 2):
            left = iter(range(batches))

            def states(model, *arguments, left=left):
                if next(left, None) is None:
                    raise KeyboardInterrupt
                return original(model, *arguments)

            with mock.patch.object(HiddenStateModel, "states", states):
                code, errors = self.run_script(*options, "--out", out, "--resume")
            self.assertEqual(code, 130, errors)
        self.extract(*options, "--resume", out=out)
        self.assertEqual(contents(out), expected)
        # Complete: nothing is computed again, and without --resume nothing is written over.
        self.assertEqual(self.counted(lambda: self.extract(*options, "--resume", out=out)), 0)
        self.assertEqual(self.run_script(*options, "--out", out)[0], 64)
        self.assertEqual(contents(out), expected)

    def test_only_the_same_run_goes_on(self) -> None:
        model = self.model(gpt2)
        options = [model, *self.options, "--layers", 2]
        with mock.patch.object(HiddenStateModel, "states", self.two_batches()):
            self.assertEqual(self.run_script(*options, "--out", self.out)[0], 130)
        partial = self.out.with_name("out.safetensors.partial")
        before = partial.read_bytes()
        for other in (
            ["--layers", 1],
            ["--dtype", "f32"],
            ["--limit", 100],
            ["--batch-tokens", 64],
            ["--seed", 0],
        ):
            code, errors = self.run_script(*options, *other, "--out", self.out, "--resume")
            if other == ["--seed", 0]:  # nothing differs
                self.assertEqual(code, 0, errors)
            else:
                self.assertEqual(code, 64, errors)
                self.assertIn("partial is of another run", errors)
                self.assertEqual(partial.read_bytes(), before)

    def test_a_run_in_place_of_an_older_file(self) -> None:
        options = [self.model(gpt2), *self.options, "--layers", 2]
        self.extract(*options)
        expected = self.out.read_bytes()
        self.extract(*options, "--limit", 3)
        older = self.out.read_bytes()
        with mock.patch.object(HiddenStateModel, "states", self.two_batches()):
            self.assertEqual(self.run_script(*options, "--out", self.out)[0], 130)
        self.assertEqual(self.out.read_bytes(), older)
        self.extract(*options, "--resume")
        self.assertEqual(self.out.read_bytes(), expected)

    def test_killed_before_the_file_has_its_name(self) -> None:
        options = [self.model(gpt2), *self.options, "--layers", 2]
        self.extract(*options)
        expected = self.out.read_bytes()
        self.out.rename(self.out.with_name("out.safetensors.partial"))
        self.assertEqual(self.counted(lambda: self.extract(*options, "--resume")), 0)
        self.assertEqual(self.out.read_bytes(), expected)

    def test_a_run_that_did_nothing_leaves_nothing(self) -> None:
        with mock.patch.object(HiddenStateModel, "states", side_effect=KeyboardInterrupt):
            code, _ = self.run_script(self.model(gpt2), *self.options, "--layers", 1, "--out", self.out)
        self.assertEqual(code, 130)
        self.assertEqual(list(self.folder.glob("out*")), [])

    def test_a_full_disk(self) -> None:
        """What was done before the disk was full stays, and a run with room goes on to the same bytes."""
        options = [self.model(gpt2), *self.options, "--layers", 2, "--save-every", 0]
        self.extract(*options)
        expected = self.out.read_bytes()
        self.out.unlink()
        partial = self.out.with_name("out.safetensors.partial")
        write, left = os.pwrite, iter(range(40))

        def full(file: int, content: bytes, place: int) -> int:
            # The disk has the last bytes already: only those in between are new.
            if next(left, None) is None and len(content) > 8:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(file, content, place)

        with mock.patch.object(activation_file.os, "pwrite", full):
            code, errors = self.run_script(*options, "--out", self.out, "--quiet")
        self.assertEqual(code, 74, errors)
        sentence = f"Error: {partial}: No space left on device; what is complete stays"
        self.assertTrue(errors.startswith(sentence), errors)
        self.assertEqual(len(errors.strip().splitlines()), 1, errors)
        self.assertGreater(self.batches(partial), 1)
        self.extract(*options, "--resume")
        self.assertEqual(self.out.read_bytes(), expected)

    def test_a_shard_that_does_not_fit(self) -> None:
        """Files may have 60 KB: the shards before stay whole, and of the one that is larger nothing."""
        records = [{"text": text} for text in [*TEXTS, TEXTS[2] * 200, "of the"]]
        options = [self.model(gpt2), "--text", self.jsonl(records), "--layers", 1, "--shard-size", "3KB"]
        options += ["--dtype", "f32", "--max-length", 60]
        self.extract(*options, out=self.folder / "whole")
        expected = contents(self.folder / "whole")
        largest = max(map(len, expected.values()))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        out = self.folder / "parts"
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, before[1]))
        try:
            code, errors = self.run_script(*options, "--out", out, "--quiet")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        self.assertEqual(code, 74, errors)
        self.assertRegex(errors, r"^Error: .*parts/0000\d\.safetensors.*: File too large; what is complete")
        kept = contents(out)
        self.assertGreater(len(kept), 1)
        self.assertLess(len(kept), len(expected) - 1)
        self.assertEqual(kept, {name: expected[name] for name in kept})
        self.extract(*options, "--resume", out=out)
        self.assertEqual(contents(out), expected)

    @staticmethod
    def batches(partial: Path) -> int:
        """Batches that a partial file says are done."""
        try:
            return struct.unpack("<Q", partial.read_bytes()[-8:])[0]
        except (OSError, struct.error):
            return 0

    @staticmethod
    def two_batches():
        original, left = HiddenStateModel.states, iter(range(2))

        def states(model, *arguments):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return original(model, *arguments)

        return states

    @staticmethod
    def counted(run) -> int:
        """Batches that a run computes."""
        with mock.patch.object(
            HiddenStateModel, "states", autospec=True, side_effect=HiddenStateModel.states
        ) as states:
            run()
        return states.call_count


if __name__ == "__main__":
    unittest.main()
