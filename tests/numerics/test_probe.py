from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from augmint.checks import example_latents
from augmint.numerics.probe import Probe, stratified_folds


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    pixels, labels = load_digits(return_X_y=True)
    mixed = np.random.default_rng(0).permutation(len(labels))  # the file is in the order of its writers
    return pixels[mixed].astype(np.float32), np.eye(10, dtype=np.float32)[labels[mixed]]


def test_equals_sklearn_at_the_same_penalty() -> None:
    real = example_latents((30, 20, 10), (6,))
    probe = Probe(penalties=(0.01,), balanced=False).fit(real.z, real.y)
    x = (real.z - probe.mean_) / probe.scale_
    other = LogisticRegression(C=1 / (0.01 * len(real)), tol=1e-8, max_iter=5000).fit(x, real.labels)
    logits = x @ probe.weight_ + probe.bias_
    wide = other.decision_function(x)
    np.testing.assert_allclose(
        logits - logits.mean(axis=1, keepdims=True), wide - wide.mean(axis=1, keepdims=True), atol=0.02
    )


def test_accuracy_and_calibration_on_digits(digits: tuple[np.ndarray, np.ndarray]) -> None:
    pixels, y = digits
    probe = Probe().fit(pixels[:400], y[:400])
    probability = probe.predict_proba(pixels[400:])
    right = probability.argmax(axis=1) == y[400:].argmax(axis=1)
    assert right.mean() >= 0.90
    sure = probability.max(axis=1)
    bins = np.minimum((sure * 10).astype(int), 9)
    error = sum(abs(right[bins == b].mean() - sure[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins))
    assert error <= 0.05


def test_held_out_rows_look_like_unseen_rows(digits: tuple[np.ndarray, np.ndarray]) -> None:
    pixels, y = digits
    probe = Probe().fit(pixels[:300], y[:300])
    seen, held = (
        -np.log(np.maximum((p * y[:300]).sum(axis=1), 1e-9)).mean()
        for p in (probe.predict_proba(pixels[:300]), probe.held_out_)
    )
    fresh = -np.log(np.maximum((probe.predict_proba(pixels[300:]) * y[300:]).sum(axis=1), 1e-9)).mean()
    assert seen < held
    assert abs(held - fresh) < 0.6 * fresh


def test_calibration_lowers_the_held_out_loss(digits: tuple[np.ndarray, np.ndarray]) -> None:
    pixels, y = digits
    probe = Probe(penalties=(1e-5,)).fit(pixels[:150], y[:150])
    assert probe.temperature_ > 1.2
    calibrated = probe.predict_proba(pixels[150:])
    probe.temperature_ = 1.0
    raw = probe.predict_proba(pixels[150:])
    loss = [-np.log(np.maximum((p * y[150:]).sum(axis=1), 1e-12)).mean() for p in (calibrated, raw)]
    assert loss[0] < loss[1]


@pytest.mark.parametrize("counts", [(1,), (5,), (1, 1), (1, 9), (0, 3, 1), (2, 2, 2), (1, 1, 1, 1)])
def test_tiny_and_empty_classes(counts: tuple[int, ...]) -> None:
    real = example_latents(counts, (6,))
    probe = Probe().fit(real.z, real.y)
    probability = probe.predict_proba(example_latents(counts, (6,), seed=3).z)
    assert np.isfinite(probability).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-5)
    assert (probability[:, np.array(counts) == 0] == 0).all()
    assert not probe.held_out_ok_[np.array(counts)[real.labels] == 1].any()


def test_wide_rows_give_the_same_as_the_full_problem() -> None:
    narrow = example_latents((12, 12), (5,))
    wide = np.concatenate([narrow.z] * 20, axis=1)
    a, b = Probe().fit(narrow.z, narrow.y), Probe().fit(wide, narrow.y)
    np.testing.assert_allclose(a.predict_proba(narrow.z), b.predict_proba(wide), atol=5e-3)


def test_scale_of_a_column_does_not_matter() -> None:
    real = example_latents((12, 12), (5,))
    scaled = real.z * np.array([1, 10, 0.1, 1000, 1], np.float32) + 7
    a, b = Probe().fit(real.z, real.y), Probe().fit(scaled, real.y)
    np.testing.assert_allclose(a.predict_proba(real.z), b.predict_proba(scaled), atol=5e-3)


def test_deterministic_and_round_trip() -> None:
    real = example_latents((12, 12), (5,))
    a, b = (Probe().fit(real.z, real.y) for _ in range(2))
    c = Probe().load(a.state())
    for other in (b, c):
        assert np.array_equal(a.predict_proba(real.z), other.predict_proba(real.z))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(2, 6))
def test_folds_are_stratified(labels: list[int], folds: int) -> None:
    fold = stratified_folds(np.array(labels), folds)
    for c in set(labels):
        counts = np.bincount(fold[np.array(labels) == c], minlength=folds)
        assert counts.max() - counts.min() <= 1


def test_rows_of_a_group_share_a_fold() -> None:
    labels = np.tile([0, 1], 30)
    groups = np.array([f"patient {i % 7}" for i in range(60)])
    fold = stratified_folds(labels, 5, groups)
    assert all(len(set(fold[groups == g])) == 1 for g in set(groups))
    assert len(set(fold)) == 5


def test_a_bad_option_is_refused() -> None:
    with pytest.raises(ValueError, match="folds"):
        Probe(folds=1)
