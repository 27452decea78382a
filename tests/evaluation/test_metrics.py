"""Scores of a classifier against scikit-learn, by hand, and where a class is absent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from augmint.evaluation.metrics import (
    METRICS,
    auroc,
    balancing,
    calibration_error,
    class_recall,
    macro_f1,
    row_scores,
    scores,
)


def made(seed=0, n=200, k=4, sharp=1.5, absent=()):
    rng = np.random.default_rng(seed)
    y = rng.choice([c for c in range(k) if c not in absent], n)
    logits = rng.standard_normal((n, k)) + sharp * np.eye(k)[y]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return p, y


@pytest.mark.parametrize("absent", [(), (2,), (0, 3)])
@pytest.mark.parametrize("seed", [0, 1])
def test_equal_scikit_learn(seed, absent):
    p, y = made(seed, absent=absent)
    here, guess = np.unique(y), p.argmax(axis=1)
    ours = scores(p, y)
    assert ours["accuracy"] == pytest.approx(theirs.accuracy_score(y, guess))
    with np.errstate(all="ignore"):
        recalls = theirs.recall_score(y, guess, labels=here, average=None)
    assert ours["balanced_accuracy"] == pytest.approx(recalls.mean())
    assert ours["macro_f1"] == pytest.approx(theirs.f1_score(y, guess, labels=here, average="macro"))
    assert ours["auroc"] == pytest.approx(np.mean([theirs.roc_auc_score(y == c, p[:, c]) for c in here]))
    assert ours["log_loss"] == pytest.approx(theirs.log_loss(y, p, labels=range(4)))
    assert np.allclose(class_recall(p, y)[here], recalls)
    assert np.isnan(class_recall(p, y)[list(absent)]).all()
    assert set(ours) == set(METRICS)


def test_all_classes_there_is_their_balanced_accuracy_and_auroc():
    p, y = made(3)
    assert scores(p, y)["balanced_accuracy"] == pytest.approx(theirs.balanced_accuracy_score(y, p.argmax(1)))
    assert scores(p, y)["auroc"] == pytest.approx(theirs.roc_auc_score(y, p, multi_class="ovr", average="macro"))


def test_ties_in_auroc():
    p = np.array([[0.5, 0.5], [0.5, 0.5], [0.2, 0.8], [0.9, 0.1]])
    y = np.array([0, 1, 1, 0])
    assert auroc(p, y) == pytest.approx(theirs.roc_auc_score(y, p[:, 1]))


def test_one_class():
    p, y = made(0, 20)
    y = np.zeros(20, np.int64)
    assert np.isnan(auroc(p, y)) and np.isnan(scores(p, y)["auroc"])
    assert scores(p, y)["balanced_accuracy"] == pytest.approx(scores(p, y)["accuracy"])


def test_calibration_error_by_hand():
    # 30 rows, 15 bins of two. Sure 0.9 and right half the time: each bin is off by 0.4.
    p = np.tile([0.9, 0.1], (30, 1))
    y = np.tile([0, 1], 15)
    # All equally sure: wrong rows first, so seven bins of wrong rows, one mixed, seven of right ones.
    assert calibration_error(p, y) == pytest.approx((7 * 0.9 + 0.4 + 7 * 0.1) / 15)
    sure = np.linspace(0.5, 0.99, 30)
    p = np.stack([sure, 1 - sure], axis=1)
    y = np.zeros(30, np.int64)
    assert calibration_error(p, y) == pytest.approx(np.mean(1 - sure))
    assert calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0.0


def test_calibration_error_of_a_calibrated_classifier_is_small_and_of_a_sharpened_one_is_not():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1.0, 20_000)
    y = (rng.random(20_000) > sure).astype(np.int64)
    p = np.stack([sure, 1 - sure], axis=1)
    assert calibration_error(p, y) < 0.01
    odds = (p / (1 - p + 1e-12)) ** 3
    assert calibration_error(odds / odds.sum(axis=1, keepdims=True), y) > 0.08


def test_macro_f1_by_hand_where_an_absent_class_is_predicted():
    p = np.eye(3)[[0, 0, 2, 1]]
    y = np.array([0, 0, 0, 1])
    assert macro_f1(p, y) == pytest.approx((2 * 2 / (3 + 2) + 2 * 1 / (1 + 1)) / 2)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.by_row])
def test_row_scores_have_the_score_as_mean(name):
    p, y = made(5, absent=(1,))
    sign = 1 if METRICS[name].larger else -1
    assert sign * row_scores(name, p, y).mean() == pytest.approx(scores(p, y)[name])


def test_balancing_gives_each_class_the_same():
    y = np.array([0, 0, 0, 2])
    weight = balancing(y, 3)
    assert weight.mean() == pytest.approx(1) and weight[:3].sum() == pytest.approx(weight[3])


@pytest.mark.parametrize("name", ["macro_f1", "auroc", "calibration_error"])
def test_scores_that_are_no_mean_over_rows(name):
    with pytest.raises(ValueError, match="no mean"):
        row_scores(name, *made())


def test_no_infinite_log_loss():
    assert scores(np.array([[1.0, 0.0]]), np.array([1]))["log_loss"] == pytest.approx(-np.log(1e-7))


@pytest.mark.parametrize(
    ("p", "y"),
    [
        (np.ones((2, 2)), [0, 1]),
        (np.eye(2), [0, 2]),
        (np.eye(2), [0]),
        (np.zeros((0, 2)), []),
        (np.array([[np.nan, 1.0]]), [0]),
        (np.array([[1.5, -0.5]]), [0]),
    ],
)
def test_what_is_no_probability_is_refused(p, y):
    with pytest.raises(ValueError, match="got"):
        scores(p, np.array(y, np.int64))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(2, 5))
def test_order_of_rows_does_not_matter_and_ranges_hold(seed, n, k):
    p, y = made(seed, n, k)
    p = np.round(p, 1) + 1e-9  # many ties
    p /= p.sum(axis=1, keepdims=True)
    order = np.random.default_rng(seed).permutation(n)
    ours, other = scores(p, y), scores(p[order], y[order])
    for name, value in ours.items():
        assert (np.isnan(value) and np.isnan(other[name])) or value == pytest.approx(other[name])
        assert np.isnan(value) or 0 <= value <= (np.inf if name == "log_loss" else 1)
