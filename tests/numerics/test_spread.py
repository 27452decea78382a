from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augmint.numerics.spread import Spread, class_parts, fit_spread, join


def rows_and_labels(counts: list[int], width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    shape = rng.standard_normal((width, width))
    return (rng.standard_normal((len(labels), width)) @ shape + labels[:, None]).astype(np.float32), labels


def covariance(spread: Spread, group: int) -> np.ndarray:
    factor = spread.of(group).astype(np.float64)
    return factor.T @ factor + spread.rest[group] * np.eye(factor.shape[1])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(2, 12), min_size=1, max_size=4), st.integers(1, 6), st.integers(0, 99))
def test_mean_and_covariance_are_numpys(counts: list[int], width: int, seed: int) -> None:
    x, labels = rows_and_labels(counts, width, seed)
    spread = fit_spread(x, class_parts(labels, len(counts)))
    for c in range(len(counts)):
        expected = np.cov(x[labels == c].T.astype(np.float64)).reshape(width, width)
        np.testing.assert_allclose(spread.mean[c], x[labels == c].mean(axis=0), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(covariance(spread, c), expected, rtol=1e-3, atol=1e-3)
        assert spread.variance[c] == pytest.approx(np.trace(expected) / width, rel=1e-3, abs=1e-5)


def test_weights_are_numpys_reliability_weights() -> None:
    x, _ = rows_and_labels([9], 3)
    weight = np.linspace(0.1, 1.0, 9)
    spread = fit_spread(x, [(np.arange(9), weight)])
    np.testing.assert_allclose(covariance(spread, 0), np.cov(x.T, aweights=weight), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(spread.mean[0], np.average(x, axis=0, weights=weight), rtol=1e-4)


@pytest.mark.parametrize("counts", [[40], [300]])
def test_a_cut_factor_keeps_the_strongest_directions_and_all_variance(counts: list[int]) -> None:
    x, labels = rows_and_labels(counts, 30)
    whole, cut = (fit_spread(x, class_parts(labels, 1), rank) for rank in (1000, 5))
    assert cut.rank == 5 and cut.rest[0] > 0 and whole.rest[0] == 0
    assert cut.variance[0] == pytest.approx(whole.variance[0], rel=1e-4)
    top = np.linalg.eigvalsh(np.cov(x.T.astype(np.float64)))[::-1][:5]
    np.testing.assert_allclose(np.square(cut.factor).sum(axis=1), top, rtol=1e-3)


def test_draws_have_the_mixed_covariance() -> None:
    x, labels = rows_and_labels([7, 30], 4)
    spread = fit_spread(x, class_parts(labels, 2), rank=3)
    n = 40_000
    which, share = np.tile([0, 1], (n, 1)), np.tile([0.25, 0.5], (n, 1))
    z = spread.noise(which, share, np.full(n, 0.3), np.random.default_rng(0))
    expected = 0.25 * covariance(spread, 0) + 0.5 * covariance(spread, 1) + 0.3 * np.eye(4)
    np.testing.assert_allclose(np.cov(z.T), expected, atol=0.03 * np.trace(expected))
    assert np.abs(z.mean(axis=0)).max() < 0.03 * np.sqrt(np.trace(expected))


def test_empty_and_single_groups_have_no_factor() -> None:
    x, labels = rows_and_labels([1, 0, 3], 5)
    spread = fit_spread(x, class_parts(labels, 3))
    assert [len(spread.of(g)) for g in range(3)] == [0, 0, 3]
    np.testing.assert_allclose(spread.mean[1], x.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(spread.variance[:2], 0.0)


def test_take_and_join_keep_each_group() -> None:
    x, labels = rows_and_labels([2, 0, 4, 3], 6)
    spread = fit_spread(x, class_parts(labels, 4))
    order = np.array([2, 1, 0, 3])
    again = join(spread.take(order[:2]), spread.take(order[2:]))
    for new, old in enumerate(order):
        assert np.array_equal(again.of(new), spread.of(old)) and np.array_equal(again.mean[new], spread.mean[old])
    np.testing.assert_allclose(again.variance, spread.variance[order])
    back = Spread.load(again.arrays("x."), "x.")
    assert np.array_equal(back.factor, again.factor) and np.array_equal(back.start, again.start)


def test_wide_rows_need_no_square_matrix() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 4096)).astype(np.float32)
    spread = fit_spread(x, class_parts(np.repeat([0, 1], 15), 2))
    assert spread.factor.shape == (30, 4096)
    assert spread.noise(np.zeros((9, 1), np.int64), np.ones((9, 1)), np.zeros(9), rng).shape == (9, 4096)
