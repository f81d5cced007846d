"""Every form of X gives the same scores, in place where it can be, and what cannot be is refused."""
import warnings

import numpy as np
import pytest

import attention_probes as ap
from attention_probes._float8 import TYPES, floats
from attention_probes._inputs import as_sequences, items
from attention_probes._joined import parts
from kinds import probe_of


@pytest.fixture
def probe():
    return probe_of("attention")


def flat(ragged):
    return np.concatenate(ragged), np.cumsum([0] + [len(one) for one in ragged])


def padded(ragged, left):
    states = np.full((len(ragged), 12, 16), np.nan, np.float32)
    mask = np.zeros((len(ragged), 12), bool)
    for i, one in enumerate(ragged):
        place = slice(12 - len(one), None) if left else slice(len(one))
        states[i, place], mask[i, place] = one, True
    return states, mask


def test_all_forms_score_alike(probe, ragged):
    truth = np.concatenate([probe.decision_function([one]) for one in ragged])
    states, offsets = flat(ragged)
    views = [states[a:b] for a, b in zip(offsets, offsets[1:])]
    for form in (ragged, tuple(ragged), views, ap.Sequences(ragged), list(ap.Sequences(ragged)),
                 np.array([*ragged, None], object)[:-1]):
        assert (probe.decision_function(form) == truth).all()
    assert (probe.decision_function(states, offsets=offsets) == truth).all()
    assert (probe.decision_function(states, offsets=offsets.astype(np.int32)) == truth).all()
    for left in (False, True):
        array, mask = padded(ragged, left)
        assert (probe.decision_function(array, mask=mask) == truth).all()
        assert (probe.decision_function(array, mask=mask.astype(np.int64)) == truth).all()


def test_series_of_arrays_are_lists(probe, ragged, tmp_path):
    """Also where their numbers are not those of their places, as after a train_test_split."""
    pandas = pytest.importorskip("pandas")

    def series(values):
        return pandas.Series(list(values), index=[7, 0, 3, 1])

    X, y = series(ragged), series(["no", "yes", "no", "yes"])
    mask = series([np.arange(len(one)) == 0 for one in ragged])
    assert (probe.decision_function(X) == probe.decision_function(ragged)).all()
    assert (probe.decision_function(X, mask=mask) == probe.decision_function(ragged, mask=list(mask))).all()
    assert [one.tolist() for one in ap.Sequences(X).arrays()] == [one.tolist() for one in ragged]
    texts = [["x"] * len(one) for one in ragged]
    fitted = [ap.AttentionProbe("mean").fit(
        form, labels, sample_weight=[1, 1, 0, 2], groups=groups, ids=ids, token_texts=own).parameters_["v.weight"]
        for form, labels, groups, ids, own in (
            (ragged, list(y), [1, 2, 3, 4], list("abcd"), texts),
            (X, y, series([1, 2, 3, 4]), series("abcd"), series(texts)))]
    assert (fitted[0] == fitted[1]).all()
    with ap.write_activations(tmp_path / "a.safetensors") as out:
        out.add(X, y, ids=series("abcd"), token_ids=series([range(len(one)) for one in ragged]), token_texts=series(texts))
    assert ap.read_activations(tmp_path / "a.safetensors").ids == list("abcd")


def test_strides_and_types(probe, ragged):
    states, offsets = flat(ragged)
    truth = probe.decision_function(states, offsets=offsets)
    wide = np.zeros((len(states), 40), np.float32)
    wide[:, 3:19] = states
    for form in (wide[:, 3:19], np.asfortranarray(states), states[::-1].copy()[::-1], states.astype(np.float64),
                 states.astype(">f4")):
        assert (probe.decision_function(form, offsets=offsets) == truth).all()
    half = states.astype(np.float16)
    assert (probe.decision_function(half, offsets=offsets)
            == probe.decision_function(half.astype(np.float32), offsets=offsets)).all()
    repeated = np.broadcast_to(states[0], (4, 16))
    assert np.isclose(probe.decision_function([repeated]), probe.decision_function([repeated.copy()])).all()


def test_padded_views_stay_in_place(probe, random):
    states = random.standard_normal((3, 10, 2, 16), dtype=np.float32)
    view = states[:, 1:7, 1]
    found = as_sequences(view)
    assert found.address == view.__array_interface__["data"][0] and found.stride == 128
    truth = np.concatenate([probe.decision_function([one.copy()]) for one in view])
    assert (probe.decision_function(view) == truth).all()


