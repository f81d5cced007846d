"""Samples for all tests. Those that train need a library that can; those of bits need the command line's `attnprobe`."""
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import attention_probes as ap
from attention_probes._native import Library, lib

ROOT = Path(__file__).resolve().parents[2]


def needs(name):
    """Skips where the library is an older one without a function."""
    lacking = getattr(lib(), name).__qualname__.startswith(Library._missing.__qualname__) if hasattr(
        getattr(lib(), name), "__qualname__") else False
    return pytest.mark.skipif(lacking, reason=f"the library lacks {name}")


@pytest.fixture(scope="session")
def command():
    """Runs `attnprobe`."""
    path = os.environ.get("ATTNPROBE") or next(
        (str(path) for build in ("release", "debug") if (path := ROOT / ".build" / build / "attnprobe").exists()), None)
    if path is None:
        pytest.skip("no attnprobe; build it, or name it in ATTNPROBE")

    def run(*arguments):
        done = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.path = path
    return run


@pytest.fixture(scope="session")
def examples():
    """The example data for training and for testing."""
    return {name: ap.read_activations(ROOT / "Examples" / f"injection-{name}.safetensors") for name in ("train", "test")}


@pytest.fixture
def random():
    return np.random.default_rng(7)


@pytest.fixture
def ragged(random):
    """Sequences of different lengths, width 16."""
    return [random.standard_normal((length, 16), dtype=np.float32) for length in (5, 1, 9, 4)]


@pytest.fixture(scope="module")
def samples():
    """Lists of states whose first class has another mean, and their labels."""
    random = np.random.default_rng(2)
    y = np.arange(60) % 2
    return [random.normal(0.6 * label, 1, (random.integers(3, 9), 8)).astype(np.float32) for label in y], y
