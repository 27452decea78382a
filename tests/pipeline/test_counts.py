from __future__ import annotations

import pytest

from augmint.core.errors import DataError, UsageError
from augmint.pipeline.counts import children_per_class

CELLS = {"RBC": 200, "WBC": 40, "Platelets": 15}


@pytest.mark.parametrize(
    ("word", "made"),
    [
        ("auto", [0, 160, 185]),
        ("not majority", [0, 160, 185]),
        ("all", [0, 160, 185]),
        ("minority", [0, 0, 185]),
        ("not minority", [0, 160, 0]),
    ],
)
def test_words_of_imbalanced_learn(word, made):
    assert list(children_per_class(CELLS, 2.0, word).values()) == made


@pytest.mark.parametrize("word", ["auto", "not majority", "all", "minority", "not minority"])
def test_balanced_classes_need_nothing(word):
    assert children_per_class({"a": 5, "b": 5}, 2.0, word) == {"a": 0, "b": 0}


def test_all_of_the_smallest_classes_are_the_minority():
    assert children_per_class({"a": 9, "b": 4, "c": 4}, 2.0, "minority") == {"a": 0, "b": 5, "c": 5}
    assert children_per_class({"a": 9, "b": 4, "c": 4, "d": 6}, 2.0, "not minority") == {"a": 0, "b": 0, "c": 0, "d": 3}


def test_empty_classes_stay_empty_and_keep_their_place():
    assert list(children_per_class({"a": 3, "gone": 0, "b": 1}, 2.0, "auto").items()) == [
        ("a", 0), ("gone", 0), ("b", 2)]  # fmt: skip
    assert children_per_class({"a": 3, "gone": 0}, 3.0, "") == {"a": 6, "gone": 0}


@pytest.mark.parametrize(
    ("strategy", "made"),
    [
        ("Platelets=200,WBC=100", [0, 60, 185]),
        (" Platelets = 15 , RBC=201 ", [1, 0, 0]),
        ({"WBC": 41}, [0, 1, 0]),
        ("RBC=0,WBC=40", [0, 0, 0]),
        ({"RBC": 0, "Platelets": 0}, [0, 0, 0]),
        ({}, [400, 80, 30]),
    ],
)
def test_explicit_counts_are_counts_after_the_run(strategy, made):
    assert list(children_per_class(CELLS, 3.0, strategy).values()) == made


def test_factor_is_rows_after_by_rows_before():
    assert children_per_class(CELLS, 2.5, "") == {"RBC": 300, "WBC": 60, "Platelets": 22}  # 22.5 to even
    assert children_per_class(CELLS, 1.0, "") == {"RBC": 0, "WBC": 0, "Platelets": 0}


def test_names_with_an_equals_sign():
    assert children_per_class({"a=b": 2, "c": 1}, 2.0, "a=b=5") == {"a=b": 3, "c": 0}


@pytest.mark.parametrize(
    ("strategy", "code", "got"),
    [
        ("majority", "unknown-strategy", "majority"),
        ("WBC=39", "target-below-present", "40 rows"),
        ("RBc=300", "unknown-class", "RBc"),
        ({"Plateletts": 300}, "unknown-class", "Plateletts"),
        ("WBC=many", "strategy", "WBC=many"),
        ("WBC=-1", "strategy", "WBC=-1"),
        ("WBC=100,", "strategy", "''"),
        ("WBC=100,WBC=90", "strategy", "twice"),
        ({"WBC": 100.0}, "strategy", "100.0"),
        ({"WBC": True}, "strategy", "True"),
        ({"WBC": -3}, "strategy", "-3"),
        ({"WBC": "100"}, "strategy", "100"),
    ],
)
def test_wrong_strategies(strategy, code, got):
    with pytest.raises(UsageError) as caught:
        children_per_class(CELLS, 2.0, strategy)
    assert caught.value.code == code
    assert got in caught.value.got
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("typo", "right"), [("rbc=300", "RBC"), ("Plateletts=300", "Platelets"), ("autp", "auto"),
                                             ("not majorty", "not majority")])  # fmt: skip
def test_typos_get_the_right_word(typo, right):
    with pytest.raises(UsageError, match=f"did you mean {right!r}"):
        children_per_class(CELLS, 2.0, typo)


def test_nothing_can_be_made_like_nothing():
    with pytest.raises(UsageError) as caught:
        children_per_class({"a": 3, "gone": 0}, 2.0, "gone=5")
    assert caught.value.code == "empty-class"
    assert children_per_class({"a": 3, "gone": 0}, 2.0, "gone=0") == {"a": 0, "gone": 0}


@pytest.mark.parametrize("present", [{"a": 3}, {"a": 3, "b": 0}, {"a": 0}])
@pytest.mark.parametrize("word", ["auto", "all", "minority", "not minority", "not majority"])
def test_balancing_needs_two_classes(present, word):
    with pytest.raises(DataError) as caught:
        children_per_class(present, 2.0, word)
    assert caught.value.code == "one-class"
    assert "--factor" in caught.value.do
