"""What every generated estimator promises, whatever the method."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
from rows import NAMES, quick, uneven

import augmint.adapters as adapters
from augmint.adapters.sources import row_ids
from augmint.core.registry import lookup
from augmint.core.types import Latents
from augmint.numerics.base_statistics import base_statistics
from augmint.synthesizers import TABLE

each = pytest.mark.parametrize("name", [name for name, _ in NAMES])


@pytest.fixture(autouse=True)
def _quiet():
    """Without a base, some methods say that they borrow from the other classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def kind_of(name):
    return lookup("synthesizers", "method", TABLE, adapters.estimators()[name])


def targets(X, y):
    codes = np.unique(y, return_inverse=True)[1]
    rng = np.random.default_rng(1)
    return {
        "class": y,
        "soft": 0.7 * np.eye(3)[codes] + 0.1,
        "multilabel": np.maximum(np.eye(3, dtype=int)[codes], rng.random((len(y), 3)) < 0.3),
        "number": X.reshape(len(X), -1).sum(axis=1),
    }


def test_each_method_has_one():
    assert {method for _, method in NAMES} == set(TABLE)
    for name, method in NAMES:
        assert name in dir(adapters) and getattr(adapters, name) is getattr(adapters, name)
        assert getattr(adapters, name).__name__ == name == TABLE[method].rpartition(":")[2] + "Sampler"
    with pytest.raises(AttributeError, match="SmoteSampler"):
        adapters.SmoteSampler  # noqa: B018


@each
def test_the_signature_is_the_methods_own(name):
    kind = kind_of(name)
    found = inspect.signature(getattr(adapters, name)).parameters
    own = inspect.signature(kind).parameters
    assert {p: found[p].default for p in own} == {p: own[p].default for p in own}
    extra = {"sampling_strategy", "factor", "random_state", "target"} | kind.uses | ({"space"} if kind.uses else set())
    assert set(found) - set(own) == extra
    assert all(parameter in getattr(adapters, name).__doc__ for parameter in found)
    assert "option of the method." not in getattr(adapters, name).__doc__  # each option has its own words


@each
@pytest.mark.parametrize("target", ["class", "soft", "multilabel", "number"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_targets_are_carried_or_refused(name, target, dtype):
    X, y = uneven()
    X, y = X.astype(dtype), targets(X, y)[target]
    before = X.tobytes(), np.asarray(y).tobytes(), repr(np.random.get_state())
    sampler = quick(name, X, factor=2 if target != "class" else None)
    if target not in kind_of(name).targets:
        with pytest.raises(ValueError, match="expected: one of"):
            sampler.fit_resample(X, y)
        return
    X2, y2 = sampler.fit_resample(X, y)
    assert (X.tobytes(), np.asarray(y).tobytes(), repr(np.random.get_state())) == before
    assert X2.dtype == X.dtype and y2.dtype == y.dtype and len(X2) == len(y2) == 120
    assert np.array_equal(X2[:60], X) and np.array_equal(y2[:60], y) and np.isfinite(X2).all()
    assert sampler.y_soft_.shape[0] == 120
    if target in ("class", "soft"):
        assert np.allclose(sampler.y_soft_.sum(axis=1), 1.0)
    if target == "class":
        assert list(sampler.classes_[sampler.y_soft_.argmax(axis=1)]) == list(y2)
        assert np.unique(y2, return_counts=True)[1].tolist() == [40, 40, 40]
    again = quick(name, X, factor=2 if target != "class" else None).fit_resample(X, y)
    assert again[0].tobytes() == X2.tobytes() and again[1].tobytes() == y2.tobytes()


@each
@pytest.mark.parametrize("shape", [(4, 3), (3, 2, 2)])
def test_sequences_and_maps(name, shape):
    X, y = uneven(width=12)
    X = X.reshape(60, *shape)
    X2, y2 = quick(name, X).fit_resample(X, y)
    assert X2.shape == (120, *shape) and np.isfinite(X2).all() and len(y2) == 120


@each
def test_nothing_to_make_and_tiny_classes(name):
    X, y = uneven((6, 6))
    X2, y2 = quick(name, X).fit_resample(X, y)
    assert np.array_equal(X2, X) and np.array_equal(y2, y)
    X, y = uneven((1, 3))
    X2, y2 = quick(name, X, sampling_strategy={"a": 2}).fit_resample(X, y)
    assert list(y2[4:]) == ["a"] and np.isfinite(X2).all()


@pytest.mark.parametrize("name", [name for name, _ in NAMES if "base" in kind_of(name).uses])
def test_a_base_lends_and_without_one_the_other_classes_do(name):
    X, y = uneven()
    X_base, y_base = uneven((30, 30, 30), seed=5)
    X_base = X_base + 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lent = quick(name, X, base=(X_base, np.char.add("base ", y_base))).fit_resample(X, y)
    own = quick(name, X).fit_resample(X, y)
    assert lent[0].shape == own[0].shape and not np.array_equal(lent[0], own[0])
    assert list(lent[1]) == list(own[1])
    for wrong, message in [
        (X_base, r"pass base=\(X_base, y_base\)"),
        ((X_base[:, :3], y_base), "encode both with the same model"),
        ((X_base, y_base[:5]), "inconsistent"),
    ]:
        with pytest.raises(ValueError, match=message):
            quick(name, X, base=wrong).fit_resample(X, y)


def test_statistics_of_a_base_do_for_its_rows():
    X, y = uneven()
    X_base, y_base = uneven((30, 30, 30), seed=5)
    codes = np.unique(y_base, return_inverse=True)[1]
    names = ("cat", "dog", "owl")
    rows = Latents(row_ids(90), X_base.astype(np.float32), np.eye(3, dtype=np.float32)[codes], names, space="one")
    known = base_statistics(rows)
    lent = quick("CalibrationSampler", X, base=known, space="one")
    assert len(lent.fit_resample(X, y)[0]) == 120
    assert set(np.char.partition(lent.parents_[:, 1:].ravel(), ":")[:, 2]) <= {*names}
    with pytest.raises(ValueError, match="encode both with the same model"):
        quick("CalibrationSampler", X, base=known).fit_resample(X, y)


def test_calibration_without_a_base_says_so():
    X, y = uneven()
    with pytest.warns(UserWarning, match="no base, statistics of the other classes"):
        quick("CalibrationSampler", X).fit_resample(X, y)


def test_mixup_keeps_the_anchors_class_and_gives_the_shares():
    X, y = uneven()
    sampler = quick("MixupSampler", X)
    _, y2 = sampler.fit_resample(X, y)
    assert list(y2[60:]) == list(y[sampler.sample_indices_[60:]])
    soft = sampler.y_soft_[60:]
    assert (soft.max(axis=1) < 0.999).any() and (soft.max(axis=1) >= 0.5).all()
