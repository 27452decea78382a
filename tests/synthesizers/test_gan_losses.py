"""Each loss against numbers worked out by hand, its slopes and both networks' gradients against autograd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import leaky_relu, linear

from augmint.checks import example_latents
from augmint.numerics.networks import Perceptron
from augmint.synthesizers.gan import Gan
from augmint.synthesizers.gan_losses import LOSSES, slope_penalty, slope_penalty_slope
from augmint.synthesizers.gan_training import LOUD, Classifier, Duel

R, M = torch.tensor([2.0, 0.5]), torch.tensor([-1.0, 1.5])


def soft(x: float) -> float:
    return math.log1p(math.exp(x))


BY_HAND: dict[str, tuple[float, float]] = {
    "relativistic": ((soft(-3.0) + soft(1.0)) / 2, (soft(3.0) + soft(-1.0)) / 2),
    "non-saturating": (
        (soft(-2.0) + soft(-0.5)) / 2 + (soft(-1.0) + soft(1.5)) / 2,
        (soft(1.0) + soft(-1.5)) / 2,
    ),
    "least-squares": (((1.0 + 0.25) + (1.0 + 2.25)) / 4, (4.0 + 0.25) / 4),
    "wgan-gp": (0.25 - 1.25, -0.25),
    "hinge": ((0.0 + 0.5) / 2 + (0.0 + 2.5) / 2, -0.25),
}


@pytest.mark.parametrize("name", LOSSES)
def test_the_value_is_the_closed_form(name: str) -> None:
    loss = LOSSES[name]
    assert (loss.judge(R, M).item(), loss.make(R, M).item()) == pytest.approx(BY_HAND[name], abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_the_slopes_are_those_of_the_value(name: str) -> None:
    loss, random = LOSSES[name], torch.Generator().manual_seed(0)
    r, m = (torch.randn(50, generator=random).requires_grad_() for _ in range(2))
    for mine, theirs in zip(
        loss.judge_slopes(r.detach(), m.detach()), torch.autograd.grad(loss.judge(r, m), (r, m)), strict=True
    ):
        torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(loss.make_slope(r.detach(), m.detach()), torch.autograd.grad(loss.make(r, m), m)[0])


def test_at_equilibrium_the_losses_are_those_of_the_papers() -> None:
    nothing = torch.zeros(3)
    assert LOSSES["relativistic"].judge(nothing, nothing).item() == pytest.approx(math.log(2))
    assert LOSSES["non-saturating"].judge(nothing, nothing).item() == pytest.approx(math.log(4))
    assert LOSSES["least-squares"].judge(nothing + 0.5, nothing + 0.5).item() == pytest.approx(0.25)
    assert LOSSES["wgan-gp"].judge(nothing, nothing).item() == 0.0
    assert LOSSES["hinge"].judge(nothing, nothing).item() == 2.0


def test_the_penalty_of_a_linear_critic() -> None:
    w = torch.tensor([3.0, 4.0])
    slope = w.repeat(7, 1)  # D(x) = w x has the slope w everywhere
    assert 2 * slope_penalty(slope, 1.0).item() == pytest.approx((5.0 - 1.0) ** 2)
    assert 2 * slope_penalty(slope, 0.0).item() == pytest.approx(25.0)
    for target in (0.0, 1.0):
        free = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
        (expected,) = torch.autograd.grad(slope_penalty(free, target), free)
        torch.testing.assert_close(slope_penalty_slope(free.detach(), target), expected)
    assert slope_penalty_slope(torch.zeros(2, 3), 1.0).isfinite().all()


def test_the_classifier_is_calibrated_cross_entropy() -> None:
    real = example_latents((30, 30, 1))
    classifier = Classifier(real.z, real.y)
    x = torch.from_numpy(real.z).requires_grad_()
    y = torch.from_numpy(real.y)
    logits = linear(x, classifier.weight.t(), classifier.bias)
    assert (logits.argmax(dim=1).numpy() == real.labels).mean() > 0.95
    (expected,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, y), x)
    torch.testing.assert_close(classifier.slope(x.detach(), y), expected, rtol=1e-4, atol=1e-7)


class Plain:
    """The same duel in plain PyTorch: autograd, double differentiation."""

    def __init__(self, duel: Duel) -> None:
        self.duel, self.loss, options = duel, duel.loss, duel.options
        self.maker, self.critic = [
            [p.clone().requires_grad_() for layer in passes.views(vector) for p in layer]
            for passes, vector in (
                (duel.maker, duel.maker.weights),
                (duel.critic, duel.spectral.weights if duel.spectral else duel.critic.weights),
            )
        ]
        self.u = [u.clone() for u in duel.spectral.u] if duel.spectral else []
        self.v = [v.clone() for v in duel.spectral.v] if duel.spectral else []
        self.gamma = options.penalty

    def run(self, net: list[Any], x: torch.Tensor) -> torch.Tensor:
        for i in range(0, len(net), 2):
            weight = net[i]
            if net is self.critic and self.u:
                weight = weight / torch.dot(self.u[i // 2], weight @ self.v[i // 2])
            x = linear(x, weight, net[i + 1])
            x = leaky_relu(x, 0.2) if i < len(net) - 2 else x
        return x

    def score(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if self.duel.projection:
            out = self.run(self.critic, x)
            return out[:, 0] + (out[:, 1:] * y).sum(dim=1)
        return self.run(self.critic, torch.cat([x, y], dim=1) if self.duel.concat else x)[:, 0]

    def slope(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x = x.detach().requires_grad_()
        return torch.autograd.grad(self.score(x, y).sum(), x, create_graph=True)[0]

    def judge(self, random: torch.Generator) -> torch.Tensor:
        self.duel.random = random
        x, y = self.duel._real()
        fake = self.run(self.maker, self.duel._noise(y)).detach()
        loss = self.loss.judge(self.score(x, y), self.score(fake, y))
        kind = self.loss.penalised
        if kind in ("all", "real"):
            loss = loss + self.gamma * slope_penalty(self.slope(x, y), self.loss.target)
        if kind == "all":
            loss = loss + self.gamma * slope_penalty(self.slope(fake, y), self.loss.target)
        if kind == "between":
            u = torch.rand((len(x), 1), generator=random)
            loss = loss + self.gamma * slope_penalty(self.slope(fake + u * (x - fake), y), self.loss.target)
        return torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, self.critic)])

    def make(self, random: torch.Generator) -> torch.Tensor:
        self.duel.random = random
        x, y = self.duel._real()
        fake = self.run(self.maker, self.duel._noise(y))
        loss = self.loss.make(self.score(x, y), self.score(fake, y))
        if self.duel.classifier is not None:
            logits = linear(fake, self.duel.classifier.weight.t(), self.duel.classifier.bias)
            loss = loss + self.duel.options.auxiliary * torch.nn.functional.cross_entropy(logits, y)
        return torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, self.maker)])


@pytest.mark.parametrize("condition", ["concat", "projection", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradients_are_those_of_plain_pytorch(name: str, condition: str) -> None:
    real = example_latents((9, 6, 5))
    kind = {"conditional": False} if condition == "none" else {"condition": condition}
    gan = Gan(loss=name, width=16, depth=2, batch=8, noise_size=3, codes=4, auxiliary=0.5, steps=1, **kind)
    maker = Perceptron(3 + 4 + 3 * gan.conditional, 16, 2, 7, torch.Generator().manual_seed(1))
    duel = Duel(gan, real.z, real.y, real.labels, maker, torch.Generator().manual_seed(2))
    duel.run(2)  # biases that are not 0
    plain = Plain(duel)
    duel.random = torch.Generator().manual_seed(3)
    duel._judge(gan.rate)
    torch.testing.assert_close(duel.critic.slopes, plain.judge(torch.Generator().manual_seed(3)), rtol=1e-4, atol=1e-6)
    plain = Plain(duel)
    duel.random = torch.Generator().manual_seed(4)
    duel._make(gan.rate)
    torch.testing.assert_close(duel.maker.slopes, plain.make(torch.Generator().manual_seed(4)), rtol=1e-4, atol=1e-6)


def test_a_generator_input_is_one_code_among_the_noise() -> None:
    real = example_latents((4, 3))
    gan = Gan(noise_size=2, codes=5, width=4, batch=6)
    duel = Duel(gan, real.z, real.y, real.labels, Perceptron(9, 4, 1, 7, torch.Generator()), torch.Generator())
    y = torch.tensor([[0.0, 1.0], [0.5, 0.5]])
    read = duel._noise(y)
    assert read.shape == (2, 2 + 5 + 2)
    assert read[:, 2:7].sum(dim=1).tolist() == [LOUD, LOUD] and (read[:, 2:7] == LOUD).sum() == 2
    assert np.array_equal(read[:, 7:].numpy(), LOUD * y.numpy())
