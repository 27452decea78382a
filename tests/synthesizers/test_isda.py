from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made import rows_of
from scipy.stats import kurtosis

from augmint.checks import example_latents
from augmint.core.types import Latents
from augmint.synthesizers.isda import COPIED, Isda
from augmint.synthesizers.noise import BORROWED


def steps(method: Isda, real: Latents, row: int, count: int = 40_000) -> np.ndarray:
    """(count, d) noise around one row, float64."""
    anchors = real.take(np.full(count, row))
    return (method.fit(real, np.random.default_rng(0)).sample(anchors, np.random.default_rng(1)).z - anchors.z).astype(
        np.float64
    )


def reference(real: Latents, label: int, alpha: float, prior: float) -> np.ndarray:
    """alpha ((1 - rho) S_c + rho W), written from the equations with numpy's own covariance."""
    groups = [real.z[real.labels == c].astype(np.float64) for c in range(real.y.shape[1])]
    own = np.cov(groups[label].T)
    pooled = sum((len(g) - 1) * np.cov(g.T) for g in groups if len(g) > 1) / sum(len(g) - 1 for g in groups)
    rho = prior / (prior + len(groups[label]) - 1)
    return np.asarray(alpha * ((1 - rho) * own + rho * pooled))


def near(found: np.ndarray, expected: np.ndarray, count: int = 40_000) -> bool:
    """Whether a covariance is another one, within five standard errors of each entry (Wishart, with 1/2 for tails)."""
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    return bool((np.abs(found - expected) < 5 * np.sqrt(1.5 * 2 / count) * size).all())


@pytest.mark.parametrize(("prior", "terms"), [(0.0, 1), (5.0, 16), (100.0, 4)])
@pytest.mark.parametrize("row", [0, 12])
def test_the_covariance_is_that_of_five_lines_of_numpy(prior: float, terms: int, row: int) -> None:
    real = example_latents((12, 5), (3,))
    noise = steps(Isda(strength=0.7, prior=prior, terms=terms), real, row)
    expected = reference(real, int(real.labels[row]), 0.7, prior)
    # A single term is a scale mixture with heavy tails: its own fourth moments give the error.
    error = np.sqrt(np.einsum("ni,nj->nij", noise, noise).var(axis=0) / len(noise))
    assert (np.abs(np.cov(noise.T) - expected) < 5 * error).all()
    assert (np.abs(noise.mean(axis=0)) < 5 * np.sqrt(np.diag(expected) / len(noise))).all()


def test_the_noise_is_nearly_gaussian_and_more_so_with_more_terms() -> None:
    real = rows_of(np.random.default_rng(0).standard_normal((400, 2)), np.zeros(400, np.int64))
    tails = [float(kurtosis(steps(Isda(terms=terms), real, 0, 200_000)[:, 0])) for terms in (1, 4, 16)]
    full = 3 * (float(kurtosis(real.z[:, 0], fisher=False)) - 1)  # 6 for a Gaussian
    assert tails == pytest.approx([full, full / 4, full / 16], abs=0.5)
    assert tails == sorted(tails, reverse=True)


def test_noise_stays_in_the_directions_the_rows_have_shown() -> None:
    z = np.random.default_rng(0).standard_normal((20, 6))
    z[:, 3:] = 0
    noise = steps(Isda(), rows_of(z, np.repeat([0, 1], 10)), 0, 100)
    assert (noise[:, 3:] == 0).all() and (noise[:, :3] != 0).all()


def test_a_class_of_one_row_has_the_pooled_covariance() -> None:
    real = example_latents((12, 1), (3,))
    method = Isda(strength=1.0, prior=0.0)
    assert near(np.cov(steps(method, real, 12).T), np.cov(real.z[:12].astype(np.float64).T))
    note = method.sample(real, np.random.default_rng(0)).note
    assert note is not None and list(note) == [""] * 12 + [BORROWED]


def test_where_no_class_has_two_rows_the_spread_of_all_is_taken() -> None:
    real = example_latents((1, 1, 1, 1), (3,))
    assert near(np.cov(steps(Isda(strength=1.0), real, 2).T), np.cov(real.z.astype(np.float64).T))


def test_one_row_in_all_is_copied_and_says_so() -> None:
    real = example_latents((1,))
    draw = Isda().fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert draw.note is not None and list(draw.note) == [COPIED]
    assert np.array_equal(draw.z, real.z)


def test_strength_is_a_variance() -> None:
    real = example_latents()
    once, four = (
        Isda(strength=s).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(2)).z - real.z
        for s in (0.5, 2.0)
    )
    np.testing.assert_allclose(four, 2 * once, rtol=1e-4, atol=1e-5)


def test_rows_that_are_turned_give_noise_that_is_turned() -> None:
    real = example_latents((9, 9), (5,))
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 5)))[0].astype(np.float32)
    moved = dataclasses.replace(real, z=real.z @ turn + np.float32(3.0))
    a, b = (Isda().fit(r, np.random.default_rng(0)).sample(r, np.random.default_rng(3)).z for r in (real, moved))
    np.testing.assert_allclose(a @ turn + 3.0, b, atol=1e-4)


def test_wide_rows_are_cheap() -> None:
    real = example_latents((30, 30), (64, 8, 8))
    method = Isda().fit(real, np.random.default_rng(0))
    assert sum(value.size for value in method.state().values()) <= real.z.size + 3
