"""fit_resample: what comes back, in which order and form, and from whom."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from rows import uneven
from sklearn.base import clone

import augmint as am
from augmint.adapters import InterpolationSampler, NoiseSampler, RetrievalSampler
from augmint.adapters.sampler import FallbackWarning, InputError, seed_of
from augmint.adapters.sources import row_ids
from augmint.core.errors import UsageError
from augmint.core.types import Latents


def test_real_rows_first_then_new_ones_class_by_class():
    X, y = uneven()
    sampler = NoiseSampler(sampling_strategy={"c": 8, "a": 42}, random_state=0)
    X2, y2 = sampler.fit_resample(X, y)
    assert X2.dtype == X.dtype and X2[:60].tobytes() == X.tobytes()
    assert y2.dtype == y.dtype and list(y2[:60]) == list(y) and list(y2[60:]) == ["a", "a", "c", "c", "c"]
    assert sampler.sampling_strategy_ == {"a": 2, "c": 3}
    assert list(np.flatnonzero(sampler.is_synthetic_)) == [60, 61, 62, 63, 64]
    assert list(sampler.sample_indices_[:60]) == list(range(60))
    assert list(y[sampler.sample_indices_]) == list(y2)
    assert [f"data:{i}" for i in sampler.sample_indices_[60:]] == list(sampler.parents_[:, 0])


def test_a_new_row_lies_between_the_parents_it_names():
    X, y = uneven()
    sampler = InterpolationSampler(random_state=0)
    X2, _ = sampler.fit_resample(X, y)
    for row, refs, share in zip(X2[60:], sampler.parents_, sampler.label_weights_, strict=True):
        parents = X[[int(ref.removeprefix("data:")) for ref in refs]]
        assert np.allclose(row, share @ parents, atol=1e-5)


def test_every_anchor_serves_in_turn():
    X, y = uneven()
    sampler = NoiseSampler(random_state=0).fit(X, y)
    sampler.fit_resample(X, y)
    served = np.bincount(sampler.sample_indices_[60:], minlength=60)
    assert set(served[y == "b"]) == {1, 2} and set(served[y == "c"]) == {7} and set(served[y == "a"]) == {0}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    X, y = uneven()
    first = InterpolationSampler(random_state=3).fit_resample(X, y)[0].tobytes()
    assert InterpolationSampler(random_state=np.int64(3)).fit_resample(X, y)[0].tobytes() == first
    assert InterpolationSampler(random_state=4).fit_resample(X, y)[0].tobytes() != first
    assert InterpolationSampler().fit_resample(X, y)[0].tobytes() != first
    generators = [np.random.default_rng(1), np.random.default_rng(1)]
    twice = [NoiseSampler(random_state=g).fit_resample(X, y)[0].tobytes() for g in generators]
    assert twice[0] == twice[1] != NoiseSampler(random_state=generators[0]).fit_resample(X, y)[0].tobytes()


def test_random_states_give_seeds_and_nothing_else_does():
    assert seed_of(5) == 5 and seed_of(None) != seed_of(None)
    assert seed_of(np.random.RandomState(1)) == seed_of(np.random.RandomState(1))
    for wrong in ("0", 1.5, True, np.random):
        with pytest.raises(UsageError, match="random_state"):
            seed_of(wrong)


@pytest.mark.parametrize("random_state", [None, 0, np.random.default_rng(0)])
def test_global_random_numbers_and_inputs_are_left_alone(random_state):
    X, y = uneven()
    before, copies = repr(np.random.get_state()), (X.copy(), y.copy())
    NoiseSampler(random_state=random_state).fit_resample(X, y)
    assert repr(np.random.get_state()) == before
    assert np.array_equal(X, copies[0]) and np.array_equal(y, copies[1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.uint8])
def test_the_dtype_of_rows_is_kept(dtype):
    X, y = uneven()
    X = np.clip(np.rint(10 * X), 0, 200).astype(dtype)
    X2, _ = NoiseSampler(random_state=0).fit_resample(X, y)
    assert X2.dtype == dtype and np.array_equal(X2[:60], X)
    exact = NoiseSampler(random_state=0).fit_resample(X.astype(np.float32), y)[0]
    limit = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo(dtype)
    assert np.allclose(X2, np.clip(exact, limit.min, limit.max), atol=0.51 if np.dtype(dtype).kind in "iu" else 0.1)


@pytest.mark.parametrize("shape", [(4, 3), (3, 2, 2)])
@pytest.mark.parametrize("method", ["noise", "interpolation"])
def test_sequences_and_maps_are_rows_of_their_shape(method, shape):
    X, y = uneven(width=12)
    flat = am.FeatureAugmenter(method, random_state=0).fit_resample(X, y)[0]
    shaped = am.FeatureAugmenter(method, random_state=0).fit_resample(X.reshape(60, *shape), y)[0]
    assert shaped.shape == (120, *shape) and np.array_equal(shaped.reshape(120, -1), flat)


def test_frames_and_series_keep_names_and_dtypes():
    X, y = uneven(width=3)
    frame = pd.DataFrame({"x": X[:, 0].astype(np.float32), "n": np.rint(X[:, 1]).astype(int), "z": X[:, 2]})
    labels = pd.Series(pd.Categorical(y, categories=["c", "b", "a"]), name="kind", index=np.arange(60) + 7)
    sampler = InterpolationSampler(random_state=0)
    X2, y2 = sampler.fit_resample(frame, labels)
    assert list(X2.columns) == ["x", "n", "z"] and list(X2.dtypes) == list(frame.dtypes)
    assert y2.name == "kind" and y2.dtype == labels.dtype and len(X2) == len(y2) == 120
    assert list(X2.index) == list(y2.index) == list(range(120))
    assert list(sampler.feature_names_in_) == ["x", "n", "z"] == list(sampler.get_feature_names_out())
    plain = InterpolationSampler(random_state=0).fit_resample(frame.to_numpy(), y)[0]
    assert np.allclose(X2["z"], plain[:, 2]) and np.allclose(X2["n"], plain[:, 1], atol=0.5 + 1e-6)


def test_a_fallback_is_said():
    X, y = uneven((9, 5, 1))
    with pytest.warns(FallbackWarning, match="interpolation: 8 of 12 rows asked for: fallback: one row in the class"):
        InterpolationSampler(random_state=0).fit_resample(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        InterpolationSampler(random_state=0).fit_resample(*uneven())


def test_adding_a_class_leaves_the_draws_of_the_others_alone():
    X, y = uneven()
    first = NoiseSampler(factor=2, random_state=0).fit_resample(X[y != "c"], y[y != "c"])[0]
    order = np.argsort(y == "c", kind="stable")
    both = NoiseSampler(factor=2, random_state=0).fit_resample(X[order], y[order])[0]
    assert np.array_equal(first[55:], both[60:115])


def test_estimators_are_estimators():
    sampler = InterpolationSampler(neighbors=3, sampling_strategy="minority", random_state=1)
    same = clone(sampler)
    assert same.get_params() == sampler.get_params() and "neighbors=3" in repr(same)
    assert repr(pickle.loads(pickle.dumps(sampler))) == repr(sampler)  # noqa: S301 (our own bytes)
    assert same.set_params(neighbors=np.int64(2)).fit_resample(*uneven())[0].shape == (95, 5)
    with pytest.raises(TypeError, match="neighbours"):
        InterpolationSampler(neighbours=3)
    with pytest.raises(TypeError):
        InterpolationSampler("auto")
    for word in ("neighbors: k", "sampling_strategy: ", "target: ", "y_soft_: "):
        assert word in InterpolationSampler.__doc__


def test_a_fitted_estimator_is_pickled_into_another_process():
    sampler = NoiseSampler(random_state=0)
    sampler.fit_resample(*uneven())
    code = "import sys, pickle; s = pickle.load(sys.stdin.buffer); print(s.strength, len(s.parents_), s.y_soft_.shape)"
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(sampler), capture_output=True, check=True)
    assert done.stdout.split() == [b"0.5", b"60", b"(120,", b"3)"]


def test_importing_costs_nothing():
    code = """import sys, augmint, augmint.adapters
