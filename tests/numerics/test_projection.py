from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from augmint.numerics.projection import fit_whitening


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(1, 40), st.integers(0, 99))
def test_fitted_rows_make_the_round_trip(n: int, d: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32) + 3
    space = fit_whitening(x, 1000)
    np.testing.assert_allclose(space.back(space.forward(x)), x, atol=2e-3)


def test_whitened_rows_are_white() -> None:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((200, 10)) @ rng.standard_normal((10, 10))).astype(np.float32)
    w = fit_whitening(x, 6).forward(x)
    np.testing.assert_allclose(np.cov(w.T), np.eye(6), atol=1e-4)


def test_components_are_those_of_sklearn() -> None:
    x = np.random.default_rng(0).standard_normal((40, 12)).astype(np.float32) * np.arange(1, 13, dtype=np.float32)
    space, other = fit_whitening(x, 5), PCA(5).fit(x)
    np.testing.assert_allclose(np.abs(space.basis.T), np.abs(other.components_), atol=1e-4)
    np.testing.assert_allclose(space.scale**2, other.explained_variance_, rtol=1e-4)


@pytest.mark.parametrize("rows", [np.ones((1, 4)), np.ones((5, 4))])
def test_rows_without_spread_do_not_divide_by_zero(rows: np.ndarray) -> None:
    space = fit_whitening(rows.astype(np.float32), 8)
    assert np.isfinite(space.forward(rows.astype(np.float32))).all()
    np.testing.assert_allclose(space.back(np.ones((1, 1), np.float32)), rows[:1], atol=1e-5)
