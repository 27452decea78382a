"""sampling_strategy means what it means in imbalanced-learn."""

from __future__ import annotations

import numpy as np
import pytest

from augmint.adapters.amounts import amounts
from augmint.adapters.targets import read_target
from augmint.core.errors import UsageError

Y = np.repeat([7, -1, 30], [20, 9, 4])
BINARY = np.repeat(["no", "yes"], [50, 7])


def made(y, strategy, factor=None):
    target = read_target(y, "auto")
    return dict(zip(target.classes.tolist(), amounts(target, strategy, factor), strict=True))


def after(y):
    return dict.fromkeys(np.unique(y).tolist(), 21)


@pytest.mark.parametrize(
    "strategy", ["auto", "minority", "not minority", "not majority", "all", {30: 11, 7: 25}, {-1: 9}, after]
)
def test_as_imbalanced_learn_counts(strategy):
    reference = pytest.importorskip("imblearn.utils").check_sampling_strategy(strategy, Y, "over-sampling")
    assert {c: n for c, n in made(Y, strategy).items() if n} == {c: n for c, n in reference.items() if n}


@pytest.mark.parametrize("ratio", [0.5, 0.99, 1, 1.0, 0.161])
def test_ratios_as_imbalanced_learn_counts(ratio):
    reference = pytest.importorskip("imblearn.utils").check_sampling_strategy(ratio, BINARY, "over-sampling")
    assert made(BINARY, ratio) == {"no": 0, **reference}


def test_by_hand():
    assert made(Y, "auto") == {-1: 11, 7: 0, 30: 16}
    assert made(Y, {30: 5}) == {-1: 0, 7: 0, 30: 1} and made(Y, {}) == {-1: 0, 7: 0, 30: 0}
    assert made(Y, {30: np.int64(5)}) == {-1: 0, 7: 0, 30: 1}
    assert made(Y, "auto", 1.5) == {-1: 4, 7: 10, 30: 2}
    assert made(np.zeros(4, int), {0: 6}) == {0: 2}
    assert amounts(read_target(np.linspace(0, 1, 10), "auto"), "auto", 2.5) == [15]


@pytest.mark.parametrize("strategy", ["minority", "not minority"])
def test_all_of_the_smallest_are_the_minority(strategy):
    y = np.repeat([0, 1, 2], [5, 3, 3])
    assert made(y, strategy) == ({0: 0, 1: 2, 2: 2} if strategy == "minority" else {0: 0, 1: 0, 2: 0})


@pytest.mark.parametrize(
    ("y", "strategy", "factor", "message"),
    [
        (Y, "most", None, "sampling_strategy='most'"),
        (Y, "not minorty", None, "did you mean 'not minority'"),
        (Y, "majority", None, "one of auto"),
        (Y, {30: 3}, None, "3 rows of class 30, and 4 are there"),
        (Y, {30: 0}, None, "augmint removes no rows"),
        (Y, {31: 30}, None, "class 31"),
        (Y, {30: 5.5}, None, "a whole number"),
        (Y, ["30"], None, "sampling_strategy="),
        (Y, 0.5, None, "only for two"),
        (Y, True, None, "sampling_strategy=True"),
        (Y, None, None, "sampling_strategy=None"),
        (BINARY, 0.1, None, "5 rows of class 'yes', and 7 are there"),
        (BINARY, 1.2, None, r"\(0, 1\]"),
        (np.zeros(5, int), "auto", None, "1 class"),
        (Y, "auto", 0.5, "factor=0.5"),
        (Y, "auto", "2", "factor='2'"),
        (Y, "all", 2, "one of the two"),
        (np.linspace(0, 1, 9), "auto", None, "factor=2.0"),
    ],
)
def test_what_cannot_be_followed_says_what_would_do(y, strategy, factor, message):
    with pytest.raises(UsageError, match=message):
        made(y, strategy, factor)
