"""A model and a data set by name, from a small server in place of the hub."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import unittest
from contextlib import redirect_stderr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

from support import SCRIPTS, Activations, ExtractionTest, gpt2

from attention_probes.extract.waiting import waiting

COMMIT = "c0" * 20


class Hub(BaseHTTPRequestHandler):
    """Answers what huggingface_hub asks about folders ROOT/me/NAME, all of them at one commit."""

    root: Path

    def do_GET(self) -> None:
        pattern = r"(?:/api/(?:models|datasets)|/datasets)?/(me/\w+)(?:/(\w+)/(\w+))?/?([^?]*).*|.*"
        name, action, revision, path = re.fullmatch(pattern, self.path).groups()
        folder = self.root / (name or "none")
        if not folder.exists():
            self.answer(404, "GatedRepo" if name == "me/gated" else "RepoNotFound")
        elif revision not in (None, "main", COMMIT):
            self.answer(404, "RevisionNotFound")
        elif action == "resolve" and (folder / path).is_file():
            self.answer(200, "", (folder / path).read_bytes())
        elif action != "resolve" and not path:
            files = [{"type": "file", "path": file.name, "size": 1, "oid": "0"} for file in folder.iterdir()]
            about = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": file["path"]} for file in files]}
            self.answer(200, "", json.dumps(files if action == "tree" else about).encode())
        else:
            self.answer(404, "EntryNotFound")

    do_HEAD = do_GET  # noqa: N815

    def answer(self, status: int, error: str, content: bytes = b"") -> None:
        self.send_response(status)
        headers = {"ETag": f'"{hash(content)}"', "X-Repo-Commit": COMMIT, "X-Error-Code": error}
        for name, value in (headers | {"Content-Length": len(content)}).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content if self.command == "GET" else b"")

    def log_message(self, *_: object) -> None: ...


class HubTest(ExtractionTest):
    @unittest.skipUnless(find_spec("datasets"), "needs the package datasets")
    def test_by_name(self) -> None:
        (self.folder / "me" / "set").mkdir(parents=True)
        (self.folder / "me" / "set" / "test.csv").write_text("sentence,label\nOne,no\nof,ham\n")
        (self.folder / "me" / "mini").symlink_to(self.model(gpt2))
        self.extract(self.model(gpt2), "--text", self.texts(["One", "of"]), "--layers", 1)
        expected = Activations(self.out).states
        script = [sys.executable, SCRIPTS / "extract_hidden_states.py", "--layers", 1, "--out", self.out]
        script += ["--dataset", "me/set", "--split", "test", "--text-column", "sentence", "--quiet"]
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Hub,), {"root": self.folder}))
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        home = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(self.folder / "home")}
        cases = (["me/mini"], "0", 0), (["me/mini"], "1", 0), (["me/gated"], "0", 66)
        gone = ["me/mini", "--dataset-revision", "gone"]
        # The cache would give what it had last.
        cases += (gone, "0", 66), (gone, "1", 66), (["me/mini", "--dataset-revision", COMMIT], "1", 0)
        errors = []
        for more, offline, code in cases:
            environment = os.environ | home | {"HF_HUB_OFFLINE": offline}
            # A process of its own: packages read the address when they are imported.
            run = subprocess.run([*map(str, script), *more], env=environment, capture_output=True, text=True)
            self.assertEqual(run.returncode, code, run.stderr)
            found = Activations(self.out)
            self.assertTrue(found.states.equal(expected))
            self.assertEqual(found.metadata["classes"], '["ham", "no"]')
            told = json.loads(found.metadata["extraction"])
            self.assertEqual([told["revision"], told["dataset_revision"]], [COMMIT, COMMIT])
            self.assertEqual([told["dataset"], told["dataset_split"]], ["me/set", "test"])
            errors.append(run.stderr)
        self.assertRegex(errors[2], "^Error: model me/gated: not loaded .*gated.*\n$")
        for error in errors[3:5]:
            self.assertRegex(error, "^Error: --dataset me/set: .*gone.*\n$")


class WaitingTest(unittest.TestCase):
    def test_says_what_takes_long(self) -> None:
        for seconds, is_quiet, said in ((0, False, True), (60, False, False), (0, True, False)):
            with redirect_stderr(StringIO()) as errors:
                with waiting("me/mini", is_quiet, seconds):
                    time.sleep(0.2)
            self.assertEqual("me/mini" in errors.getvalue(), said)
