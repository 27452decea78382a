from __future__ import annotations

import numpy as np
import pytest
from clouds import clouds
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from augmint.evaluation.memorization import CopyFinder, area_interval, copying, guess_area, membership

NEAR, EXACT, EXPOSED = "near copies of training rows", "exact copies of training rows", "training rows copied"
LEAKED = "copies of held-out rows"


def digit_rows() -> np.ndarray:
    rows = load_digits(return_X_y=True)[0].astype(np.float32)
    return rows[np.random.default_rng(0).permutation(len(rows))]


def planted(train: np.ndarray, other: np.ndarray, share: float, noise: float) -> np.ndarray:
    """Rows of a generator: real ones it has not seen, and this share copied from its training set."""
    rng, out = np.random.default_rng(5), other.copy()
    count = round(share * len(out))
    out[:count] = train[rng.permutation(len(train))[:count]]
    out[:count] += noise * train.std() * rng.standard_normal((count, train.shape[1])).astype(np.float32)
    return out


@pytest.mark.parametrize("noise", [0.0, 0.03])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 1.0])
@pytest.mark.parametrize("data", ["clouds", "digits"])
def test_planted_shares_are_measured_within_two_points(data: str, share: float, noise: float) -> None:
    rows = clouds(2000, 64, 1) if data == "clouds" else digit_rows()
    train, other = rows[:800], rows[800:1600]
    found = copying(train, planted(train, other, share, noise), rows[1600:])
    assert found[NEAR].value == pytest.approx(share, abs=0.02)
    assert found[EXACT].value == pytest.approx(share if noise == 0 else 0.0, abs=0.001)
    assert found[EXPOSED].value == pytest.approx(share, abs=0.02)
    assert found[NEAR].interval is not None
    assert found[NEAR].interval[0] - 0.005 <= share <= found[NEAR].interval[1] + 0.005
    assert found[NEAR].reference <= 0.02 and found[LEAKED].value <= 0.02


@pytest.mark.shared
def test_planted_shares_in_pixels_of_cells(shared_data) -> None:
    with np.load(shared_data / "images/bccd_cells_64.npz") as archive:
        rows = archive["x"][:, ::4, ::4].reshape(len(archive["x"]), -1).astype(np.float32)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    for share in (0.0, 0.05, 0.2, 1.0):
        minted = planted(rows[:500], rows[500:1000], share, 0.03)
        assert copying(rows[:500], minted)[NEAR].value == pytest.approx(share, abs=0.02)


def test_leaks_of_held_out_rows_are_found() -> None:
    train, other, held_out = clouds(400, 32, 1), clouds(300, 32, 2), clouds(200, 32, 3)
    minted = np.concatenate([other[:270], held_out[:30] + np.float32(1e-3)])
    found = copying(train, minted, held_out)
    assert found[LEAKED].value == pytest.approx(0.1, abs=0.02) and found[NEAR].value <= 0.02
    # a held-out set that shares rows with the training set is seen in the reference, before anything is minted
    mixed = np.concatenate([held_out[:150], train[:50]])
    again = copying(train, other, mixed)
    assert again[NEAR].reference == pytest.approx(0.25, abs=0.02)
    assert again[EXACT].reference == pytest.approx(0.25, abs=0.001)


def test_copies_among_the_real_rows_do_not_set_the_bar() -> None:
    train, other = clouds(600, 32, 1), clouds(300, 32, 2)
    train[:24] = train[24:48] + np.float32(1e-3)  # 8 % of the rows are near copies of each other
    assert copying(train, planted(train[48:], other, 0.2, 0.02))[NEAR].value == pytest.approx(0.2, abs=0.02)


def test_equal_training_rows_count_once() -> None:
    train = np.concatenate([clouds(100, 8, 1)] * 3)
    finder = CopyFinder(train)
    assert len(finder.rows) == 100 and finder.threshold > 0
    found = finder.find(train[[7, 107, 250]])
    assert found.exact.all() and list(found.source) == [7, 7, 50]
    assert copying(train, train[:50])[EXPOSED].value == 0.5


def test_ratio_of_a_real_row_leaves_the_row_out() -> None:
    rows = np.cumsum(np.r_[0.0, 1.0 + 0.1 * np.random.default_rng(0).random(24)]).astype(np.float32)[:, None]
    finder = CopyFinder(rows)
    for i, row in enumerate(finder.rows):
        others = np.delete(finder.rows, i)
        target = others[np.abs(others - row).argmin()]
        around = np.sort(np.abs(others - target))[1:6].mean()
        assert finder.own.ratio[i] == pytest.approx(np.abs(target - row)[0] / around, rel=1e-5)


