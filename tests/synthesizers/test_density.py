from __future__ import annotations

import numpy as np
import pytest
from made import rows_of
from scipy.stats import gaussian_kde
from sklearn.covariance import OAS

from augmint.checks import example_latents
from augmint.core.types import Latents
from augmint.synthesizers.density import SMALL, Density
from augmint.synthesizers.noise import BORROWED


def many(real: Latents, n: int = 60_000) -> Latents:
    return real.take(np.zeros(n, np.int64))


def drawn(method: Density, real: Latents) -> np.ndarray:
    return method.fit(real, np.random.default_rng(0)).sample(many(real), np.random.default_rng(1)).z


def oval(n: int, seed: int = 0) -> Latents:
    rng = np.random.default_rng(seed)
    return rows_of(rng.standard_normal((n, 3)) @ [[3, 1, 0], [0, 1, 0], [0, 0, 0.2]] + [1, 2, 3], np.zeros(n, int))


def test_gaussian_has_the_shrunk_covariance_of_sklearn() -> None:
    real = oval(15)
    method = Density()
    z = drawn(method, real)
    peer = OAS().fit(real.z.astype(np.float64))
    assert method.shrink_[0] == pytest.approx(peer.shrinkage_, rel=1e-3)
    expected = peer.covariance_ * 15 / 14  # sklearn divides by n
    np.testing.assert_allclose(np.cov(z.T), expected, atol=0.02 * np.trace(expected))
    np.testing.assert_allclose(z.mean(0), real.z.mean(0), atol=0.05)


def test_kde_has_scipys_moments_where_all_directions_count_alike() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 2))
    x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    for rule in ("scott", "silverman"):
        method = Density(kind="kde", bandwidth=rule)
        z = drawn(method, rows_of(x, np.zeros(40, int)))
        peer = gaussian_kde(x.T, bw_method=rule)
        assert method.width_[0] == pytest.approx(peer.factor, rel=1e-3)
        expected = np.cov(x.T, bias=True) + peer.covariance
        np.testing.assert_allclose(np.cov(z.T), expected, atol=0.03)


def test_mixture_finds_two_clusters_and_a_gaussian_fills_the_gap() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.standard_normal((60, 5)) + 8, rng.standard_normal((20, 5)) - 8])
    real = rows_of(x, np.zeros(80, int))
    method = Density(kind="mixture")
    z = drawn(method, real)
    assert method.weight_ == pytest.approx([60, 20]) or method.weight_ == pytest.approx([20, 60])
    side = z.mean(axis=1) > 0
    assert side.mean() == pytest.approx(0.75, abs=0.01)
    np.testing.assert_allclose(z[side].mean(0), x[:60].mean(0), atol=0.05)
    assert (np.abs(z.mean(axis=1)) < 4).mean() < 0.001
    assert (np.abs(drawn(Density(), real).mean(axis=1)) < 4).mean() > 0.2


def test_one_cluster_is_one_part() -> None:
    method = Density(kind="mixture").fit(oval(60), np.random.default_rng(0))
    assert len(method.owner_) == 1


@pytest.mark.parametrize("kind", ["mixture", "kde"])
def test_small_classes_fall_back_and_say_so(kind: str) -> None:
    real = example_latents((1, 4, 12))
    draw = Density(kind=kind).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert draw.note is not None
    assert draw.note.tolist() == [BORROWED] + [SMALL] * 4 + [""] * 12
    assert (draw.z[0] != real.z[0]).all()


def test_strength_scales_the_steps() -> None:
    real = oval(30)
    far = [drawn(Density(strength=s), real).std(axis=0) for s in (0.5, 1.0)]
    np.testing.assert_allclose(2 * far[0], far[1], rtol=1e-4)


def test_wide_rows() -> None:
    real = example_latents((12, 12), (4096,))
    for kind in ("gaussian", "mixture", "kde"):
        draw = Density(kind=kind).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
        assert draw.z.shape == (24, 4096)
