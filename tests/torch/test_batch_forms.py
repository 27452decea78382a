"""Every batch form keeps the laws, and the laws catch those who break them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import beta

from augmint.checks import example_latents
from augmint.core.protocols import Batched, Synthesizer
from augmint.core.registry import lookup
from augmint.core.types import Draw
from augmint.numerics.batches import arc
from augmint.synthesizers import TABLE
from augmint.synthesizers.calibration import Calibration
from augmint.synthesizers.dropout import Dropout
from augmint.synthesizers.interpolation import Interpolation
from augmint.synthesizers.mixup import Mixup
from augmint.synthesizers.moex import Moex
from augmint.synthesizers.noise import Noise
from augmint.synthesizers.paths import sphere
from augmint.torch.checks import check_batched
from augmint.torch.feature_augment import batch_methods


@pytest.mark.parametrize("name", batch_methods())
def test_the_laws(name: str) -> None:
    check_batched(lookup("synthesizers", "method", TABLE, name))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", batch_methods())
def test_the_laws_on_cuda(name: str) -> None:
    check_batched(lookup("synthesizers", "method", TABLE, name), "cuda")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dropout(fill="zero"),
        lambda: Interpolation(path="sphere"),
        lambda: Mixup(alpha=0.1),
        lambda: Mixup(across=False),
        lambda: Moex(share=0.6),
    ],
)
def test_the_laws_with_other_options(make: Callable[[], Any]) -> None:
    check_batched(make)


@dataclass
class Right(Synthesizer, Batched):
    """A method whose two forms agree: noise of a fixed size."""

    scope = "row"
    targets = frozenset(("class",))

    size_: Any = field(init=False, repr=False)

    def fit(self, real, rng, *, pool=None, base=None, progress=None):
        self.size_ = np.asarray([0.5], np.float32)
        return self

    def sample(self, anchors, rng):
        z = anchors.z + self.size_ * rng.standard_normal(anchors.z.shape, dtype=np.float32)
        return Draw(z, np.char.add("data:", anchors.ids)[:, None], np.ones((len(z), 1), np.float32))

    def batch(self, z, y, generator, learned=None):
        noise = torch.randn(z.shape, generator=generator, device=z.device, dtype=z.dtype)
        return z + 0.5 * noise, y

    def state(self):
        return {"size": self.size_}

    def load(self, state):
        self.size_ = state["size"]
        return self


class Louder(Right):
    def batch(self, z, y, generator, learned=None):
        new, labels = super().batch(z, y, generator)
        return z + 1.2 * (new - z), labels


class InPlace(Right):
    def batch(self, z, y, generator, learned=None):
        y[:1] = y[:1].roll(1, 1)
        return super().batch(z, y, generator)


class Global(Right):
    def batch(self, z, y, generator, learned=None):
        torch.rand(1)
        return super().batch(z, y, generator)


class Wide(Right):
    def batch(self, z, y, generator, learned=None):
        return super().batch(z.double(), y, generator)


class Cut(Right):
    def batch(self, z, y, generator, learned=None):
        new, labels = super().batch(z.detach(), y, generator)
        return new.requires_grad_(), labels


class OtherClass(Right):
    def batch(self, z, y, generator, learned=None):
        new, labels = super().batch(z, y, generator)
        return new, labels.roll(1, 1)


class Flat(Right):
    def batch(self, z, y, generator, learned=None):
        new, labels = super().batch(z, y, generator)
        return new.flatten(1), labels


class Deaf(Right):
    def batch(self, z, y, generator, learned=None):
        return super().batch(z, y, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (Louder, "agree in mean and spread"),
        (InPlace, "arguments are not changed"),
        (Global, "no global random numbers"),
        (Wide, "types are kept"),
        (Cut, "a gradient flows through"),
        (OtherClass, "the anchor's class stays the heaviest"),
        (Flat, "shapes are kept"),
        (Deaf, "another seed gives other rows"),
    ],
)
def test_a_form_that_breaks_a_law_is_caught(broken: type[Right], law: str) -> None:
    check_batched(Right)
    with pytest.raises(AssertionError, match=law):
        check_batched(broken)


def test_shares_of_mixup_in_a_batch_are_those_of_scipy() -> None:
    for alpha in (0.02, 0.2, 1.0, 3.0):
        share = Mixup(alpha=alpha)._batch_shares(20_000, torch.Generator().manual_seed(0)).double().numpy()
        assert share.min() > 0.5
        for most in (0.55, 0.7, 0.9, 0.99, 0.9999):
            assert (share <= most).mean() == pytest.approx(1 - 2 * beta.cdf(1 - most, alpha, alpha), abs=0.02)


def test_one_row_for_a_target_without_classes() -> None:
    real = example_latents(target="multilabel")
    method = Noise().fit(real, np.random.default_rng(0))
    new, y = method.batch(torch.from_numpy(real.z), torch.from_numpy(real.y), torch.Generator().manual_seed(0))
    assert new.shape == real.z.shape and np.array_equal(y.numpy(), real.y)


def test_the_arc_in_a_batch_is_that_of_sample() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 40, 6)).astype(np.float32)
    b[:3], a[3], b[4] = [[-2.0], [1.0], [0.5]] * a[:3], 0.0, 0.0
    u = rng.uniform(-0.5, 1.5, 40).astype(np.float32)
    found = arc(*(torch.from_numpy(x) for x in (a, b, u)))
    np.testing.assert_allclose(found, sphere(a, b.copy(), u), atol=1e-5)


def test_calibration_agrees_with_sample_on_rooted_rows_and_has_finite_slopes_at_zero() -> None:
    real = example_latents((6, 5, 4), (3,))
    real = dataclasses.replace(real, z=np.maximum(real.z, 0))  # as features behind a ReLU
    assert (real.z == 0).any()
    method = Calibration().fit(real, np.random.default_rng(0))
    source = torch.Generator().manual_seed(0)
    z, y = torch.from_numpy(real.z).requires_grad_(), torch.from_numpy(real.y)
    drawn = torch.stack([method.batch(z, y, source)[0] for _ in range(3000)])
    drawn.mean().backward()
    assert z.grad is not None and torch.isfinite(z.grad).all()
    anchors = real.take(np.tile(np.arange(15), 3000))
    other = torch.from_numpy(method.sample(anchors, np.random.default_rng(1)).z.reshape(3000, 15, 3))
    roots = drawn.detach().sqrt(), other.sqrt()
    error = ((roots[0].var(0) + roots[1].var(0)) / 3000).sqrt()
    assert ((roots[0].mean(0) - roots[1].mean(0)).abs() < 5 * error + 1e-6).all()
    torch.testing.assert_close(roots[0].var(0), roots[1].var(0), rtol=0.25, atol=1e-4)


def test_calibration_without_a_lender_adds_noise() -> None:
    real = example_latents((1, 1, 1))
    method = Calibration().fit(real, np.random.default_rng(0))
    z, y = torch.from_numpy(real.z), torch.from_numpy(real.y)
    step = torch.stack([method.batch(z, y, torch.Generator().manual_seed(i))[0] - z for i in range(300)])
    torch.testing.assert_close(step.std(dim=(0, 2)), torch.from_numpy(0.5 * method.rms_), rtol=0.1, atol=0.0)