def test_masks_hide_tokens_that_count_as_positions(probe, random):
    states = random.standard_normal((2, 6, 16), dtype=np.float32)
    mask = np.array([[0, 1, 0, 1, 1, 0], [1, 1, 1, 1, 1, 1]])
    stream = probe.stream()
    truth = [stream.append(states[0, 1:5], mask=mask[0, 1:5])[0]]
    stream.clear()
    truth.append(stream.append(states[1])[0])
    assert np.allclose(probe.decision_function(states, mask=mask), truth, atol=1e-5)
    assert np.allclose(probe.decision_function([states[0, 1:5], states[1]], mask=[mask[0, 1:5], mask[1]]), truth, atol=1e-5)
    joined = np.concatenate([states[0, 1:5], states[1]])
    token_mask = np.concatenate([mask[0, 1:5], mask[1]])
    assert np.allclose(probe.decision_function(joined, offsets=[0, 4, 10], mask=token_mask), truth, atol=1e-5)


def test_two_dimensions_are_vectors_of_linear_probes(random):
    states = random.standard_normal((5, 16), dtype=np.float32)
    linear, attention = probe_of("mean"), probe_of("attention")
    assert (linear.decision_function(states) == linear.decision_function([one[None] for one in states])).all()
    assert linear.decision_function(list(states)).shape == (5,)
    assert linear.decision_function(states.tolist()).shape == (5,)
    with pytest.raises(ValueError, match="X: expected offsets beside two dimensions 5×16, or pooled=True"):
        attention.decision_function(states)
    assert attention.decision_function(states, pooled=True).shape == (5,)


def test_lists_that_share_memory_are_one_batch_in_place(ragged):
    states, offsets = flat(ragged)
    views = [states[a:b] for a, b in zip(offsets, offsets[1:])]
    found = as_sequences(views[::-1])
    assert found.address == states.__array_interface__["data"][0]
    assert found.starts.tolist() == offsets[:-1].tolist()[::-1]
    twice = as_sequences([views[0], views[0]])
    assert twice.address != found.address and len(twice) == 2


def test_large_arrays_apart_are_scored_in_place(probe, random):
    large = [random.standard_normal((5000, 16), dtype=np.float32) for _ in range(3)]
    small = [random.standard_normal((3, 16), dtype=np.float32) for _ in range(4)]
    x = [small[0], small[1], large[0], large[1], small[2], small[3], large[2]]
    found = parts(items(x, "X"))
    assert [(part.start, part.token, len(part.sequences)) for part in found] == [
        (0, 0, 2), (2, 6, 1), (3, 5006, 1), (4, 10006, 2), (6, 10012, 1)]
    assert found[1].sequences.address == large[0].__array_interface__["data"][0]
    truth = np.concatenate([probe.decision_function([one]) for one in x])
    assert (probe.decision_function(x) == truth).all()
    assert all(len(a) == len(b) for a, b in zip(probe.attention(x), x))
    large[2][7, 5] = np.inf
    with pytest.raises(ValueError, match=r"X\[6\]: .*token 7, dimension 5: expected a finite number, found inf"):
        probe.decision_function(x)


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_float8_with_scales(probe, random, name):
    types = pytest.importorskip("ml_dtypes")
    dtype = getattr(types, name)
    every = np.arange(256, dtype=np.uint8).view(dtype)
    assert np.array_equal(floats(every.view(np.uint8), TYPES[name]), every.astype(np.float32), equal_nan=True)

    states = random.standard_normal((12, 16)).astype(dtype)
    scales = (0.5 + random.random(12)).astype(np.float32)
    wide, offsets = states.astype(np.float32) * scales[:, None], [0, 3, 12]
    truth = probe.decision_function(wide, offsets=offsets)
    found = ap.Sequences(states, offsets, scales=scales)
    assert found.dtype == name and found.address == states.__array_interface__["data"][0]
    for form in (found, ap.Sequences(states, offsets, scales=scales.reshape(12, 1, 1)), list(found)):
        assert (probe.decision_function(form) == truth).all()
    assert all((a == b).all() for a, b in zip(found.arrays(), (wide[:3], wide[3:])))
    assert (probe.decision_function(found[1]) == truth[1:]).all()
    # Without scales, in place and in a list, where it is converted.
    plain = probe.decision_function(states.astype(np.float32), offsets=offsets)
    assert (probe.decision_function(states, offsets=offsets) == plain).all()
    assert (probe.decision_function([states[:3], states[3:]]) == plain).all()
    # Rows that lie apart, and between which others are.
    apart = np.zeros((2, 8, 32), np.uint8).view(dtype)
    apart[:, :6, :16] = states.reshape(2, 6, 16)
    truth = probe.decision_function(wide.reshape(2, 6, 16))
    for some in (states.reshape(2, 6, 16), apart[:, :6, :16]):
        assert (probe.decision_function(ap.Sequences(some, scales=scales.reshape(2, 6))) == truth).all()
    stream = probe.stream()
    assert np.allclose(stream.append(states), probe.decision_function([states.astype(np.float32)]), atol=1e-5)
    for wrong, message in [
        (lambda: ap.Sequences(states, offsets, scales=scales[:5]), r"scales of states: expected the shape \(12,\)"),
        (lambda: ap.Sequences(wide, offsets, scales=scales), "float8 states only, found float32"),
        (lambda: ap.Sequences([states], scales=[scales]), "scales of states: expected none beside a list of arrays"),
        (lambda: probe.decision_function(ap.Sequences(states, offsets, scales=-scales)), "sequence 0, token 0: expected a scale"),
    ]:
        with pytest.raises(ValueError, match=message):
            wrong()


