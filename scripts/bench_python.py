"""Times the Python package: what it adds to the library, single calls, and PyTorch on the same batch in one process.

    scripts/bench --only python [--python PYTHON] [--gigabytes 1] [--rounds 9] [--threads 2]

Every line is a median over rounds in which the ways compared take turns, with the quartiles. PyTorch is compared where the
Python has torch, scikit-learn and safetensors.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import attention_probes
from attention_probes import AttentionProbe, Streams
from attention_probes import _structures as structures
from attention_probes._native import lib


def quartiles(values):
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:8.3g} ({low:.3g} to {high:.3g})"


def in_turn(ways, rounds):
    """Seconds of each way in every round, after one that does not count."""
    times = {name: [] for name in ways}
    for round_number in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if round_number:
                times[name].append(time.perf_counter() - start)
    return times


def per_call(way, calls, rounds):
    """Microseconds of a call, in each of some rounds."""
    result = []
    for round_number in range(rounds + 1):
        start = time.perf_counter()
        for _ in range(calls):
            way()
        if round_number:
            result.append((time.perf_counter() - start) / calls * 1e6)
    return result


def random_probe(width, heads, generator):
    tensors = {
        "q.weight": generator.normal(0, 0.05, (heads, width)), "v.weight": generator.normal(0, 0.05, (heads, width)),
        "v.bias": np.zeros(heads), "position_weight": np.full(heads, 0.01),
    }
    return AttentionProbe.from_parameters("attention", {name: np.float32(x) for name, x in tensors.items()})


def bare_call(probe, states, element_type, offsets, logits, threads):
    """ap_score with arguments that are made once."""
    batch, scores = structures.Batch(), structures.Scores()
    batch.states, batch.type = states.ctypes.data, element_type
    batch.tokens, batch.width = states.shape
    batch.sequences, batch.offsets = len(offsets) - 1, offsets.ctypes.data
    scores.logits.values, scores.logits.count = logits.ctypes.data, logits.size
    handles = (ctypes.c_void_p * 1)(probe._fitted().handle.value)
    addresses = [ctypes.addressof(x) for x in (handles, batch, scores)]
    keep = (batch, scores, handles)

    def call():
        assert lib().ap_score(addresses[0], 1, addresses[1], addresses[2], threads) == 0, keep

    return call


def batches(options, generator):
    probe = random_probe(2304, 8, generator)
    probe.set_params(threads=options.threads)
    kinds = [("float32", np.float32, structures.F32)]
    try:
        import ml_dtypes

        kinds.append(("bfloat16", ml_dtypes.bfloat16, structures.BF16))
    except ImportError:
        print("bfloat16: not timed, there is no ml_dtypes")
    for name, dtype, element_type in kinds:
        tokens = int(options.gigabytes * 1e9 / 2304 / np.dtype(dtype).itemsize)
        lengths = generator.integers(16, 513, 2 * tokens // 264 + 1)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        offsets = np.append(offsets[offsets < tokens], tokens).astype(np.int64)
        block = generator.normal(0, 1, (4096, 2304)).astype(dtype)
        states = np.concatenate([block] * (tokens // 4096 + 1))[:tokens]
        logits = np.empty(len(offsets) - 1, np.float32)
        times = in_turn({
            "library": bare_call(probe, states, element_type, offsets, logits, options.threads),
            "Python": lambda: probe.decision_function(states, offsets=offsets),
        }, options.rounds)
        assert np.array_equal(logits, probe.decision_function(states, offsets=offsets))
        ratios = [a / b for a, b in zip(times["library"], times["Python"])]
        rate = [states.nbytes * 1e-9 / seconds for seconds in times["Python"]]
        print(f"{states.nbytes * 1e-9:.2f} GB of {name}, D 2304, H 8: GB/s through Python {quartiles(rate)}")
        print(f"    of the library's rate {quartiles(ratios)}")


def calls(options, generator):
    sequence = generator.normal(0, 1, (64, 768)).astype(np.float32)
    for heads in (1, 8):
        one = random_probe(768, heads, generator)
        one.set_params(threads=1)
        offsets, logits = np.array([0, 64]), np.empty(1, np.float32)
        bare = bare_call(one, sequence, structures.F32, offsets, logits, 1)
        for name, way in [("a call", lambda: one.decision_function([sequence])), ("    of it the library", bare)]:
            times = quartiles(per_call(way, 2000, options.rounds))
            print(f"{name}, 64 tokens of D 768, H {heads}, us: {times}")
    probe = random_probe(4096, 8, generator)
    token = generator.normal(0, 1, 4096).astype(np.float32)
    stream = probe.stream()
    print("Stream.append of a token of D 4096, H 8, us:", quartiles(per_call(lambda: stream.append(token), 2000, options.rounds)))
    streams = Streams(probe)
    streams.open(1)
    ids, row = np.array([1]), token[None]
    print("Streams.step of one request, us:", quartiles(per_call(lambda: streams.step(ids, row), 2000, options.rounds)))


def against_torch(options, generator):
    import bench_peers

    if bench_peers.MISSING:
        print(f"PyTorch: not timed, {bench_peers.MISSING}")
        return
    probe = random_probe(2304, 8, generator)
    probe.set_params(threads=options.threads)
    lengths = generator.integers(16, 513, 200)
    X = [generator.normal(0, 1, (length, 2304)).astype(np.float32) for length in lengths]
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(Path(folder) / f"{name}.safetensors") for name in ("probe", "activations")}
        probe.save(paths["probe"])
        with attention_probes.write_activations(paths["activations"]) as out:
            out.add(X)
        peers = bench_peers.load(paths | {"threads": options.threads})
        states, offsets = np.concatenate(X), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        ways = {"own": lambda: probe.decision_function(states, offsets=offsets)}
        with bench_peers.torch.inference_mode():
            own = ways["own"]()
            for name, peer in peers.items():
                assert np.allclose(peer().numpy().ravel(), own, atol=1e-3), name
                ways[name] = peer
            times = in_turn(ways, options.rounds)
    for name in peers:
        ratios = [b / a for a, b in zip(times["own"], times[name])]
        print(f"{name}, {len(states)} tokens of D 2304, H 8: {quartiles(ratios)} times our time")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    calls(options, generator)
    batches(options, generator)
    against_torch(options, generator)


if __name__ == "__main__":
    main()
