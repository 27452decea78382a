"""Pairs of training draws and test parts: what they share, and that groups never cross."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augmint.core.errors import DataError
from augmint.pipeline.splits import ALL, TEST_ROWS, Rows, choose_shots, deal, make_pairs, share_of, shared_part, stripe


def rows_of(counts, groups=None, tests=None):
    labels = np.repeat(np.arange(len(counts)), counts)
    n = len(labels)
    units = np.array([f"row {i}" for i in range(n)]) if groups is None else np.asarray(groups, np.str_)
    test = np.zeros(n, bool)
    if tests is not None:
        at = np.cumsum([0, *counts])
        for c, count in enumerate(tests):
            test[at[c + 1] - count : at[c + 1]] = True
    return Rows(labels, units, test, len(counts))


def check(rows, pairs):
    """What holds for all pairs."""
    for pair in pairs.pairs:
        assert len(pair.train) and len(pair.test)
        assert len(np.unique(pair.train)) == len(pair.train) and len(np.unique(pair.test)) == len(pair.test)
        assert not set(rows.units[pair.train]) & set(rows.units[pair.test])


def counts_of(rows, at):
    return np.bincount(rows.labels[at], minlength=rows.classes).tolist()


def test_disjoint_where_rows_last():
    rows = rows_of((80, 100, 60))
    pairs = make_pairs(rows, 5, 6, 0)
    check(rows, pairs)
    assert pairs.scheme == "disjoint" and pairs.ratio == 0 and len(pairs.pairs) == 6
    used = np.concatenate([np.concatenate([p.train, p.test]) for p in pairs.pairs])
    assert len(np.unique(used)) == len(used)
    assert all(counts_of(rows, p.train) == [5, 5, 5] for p in pairs.pairs)
    # What the draws leave is tested on, in its own proportions.
    assert counts_of(rows, np.concatenate([p.test for p in pairs.pairs])) == [50, 70, 30]


def test_fewer_disjoint_pairs_rather_than_many_that_share():
    pairs = make_pairs(rows_of((56, 56)), 5, 20, 0)  # eight rows a pair and class
    assert pairs.scheme == "disjoint" and len(pairs.pairs) == 7


def test_resampled_where_rows_do_not_last():
    rows = rows_of((24, 30))
    pairs = make_pairs(rows, 10, 12, 0)
    check(rows, pairs)
    assert pairs.scheme == "resampled" and len(pairs.pairs) == 12
    assert counts_of(rows, pairs.pairs[0].train) == [10, 10]
    assert pairs.ratio == pytest.approx(np.mean([len(p.test) / len(p.train) for p in pairs.pairs]))
    assert 0.4 < pairs.ratio < 0.6
    assert any(not np.array_equal(pairs.pairs[0].train, p.train) for p in pairs.pairs)


def test_all_rows_keep_their_classes_uneven():
    rows = rows_of((30, 9, 2, 1))
    pairs = make_pairs(rows, ALL, 4, 0)
    check(rows, pairs)
    assert pairs.scheme == "resampled"
    assert all(counts_of(rows, p.train) == [20, 6, 1, 1] for p in pairs.pairs)
    assert all(counts_of(rows, p.test)[2:] == [1, 0] for p in pairs.pairs)


def test_own_test_part_is_shared():
    rows = rows_of((40, 42), tests=(10, 12))
    pairs = make_pairs(rows, 5, 6, 0)
    check(rows, pairs)
    assert pairs.scheme == "shared test" and pairs.ratio == 0
    assert all(np.array_equal(p.test, np.flatnonzero(rows.test)) for p in pairs.pairs)
    used = np.concatenate([p.train for p in pairs.pairs])
    assert len(np.unique(used)) == len(used) == 60 and not rows.test[used].any()


def test_own_test_part_with_draws_that_share_rows_has_a_ratio():
    rows = rows_of((40, 40), tests=(10, 12))
    pairs = make_pairs(rows, 14, 40, 0)
    check(rows, pairs)
    # 14 of 30 and 14 of 28 rows: about half is shared.
    assert pairs.scheme == "shared test" and pairs.ratio == pytest.approx(0.483 / (1 - 0.483), rel=0.05)


def test_test_rows_are_capped():
    rows = rows_of((3000, 3000), tests=(1500, 1500))
    assert len(make_pairs(rows, 5, 5, 0).pairs[0].test) == TEST_ROWS
    alone = make_pairs(rows_of((9000, 3000)), 5, 5, 0)
    assert all(TEST_ROWS - 10 < len(p.test) <= TEST_ROWS for p in alone.pairs)
    assert counts_of(rows_of((9000, 3000)), alone.pairs[0].test)[0] == pytest.approx(1500, abs=5)


def test_groups_stay_together_and_apart_between_disjoint_pairs():
    # 60 patients of two rows of one class each.
    rows = rows_of((60, 60), groups=np.arange(120) // 2)
    pairs = make_pairs(rows, 5, 6, 0)
    check(rows, pairs)
    assert pairs.scheme == "disjoint"
    parts = [set(rows.units[np.concatenate([p.train, p.test])]) for p in pairs.pairs]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert all(counts_of(rows, p.train) == [5, 5] for p in pairs.pairs)


def test_few_large_groups_are_resampled():
    rows = rows_of((30, 30), groups=np.tile(np.arange(6), 10))
    pairs = make_pairs(rows, 5, 8, 0)
    check(rows, pairs)
    assert pairs.scheme == "resampled" and pairs.ratio > 0


def test_a_group_in_training_and_test_is_refused():
    rows = rows_of((20, 20), groups=np.arange(40) % 7, tests=(5, 5))
    with pytest.raises(DataError, match="groups in training and in the test part"):
        make_pairs(rows, 5, 5, 0)


@pytest.mark.parametrize("groups", [np.arange(60) % 2, np.repeat(np.arange(3), 20), np.zeros(60, int)])
def test_groups_that_cannot_be_split_are_refused(groups):
    """Two groups, one group a class, one group: there would be nothing to test on, or classes never learned."""
    with pytest.raises(DataError) as caught:
        make_pairs(rows_of((20, 20, 20), groups=groups), 5, 5, 0)
    assert caught.value.code == "few-groups"


@pytest.mark.parametrize(
    "spec", ["ab|cd", "ab|ab|c", "abc|de", "ab|cd|ef", "abcdefgh|ijkl", "abc|bcd|cda|e", "ab|cd|efghij|k"]
)
def test_every_class_of_two_groups_is_tested_and_nothing_unlearned_is(spec):
    classes = spec.split("|")
    groups = np.concatenate([np.repeat(list(own), 10) for own in classes])
    rows = rows_of([10 * len(own) for own in classes], groups=groups)
    for shots in (ALL, 5):
        pairs = make_pairs(rows, shots, 10, 0)
        check(rows, pairs)
        tested = np.sum([counts_of(rows, pair.test) for pair in pairs.pairs], axis=0)
        assert ((tested > 0) == [len(own) > 1 for own in classes]).all()
        for pair in pairs.pairs:
            assert set(rows.labels[pair.test]) <= set(rows.labels[pair.train])
            assert len(set(rows.labels[pair.test])) > 1


def test_where_groups_are_tested_rows_are_capped_in_every_class_alike():
    rows = rows_of((9000, 4500, 4500), groups=np.arange(18000) // 2)
    pairs = make_pairs(rows, 5, 6, 0)
    assert pairs.scheme == "disjoint"
    for pair in pairs.pairs:
        counts = counts_of(rows, pair.test)
        assert sum(counts) <= TEST_ROWS and counts[0] == pytest.approx(sum(counts) / 2, rel=0.1)
    again = make_pairs(rows_of((6000, 6000)), ALL, 5, 0)
    assert again.scheme == "resampled" and all(len(pair.test) <= TEST_ROWS for pair in again.pairs)


@pytest.mark.parametrize("counts", [(20, 0), (60,), (1, 1, 1), (2, 1, 1)])
def test_too_little_to_split_is_refused(counts):
    """One class, or classes of one row: nothing could be both learned and tested."""
    for shots in (1, 5, ALL):
        with pytest.raises(DataError, match="class") as caught:
            make_pairs(rows_of(counts), shots, 5, 0)
        assert caught.value.code == "one-class"


@pytest.mark.parametrize("grouped", [False, True])
def test_a_share_of_the_rows_has_every_class(grouped):
    rows = rows_of((4000, 5000, 6, 1), groups=np.arange(9007) // 2 if grouped else None)
    for seed in range(5):
        part = share_of(rows, np.arange(9007), 900, np.random.default_rng(seed))
        counts = counts_of(rows, part)
        assert counts[0] == pytest.approx(400, abs=3) and counts[1] == pytest.approx(500, abs=3)
        assert counts[2] >= 4 and counts[3] == 1 and len(np.unique(part)) == len(part)
        rest = np.setdiff1d(np.arange(9007), part)
        assert not set(rows.units[part]) & set(rows.units[rest])
    assert np.array_equal(share_of(rows, np.arange(5), 9, np.random.default_rng(0)), np.arange(5))


def test_a_stripe_of_test_rows_keeps_groups_and_every_row_is_in_one():
    rows = rows_of((10, 10), groups=["a", "a", "b", "c", "c", "d", "d", "d", "e", "f"] * 2)
    parts = [stripe(rows, np.arange(20), index, 4) for index in range(4)]
    assert sorted(np.concatenate(parts)) == list(range(20))
    assert parts[0].tolist() == [0, 1, 8, 10, 11, 18]  # a and e, the first and the fifth
    alone = rows_of((10, 10))
    assert stripe(alone, np.arange(20), 1, 3).tolist() == list(range(1, 20, 3))


@given(st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_a_class_of_few_rows_may_be_in_any_fold(seed):
    rows = rows_of((40, 40, 3))
    folds = [deal(rows, np.arange(83), 5, np.random.default_rng((seed, i)))[-3:] for i in range(60)]
    assert set(np.ravel(folds)) == set(range(5)) and all(len(set(own)) == 3 for own in folds)


def test_the_seed_alone_decides():
    rows = rows_of((80, 100, 60))
    first, again, other = (make_pairs(rows, 5, 6, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a.train, b.train) for a, b in zip(first.pairs, again.pairs, strict=True))
    assert not all(np.array_equal(a.train, b.train) for a, b in zip(first.pairs, other.pairs, strict=True))


def test_shared_part_by_hand():
    units = np.array(["a", "a", "b", "c", "d"])
    assert shared_part([np.array([0, 2]), np.array([1, 3])], units) == 0.5
    assert shared_part([np.array([0])], units) == 0.0


@pytest.mark.parametrize(("counts", "tests", "shots"), [
    ((170, 180), None, 14), ((20, 20), None, ALL), ((5000, 5000), None, 50), ((100, 80), (20, 20), 7),
])  # fmt: skip
def test_shots_for_who_names_none(counts, tests, shots):
    rows = rows_of(counts, tests=tests)
    assert choose_shots(rows) == shots
    if shots:
        assert len(make_pairs(rows, shots, 8, 0).pairs) == 8


def test_an_empty_class_is_no_obstacle():
    rows = rows_of((60, 0, 60))
    pairs = make_pairs(rows, 5, 6, 0)
    check(rows, pairs)
    assert pairs.scheme == "disjoint" and counts_of(rows, pairs.pairs[0].train) == [5, 0, 5]
    assert choose_shots(rows) == 5
    grouped = make_pairs(rows_of((60, 0, 60), groups=np.arange(120) // 2), 5, 5, 0)
    assert grouped.scheme == "disjoint"


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(2, 40), min_size=2, max_size=4),
    groups=st.integers(3, 30),
    grouped=st.booleans(),
    shots=st.sampled_from([ALL, 1, 3, 8]),
    count=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_groups_never_cross_whatever_the_data(counts, groups, grouped, shots, count, seed):
    n = sum(counts)
    units = np.random.default_rng(seed).integers(0, groups, n) if grouped else None
    rows = rows_of(counts, units)
    able = [len(set(rows.units[rows.labels == c])) > 1 for c in range(rows.classes)]
    if grouped and (len(set(rows.units)) < 3 or sum(able) < 2):
        with pytest.raises(DataError, match="groups, "):
            make_pairs(rows, shots, count, seed)
        return
    for pair in make_pairs(rows, shots, count, seed).pairs:
        assert not set(rows.units[pair.train]) & set(rows.units[pair.test])
        assert len(pair.test) and len(np.unique(rows.labels[pair.train])) > 1
