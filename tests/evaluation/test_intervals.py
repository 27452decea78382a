from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from augmint.core.units import NATS
from augmint.evaluation.intervals import by_split, by_unit, family, holm, paired, paired_rows, share_interval, sign_flip

NUMBERS = st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=2, max_size=30)


def test_by_hand() -> None:
    lift = paired([0.01, 0.02, 0.03])
    # s = 0.01, t with 2 degrees of freedom at 97.5 % = 4.30265
    assert lift.mean == pytest.approx(0.02)
    assert lift.low == pytest.approx(0.02 - 4.30265 * 0.01 / np.sqrt(3), abs=1e-7)
    assert lift.p_value == pytest.approx(0.0741799, abs=1e-6)
    assert lift.p_flip == 2 / 8
    assert lift.headline() == "no detectable effect: +2.0 points [-0.5, 4.5], 3 pairs"


@settings(max_examples=60, deadline=None)
@given(NUMBERS)
def test_equals_the_t_test_of_scipy(numbers: list[float]) -> None:
    lift = paired(numbers)
    if np.std(numbers) < 1e-9:
        assert lift.low == pytest.approx(lift.high, abs=1e-6)
        return
    other = stats.ttest_1samp(numbers, 0.0)
    low, high = other.confidence_interval(0.95)
    assert (lift.low, lift.high, lift.p_value) == pytest.approx((low, high, other.pvalue), rel=1e-6, abs=1e-9)
    assert (lift.low > 0 or lift.high < 0) == (lift.p_value < 0.05)


@settings(max_examples=40, deadline=None)
@given(NUMBERS)
def test_turned_round_all_is_turned_round(numbers: list[float]) -> None:
    there, back = paired(numbers), paired([-x for x in numbers])
    assert (back.mean, back.low, back.high) == pytest.approx((-there.mean, -there.high, -there.low))
    assert (back.p_value, back.p_flip) == pytest.approx((there.p_value, there.p_flip))


def test_correction_for_shared_rows_by_hand() -> None:
    numbers = [0.0, 0.02, 0.04, 0.02]
    plain, shared = paired(numbers), paired(numbers, ratio=0.25)
    assert (shared.high - shared.low) / (plain.high - plain.low) == pytest.approx(np.sqrt((1 / 4 + 0.25) * 4))
    assert shared.p_value > plain.p_value and np.isnan(shared.p_flip)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9))
def test_sign_flips_equal_counting(numbers: list[int]) -> None:
    far = abs(sum(numbers))
    signs = itertools.product([1, -1], repeat=len(numbers))
    count = sum(abs(sum(s * x for s, x in zip(flip, numbers, strict=True))) >= far for flip in signs)
    assert sign_flip(numbers) == count / 2 ** len(numbers)


def test_random_sign_flips_are_near_all_of_them() -> None:
    numbers = np.random.default_rng(0).standard_normal(16) + 0.4
    bits = np.arange(1 << 16)[:, None] >> np.arange(16) & 1
    exact = np.mean(np.abs((1 - 2 * bits) @ numbers) >= abs(numbers.sum()) - 1e-9)
    assert sign_flip(numbers) == pytest.approx(exact, abs=0.01)
    assert sign_flip(numbers, seed=1) == sign_flip(numbers, seed=1)
    assert sign_flip(np.full(100, 1.0)) == 1 / 10_000  # never zero


def test_headlines() -> None:
    good = 0.021 + 0.02 * np.random.default_rng(3).standard_normal(20)
    good += 0.021 - good.mean()
    lift = paired(good)
    assert lift.verdict == "improves" and lift.headline().startswith("+2.1 points [") and "20 pairs" in lift.headline()
    assert paired(-good).headline().startswith("harms: -2.1 points [-")
    assert paired([0.1]).headline() == "no detectable effect: +10.0 points, 1 pair"
    assert paired(np.zeros(5)).headline() == "no detectable effect: +0.0 points [0.0, 0.0], 5 pairs"
    assert paired([3.0, 3.1, 2.9], level=0.9).headline(NATS).startswith("+3.000 nats [2.831, 3.169], 3 pairs")


def test_the_same_gain_three_times_is_not_proof_and_ten_times_is() -> None:
    assert paired([0.01] * 3).verdict == "no detectable effect"
    assert paired([0.01] * 10).verdict == "improves"