def test_the_reference_without_held_out_rows_is_the_training_rows_among_themselves() -> None:
    rows = clouds(200, 32, 1)
    rows[10:20] = rows[0]  # eleven equal rows
    rows[30:35] = rows[40:45] + np.float32(1e-3)  # five pairs of near ones
    found = copying(rows, clouds(100, 32, 2))
    assert found[NEAR].reference == pytest.approx(21 / 200) and found[EXACT].reference == pytest.approx(11 / 200)
    # Every other training row in the minted ones' place: the equal ones point to one row, six of the pairs to six
    assert found[EXPOSED].reference == pytest.approx(7 / 190) and found[EXPOSED].matched == found[EXPOSED].value
    own = CopyFinder(rows).own
    assert list(own.source[10:20]) == [0] * 10 and list(own.source[[30, 40]]) == [40, 30]
    assert np.isnan(CopyFinder(clouds(5)).own.ratio).all()


def test_training_rows_copied_is_compared_on_as_many_rows() -> None:
    train, held_out = clouds(300, 32, 1), clouds(50, 32, 2)
    minted = np.concatenate([train[:200], clouds(50, 32, 3)])
    found = copying(train, minted, held_out)[EXPOSED]
    assert found.value == pytest.approx(200 / 300) and found.matched == pytest.approx(40 / 300)
    assert found.reference <= 0.01


@pytest.mark.parametrize("m", [1, 2, 3, 7, 19, 40])
def test_few_training_rows(m: int) -> None:
    train = clouds(m, 8, 1)
    found = copying(train, np.concatenate([train, clouds(50, 8, 2)]))
    assert found[EXACT].value == pytest.approx(m / (m + 50)) and found[EXPOSED].value == 1.0
    assert found[NEAR].value <= m / (m + 50) + 0.02


def test_nothing_to_compare() -> None:
    for train, minted in ((clouds(0), clouds(5)), (clouds(5), clouds(0))):
        assert all(score.note == "not enough data" for score in copying(train, minted).values())


def test_guess_area_equals_sklearn_with_ties() -> None:
    rng = np.random.default_rng(0)
    members, others, minted = (rng.integers(0, 3, (n, 2)).astype(np.float32) for n in (30, 40, 6))
    near = [np.sqrt(np.square(x[:, None] - minted[None]).sum(-1)).min(1) for x in (members, others)]
    wanted = roc_auc_score(np.repeat([1, 0], [30, 40]), -np.concatenate(near))
    assert guess_area(members, others, minted) == pytest.approx(wanted)


def test_membership() -> None:
    train, out, honest = clouds(150, 32, 1), clouds(200, 32, 2), clouds(300, 32, 3)
    fair = membership(train, out, honest)
    assert fair.interval is not None and fair.interval[0] < 0.5 < fair.interval[1]
    assert fair.better == "smaller" and fair.reference == pytest.approx(0.5, abs=0.08)
    copied = membership(train, out, train + np.float32(1e-3))
    assert copied.value > 0.99 and copied.interval is not None and copied.interval[0] > 0.97
    half = membership(train, out, np.concatenate([train[:75], honest[:75]]))
    assert half.interval is not None and half.interval[0] > 0.55 and half.value < 0.95


def test_other_rows_held_out_are_seen_in_the_reference() -> None:
    train, out = clouds(200, 16, 1), clouds(200, 16, 2) + 2
    score = membership(train, out, clouds(200, 16, 3))
    assert score.value > 0.7 and score.reference > 0.7


def test_not_enough_non_members() -> None:
    score = membership(clouds(200), clouds(99, seed=1), clouds(50, seed=2))
    assert np.isnan(score.value) and score.note.startswith("not enough data: 200 members, 99 non-members")
    assert np.isfinite(membership(clouds(200), clouds(100, seed=1), clouds(50, seed=2)).value)
    assert "not enough data" in str(score)


def test_area_interval_holds_and_stays_inside() -> None:
    rng = np.random.default_rng(0)
    for shift, true in ((0.0, 0.5), (1.0, 0.7602), (2.5, 0.9615)):
        held = []
        for _ in range(400):
            a, b = rng.normal(shift, 1, 40), rng.normal(0, 1, 120)
            low, high = area_interval(float((a[:, None] > b[None]).mean()), 40, 120)
            held.append(low <= true <= high)
        assert np.mean(held) >= 0.92
    assert area_interval(1.0, 50, 100)[1] == 1.0 and 0.9 < area_interval(1.0, 50, 100)[0] < 1.0
    assert area_interval(0.0, 50, 100)[0] == 0.0 and 0.0 < area_interval(0.0, 50, 100)[1] < 0.1
