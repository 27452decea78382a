from __future__ import annotations

import numpy as np
import pytest
from clouds import clouds
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge

from augmint.evaluation.second_judge import SecondJudge


def by_sklearn(
    x: np.ndarray, y: np.ndarray, use: np.ndarray, rows: np.ndarray, classes: int, penalty: float
) -> np.ndarray:
    """Ridge regression on the indicators, with an intercept, rows weighed so that each class counts the same."""
    scale = np.where(x.std(axis=0) > 1e-12, x.std(axis=0), 1.0) * np.sqrt(x.shape[1])
    a, b = (x - x.mean(axis=0)) / scale, (rows - x.mean(axis=0)) / scale
    weight = 1.0 / (np.bincount(y, minlength=classes)[y] * classes)
    model = Ridge(alpha=penalty / x.shape[1]).fit(a[use], np.eye(classes)[y][use], sample_weight=weight[use])
    return model.predict(b)


def digit_rows(n: int) -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))[:n]
    return data.data[order].astype(np.float32), data.target[order].astype(np.int64)


def test_equals_sklearn_for_every_set_of_folds() -> None:
    x, y = digit_rows(300)
    judge = SecondJudge(folds=3).fit(x[:250], y[:250], 10)
    patterns = np.array([[False] * 3, [True, False, False], [False, True, True]])
    for pattern in patterns:
        found, known = judge.judge(x[250:], np.tile(pattern, (50, 1)))
        use = ~pattern[judge.fold_]
        expected = by_sklearn(x[:250].astype(float), y[:250], use, x[250:].astype(float), 10, 0.5)
        assert found == pytest.approx(expected, abs=1e-5) and known.all()
    mixed, _ = judge.judge(x[250:253], patterns)
    assert [list(row) for row in mixed] == [
        list(judge.judge(x[250 + i : 251 + i], patterns[i : i + 1])[0][0]) for i in range(3)
    ]


def test_it_is_a_good_judge_of_digits_also_with_fewer_rows_than_numbers() -> None:
    x, y = digit_rows(1797)
    for n in (50, 1000):
        judge = SecondJudge().fit(x[:n], y[:n], 10)
        scores, _ = judge.judge(x[1000:], np.zeros((797, 5), bool))
        assert (scores.argmax(axis=1) == y[1000:]).mean() > (0.75 if n == 50 else 0.92)


def test_a_parent_does_not_vote_for_its_child() -> None:
    """Labels without meaning: a judge that has seen the parents agrees with their near copies, this one cannot."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((120, 300)).astype(np.float32), rng.integers(0, 2, 120)
    judge = SecondJudge().fit(x, y, 2)
    child = x + np.float32(1e-3)
    fair, _ = judge.judge(child, judge.without([[i] for i in range(120)]))
    unfair, _ = judge.judge(child, np.zeros((120, 5), bool))
    assert (unfair.argmax(axis=1) == y).mean() == 1.0
    assert 0.3 < (fair.argmax(axis=1) == y).mean() < 0.7


def test_a_class_that_only_parents_are_of_is_not_known() -> None:
    x, y = clouds(41, 8), np.array([0, 1] * 20 + [2])
    judge = SecondJudge().fit(x, y, 4)
    scores, known = judge.judge(x[-1:], judge.without([[40]]))
    assert list(known[0]) == [True, True, False, False] and scores.argmax() in (0, 1)
    everything = judge.judge(x[:1], np.ones((1, 5), bool))
    assert not everything[1].any() and not everything[0].any()


def test_rows_of_a_group_are_left_out_together() -> None:
    x, y = clouds(40, 8), np.arange(40) % 2
    judge = SecondJudge().fit(x, y, 2, np.array([f"patient {i // 4}" for i in range(40)]))
    assert all(len(set(judge.fold_[i : i + 4])) == 1 for i in range(0, 40, 4))
    assert judge.without([[0, 1, 2], []]).sum(axis=1).tolist() == [1, 0]
