"""The transfer fraction against numbers by hand and Fieller's closed form."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from augmint.evaluation.intervals import paired, paired_rows
from augmint.evaluation.transfer import NO_GAP, NO_LEAD, ONE_PAIR, transfer_fraction


def fieller(gain: np.ndarray, gap: np.ndarray, ratio: float = 0.0) -> tuple[float, float]:
    """Roots of (b^2 - t^2 vb) f^2 - 2 (a b - t^2 vab) f + (a^2 - t^2 va) = 0."""
    pairs = len(gain)
    v = np.cov(gain, gap) * (1 / pairs + ratio) * stats.t.ppf(0.975, pairs - 1) ** 2
    a, b = gain.mean(), gap.mean()
    low, high = np.sort(np.roots([b * b - v[1, 1], -2 * (a * b - v[0, 1]), a * a - v[0, 0]]))
    return float(low), float(high)


def test_by_hand() -> None:
    # gain 0.1, gap 0.2 in every pair: half of the gap, and nothing varies.
    found = transfer_fraction([0.3, 0.4], [0.4, 0.5], [0.5, 0.6])
    assert found.fraction == pytest.approx(0.5)
    assert (found.low, found.high) == (pytest.approx(0.5), pytest.approx(0.5))
    assert found.gap == pytest.approx(0.2) and found.pairs == 2 and found.note == ""
    # Two pairs, gain 1 and 3, gap 10 and 10: mean 0.2; 0.2 +- 12.706 * 1 / 10.
    found = transfer_fraction([0, 0], [1, 3], [10, 10])
    assert found.fraction == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.2 - 1.2706, abs=1e-4), pytest.approx(0.2 + 1.2706, abs=1e-4))


@pytest.mark.parametrize("ratio", [0.0, 0.4])
def test_fiellers_closed_form(ratio: float) -> None:
    rng = np.random.default_rng(0)
    scratch = rng.normal(0.4, 0.02, 12)
    minted, probe = scratch + rng.normal(0.05, 0.02, 12), scratch + rng.normal(0.12, 0.03, 12)
    found = transfer_fraction(scratch, minted, probe, partial(paired, ratio=ratio))
    assert (found.low, found.high) == pytest.approx(fieller(minted - scratch, probe - scratch, ratio), abs=1e-7)
    assert found.low < found.fraction < found.high


def test_no_gap_is_not_a_number_and_says_why() -> None:
    scratch = np.array([0.50, 0.52, 0.48, 0.51])
    noise = scratch + np.array([0.05, -0.04, 0.03, -0.02])
    found = transfer_fraction(scratch, scratch + 0.1, noise)
    assert np.isnan([found.fraction, found.low, found.high]).all() and found.note == NO_GAP
    assert found.headline() == f"not known: {NO_GAP}"
    behind = transfer_fraction(scratch, scratch + 0.1, scratch - [0.1, 0.11, 0.09, 0.1])
    assert np.isnan(behind.fraction) and behind.note == NO_LEAD


def test_one_pair_has_a_fraction_and_no_interval() -> None:
    found = transfer_fraction([0.3], [0.4], [0.5])
    assert found.fraction == pytest.approx(0.5) and np.isnan(found.low) and found.note == ONE_PAIR
    assert found.headline() == f"50 % of the gap ({ONE_PAIR}), 1 pair"


def test_harm_is_a_negative_fraction() -> None:
    scratch = np.array([0.50, 0.52, 0.48, 0.51])
    found = transfer_fraction(scratch, scratch - [0.02, 0.03, 0.02, 0.03], scratch + np.array([0.1, 0.11, 0.09, 0.1]))
    assert found.fraction == pytest.approx(-0.25) and found.high < 0


def test_headline() -> None:
    rng = np.random.default_rng(1)
    scratch = rng.normal(0.3, 0.02, 20)
    found = transfer_fraction(scratch, scratch + rng.normal(0.1, 0.01, 20), scratch + rng.normal(0.2, 0.01, 20))
    assert found.headline() == f"{100 * found.fraction:.0f} % of the gap [{100 * found.low:.0f}, " + (
        f"{100 * found.high:.0f}], 20 pairs"
    )


def test_shared_test_rows_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    hard = rng.normal(0, 0.4, 300)  # which rows a student gets right depends on the rows, too
    scratch = (rng.normal(0, 1, (8, 300)) + hard > 0.4).astype(float)
    minted = (rng.normal(0, 1, (8, 300)) + hard > 0.2).astype(float)
    probe = (rng.normal(0, 1, (8, 300)) > -0.4).astype(float)
    rows = transfer_fraction(scratch, minted, probe, paired_rows)
    draws = transfer_fraction(*(table.mean(axis=1) for table in (scratch, minted, probe)))
    assert rows.fraction == pytest.approx(draws.fraction) and rows.pairs == 8
    assert rows.high - rows.low > draws.high - draws.low


def test_coverage() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(300):
        scratch, gap = rng.normal(0.4, 0.05, 8), rng.normal(0.10, 0.04, 8)
        found = transfer_fraction(scratch, scratch + 0.6 * gap + rng.normal(0, 0.03, 8), scratch + gap)
        inside += bool(np.isnan(found.fraction) or found.low <= 0.6 <= found.high)
    assert inside / 300 > 0.91


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 50))
def test_scale_of_the_score_does_not_matter(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    scratch = rng.normal(0, 1, 6)
    minted, probe = scratch + rng.normal(0.5, 0.5, 6), scratch + rng.normal(2, 0.5, 6)
    a = transfer_fraction(scratch, minted, probe)
    b = transfer_fraction(scale * scratch, scale * minted, scale * probe)
    np.testing.assert_allclose([a.fraction, a.low, a.high], [b.fraction, b.low, b.high], rtol=1e-5, atol=1e-6)
    assert a.note == b.note


def test_unequal_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="same pairs"):
        transfer_fraction([1, 2], [1, 2], [1, 2, 3])
