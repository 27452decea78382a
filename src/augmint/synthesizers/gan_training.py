r"""The training of a GAN: one critic, one generator, one stream of random numbers.

A critic is a perceptron f and weights c of its outputs, :math:`D(x, y) = c(y)^\top f(\cdot)`. It reads the label
beside the row and c = 1 (``concat``), or the row alone and c = (1, y) (``projection``, Miyato and Koyama 2018,
arXiv:1802.05637: :math:`D = \psi(\phi(x)) + y^\top V \phi(x)`).

With ``auxiliary`` the generator also lowers the cross-entropy of a softmax classifier that was fitted to the real rows
before (f-CLSWGAN, Xian et al. 2018, arXiv:1712.00981).

All gradients are written out (:mod:`augmint.numerics.networks`); autograd is not used.

Shapes: rows (n, q), y (n, k), one batch b of each; generator inputs (b, noise + codes + k).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from augmint.core.types import F32, I64
from augmint.numerics.networks import Descent, Passes, Perceptron, cosine, memory
from augmint.numerics.probe import Probe
from augmint.numerics.spectral import Spectral
from augmint.numerics.vicinity import Vicinity
from augmint.synthesizers.gan_losses import LOSSES, slope_penalty_slope

LOUD = 4.0
"""Scale of one-hot inputs: as loud as the noise beside them, or the generator would not listen to them."""

BETAS = (0.0, 0.95)
"""Adam's decays, without momentum, which makes two players circle each other."""


class Options(Protocol):
    """What the training reads of the method's configuration."""

    loss: str
    condition: str
    conditional: bool
    auxiliary: float
    steps: int
    noise_size: int
    width: int
    depth: int
    batch: int
    rate: float
    penalty: float
    vicinity: float
    neighbors: int
    codes: int
    gain: float


