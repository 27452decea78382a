"""What y means, and the labels of new rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from rows import uneven
from scipy.sparse import csr_matrix

from augmint.adapters import InterpolationSampler, NoiseSampler
from augmint.adapters.targets import read_target
from augmint.core.errors import UsageError

SOFT = np.array([[0.5, 0.5], [1.0, 0.0], [0.2, 0.8], [0.3, 0.7]])


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        ([0, 1, 1, 2], "class"),
        ([0.0, 1.0, 3.0], "class"),
        ([True, False, True], "class"),
        (["b", "a", "b"], "class"),
        (np.array(["b", "a"], dtype=object), "class"),
        (pd.Series(["x", "y"], dtype="category"), "class"),
        ([[1], [0], [1]], "class"),
        (np.eye(3), "class"),
        ([[1, 1, 0], [0, 0, 0], [0, 1, 0]], "multilabel"),
        (SOFT, "soft"),
        ([0.5, 1.5, 2.0], "number"),
        ([[0.5, 1.5], [2.5, 3.0]], "number"),
    ],
)
def test_the_kind_is_seen(y, kind):
    assert read_target(y, "auto").kind == kind


@pytest.mark.parametrize(
    ("y", "asked", "message"),
    [
        (np.array([0.1, np.nan]), "auto", "NaN"),
        (np.array([0.1, np.inf]), "number", "finite"),
        (np.array([[1, 2], [3, 4]]), "auto", 'target="number"'),
        (np.array([1, "a", None], dtype=object), "auto", "Unknown label type"),
        (csr_matrix(np.eye(3)), "auto", "sparse"),
        (SOFT, "class", "one-hot"),
        (2 * SOFT, "soft", "sum to 1"),
        (np.array([0, 1, 2]), "soft", "sum to 1"),
        (np.array([[0, 2]]), "multilabel", "0 and 1"),
        (np.array(["a", "b"]), "number", "finite numbers"),
    ],
)
def test_what_has_no_kind_is_refused(y, asked, message):
    with pytest.raises((ValueError, UsageError), match=message):
        read_target(y, asked)


def test_one_hot_rows_come_back_one_hot():
    X, y = uneven()
    codes = np.unique(y, return_inverse=True)[1]
    _, flat = InterpolationSampler(random_state=0).fit_resample(X, codes)
    _, rows = InterpolationSampler(random_state=0).fit_resample(X, np.eye(3, dtype=int)[codes])
    assert rows.dtype == int and np.array_equal(rows, np.eye(3, dtype=int)[flat])


def test_soft_labels_are_the_mean_of_the_parents():
    X, _ = uneven()
    y = np.random.default_rng(1).dirichlet([1, 1, 1], 60)
    sampler = InterpolationSampler(factor=1.5, random_state=0)
    X2, y2 = sampler.fit_resample(X, y)
    assert X2.shape == (90, 5) and y2.shape == (90, 3) and np.array_equal(y2[:60], y)
    assert sampler.sampling_strategy_ == {"all": 30}
    for i, (refs, share) in enumerate(zip(sampler.parents_, sampler.label_weights_, strict=True)):
        parents = [int(ref.removeprefix("data:")) for ref in refs]
        assert np.allclose(y2[60 + i], share @ y[parents])
        assert len({int(y[p].argmax()) for p in parents}) == 1  # neighbours within the heaviest class
    assert np.allclose(y2.sum(axis=1), 1) and np.array_equal(sampler.y_soft_, y2)


def test_numbers_are_the_mean_of_the_parents():
    X, _ = uneven()
    y = X.sum(axis=1)
    X2, y2 = InterpolationSampler(factor=2, random_state=0).fit_resample(X, y)
    assert np.allclose(y2, X2.sum(axis=1), atol=1e-4)  # a linear target stays linear between two rows
    whole = np.arange(60)
    _, y3 = InterpolationSampler(factor=2, random_state=0, target="number").fit_resample(X, whole)
    assert y3.dtype == np.float64 and np.array_equal(y3[:60], whole) and (y3[60:] % 1 > 0).any()
    frame = pd.DataFrame({"u": y, "v": -y})
    _, y4 = InterpolationSampler(factor=2, random_state=0).fit_resample(X, frame)
    assert list(y4.columns) == ["u", "v"] and np.allclose(y4["u"], -y4["v"]) and np.allclose(y4["u"], y2)


def test_several_labels_a_row():
    X, _ = uneven()
    y = (np.random.default_rng(1).random((60, 4)) < 0.4).astype(int)
    sampler = NoiseSampler(factor=2, random_state=0)
    _, y2 = sampler.fit_resample(X, y)
    assert y2.dtype == y.dtype and np.array_equal(y2[60:], y[sampler.sample_indices_[60:]])


def test_a_method_refuses_targets_it_does_not_list():
    X, _ = uneven()
    y = (np.random.default_rng(1).random((60, 4)) < 0.4).astype(int)
    with pytest.raises(ValueError, match=r"'multilabel' for method 'interpolation'\n.*class, number, soft"):
        InterpolationSampler(factor=2).fit_resample(X, y)


def test_soft_labels_of_a_class_target_are_one_hot_where_parents_share_the_class():
    X, y = uneven()
    sampler = InterpolationSampler(random_state=0)
    _, y2 = sampler.fit_resample(X, y)
    assert list(sampler.classes_) == ["a", "b", "c"]
    assert np.allclose(sampler.y_soft_, y2[:, None] == sampler.classes_, atol=1e-6)
    with pytest.raises(AttributeError):
        NoiseSampler().fit(X, y).y_soft_  # noqa: B018
