"""Streams say what the whole text scores, and keep that as bytes."""
import copy
import threading

import numpy as np
import pytest

import attention_probes as ap
from kinds import KINDS, probe_of


@pytest.mark.parametrize("name", [name for name in KINDS if name != "swim-ema"])
def test_a_stream_ends_where_the_sequence_scores(name, ragged):
    probe = probe_of(name, outputs=2)
    stream = probe.stream()
    for token, prefix in zip(ragged[2], probe.token_scores([ragged[2]])[0].prefix_logits):
        assert np.allclose(stream.append(token), prefix, atol=1e-5)
    assert np.allclose(stream.logits, probe.decision_function([ragged[2]])[0], atol=1e-5)
    assert np.allclose(stream.probabilities, probe.predict_proba([ragged[2]])[0], atol=1e-5)
    assert len(stream) == 9 and stream.unmasked == 9


def test_forms_of_a_token(ragged):
    probe = probe_of("attention")
    streams = [probe.stream() for _ in range(4)]
    streams[0].append(ragged[0])
    for token in ragged[0]:
        streams[1].append(token)
        streams[2].append(token.astype(np.float64)[None])
        wide = np.zeros((1, 40), np.float32)
        wide[0, ::2][:16] = token
        streams[3].append(wide[:, ::2][:, :16])
    assert all(np.allclose(stream.logits, streams[0].logits, atol=1e-6) for stream in streams)


def test_masked_tokens_are_positions(ragged):
    probe = probe_of("attention")
    stream = ap.Stream(probe)
    assert np.isnan(stream.append(ragged[0], mask=[0] * 5)).all() and np.isnan(stream.probability)
    stream.append(ragged[1])
    assert len(stream) == 6 and stream.unmasked == 1
    with pytest.raises(ValueError, match=r"mask: expected 5 numbers, one a token, found the shape \(4,\)"):
        stream.append(ragged[0], mask=[0] * 4)


def test_copies_bytes_and_merges(ragged):
    probe = probe_of("attention")
    stream = probe.stream()
    stream.append(ragged[0])
    branch, again = copy.copy(stream), ap.Stream.from_bytes(probe, stream.to_bytes())
    assert (branch.append(ragged[1]) == again.append(ragged[1])).all() and len(stream) == 5
    later = probe.stream()
    later.append(ragged[1])
    stream.merge(later)
    assert np.allclose(stream.logits, branch.logits, atol=1e-5) and len(stream) == 6
    assert isinstance(stream.flagged, bool) and repr(stream) == "Stream(attention, 6 tokens)"
    stream.clear()
    assert len(stream) == 0
    with pytest.raises(ValueError):
        ap.Stream.from_bytes(probe_of("attention", seed=4), branch.to_bytes())
    rolling = probe_of("rolling").stream()
    with pytest.raises(ValueError, match="rolling"):
        rolling.merge(probe_of("rolling").stream())


def test_bad_tokens_change_nothing(ragged):
    stream = probe_of("attention").stream()
    stream.append(ragged[0])
    before = stream.logits
    for bad, message in [
        (np.ones(15, np.float32), "16.*15"), (np.ones((2, 3, 16)), r"expected \(D,\) or \(L, D\), found 3 dimensions"),
        (np.full(16, np.nan, np.float32), "finite"), (["a"] * 16, "expected float32"),
    ]:
        with pytest.raises(ValueError, match=message):
            stream.append(bad)
    assert (stream.logits == before).all() and len(stream) == 5
    with pytest.raises(ValueError, match="probability: expected a binary probe, found a multilabel one"):
        probe_of("mean", outputs=2).stream().probability
    with pytest.raises(ValueError, match="probe: expected an AttentionProbe, found int"):
        ap.Stream(3)


def test_many_streams(ragged):
    probes = [probe_of("attention"), probe_of("mean", outputs=2)]
    streams = ap.Streams(probes)
    texts = {3: ragged[0], 11: ragged[2], 5: ragged[3]}
    for id in texts:
        streams.open(id)
    assert streams.ids == [3, 5, 11] and len(streams) == 3
    for step in range(9):
        ids = [id for id, text in texts.items() if step < len(text)]
        found = streams.step(ids, np.stack([texts[id][step] for id in ids]))
    assert found[0].logits.shape == (1, 1) and found[1].probabilities.shape == (1, 2)
    for id, text in texts.items():
        for i, probe in enumerate(probes):
            assert np.allclose(streams.get(id, i).logits, probe.decision_function([text])[0], atol=1e-5)
    branch = [streams.get(3, i) for i in range(2)]
    streams.open(4, branch)
    same = streams.step([4, 3], np.ones((2, 16), np.float32))
    assert (same[0].logits[0] == same[0].logits[1]).all()
    streams.close(3)
    assert streams.ids == [4, 5, 11] and repr(streams) == "Streams(2 probes, 3 open)"


def test_steps_that_cannot_be(ragged):
    streams = ap.Streams(probe_of("mean"))
    streams.open(1)
    for call, message in [
        (lambda: streams.step([1, 1], np.ones((2, 16))), "1"),
        (lambda: streams.step([2], np.ones((1, 16))), "2"),
        (lambda: streams.step([1.5], np.ones((1, 16))), "ids: expected whole numbers, found dtype float64"),
        (lambda: streams.step([1], np.ones((2, 16))), r"states: expected 1 rows, one a stream, found the shape \(2, 16\)"),
        (lambda: streams.step([1], np.ones((1, 15))), "15"),
        (lambda: streams.step([1], np.ones((1, 16)), mask=[1, 0]), "mask: expected 1 numbers"),
        (lambda: streams.open(1), "1"), (lambda: streams.close(7), "7"),
        (lambda: streams.open(2, [probe_of("mean").stream()] * 2), "after: expected 1 streams, one a probe, found 2"),
        (lambda: ap.Streams([]), "at least one"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    for id in ("req-1", 1.0, None, 2**63, 2**64, -(2**63) - 1, np.uint64(2**63), [1, 2], np.array([1, 2])):
        for call in (streams.open, streams.close, streams.get):
            with pytest.raises(ValueError, match=r"id: expected a whole number from -2\^63 to 2\^63 - 1, found "):
                call(id)
    with pytest.raises(ValueError, match="id: expected a whole number .* found 9223372036854775808"):
        streams.step(np.array([2**63], np.uint64), np.ones((1, 16)))
    assert streams.ids == [1]
    for id in (2**63 - 1, -(2**63), np.int64(7)):
        streams.open(id)
        assert id in streams.ids and streams.step(np.array([id]), np.ones((1, 16))).logits.shape == (1, 1)
        streams.close(id)
    assert streams.step([1], np.ones((1, 16), np.float32)).logits.shape == (1, 1)
    assert streams.step(np.array([1], np.uint64), np.ones((1, 16), np.float32)).logits.shape == (1, 1)
    number = ap.AttentionProbe.from_parameters("mean", {"v.weight": np.eye(1, 16)}, task="regression")
    one = ap.Streams(number)
    one.open(0)
    assert one.step([0], np.ones((1, 16), np.float32)).probabilities is None


def test_threads_have_streams_of_their_own(ragged):
    probe = probe_of("attention")
    truth = probe.decision_function([ragged[2]])[0]
    found = []

    def follow():
        for _ in range(50):
            stream = probe.stream()
            for token in ragged[2]:
                stream.append(token)
            found.append((stream.logits[0], probe.decision_function([ragged[2]])[0]))

    threads = [threading.Thread(target=follow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200 and all(np.isclose(a, truth, atol=1e-5) and b == truth for a, b in found)
