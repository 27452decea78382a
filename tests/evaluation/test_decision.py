"""The rule of shipping: hand-made numbers, independent references, direction."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from augmint.evaluation.decision import OutOfFold, calibrated, decide, gain, hit


def table(logits: np.ndarray, fold: np.ndarray | None = None) -> OutOfFold:
    odds = np.exp(logits)
    zero = np.zeros(logits.shape[:2], np.int64)
    return OutOfFold(odds / odds.sum(axis=2, keepdims=True), zero if fold is None else fold)


def students(rng: np.random.Generator, skill: float, rows: int, repeats: int = 2) -> tuple[OutOfFold, np.ndarray]:
    """Predictions that know the class of each row as well as ``skill`` says, and differ from repeat to repeat."""
    labels = np.arange(rows) % 4
    seen = skill * np.eye(4)[labels] + rng.normal(size=(rows, 4))
    fold = np.stack([rng.permutation(rows) % 5 for _ in range(repeats)])
    return table(seen + 0.3 * rng.normal(size=(repeats, rows, 4)), fold), labels


def test_one_repeat_is_the_ordinary_t_test_over_rows() -> None:
    differences = np.random.default_rng(0).normal(0.2, 1.0, (1, 30))
    found = gain(differences, np.zeros((1, 30), np.int64), np.arange(30))
    expected = stats.ttest_1samp(differences[0], 0.0, alternative="greater")
    assert found.mean == pytest.approx(differences.mean())
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.low(0.95) == pytest.approx(expected.confidence_interval(0.95).low)


def test_two_repeats_by_hand() -> None:
    # Rows 0 and 1 share a training in both repeats, rows 2 and 3 another. Row means 1, 1, 0, 0: variance 1/3, over 4.
    # Beyond the row means, the first training is +1 and then -1 on two rows: 2 (2^2), over (2 * 4)^2, times 2.
    differences = np.array([[2.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    found = gain(differences, np.array([[0, 0, 1, 1]] * 2), np.arange(4))
    assert found.mean == 0.5
    assert found.error**2 == pytest.approx((1 / 3) / 4 + 8 / 64 * 2)


def test_luck_of_a_training_weighs_more_when_its_rows_share_it() -> None:
    differences = np.array([[1.0, 1.0, -1.0, -1.0], [0.0, 0.0, 0.0, 0.0]])
    together = gain(differences, np.array([[0, 0, 1, 1]] * 2), np.arange(4))
    apart = gain(differences, np.array([[0, 1, 0, 1]] * 2), np.arange(4))
    assert together.error > apart.error


def test_rows_of_a_group_are_one_piece_of_evidence() -> None:
    once = np.random.default_rng(1).normal(0.3, 1.0, (1, 12))
    single = gain(once, np.zeros((1, 12), np.int64), np.arange(12))
    double = gain(np.repeat(once, 2, axis=1), np.zeros((1, 24), np.int64), np.repeat(np.arange(12), 2))
    assert (double.mean, double.error, double.freedom) == pytest.approx((single.mean, single.error, single.freedom))


def test_no_difference_at_all_is_no_gain() -> None:
    assert gain(np.zeros((2, 20)), np.zeros((2, 20), np.int64), np.arange(20)).p_value == 1.0
    assert gain(np.ones((1, 20)), np.zeros((1, 20), np.int64), np.arange(20)).p_value == 0.0


def test_being_sure_is_not_knowing() -> None:
    own, labels = students(np.random.default_rng(2), 1.0, 40)
    sure = table(3.0 * np.log(own.probability), own.fold)
    np.testing.assert_allclose(calibrated(sure, labels), calibrated(own, labels), atol=2e-3)
    verdict = decide(own, sure, labels)
    assert not verdict.ship and verdict.hits.mean == 0.0


def test_hits_count_the_first_class() -> None:
    own = OutOfFold(np.array([[[0.6, 0.4], [0.6, 0.4], [0.1, 0.9]]]), np.zeros((1, 3), np.int64))
    assert hit(own, np.array([0, 1, 1])).tolist() == [[1.0, 0.0, 1.0]]


def test_direction() -> None:
    rng = np.random.default_rng(3)
    poor, labels = students(rng, 0.8, 80)
    good, _ = students(rng, 2.5, 80)
    better = decide(poor, OutOfFold(good.probability, poor.fold), labels)
    worse = decide(OutOfFold(good.probability, poor.fold), poor, labels)
    assert better.ship and "points, p" in better.reason
    assert not worse.ship and "not better on average" in worse.reason
    assert better.hits.mean == pytest.approx(-worse.hits.mean)


def test_a_loss_beyond_the_margin_must_be_ruled_out() -> None:
    """Half of the rows gain a little certainty; of the hits, one more is won than lost, of many that changed."""
    labels = np.zeros(40, np.int64)
    before, after = np.full((1, 40, 2), 0.5), np.full((1, 40, 2), 0.5)
    before[0, :, 0] = [0.51] * 10 + [0.49] * 11 + [0.4] * 19
    after[0, :, 0] = [0.49] * 10 + [0.51] * 11 + [0.49] * 19
    for own in (before, after):
        own[0, :, 1] = 1 - own[0, :, 0]
    fold = np.zeros((1, 40), np.int64)
    strict, lax = (decide(OutOfFold(before, fold), OutOfFold(after, fold), labels, margin=m) for m in (0.0, 0.05))
    assert strict.information.p_value < 0.05 and strict.hits.mean == pytest.approx(1 / 40)
    assert not strict.ship and "margin" in strict.reason
    assert lax.ship


def test_too_few_rows_decide_nothing() -> None:
    labels = np.zeros(9, np.int64)
    before, after = np.full((1, 9, 2), 0.5), np.tile([0.9, 0.1], (1, 9, 1))
    before[0, :, 0], before[0, :, 1] = 0.4, 0.6
    fold = np.zeros((1, 9), np.int64)
    assert "too few" in decide(OutOfFold(before, fold), OutOfFold(after, fold), labels).reason
    # Eighteen rows in nine groups are no more than nine.
    pairs = [OutOfFold(np.repeat(p, 2, axis=1), np.repeat(fold, 2, axis=1)) for p in (before, after)]
    assert not decide(pairs[0], pairs[1], np.repeat(labels, 2), units=np.repeat(np.arange(9), 2)).ship


def test_tables_of_different_folds_are_refused() -> None:
    own, labels = students(np.random.default_rng(4), 1.0, 20)
    with pytest.raises(ValueError, match="same folds"):
        decide(own, OutOfFold(own.probability, (own.fold + 1) % 5), labels)
    with pytest.raises(ValueError, match="margin"):
        decide(own, own, labels, margin=-0.1)


@pytest.mark.parametrize("repeats", [1, 2])
def test_nothing_ships_more_often_than_the_level_where_nothing_helps(repeats: int) -> None:
    rng, shipped = np.random.default_rng(repeats), 0
    for _ in range(200):
        one, labels = students(rng, 1.0, 50, repeats)
        two, _ = students(rng, 1.0, 50, repeats)
        shipped += decide(one, OutOfFold(two.probability, one.fold), labels).ship
    assert shipped <= 200 * 0.1 + 8  # the level of the test, and two standard errors


def test_what_helps_is_found() -> None:
    rng, shipped = np.random.default_rng(9), 0
    for _ in range(40):
        one, labels = students(rng, 0.8, 100)
        two, _ = students(rng, 1.6, 100)
        shipped += decide(one, OutOfFold(two.probability, one.fold), labels).ship
    assert shipped >= 32
