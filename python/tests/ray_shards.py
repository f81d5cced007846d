"""A Ray cluster on this machine, and shards, for the tests of attention_probes.ray."""
import os
import signal

import numpy as np
import pytest
import ray
import ray.data

import attention_probes as ap
from kinds import probe_of

WIDTH, STORE = 256, 80 << 20


@pytest.fixture(autouse=True)
def bounded():
    """No test takes longer than three minutes."""
    def end(*_):
        raise TimeoutError("expected a test of at most 180 seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(180)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def cluster():
    """Three processors as Ray counts them, and little room for objects."""
    ray.init(
        num_cpus=3, object_store_memory=STORE, include_dashboard=False, log_to_driver=False, logging_level="CRITICAL")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    yield
    ray.shutdown()


def workers(name):
    """Processes of this test's cluster that are called so."""
    parents, names = {}, {}
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat, open(f"/proc/{entry}/cmdline") as line:
                parents[int(entry)] = int(stat.read().rpartition(")")[2].split()[1])
                names[int(entry)] = line.read()
        except OSError:
            continue

    def is_ours(pid):
        while pid in parents and pid != os.getpid():
            pid = parents[pid]
        return pid == os.getpid()

    return [pid for pid, own in names.items() if own.startswith(name) and is_ours(pid)]


def write(path, seed, count=20, longest=40, dtype="bfloat16", ids=True):
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest, count)
    with ap.write_activations(path, dtype=dtype) as out:
        out.add([random.standard_normal((length, WIDTH), dtype=np.float32) for length in lengths],
                ids=[f"{path.stem}-{i}" for i in range(count)] if ids else None)
    return path


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("probes") / "attention.safetensors"
    probe_of("attention", WIDTH).save(path)
    return path


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for i in range(6):
        write(folder / f"{i:05}.safetensors", i, dtype=["bfloat16", "float16", "float32"][i % 3])
    return folder
