from __future__ import annotations

import numpy as np
import pytest

from augmint.numerics.fidelity import WIDTHS, coverage, kernel_distance, median_distance


def test_the_kernel_distance_of_two_and_two_points_by_hand() -> None:
    real, made = np.array([[0.0], [2.0]], np.float32), np.array([[0.0], [1.0]], np.float32)

    def k(distance: float) -> float:
        return float(np.mean([np.exp(-(distance**2) / (2 * (s * 2.0) ** 2)) for s in WIDTHS]))

    cross = (k(0) + k(1) + k(2) + k(1)) / 4
    assert kernel_distance(real, made) == pytest.approx(k(2) + k(1) - 2 * cross, abs=1e-6)
    assert median_distance(real) == 2.0


def test_the_distance_is_unbiased_and_grows_with_the_shift() -> None:
    rng = np.random.default_rng(0)
    same = [kernel_distance(*rng.standard_normal((2, 40, 3)).astype(np.float32)) for _ in range(200)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(200)
    assert 0.2 < np.mean(np.array(same) < 0) < 0.8
    real = rng.standard_normal((200, 3)).astype(np.float32)
    far = [kernel_distance(real, rng.standard_normal((200, 3)).astype(np.float32) + np.float32(s)) for s in range(4)]
    assert far == sorted(far) and far[1] > 0.02


def test_it_sees_narrow_modes_that_have_the_right_moments() -> None:
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(5)), -1).reshape(-1, 2)
    real, other = (grid[rng.integers(25, size=500)] + rng.normal(0, 0.03, (500, 2)) for _ in range(2))
    blurred = real.mean(axis=0) + (grid[rng.integers(25, size=500)] + rng.uniform(-0.5, 0.5, (500, 2)) - 2)
    near, far = (kernel_distance(real.astype(np.float32), z.astype(np.float32)) for z in (other, blurred))
    assert far > 0.008 and abs(near) < far / 3


def test_coverage_by_hand() -> None:
    real = np.array([[0.0], [1.0], [3.0], [10.0]], np.float32)
    made = np.array([[0.5], [4.5]], np.float32)
    # One neighbour: reach 1, 1, 2, 7; the nearest made rows are 0.5, 0.5, 1.5 and 5.5 away.
    assert coverage(real, made, 1) == 1.0
    assert coverage(real, made[1:], 1) == 0.5
    assert coverage(real, made[:0], 1) != coverage(real, made[:0], 1)


def test_a_lost_mode_is_not_covered() -> None:
    rng = np.random.default_rng(0)
    real, same = (np.repeat([[0.0], [50.0]], 100, axis=0) + rng.standard_normal((200, 1)) for _ in range(2))
    assert coverage(real.astype(np.float32), same.astype(np.float32)) > 0.9
    assert coverage(real.astype(np.float32), same[:100].astype(np.float32)) == pytest.approx(0.5, abs=0.05)


def test_too_few_rows_are_not_measured() -> None:
    one = np.ones((1, 2), np.float32)
    assert np.isnan(kernel_distance(one, one)) and np.isnan(coverage(one, one))
    assert kernel_distance(np.repeat(one, 3, axis=0), np.repeat(one, 3, axis=0)) == pytest.approx(0.0)
