from __future__ import annotations

import numpy as np
import pytest
from clouds import clouds
from scipy import linalg
from sklearn.datasets import load_digits
from sklearn.metrics.pairwise import polynomial_kernel

from augmint.evaluation import frechet, kernel
from augmint.evaluation.frechet import frechet_distance
from augmint.evaluation.kernel import kernel_distance


def frechet_by_roots(a: np.ndarray, b: np.ndarray) -> float:
    """The usual form, with scipy's matrix root."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    ca, cb = np.cov(a.T), np.cov(b.T)
    root = linalg.sqrtm(ca @ cb).real
    return float(np.square(a.mean(axis=0) - b.mean(axis=0)).sum() + np.trace(ca + cb - 2 * root))


@pytest.mark.parametrize(("n", "m", "d"), [(300, 200, 12), (2000, 1500, 40), (20, 200, 12)])
def test_frechet_equals_the_form_with_a_root(n: int, m: int, d: int) -> None:
    a, b = clouds(n, d, 1), 1.1 * clouds(m, d, 2) + 0.1
    assert frechet_distance(a, b) == pytest.approx(frechet_by_roots(a, b), rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(5, 7), (5, 100), (32, 33)])
def test_frechet_with_fewer_rows_than_numbers(n: int, m: int) -> None:
    """The root of a singular product, through the eigenvalues of a symmetric matrix: tr (Ca Cb)^1/2."""
    a, b = clouds(n, 32, 1), clouds(m, 32, 2)
    ca, cb = np.cov(a.T.astype(np.float64)), np.cov(b.T.astype(np.float64))
    values, vectors = np.linalg.eigh(ca)
    half = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    root = np.sqrt(np.maximum(np.linalg.eigvalsh(half @ cb @ half), 0)).sum()
    expected = np.square(a.mean(axis=0) - b.mean(axis=0, dtype=np.float64)).sum() + np.trace(ca + cb) - 2 * root
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)


def test_real_rows_with_dead_numbers_equal_the_independent_forms() -> None:
    """Digits' pixels, some of which are never inked, so that a covariance has no inverse."""
    rows = load_digits().data.astype(np.float32)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    a, b = rows[:900], 0.9 * rows[900:] + 0.5
    values, vectors = np.linalg.eigh(np.cov(a.T.astype(np.float64)))
    half = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    root = linalg.sqrtm(half @ np.cov(b.T.astype(np.float64)) @ half + 1e-12 * np.eye(64)).real
    gap = np.square(a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)).sum()
    trace = np.trace(np.cov(a.T.astype(np.float64))) + np.trace(np.cov(b.T.astype(np.float64)))
    assert frechet_distance(a, b) == pytest.approx(gap + trace - 2 * np.trace(root), rel=1e-4)
    assert kernel_distance(a, b).value == pytest.approx(kernel_by_matrices(a, b), rel=1e-6)


def test_frechet_by_hand() -> None:
    # one number: (mean difference)^2 + (difference of standard deviations)^2
    a, b = np.array([[0.0], [2.0]], np.float32), np.array([[5.0], [11.0]], np.float32)
    assert frechet_distance(a, b) == pytest.approx(7.0**2 + (np.sqrt(18) - np.sqrt(2)) ** 2)
    assert np.isnan(frechet_distance(a[:1], b))


def test_frechet_laws(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = clouds(400, 10, 1), clouds(300, 10, 2) + 0.5
    expected = frechet_distance(a, b)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(a, a[::-1].copy()) == pytest.approx(0.0, abs=1e-8)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((10, 10)))[0].astype(np.float32)
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(expected, rel=1e-4)
    assert frechet_distance(a + 1000, b + 1000) == pytest.approx(expected, rel=1e-3)
    farther = [frechet_distance(a, clouds(300, 10, 2) + shift) for shift in (0.0, 0.5, 1.0, 2.0)]
    assert farther == sorted(farther)
    monkeypatch.setattr(frechet, "BLOCK_NUMBERS", 70)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def kernel_by_matrices(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    aa, bb, ab = (polynomial_kernel(x, y, degree=3) for x, y in ((a, a), (b, b), (a, b)))  # gamma 1/d, coef0 1
    n, m = len(a), len(b)
    return float((aa.sum() - aa.trace()) / (n * (n - 1)) + (bb.sum() - bb.trace()) / (m * (m - 1)) - 2 * ab.mean())


def test_kernel_equals_sklearn_in_any_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = clouds(150, 20, 1), clouds(130, 20, 2) + 0.2
    assert kernel_distance(a, b).value == pytest.approx(kernel_by_matrices(a, b), rel=1e-10)
    monkeypatch.setattr(kernel, "BLOCK_ROWS", 17)
    assert kernel_distance(a, b).value == pytest.approx(kernel_by_matrices(a, b), rel=1e-10)
    assert kernel_distance(b, a) == pytest.approx(kernel_distance(a, b))


def test_kernel_by_hand() -> None:
    # d = 1, k = (xy + 1)^3. Within 0, 1: 1; within 2, 3: 343; across 0-2, 0-3: 1, 1-2: 27, 1-3: 64
    a, b = np.array([[0.0], [1.0]], np.float32), np.array([[2.0], [3.0]], np.float32)
    assert kernel_distance(a, b).value == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4)
    assert np.isnan(kernel_distance(a[:1], b).value)


def test_kernel_is_unbiased_and_its_interval_holds() -> None:
    """Against the value on many rows: equal sets and different ones."""
    for shift, floor in ((0.0, 0.9), (0.3, 0.88)):
        true = kernel_distance(clouds(6000, 8, 1000), clouds(6000, 8, 1001) + shift).value if shift else 0.0
        found = [kernel_distance(clouds(80, 8, 2 * i), clouds(60, 8, 2 * i + 1) + shift) for i in range(300)]
        values = np.array([x.value for x in found])
        assert abs(values.mean() - true) < 4 * values.std() / np.sqrt(300) + 0.02 * abs(true)
        held = np.mean([x.interval[0] <= true <= x.interval[1] for x in found])
        assert held >= floor
