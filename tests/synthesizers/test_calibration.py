from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made import rows_of

from augmint.checks import check_synthesizer, example_latents
from augmint.core.errors import UsageError
from augmint.core.types import Latents
from augmint.synthesizers.calibration import ITSELF, NOBODY, OTHERS, Calibration


def base_rows(counts: tuple[int, ...] = (20, 15, 2, 1), width: int = 7, low: float = -np.inf) -> Latents:
    base = example_latents(counts, (width,), seed=3)
    names = tuple(f"base {c}" for c in range(len(counts)))
    ids = np.array([f"b{i}" for i in range(len(base))])
    return dataclasses.replace(base, ids=ids, classes=names, z=np.maximum(base.z, np.float32(low)))


def rederived(a: np.ndarray, base: Latents, k: int, alpha: float, power: float) -> tuple[np.ndarray, np.ndarray]:
    """Yang et al. 2021, equations 3 to 6, all in one space: mean and covariance for one anchor."""
    x, t = base.z.astype(np.float64) ** power, a.astype(np.float64) ** power
    mean = np.stack([x[base.labels == c].mean(0) for c in range(base.y.shape[1])])
    cov = np.stack([np.cov(x[base.labels == c].T) for c in range(base.y.shape[1])])
    near = np.argsort(((mean - t) ** 2).sum(1))[:k]
    extra = alpha * np.trace(cov[near].mean(0)) / len(t)
    return np.vstack([mean[near], t]).mean(0), cov[near].mean(0) + extra * np.eye(len(t))


@pytest.mark.parametrize(("low", "power"), [(0.0, 0.5), (-np.inf, 1.0)])
def test_mean_and_covariance_are_the_papers(low: float, power: float) -> None:
    base = base_rows((30, 20, 25), 4, low)
    real = example_latents((1, 1), (4,), seed=5)
    real = dataclasses.replace(real, z=np.maximum(real.z, np.float32(low)) + np.float32(power < 1))
    method = Calibration(neighbors=2, dispersion=0.3, power=0.5).fit(real, np.random.default_rng(0), base=base)
    anchors = real.take(np.zeros(60_000, np.int64))
    z = method.sample(anchors, np.random.default_rng(1)).z.astype(np.float64)
    mean, cov = rederived(real.z[0], base, 2, 0.3, power)
    if power < 1:
        assert z.min() >= 0.0
        expected = np.maximum(np.random.default_rng(2).multivariate_normal(mean, cov, 60_000), 0.0) ** 2
        np.testing.assert_allclose(z.mean(0), expected.mean(0), atol=0.02 * expected.std())
        np.testing.assert_allclose(np.cov(z.T), np.cov(expected.T), atol=0.03 * np.cov(expected.T).max())
    else:
        np.testing.assert_allclose(z.mean(0), mean, atol=0.02 * np.sqrt(np.trace(cov)))
        np.testing.assert_allclose(np.cov(z.T), cov, atol=0.02 * np.trace(cov))


def test_parents_are_the_anchor_and_the_nearest_base_classes() -> None:
    base = base_rows()
    real = example_latents((2, 1))
    draw = (
        Calibration(neighbors=2).fit(real, np.random.default_rng(0), base=base).sample(real, np.random.default_rng(0))
    )
    means = np.stack([base.z[base.labels == c].mean(0) for c in range(3)])
    for i in range(len(real)):
        near = np.argsort(((means - real.z[i]) ** 2).sum(1))[:2]
        assert draw.refs[i].tolist() == [f"data:{real.ids[i]}", *(f"base:base {c}" for c in near)]
    assert (draw.label_weights == np.array([1.0, 0.0, 0.0], np.float32)).all()
    assert draw.note is not None and (draw.note == "").all()


def test_without_a_base_it_borrows_from_other_classes_and_says_so() -> None:
    real = example_latents((1, 9, 6))
    draw = Calibration().fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert draw.note is not None and (draw.note == OTHERS).all()
    moved = dataclasses.replace(real, z=real.z.copy())
    moved.z[real.labels == 0] += 1.0
    again = Calibration().fit(moved, np.random.default_rng(0)).sample(moved, np.random.default_rng(0))
    np.testing.assert_allclose(again.z[0], draw.z[0] + 1.0 / 3.0, atol=1e-4)


def test_notes_where_nobody_can_lend() -> None:
    for counts, notes in (((1, 5), [OTHERS] + [ITSELF] * 5), ((1, 1), [NOBODY] * 2)):
        real = example_latents(counts)
        draw = Calibration().fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
        assert draw.note is not None and draw.note.tolist() == notes
        assert (draw.z != real.z).any()


@pytest.mark.parametrize("base", [dataclasses.replace(base_rows(), space="elsewhere"), base_rows(width=8)])
def test_a_base_of_another_space_is_refused(base: Latents) -> None:
    with pytest.raises(UsageError) as caught:
        Calibration().fit(example_latents(), np.random.default_rng(0), base=base)
    assert caught.value.code == "space-mismatch" and "'example'" in caught.value.expected


def test_more_dispersion_is_wider() -> None:
    real, base = example_latents((40,)), base_rows()
    wide = [
        Calibration(dispersion=a)
        .fit(real, np.random.default_rng(0), base=base)
        .sample(real, np.random.default_rng(1))
        .z
        for a in (0.0, 1.0, 4.0)
    ]
    assert sorted(z.var() for z in wide) == [z.var() for z in wide]


def test_rank_below_the_rows_keeps_the_variance() -> None:
    rng = np.random.default_rng(0)
    base = rows_of(rng.standard_normal((200, 6)), np.repeat([0, 1], 100))
    real = rows_of(rng.standard_normal((3, 6)), [0, 0, 0])
    anchors = real.take(np.zeros(20_000, np.int64))
    spread = [
        Calibration(rank=rank, neighbors=1, dispersion=0.0)
        .fit(real, np.random.default_rng(0), base=dataclasses.replace(base, classes=("a", "b")))
        .sample(anchors, np.random.default_rng(1))
        .z.var(axis=0)
        .sum()
        for rank in (2, 6)
    ]
    assert spread[0] == pytest.approx(spread[1], rel=0.03)


def test_the_laws_with_a_base() -> None:
    check_synthesizer(Calibration, base=base_rows())
