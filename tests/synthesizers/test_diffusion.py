from __future__ import annotations

import numpy as np
import pytest
import torch
from made import rows_of
from sklearn.svm import SVC

from augmint.checks import example_latents
from augmint.core.types import Latents
from augmint.numerics.neighbors import nearest
from augmint.numerics.networks import Perceptron
from augmint.synthesizers.diffusion import Diffusion, drift
from augmint.synthesizers.noise import BORROWED

SMALL = {"steps": 60, "width": 32, "batch": 16, "sampling_steps": 4}


def mixture(d: int) -> tuple[Latents, np.ndarray, np.ndarray, np.ndarray]:
    """3,000 rows of three Gaussians in d dimensions; their means, covariances and weights."""
    share = np.array([0.5, 0.3, 0.2])
    mean = np.zeros((3, d))
    mean[:, :2] = [[-4, 0], [4, 1], [0, 5]]
    turn = [np.linalg.qr(np.random.default_rng(c).standard_normal((d, d)))[0] for c in range(3)]
    cov = np.stack([q @ np.diag(np.linspace(0.3, 1.5, d) ** 2) @ q.T for q in turn])
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat([0, 1, 2], (3000 * share).astype(int)))
    z = np.stack([rng.multivariate_normal(mean[c], cov[c]) for c in labels])
    return rows_of(z, labels), mean, cov, share


@pytest.mark.slow
@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("d", [2, 8])
def test_a_known_mixture_is_recovered(d: int, conditional: bool) -> None:
    """The bounds are for any processor: last bits, over all updates, move a covariance by a tenth."""
    real, mean, cov, share = mixture(d)
    method = Diffusion(conditional=conditional, guidance=0.0, vicinity=0.0, width=128)
    z = method.fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(1)).z.astype(np.float64)
    inverse, size = np.linalg.inv(cov), np.linalg.slogdet(cov)[1]
    apart = z[:, None] - mean
    squares = np.einsum("nci,cij,ncj->nc", apart, inverse, apart)
    part = (-0.5 * (squares + size) + np.log(share)).argmax(axis=1)
    if conditional:
        assert (part == real.labels).mean() >= 0.99
    assert np.abs(np.bincount(part, minlength=3) / len(z) - share).max() <= 0.02
    for c in range(3):
        off = z[part == c].mean(axis=0) - mean[c]
        assert np.sqrt(off @ inverse[c] @ off) <= 0.35  # in standard deviations
        found = np.cov(z[part == c].T)
        assert np.linalg.norm(found - cov[c]) <= (0.3 if conditional else 0.55) * np.linalg.norm(cov[c])


def test_the_drift_is_the_velocity_of_one_gaussian() -> None:
    """For x ~ N(0, 1), E[x - e | x_t] is a line through the origin: its slope by least squares of many draws."""
    rng = np.random.default_rng(0)
    x, noise = rng.standard_normal((2, 200000))
    for t in (0.0, 0.3, 0.5, 0.9, 1.0):
        at_t = (1 - t) * noise + t * x
        slope = (at_t * (x - noise)).mean() / (at_t**2).mean()
        assert drift(torch.ones(1, 1), torch.tensor([[t]])).item() == pytest.approx(slope, abs=0.02)


def test_heun_steps_follow_a_known_velocity() -> None:
    """With a silent network the flow is the drift alone: noise of one Gaussian arrives where it started."""
    real = example_latents((40,), (3,))
    method = Diffusion(conditional=False, **SMALL).fit(real, np.random.default_rng(0))
    for parameter in method.network_.parameters():
        parameter.zero_()
    start = torch.tensor([[1.0, -2.0, 0.5]])
    ends = []
    for steps in (8, 64):
        method.sampling_steps = steps
        ends.append(np.abs(method._flow(start) - start.numpy()).max())
    assert ends[1] < 1e-3 and ends[1] < ends[0] / 16  # second order


def test_guidance_leans_away_from_the_velocity_without_a_label() -> None:
    real = example_latents((8, 8), (4,))
    method = Diffusion(**SMALL).fit(real, np.random.default_rng(0))
    x, y = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.eye(2)[[0, 1, 0, 1, 0]]
    with torch.no_grad():
        speeds = []
        for method.guidance in (0.0, 1.0, 3.0):
            speeds.append(method._velocity(x, 0.4, y))
        method.guidance = 0.0
        hidden = method._velocity(x, 0.4, torch.zeros_like(y))
    torch.testing.assert_close(speeds[1], speeds[0] + (speeds[0] - hidden))
    torch.testing.assert_close(speeds[2], speeds[0] + 3.0 * (speeds[0] - hidden))
    assert not torch.equal(speeds[0], hidden)


@pytest.mark.slow
def test_digits_have_their_label_and_are_no_copies(digit_rows: tuple[Latents, Latents]) -> None:
    real, rest = digit_rows
    anchors = real.take(np.tile(np.arange(len(real)), 5))
    z = Diffusion().fit(real, np.random.default_rng(0)).sample(anchors, np.random.default_rng(1)).z
    judge = SVC(C=10).fit(rest.z, rest.labels)
    assert (judge.predict(z) == anchors.labels).mean() >= 0.90
    apart = nearest(real.z, real.z, 1, same=True)[0][:, 0]
    assert (nearest(z, real.z, 1)[0][:, 0] >= np.quantile(apart, 0.05)).mean() >= 0.90
    own = z[anchors.labels == 3]
    assert np.median(nearest(own, own, 1, same=True)[0]) > 0.5 * np.median(apart)


def test_a_row_has_the_same_bytes_in_every_batch() -> None:
    real = example_latents((60, 60))
    method = Diffusion(**SMALL).fit(real, np.random.default_rng(0))
    z = method.sample(real, np.random.default_rng(5)).z
    for n in (1, 3, 64, 65, 100):
        part = method.sample(real.take(np.arange(n)), np.random.default_rng(5)).z
        assert np.array_equal(part, z[:n])


def test_unconditional_ignores_labels() -> None:
    real = example_latents((8, 8))
    method = Diffusion(conditional=False, **SMALL).fit(real, np.random.default_rng(0))
    a, b = (method.sample(rows, np.random.default_rng(0)).z for rows in (real, rows_of(real.z, 1 - real.labels)))
    assert np.array_equal(a, b)


def test_classes_of_one_row_and_of_none_are_noted() -> None:
    method = Diffusion(**SMALL).fit(example_latents((5, 1, 0, 4)), np.random.default_rng(0))
    note = method.sample(example_latents((1, 1, 1, 1)), np.random.default_rng(0)).note
    assert note is not None
    assert list(note) == ["", BORROWED, "fallback: no row of the class was fitted", ""]


def test_the_network_reads_row_time_and_label() -> None:
    method = Diffusion(**SMALL).fit(example_latents((8, 8), (4,)), np.random.default_rng(0))
    assert isinstance(method.network_, Perceptron)
    assert method.network_.linear[0].in_features == 4 + 8 + 2
