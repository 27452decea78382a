from __future__ import annotations

import numpy as np
import pytest

from augmint.numerics.moments import class_moments

ROWS = np.array([[0.0, 0.0], [2.0, 4.0], [5.0, 5.0]], np.float32)


def test_by_hand() -> None:
    found = class_moments(ROWS, np.array([0, 0, 1]), 3)
    np.testing.assert_allclose(found.mean, [[1, 2], [5, 5], [7 / 3, 3]], rtol=1e-6)
    np.testing.assert_allclose(found.std, [[2**0.5, 8**0.5]] * 3, rtol=1e-6)
    assert found.count.tolist() == [2, 1, 0]
    assert found.borrowed.tolist() == [False, True, True]
    assert found.rms == pytest.approx([5**0.5] * 3)


def test_pooled_spread_weighs_by_degrees_of_freedom() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((31, 3)).astype(np.float32)
    labels = np.repeat([0, 1, 2], [10, 20, 1])
    found = class_moments(rows, labels, 3)
    a, b = (rows[labels == c].var(axis=0, ddof=1) for c in (0, 1))
    np.testing.assert_allclose(found.std[2], np.sqrt((9 * a + 19 * b) / 28), rtol=1e-5)


def test_no_class_has_two_rows() -> None:
    found = class_moments(ROWS, np.arange(3), 3)
    np.testing.assert_allclose(found.std[0], ROWS.std(axis=0, ddof=1), rtol=1e-6)


def test_one_row_in_all_takes_a_tenth_of_its_size() -> None:
    found = class_moments(np.array([[3.0, 4.0]], np.float32), np.array([0]), 1)
    assert found.rms[0] == pytest.approx(0.1 * 12.5**0.5)


def test_sums_are_in_float64() -> None:
    rows = (np.random.default_rng(0).standard_normal((5000, 2)) * 1e-2 + 1000).astype(np.float32)
    expected = rows.astype(np.float64).std(axis=0, ddof=1)
    np.testing.assert_allclose(class_moments(rows, np.zeros(5000, int), 1).std[0], expected, rtol=1e-6)