def test_non_inferior() -> None:
    assert paired([0.0, 0.001, -0.001]).within(0.01)
    assert not paired([0.0, 0.03, -0.03]).within(0.01)
    assert not paired([0.5]).within(0.01)


def test_holm_by_hand_and_against_itself() -> None:
    # sorted 0.01 0.02 0.03 0.04 -> times 4 3 2 1 = 0.04 0.06 0.06 0.04 -> never falling: 0.04 0.06 0.06 0.06
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert len(holm([])) == 0


def test_a_family_asks_for_more() -> None:
    # p = 0.03 alone, among ten comparisons 0.3
    numbers = np.array([0.02, 0.01, 0.03, -0.004, 0.012, 0.024, -0.001, 0.02, 0.001, -0.01])
    alone = paired(numbers)
    assert alone.verdict == "improves"
    others = {f"null{i}": paired(np.roll([1.0, -1.0] * 5, i) + 0.01 * i) for i in range(9)}
    lift = family({"one": alone, **others})["one"]
    assert lift.verdict == "no detectable effect" and lift.comparisons == 10
    assert lift.headline().startswith("no detectable effect: +1.0 points [0.") and "among 10" in lift.headline()


def test_seeds_of_a_split_count_once() -> None:
    assert by_split([1.0, 3.0, 5.0, 9.0], np.array(["b", "b", "a", "a"])) == pytest.approx([7.0, 2.0])


@pytest.mark.parametrize("bad", [[], [np.nan], [[1.0, 2.0]]])
def test_refuses(bad: list[float]) -> None:
    with pytest.raises(ValueError):
        paired(bad)