def test_large_copies_warn(monkeypatch, probe, random):
    monkeypatch.setattr("attention_probes._rows._COPY_LIMIT", 1 << 10)
    states = random.standard_normal((2, 20, 16))
    with pytest.warns(ap.CopyWarning, match="X: 0 MB are copied, because float64 is converted to float32") as caught:
        probe.decision_function(states)
    assert caught[0].filename == __file__
    with pytest.warns(ap.CopyWarning, match="its arrays are not parts of one"):
        ap.Sequences([one.astype(np.float32) for one in states])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probe.decision_function(states.astype(np.float32))


BAD = [
    ([], {}, r"X: expected at least one sequence, found an empty list"),
    ([np.ones((3, 16)), np.ones((3, 15))], {}, r"X\[1\]: expected the width of X\[0\], 16, found 15"),
    ([np.ones((3, 16)), np.ones((0, 16))], {}, r"X\[1\]: expected at least one token, found none"),
    ([np.ones((3, 16)), np.ones(16)], {}, r"X\[1\]: expected two dimensions, tokens and width, found 16"),
    ([np.ones((3, 15))], {}, "X has 15 features, but AttentionProbe is expecting 16 features as input"),
    ([np.ones((3, 16), complex)], {}, r"X\[0\]: Complex data not supported"),
    ([np.full((3, 16), "a")], {}, r"X\[0\]: expected float32, float16 or bfloat16 numbers, found dtype <U1"),
    (np.ones(16), {}, r"X: expected a list of arrays .* found 16\. Reshape your data"),
    (np.ones((1, 2, 3, 4)), {}, "X: expected a list of arrays .* found 1×2×3×4"),
    (np.ones((4, 16)), {"offsets": [0, 2, 3]}, "offsets.*4.*3"),
    (np.ones((4, 16)), {"offsets": [0, 3, 2, 4]}, "offset"),
    (np.ones((4, 16)), {"offsets": [0.0, 4.0]}, "offsets of X: expected whole numbers, found dtype float64"),
    (np.ones((4, 16)), {"offsets": [0, 4], "mask": [1, 0]}, "mask of X: expected the shape 4, found 2"),
    (np.ones((4, 16)), {"offsets": [0, 4], "mask": [0, 0, 0, 0]}, "sequence 0"),
    (np.ones((2, 3, 16)), {"mask": [[1, 1, 1], [0, 0, 0]]},
     "mask of X: expected at least one true token in every row, found none in row 1"),
    (np.ones((2, 3, 16)), {"mask": np.ones((3, 2))}, "mask of X: expected the shape 2×3, found 3×2"),
    (np.ones((2, 3, 16)), {"offsets": [0, 3]}, "offsets of X: expected none beside three dimensions, found some"),
    ([np.ones((3, 16))], {"mask": [[1, 1, 1], [1]]}, "mask of X: expected 1 arrays, one a sequence, found 2"),
    ([np.full((3, 16), np.nan)], {}, "expected a finite number, found NaN"),
]


@pytest.mark.parametrize("x, known, message", BAD, ids=range(len(BAD)))
def test_bad_input_says_what_was_expected(probe, x, known, message):
    with pytest.raises(ValueError, match=message):
        probe.decision_function(x, **known)


def test_sequences_are_chosen_in_place(ragged):
    whole = ap.Sequences(ragged)
    for some in (whole[[2, 0]], whole[np.array([2, 0])], whole[2::-2]):
        assert some.address == whole.address and some.lengths.tolist() == [9, 5]
        assert all((a == b).all() for a, b in zip(some.arrays(), [ragged[2], ragged[0]]))
    assert len(whole[[]]) == 0 and whole[-1].lengths.tolist() == [4]
    assert whole[np.array([True, False, True, False])].lengths.tolist() == [5, 9]
    assert not whole.arrays()[0].flags.writeable


def test_machine_says_what_is_computed_with(monkeypatch):
    found = ap.machine()
    assert found["threads"] >= 1 and found["instruction_set"] in {"AVX-512", "AVX2", "NEON", "plain", "BLAS"}
    assert found["openblas_core"] and found["openblas"].startswith("OpenBLAS")
    # What only the environment can change is said once, where the library is loaded.
    from attention_probes import _native

    monkeypatch.setattr(_native, "_machine", lambda library: {**found, "advice": "set OPENBLAS_CORETYPE=Haswell"})
    with pytest.warns(RuntimeWarning, match="OPENBLAS_CORETYPE=Haswell"):
        _native._advise(_native.lib())