class Duel:
    """Both networks in training.

    Attributes:
        average: the averaged generator, which samples are made with.

    Args:
        options: the method.
        rows: (n, q) whitened real rows.
        y: (n, k) their labels.
        labels: (n,) the class each belongs to.
        maker: the untrained generator.
        random: where all random numbers come from, first of all the critic's weights.
    """

    def __init__(
        self, options: Options, rows: F32, y: F32, labels: I64, maker: Perceptron, random: torch.Generator
    ) -> None:
        self.options, self.random, self.loss = options, random, LOSSES[options.loss]
        self.vicinity = Vicinity(rows, labels, options.neighbors, options.vicinity)
        self.y = torch.from_numpy(y)
        self.concat = options.conditional and options.condition == "concat"
        self.projection = options.conditional and options.condition == "projection"
        self.average, self.maker = copy.deepcopy(maker), Passes(maker)
        self.averaged = Passes(self.average)
        self.q, k = rows.shape[1], y.shape[1]
        critic = Perceptron(
            self.q + k * self.concat, options.width, options.depth, 1 + k * self.projection, random, options.gain
        )
        self.critic = Passes(critic)
        self.spectral = Spectral(self.critic, random) if self.loss.spectral else None
        judged = self.critic.weights if self.spectral is None else self.spectral.weights
        self.make_step = Descent(self.maker.weights, self.maker.slopes, BETAS)
        self.judge_step = Descent(judged, self.critic.slopes, BETAS)
        self.classifier = Classifier(rows, y) if options.auxiliary > 0.0 else None
        self.step = 0

    def run(self, steps: int, after: Callable[[int], bool] | None = None) -> None:
        """Train for so many updates of each network, or until ``after`` (told the updates done) says False."""
        for _ in range(steps):
            rate = cosine(self.options.rate, self.step / max(1, self.options.steps))
            self._judge(rate)
            self._make(rate)
            self.averaged.weights.lerp_(self.maker.weights, 1.0 - memory(self.step))
            self.step += 1
            if after is not None and not after(self.step):
                return

    def _real(self) -> tuple[Tensor, Tensor]:
        """A batch of vicinal rows (b, q) and their labels (b, k)."""
        at = torch.randint(len(self.y), (self.options.batch,), generator=self.random)
        return self.vicinity.draw(at, self.random), self.y.index_select(0, at)

    def _noise(self, y: Tensor) -> Tensor:
        """What the generator reads for these labels."""
        options = self.options
        noise = torch.randn((len(y), options.noise_size), generator=self.random)
        code = torch.randint(options.codes, (len(y), 1), generator=self.random)
        coded = torch.zeros(len(y), options.codes).scatter_(1, code, LOUD)
        return torch.cat([noise, coded, LOUD * y] if options.conditional else [noise, coded], dim=1)

    def _read(self, x: Tensor, y: Tensor) -> Tensor:
        """What the critic reads."""
        return torch.cat([x, y], dim=1) if self.concat else x

    def _weights(self, y: Tensor) -> Tensor:
        """c, the weights of the critic's outputs."""
        one = y.new_ones(len(y), 1)
        return torch.cat([one, y], dim=1) if self.projection else one

    def _judge(self, rate: float) -> None:
        """One update of the critic."""
        x, y = self._real()
        fake = self.maker.forward(self._noise(y))[-1]
        rows = [x, fake]
        if self.loss.penalised == "between":
            rows.append(torch.lerp(fake, x, torch.rand((len(x), 1), generator=self.random)))
        c = self._weights(y).repeat(len(rows), 1)
        trace = self.critic.forward(self._read(torch.cat(rows), y.repeat(len(rows), 1)))
        score = (trace[-1] * c).sum(dim=1)
        b = len(x)
        s = torch.cat([*self.loss.judge_slopes(score[:b], score[b : 2 * b]), score.new_zeros(len(score) - 2 * b)])
        deltas = self.critic.pull(trace, c)
        self.critic.collect(deltas, self._below(trace, deltas, s), s)
        if self.spectral is not None:
            self.spectral.correct(self.critic)
        self.judge_step.step(rate)
        if self.spectral is not None:
            self.spectral.divide(self.critic)

    def _below(self, trace: list[Tensor], deltas: list[Tensor], s: Tensor) -> list[Tensor]:
        """s h + t of each layer, where t carries the gradient of the penalty."""
        below = [s[:, None] * h for h in trace[:-1]]
        b, kind = self.options.batch, self.loss.penalised
        if kind == "none" or self.options.penalty == 0.0:
            return below
        # The penalties of real and of made rows are two means: together, twice the mean over both.
        own = {"all": slice(None), "real": slice(b), "between": slice(2 * b, None)}[kind]
        gamma = self.options.penalty * (2.0 if kind == "all" else 1.0)
        slope = self.critic.input_slope([delta[own] for delta in deltas[:1]], self.q)
        pushed = self.critic.push([h[own] for h in trace], gamma * slope_penalty_slope(slope, self.loss.target))
        for h, t in zip(below, pushed, strict=True):
            h[own, : t.shape[1]] += t
        return below

    def _make(self, rate: float) -> None:
        """One update of the generator."""
        x, y = self._real()
        made = self.maker.forward(self._noise(y))
        rows, b = [made[-1], x] if self.loss.paired else [made[-1]], len(x)
        c = self._weights(y)
        trace = self.critic.forward(self._read(torch.cat(rows), y.repeat(len(rows), 1)))
        score = (trace[-1] * c.repeat(len(rows), 1)).sum(dim=1)
        slope = self.loss.make_slope(score[b:] if self.loss.paired else score, score[:b])
        deltas = self.critic.pull([h[:b] for h in trace], slope[:, None] * c)
        step = self.critic.input_slope(deltas, self.q)
        if self.classifier is not None:
            step = step + self.options.auxiliary * self.classifier.slope(made[-1], y)
        self.maker.collect(self.maker.pull(made, step), made[:-1])
        self.make_step.step(rate)


class Classifier:
    """A softmax classifier of the real rows, fixed."""

    def __init__(self, rows: F32, y: F32) -> None:
        probe = Probe().fit(rows, y)
        weight = probe.weight_ / probe.scale_[:, None] / np.float32(probe.temperature_)
        bias = probe.bias_ / np.float32(probe.temperature_) - probe.mean_ @ weight
        self.weight, self.bias = torch.from_numpy(weight), torch.from_numpy(bias)
        self.bias[torch.from_numpy(~probe.present_)] = -torch.inf

    def slope(self, x: Tensor, y: Tensor) -> Tensor:
        """(b, q) gradient to x of the mean of -sum_k y_k log softmax(x W + b)_k."""
        share = torch.softmax(torch.addmm(self.bias, x, self.weight), dim=1)
        return torch.mm(share - y, self.weight.t()) / len(x)
