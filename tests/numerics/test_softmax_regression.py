"""Multinomial logistic regression against scikit-learn's and against its own first-order conditions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from augmint.numerics.softmax_regression import Axes, Stop, fit_softmax

EXACT = Stop(steps=5000, change=1e-15, slope=1e-10)


def problem(n: int, d: int, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) * np.linspace(0.1, 2, d)
    y = rng.dirichlet(np.ones(k), n)
    weight = rng.uniform(0.1, 2, n)
    return x, y, weight / weight.sum()


@pytest.mark.parametrize(("n", "d"), [(40, 6), (8, 30), (20, 20)])
def test_equals_scikit_learn_on_soft_labels_and_weights(n: int, d: int) -> None:
    x, y, share = problem(n, d, 3)
    axes = Axes.of(x)
    weight, bias = fit_softmax(axes.rows, y, share, 0.05, axes.variance, stop=EXACT)
    # A soft label is a row that is there with several hard ones.
    at, label = np.nonzero(y)
    model = LogisticRegression(C=1 / 0.05, tol=1e-10, max_iter=5000)
    model.fit(x[at], label, share[at] * y[at, label])
    probability = softmax(x @ (axes.basis @ weight) + bias, axis=1)
    np.testing.assert_allclose(probability, model.predict_proba(x), atol=1e-5)
    np.testing.assert_allclose(axes.basis @ weight, model.coef_.T, atol=1e-4)


def test_slope_is_zero_at_the_optimum() -> None:
    x, y, share = problem(30, 5, 4)
    axes = Axes.of(x)
    weight, bias = fit_softmax(axes.rows, y, share, 0.01, axes.variance, stop=EXACT)
    error = share[:, None] * (softmax(axes.rows @ weight + bias, axis=1) - y)
    np.testing.assert_allclose(axes.rows.T @ error + 0.01 * weight, 0, atol=1e-7)
    np.testing.assert_allclose(error.sum(axis=0), 0, atol=1e-7)


@pytest.mark.parametrize(("n", "d"), [(40, 6), (8, 30)])
def test_axes_are_an_orthonormal_basis_of_the_span(n: int, d: int) -> None:
    x = problem(n, d, 2)[0]
    axes = Axes.of(x)
    r = min(n, d)
    assert axes.rows.shape == (n, r) and axes.basis.shape == (d, r)
    np.testing.assert_allclose(axes.basis.T @ axes.basis, np.eye(r), atol=1e-9)
    np.testing.assert_allclose(axes.rows @ axes.basis.T, x, atol=1e-9)
    np.testing.assert_allclose(x @ axes.basis, axes.rows, atol=1e-9)
    np.testing.assert_allclose(axes.variance, np.square(axes.rows).mean(axis=0), atol=1e-9)


def test_directions_without_length_are_left_out() -> None:
    x = np.repeat(problem(3, 9, 2)[0], 4, axis=0)
    assert Axes.of(x).rows.shape == (12, 3)
    assert Axes.of(x.astype(np.float32)).rows.shape == (12, 3)
    assert Axes.of(np.zeros((2, 5))).rows.shape == (2, 0)


def test_no_axes_leave_the_bias() -> None:
    y = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    axes = Axes.of(np.zeros((3, 4)))
    _, bias = fit_softmax(axes.rows, y, np.full(3, 1 / 3), 0.1, axes.variance, stop=EXACT)
    np.testing.assert_allclose(softmax(bias), [2 / 3, 1 / 3], atol=1e-6)


def test_a_start_changes_the_way_and_not_the_end() -> None:
    x, y, share = problem(30, 5, 3)
    axes = Axes.of(x)
    cold = fit_softmax(axes.rows, y, share, 0.01, axes.variance, stop=EXACT)
    start = fit_softmax(axes.rows, y, share, 0.1, axes.variance)
    warm = fit_softmax(axes.rows, y, share, 0.01, axes.variance, start, EXACT)
    np.testing.assert_allclose(warm[0], cold[0], atol=1e-5)


def test_single_precision_is_close() -> None:
    x, y, share = problem(60, 12, 3)
    double, single = Axes.of(x), Axes.of(x.astype(np.float32))
    assert single.rows.dtype == np.float32
    answers = [
        axes.rows @ weight + bias
        for axes in (double, single)
        for weight, bias in [fit_softmax(axes.rows, y, share, 0.01, axes.variance, stop=Stop(change=1e-7))]
    ]
    np.testing.assert_allclose(softmax(answers[1], axis=1), softmax(answers[0], axis=1), atol=2e-3)