augmint.FeatureAugmenter, dir(augmint.adapters)
sys.exit(bool({'torch', 'imblearn'} & set(sys.modules)))"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    bare = "import sys, augmint, augmint.adapters; sys.exit(bool({'torch', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", bare], check=False).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "interpolatoin"}, "did you mean 'interpolation'"),
        ({"method": "noise", "method_options": {"strengt": 1.0}}, "did you mean 'strength'"),
        ({"method": "noise", "method_options": {"strength": -1.0}}, "strength = -1.0"),
        ({"method": "noise", "target": "klass"}, "target='klass'"),
        ({"method": "noise", "pool": np.zeros((3, 5))}, "leave pool= out"),
        ({"method": "noise", "base": (np.zeros((3, 5)), [0, 1, 1])}, "leave base= out"),
    ],
)
def test_wrong_parameters_are_value_errors_that_say_what_to_do(options, message):
    with pytest.raises(InputError, match=message):
        am.FeatureAugmenter(**options, random_state=0).fit_resample(*uneven())


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((60, 5), np.nan), "NaN"),
        (np.zeros((60, 5), complex), "Complex data"),
        (np.full((60, 5), 1e300), "infinity"),
        (np.zeros((59, 5)), "inconsistent numbers of samples"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        NoiseSampler(random_state=0).fit_resample(X, uneven()[1])


def test_a_pool_gives_its_rows_and_no_row_twice():
    X, y = uneven()
    pool = X + np.random.default_rng(1).normal(0, 0.2, X.shape)
    sampler = RetrievalSampler(pool=pool, sampling_strategy={"c": 9, "b": 20}, random_state=0)
    X2, y2 = sampler.fit_resample(X, y)
    taken = sampler.pool_indices_
    assert len(set(taken)) == 9 and (taken >= 0).all() and list(y2[60:]) == ["b"] * 5 + ["c"] * 4
    assert np.array_equal(X2[60:], pool[taken].astype(np.float32).astype(np.float64))
    assert list(sampler.parents_[:, 0]) == [f"pool:{i}" for i in taken]
    assert np.allclose(sampler.y_soft_, y2[:, None] == sampler.classes_)


def test_what_a_pool_cannot_give_is_left_out_and_said():
    X, y = uneven()
    with pytest.warns(FallbackWarning, match="short"):
        X2, y2 = RetrievalSampler(pool=X + 0.01, random_state=0).fit_resample(X, y)
    counts = dict(zip(*np.unique(y2, return_counts=True), strict=True))
    assert len(X2) == len(y2) and counts["a"] == 40 and 15 < counts["b"] < 40 and 5 < counts["c"] < 40
    assert np.isfinite(X2).all()


def test_sources_of_another_space_are_refused():
    X, y = uneven()
    for pool, space in [(X[:, :4], None), (as_rows(X, "other"), None), (as_rows(X, "other"), "one")]:
        with pytest.raises(InputError, match="encode both with the same model"):
            RetrievalSampler(pool=pool, space=space, random_state=0).fit_resample(X, y)
    good = RetrievalSampler(pool=as_rows(X + 0.1, "one"), space="one", factor=1.2, random_state=0)
    assert len(good.fit_resample(X, y)[0]) == 72
    with pytest.raises(InputError, match="give them"):
        RetrievalSampler(random_state=0).fit_resample(X, y)


def as_rows(X, space):
    return Latents(row_ids(len(X)), X.astype(np.float32), np.zeros((len(X), 3), np.float32), space=space)
