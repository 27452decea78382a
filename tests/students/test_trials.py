"""What the inner validation may look at, and which value it chooses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augmint.core.types import Sample, TrainingSet
from augmint.students.trials import best, cross_entropy, inner_folds, parts, values


def rows(labels: Sequence[int], minted: Sequence[bool], groups: Sequence[str] = (), ids: Sequence[str] = ()):
    n, k = len(labels), max(labels) + 1
    groups, ids = groups or [""] * n, ids or [f"row {i}" for i in range(n)]
    samples = tuple(Sample(id_, np.zeros(2, np.float32), group=g) for id_, g in zip(ids, groups, strict=True))
    y = np.eye(k, dtype=np.float32)[list(labels)]
    return TrainingSet(samples, y, np.ones(n, np.float32), np.array(minted), tuple(map(str, range(k))))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 5))
def test_minted_rows_are_never_validated_on_and_change_nothing(seed: int, folds: int) -> None:
    rng = np.random.default_rng(seed)
    real = rng.integers(0, 3, 12).tolist()
    alone = inner_folds(rows([*real, 2], [False] * 13), folds)
    harmful = rng.integers(0, 3, 20).tolist()
    both = rows([*real, 2, *harmful], [False] * 13 + [True] * 20)
    fold = inner_folds(both, folds)
    assert (fold[:13] == alone).all()
    assert (fold[13:] == -1).all()
    assert parts(both, fold) == parts(rows([*real, 2], [False] * 13), alone)


def test_children_are_out_where_their_parents_group_is() -> None:
    groups = ["a", "b", "c", "d", "a", "d", "elsewhere", ""]
    train = rows([0, 0, 1, 1, 0, 1, 0, 1], [False] * 4 + [True] * 4, groups)
    fold = inner_folds(train, 2)
    assert fold.tolist() == [0, 1, 0, 1, 0, 1, -1, -1]


def test_copies_of_a_sample_stay_together() -> None:
    train = rows([0, 0, 0, 0, 1, 1], [False] * 6, ids=["a", "a", "b", "b", "c", "d"])
    fold = inner_folds(train, 2)
    assert fold[0] == fold[1] and fold[2] == fold[3] and fold[0] != fold[2]


def test_rows_that_no_other_fold_could_teach_are_not_held_out() -> None:
    train = rows([0, 0, 0, 0, 1, 2], [False] * 6)
    fold = inner_folds(train, 2)
    assert fold[:4].tolist() == [0, 1, 0, 1] and fold[4:].tolist() == [-1, -1]
    one = rows([0, 1], [False, False])
    assert parts(one, inner_folds(one, 3)) == []


def test_minted_rows_do_not_make_a_lonely_class_known() -> None:
    train = rows([0, 0, 1, 1, 1], [False, False, False, True, True])
    assert inner_folds(train, 2).tolist() == [0, 1, -1, -1, -1]


def test_values_are_even_in_log() -> None:
    assert values(3.0, 10.0, 1) == [3.0]
    np.testing.assert_allclose(values(3.0, 10.0, 3), [0.3, 3.0, 30.0])
    np.testing.assert_allclose(values(1.0, 4.0, 5), [0.25, 0.5, 1.0, 2.0, 4.0])


def test_best_is_the_least_mean_and_stops_when_it_grows() -> None:
    tried: list[float] = []

    def loss(value: float, part: int) -> float:
        tried.append(value)
        return abs(value - 2.0) + part

    assert best([1.0, 2.0, 3.0, 4.0], [0, 1], loss) == 2.0
    assert tried == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert best([1.0, 2.0, 3.0], [0], lambda value, part: -value) == 3.0


@pytest.mark.parametrize(("candidates", "folds"), [([5.0], [0, 1]), ([1.0, 5.0, 9.0], [])])
def test_nothing_to_choose_is_the_middle(candidates: list[float], folds: list[int]) -> None:
    def refuse(value: float, part: int) -> float:
        raise AssertionError("nothing should be tried")

    assert best(candidates, folds, refuse) == 5.0


def test_a_loss_that_is_not_a_number_is_the_middle() -> None:
    assert best([1.0, 5.0, 9.0], [0], lambda value, part: float("nan")) == 5.0


def test_cross_entropy_by_hand() -> None:
    p = np.array([[0.5, 0.5], [0.25, 0.75]], np.float32)
    y = np.array([[1.0, 0.0], [0.5, 0.5]], np.float32)
    second = -0.5 * np.log(0.25) - 0.5 * np.log(0.75)
    expected = (np.log(2.0) + 3 * second) / 4
    assert cross_entropy(p, y, np.array([1.0, 3.0], np.float32)) == pytest.approx(expected, rel=1e-6)
    assert np.isfinite(cross_entropy(np.array([[0.0, 1.0]], np.float32), y[:1], np.ones(1, np.float32)))
