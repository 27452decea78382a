from __future__ import annotations

import numpy as np
import pytest
from clouds import clouds
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from augmint.evaluation import balls
from augmint.evaluation.balls import ball_scores


def by_definition(real: np.ndarray, minted: np.ndarray, k: int) -> list[float]:
    """The four formulas, with whole matrices in float64."""
    x, y = real.astype(np.float64), minted.astype(np.float64)
    r = NearestNeighbors(n_neighbors=k).fit(x).kneighbors()[0][:, -1]
    s = NearestNeighbors(n_neighbors=k).fit(y).kneighbors()[0][:, -1]
    apart = np.sqrt(np.square(x[:, None] - y[None]).sum(axis=-1))
    in_real, in_minted = apart < r[:, None], apart < s[None, :]
    return [
        in_real.any(axis=0).mean(),
        in_minted.any(axis=1).mean(),
        in_real.sum() / (k * len(y)),
        in_real.any(axis=1).mean(),
    ]


@pytest.mark.parametrize(("k", "seed"), [(1, 0), (3, 1), (5, 2), (10, 3)])
def test_equals_the_definition(k: int, seed: int) -> None:
    real, minted = clouds(300, 8, seed), 0.9 * clouds(220, 8, seed + 50) + 0.2
    assert ball_scores(real, minted, k) == pytest.approx(by_definition(real, minted, k), abs=1e-12)


def test_equals_the_package_of_the_authors(capsys: pytest.CaptureFixture[str]) -> None:
    prdc = pytest.importorskip("prdc", reason="prdc is not installed")
    for seed in range(3):
        real, minted = clouds(500, 64, seed), clouds(400, 64, seed + 9) * 1.1
        other = prdc.compute_prdc(real, minted, 5)
        assert ball_scores(real, minted, 5)._asdict() == pytest.approx(other, abs=1e-9)
    capsys.readouterr()


def test_equals_the_package_of_the_authors_on_real_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """Digits' pixels are whole numbers: many distances are equal, and some rows lie on a border."""
    prdc = pytest.importorskip("prdc", reason="prdc is not installed")
    rows = load_digits().data.astype(np.float32)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    for k in (3, 5, 10):
        ours = ball_scores(rows[:900], rows[900:], k)
        assert ours._asdict() == pytest.approx(prdc.compute_prdc(rows[:900], rows[900:], k), abs=1e-4)
    capsys.readouterr()


def test_by_hand() -> None:
    real = np.array([[0.0], [1.0], [3.0]], np.float32)  # radii for k = 1: 1, 1, 2
    minted = np.array([[1.5], [9.0], [0.5]], np.float32)  # radii: 1, 7.5, 1
    # 1.5 is in the balls of 1 and 3, 9 in none, 0.5 in those of 0 and 1. Balls of 1.5: real 1; of 9: 3 ; of 0.5: 0, 1.
    assert ball_scores(real, minted, 1) == pytest.approx((2 / 3, 1.0, 4 / 3, 1.0))


def test_equal_sets_score_one_and_far_sets_zero() -> None:
    real = clouds(120)
    assert ball_scores(real, real.copy(), 5) == (1.0, 1.0, 1.0, 1.0)
    assert ball_scores(real, real + 1000, 5) == (0.0, 0.0, 0.0, 0.0)


def test_direction() -> None:
    real = clouds(600, seed=1)
    good, narrow = clouds(400, seed=2), clouds(400, seed=2, clusters=6)[:1] + 0.05 * clouds(400, seed=3)
    noisy = good + 4 * np.random.default_rng(0).standard_normal(good.shape).astype(np.float32)
    a, b, c = (ball_scores(real, x) for x in (good, narrow, noisy))
    assert b.recall < 0.3 * a.recall and b.coverage < 0.3 * a.coverage
    assert c.precision < 0.7 * a.precision and c.density < 0.7 * a.density


def test_averages_of_two_real_rows_are_rewarded() -> None:
    """The fault named on the docs page: density and precision grow where all variation is taken away."""
    rng = np.random.default_rng(0)
    real, other = (rng.standard_normal((500, 32)).astype(np.float32) for _ in range(2))
    middle = 0.5 * (real + real[rng.permutation(500)])
    assert ball_scores(real, middle).density > 1.5 * ball_scores(real, other).density
    assert ball_scores(real, middle).precision > ball_scores(real, other).precision


@settings(max_examples=80, deadline=None)
@given(
    arrays(np.float32, (9, 2), elements=st.integers(-2, 2).map(float)),
    arrays(np.float32, (7, 2), elements=st.integers(-2, 2).map(float)),
    st.integers(1, 3),
)
def test_ties_and_duplicates(real: np.ndarray, minted: np.ndarray, k: int) -> None:
    """A tie with the border is outside, the centre is always inside."""
    x, y = real.astype(np.float64), minted.astype(np.float64)
    square = np.square(x[:, None] - y[None]).sum(axis=-1)
    within = [np.sort(np.square(z[:, None] - z[None]).sum(axis=-1), axis=1)[:, k] for z in (x, y)]
    in_real = (square < within[0][:, None]) | (square == 0)
    in_minted = (square < within[1][None, :]) | (square == 0)
    wanted = in_real.any(axis=0), in_minted.any(axis=1), in_real.sum() / (7 * k), in_real.any(axis=1)
    assert ball_scores(real, minted, k) == pytest.approx([np.mean(w) for w in wanted])


def test_blocks_scale_and_shift_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    real, minted = clouds(200, 6, 1), clouds(150, 6, 2)
    expected = ball_scores(real, minted)
    for scale in (2.0**-80, 1e-18, 1e18):
        assert ball_scores(real * np.float32(scale), minted * np.float32(scale)) == expected
    assert ball_scores(real + 1024, minted + 1024) == pytest.approx(expected, abs=0.01)
    monkeypatch.setattr(balls, "BLOCK_ROWS", 7)
    monkeypatch.setattr(balls, "BLOCK_COLUMNS", 11)
    assert ball_scores(real, minted) == expected


def test_a_far_row_costs_no_accuracy() -> None:
    real, minted = clouds(200, 6, 1), clouds(150, 6, 2)
    real[0] = 1e6
    assert ball_scores(real, minted, 3) == pytest.approx(by_definition(real, minted, 3), abs=0.01)


def test_few_rows() -> None:
    assert np.isnan(ball_scores(clouds(1), clouds(5))).all()
    assert ball_scores(clouds(3), clouds(3), 5) == ball_scores(clouds(3), clouds(3), 2)