@pytest.mark.parametrize("options", [{"ratio": -1}, {"level": 1.0}])
def test_refuses_settings(options: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        paired([1.0, 2.0], **options)  # type: ignore[arg-type]


def rate(verdicts: list[str], wanted: str) -> float:
    return verdicts.count(wanted) / len(verdicts)


@pytest.mark.parametrize("pairs", [5, 20])
def test_no_effect_is_rarely_called_one(pairs: int) -> None:
    """Differences of accuracies on 200 test rows: small multiples of 1/200, many of them zero."""
    rng = np.random.default_rng(pairs)
    found = [paired((rng.binomial(200, 0.1, pairs) - rng.binomial(200, 0.1, pairs)) / 200).verdict for _ in range(1200)]
    assert rate(found, "improves") <= 0.035 and rate(found, "harms") <= 0.035


def test_effects_are_found() -> None:
    rng = np.random.default_rng(1)
    found = [paired(rng.normal(0.02, 0.025, 20)).verdict for _ in range(300)]
    assert rate(found, "improves") > 0.9
    assert rate([paired(rng.normal(-0.02, 0.025, 20)).verdict for _ in range(300)], "harms") > 0.9


def shared_pool_differences(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Mean of a noise over test rows minus over training rows of repeated splits of one small set: no effect at all."""
    noise = rng.standard_normal(60)
    deltas = []
    for _ in range(20):
        order = rng.permutation(60)
        deltas.append(noise[order[:20]].mean() - 0.3 * noise[order[20:]].mean() + 0.1 * rng.standard_normal())
    return np.array(deltas), 20 / 40


def test_repeated_splits_need_the_correction() -> None:
    rng = np.random.default_rng(2)
    drawn = [shared_pool_differences(rng) for _ in range(400)]
    naive = [paired(d).verdict != "no detectable effect" for d, _ in drawn]
    corrected = [paired(d, ratio=r).verdict != "no detectable effect" for d, r in drawn]
    assert np.mean(naive) > 0.1 and np.mean(corrected) <= 0.06


def two_way(rng: np.random.Generator, of_pair: float, of_row: float, rest: float) -> np.ndarray:
    shape = (20, 60)
    return (
        of_pair * rng.standard_normal((20, 1))
        + of_row * rng.standard_normal((1, 60))
        + rest * rng.standard_normal(shape)
    )


@pytest.mark.parametrize("sizes", [(1, 0, 3), (0, 1, 3), (1, 2, 3), (0, 0, 1)])
def test_shared_test_rows_are_a_sample_too(sizes: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(3)
    found = [paired_rows(two_way(rng, *sizes)).p_value < 0.05 for _ in range(500)]
    assert np.mean(found) <= 0.07
    if sizes[1] == 1:
        naive = [paired(two_way(rng, *sizes).mean(axis=1)).p_value < 0.05 for _ in range(300)]
        assert np.mean(naive) > 0.15


def test_shared_test_rows_without_a_pull_of_their_own_change_little() -> None:
    table = two_way(np.random.default_rng(4), 1, 0, 1) + 0.5
    rows, plain = paired_rows(table), paired(table.mean(axis=1))
    assert rows.mean == pytest.approx(plain.mean) and rows.p_flip == plain.p_flip
    assert rows.high - rows.low == pytest.approx(plain.high - plain.low, rel=0.05)
    with pytest.raises(ValueError):
        paired_rows(np.zeros((1, 5)))


def test_equal_differences_are_no_proof() -> None:
    """One flower of 48, wrong in each of three pairs: kept to nine places the differences are not quite equal."""
    wrong = np.add(np.round([-1 / 48] * 3, 9), [0.0, 1e-9, -1e-9])
    assert paired(wrong).p_value == pytest.approx(0.25) and paired(wrong).verdict == "no detectable effect"
    assert paired(wrong, ratio=0.5).p_value == 1.0
    assert paired([-0.02] * 8).verdict == "harms"  # 2 / 2^8
    assert paired([3e-10, 2e-10, 3e-10]).verdict == "no detectable effect"


def test_by_unit_by_hand() -> None:
    table = np.array([[1.0, 0, 0, 1], [1, 1, 0, 0]])
    units = np.array(["a", "a", "a", "b"])
    # Pair 0: mean 1/2; a: 3 rows of mean 1/3, b: one of mean 1. 1/2 + 2 * 3/4 * (1/3 - 1/2) = 1/4, and 3/4.
    assert by_unit(table, units) == pytest.approx(np.array([[0.25, 0.75], [0.75, 0.25]]))
    assert np.array_equal(by_unit(table, np.array(list("dbca"))), table)
    many = np.random.default_rng(0).standard_normal((3, 40))
    assert by_unit(many, np.arange(40) // 7).mean(axis=1) == pytest.approx(many.mean(axis=1))


def test_rows_of_a_patient_are_one_piece_of_evidence() -> None:
    """No effect on average, but one that differs from patient to patient: rows alone find one too often."""
    rng, patients, found = np.random.default_rng(0), np.repeat(np.arange(8), 40), np.zeros(2)
    for _ in range(200):
        effect, ease = rng.normal(0, 0.04, 8)[patients], rng.random((1, 320))
        noise = rng.normal(0, 0.1, (2, 10, 320))
        table = (ease + noise[0] < 0.8 + effect).astype(float) - (ease + noise[1] < 0.8)
        tables = table, by_unit(table, patients)
        found += [paired_rows(own).verdict != "no detectable effect" for own in tables]
    assert found[0] > 30 and found[1] <= 20  # of 200; 5 % would be 10


def test_share_interval_equals_scipy() -> None:
    for hits, n in [(0, 10), (3, 10), (10, 10), (57, 400)]:
        other = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
        assert share_interval(hits, n) == pytest.approx((other.low, other.high))
    assert share_interval(0, 0) == (0.0, 1.0)


def test_draws_that_share_training_rows_vary_by_too_little() -> None:
    # No variance between test rows: the interval is that of `paired` with the same ratio, but for the freedom.
    delta = np.array([0.1, 0.3, -0.2, 0.4, 0.0])
    same = np.repeat(delta[:, None], 7, axis=1)
    for ratio in (0.0, 0.25):
        rows, plain = paired_rows(same, ratio=ratio), paired(delta, ratio=ratio)
        assert (rows.low, rows.high) == pytest.approx((plain.low, plain.high))


def test_overlap_ratio_keeps_its_level_on_sums_over_rows() -> None:
    # 20 draws of 50 of 200 rows, the effect a mean over the drawn rows: s = 1/4 shared, rho = 1/3.
    rng, alarms = np.random.default_rng(5), {0.0: 0, 1 / 3: 0}
    for _ in range(400):
        rows = rng.standard_normal(200)
        effects = np.array([rng.permutation(rows)[:50].mean() for _ in range(20)])
        for ratio in alarms:
            alarms[ratio] += paired(effects, ratio=ratio).p_value < 0.05
    assert alarms[1 / 3] <= 0.07 * 400 and alarms[0.0] > 0.2 * 400
