r"""A class-conditional generative adversarial network in a whitened space.

.. math:: L_D = E\,\mathrm{softplus}\bigl(D(\tilde x, y) - D(x, y)\bigr)
          + \tfrac\gamma2 E\lVert\nabla_x D(x, y)\rVert^2
          + \tfrac\gamma2 E\lVert\nabla_{\tilde x} D(\tilde x, y)\rVert^2

.. math:: L_G = E\,\mathrm{softplus}\bigl(D(x, y) - D(\tilde x, y)\bigr) \qquad \tilde x = G(\epsilon, y)

The relativistic pairing makes the generator answer every real row, which is what keeps all modes; the two gradient
penalties make training converge. Three things make it work on tens of rows. Rows are whitened on their strongest
principal components, so that a map of thousands of numbers is a short vector. The discriminator sees each real row
blurred along the steps to its nearest rows of the class, so that it cannot know them by heart and the generator has
no reason to copy them: :math:`x + v\,k^{-1/2} \sum_j \epsilon_j (b_j - x)`. And the noise is a mixture: beside
Gaussian numbers the generator reads one of ``codes`` one-hot codes, so that it need not tear a continuous cloud to
reach separate modes. Samples come from the averaged generator. What lies outside the components is not generated.

A class of one row borrows the steps of the row nearest to it and says so in ``Draw.note``.

Shapes: anchors (n, *shape) -> (n, *shape); y (n, k) conditions both networks; refs (n, 1) = anchor.
Papers: Huang et al. 2024, "The GAN is dead; long live the GAN!", arXiv:2501.05441 (loss); Jolicoeur-Martineau 2018,
arXiv:1807.00734 (relativistic); Vincent and Bengio 2002, "Manifold Parzen windows", NeurIPS (blur); Ben-Yosef and
Weinshall 2018, arXiv:1808.10356 (mixture noise).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor

from augmint.core.protocols import State, Synthesizer
from augmint.core.seeds import torch_seed
from augmint.core.types import F32, I64, Draw, Latents, TargetKind
from augmint.numerics.neighbors import nearest
from augmint.numerics.networks import Perceptron, blend
from augmint.numerics.projection import Whitening, fit_whitening
from augmint.numerics.rows import check_width, checked, flat32, strata
from augmint.synthesizers.noise import BORROWED, anchored_draw

LOUD = 4.0
"""Scale of one-hot inputs: as loud as the noise beside them, or the generator would not listen to them."""

BLOCK = 64
"""Rows in one pass of the generator: always the same, so that a row's bytes do not depend on its batch."""


@dataclass
class Gan(Synthesizer):
    """A small generative adversarial network, trained on the spot.

    Attributes:
        steps: updates of each network.
        conditional: condition on the labels of the anchors.
        components: most principal components to work in.
        noise_size: numbers of noise that go into the generator.
        width: units of each hidden layer.
        depth: hidden layers.
        batch: rows of one update.
        rate: learning rate at the start; it falls to a hundredth along a cosine.
        penalty: gamma.
        vicinity: v, how far real rows are blurred: 1 as far as their nearest rows, 0 not at all. More gives rows
            that are further from the real ones, and labels that are less sure.
        neighbors: k, near rows of the same class to blur along.
        codes: parts of the mixture that the noise is.
        gain: scale of the initial weights; less gives sharper modes, and labels that are learned later.
        space_: the whitening.
        generator_: the averaged generator.
        count_: (k,) rows of each class.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "global"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft"))

    steps: int = 3000
    conditional: bool = True
    components: int = 48
    noise_size: int = 32
    width: int = 192
    depth: int = 3
    batch: int = 96
    rate: float = 1e-3
    penalty: float = 0.5
    vicinity: float = 1.0
    neighbors: int = 8
    codes: int = 256
    gain: float = 1.0
    space_: Whitening = field(init=False, repr=False)
    generator_: Perceptron = field(init=False, repr=False)
    count_: I64 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("steps", "components", "noise_size", "width", "depth", "batch", "neighbors", "codes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 1")
        for name in ("rate", "gain"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} = {getattr(self, name)} must be > 0")
        for name in ("penalty", "vicinity"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 0")

    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Train both networks; raises UsageError when there is no row."""
        rows = checked(real, "gan")
        self.space_, self.count_ = fit_whitening(rows, self.components), _class_counts(real)
        _Duel(self, real, self.space_.forward(rows), torch_seed(rng)).run(self.steps, progress)
        return self

    def fit_seconds(self, real: Latents) -> float:
        """Time 20 updates (after 3 to warm up) and multiply."""
        start = time.perf_counter()
        trial = copy.copy(self)
        rows = checked(real, "gan")
        trial.space_, trial.count_ = fit_whitening(rows, self.components), _class_counts(real)
        duel = _Duel(trial, real, trial.space_.forward(rows), 0)
        duel.run(3, None)
        setup, begin = time.perf_counter() - start, time.perf_counter()
        duel.run(20, None)
        return setup + (time.perf_counter() - begin) * self.steps / 20

    def build_generator(self, source: torch.Generator) -> Perceptron:
        """The untrained generator: noise and labels in, whitened coordinates out."""
        inputs = self.noise_size + self.codes + len(self.count_) * self.conditional
        return Perceptron(inputs, self.width, self.depth, len(self.space_.scale), source, self.gain)

    @torch.no_grad()
    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One row of the anchor's label for each anchor."""
        rows = flat32(anchors)
        check_width(rows, len(self.space_.mean), "gan")
        inputs = self._inputs(anchors, rng)
        padded = np.zeros((-(-len(rows) // BLOCK) * BLOCK, inputs.shape[1]), np.float32)
        padded[: len(rows)] = inputs
        z = np.zeros((len(padded), rows.shape[1]), np.float32)
        for start in range(0, len(padded), BLOCK):
            block = self.generator_(torch.from_numpy(padded[start : start + BLOCK]))
            z[start : start + BLOCK] = self.space_.back(block.numpy())
        return anchored_draw(anchors, z[: len(rows)], [self._note(c) for c in anchors.labels])

    def _note(self, label: int) -> str:
        if self.count_[label] == 0:
            return "fallback: no row of the class was fitted"
        return BORROWED if self.conditional and self.count_[label] == 1 else ""

    def _inputs(self, anchors: Latents, rng: np.random.Generator) -> F32:
        """(n, noise + codes + k) what the generator reads, each row from its own 1 + noise_size numbers."""
        dice = rng.standard_normal((len(anchors), self.noise_size + 1), dtype=np.float32)
        # The last number picks the code: its rank among the equally likely intervals of a normal variable.
        share = 0.5 * (1.0 + torch.erf(torch.from_numpy(dice[:, -1]) / 2**0.5).numpy())
        code = np.minimum((share * self.codes).astype(np.int64), self.codes - 1)
        parts = [dice[:, :-1], LOUD * np.eye(self.codes, dtype=np.float32)[code]]
        if self.conditional:
            parts.append(LOUD * anchors.y.astype(np.float32))
        return np.concatenate(parts, axis=1)

    def state(self) -> State:
        """The averaged generator and the projection."""
        weights = {f"generator.{k}": v.numpy().copy() for k, v in self.generator_.state_dict().items()}
        space = {"mean": self.space_.mean, "basis": self.space_.basis, "scale": self.space_.scale}
        return {**weights, **space, "count": self.count_}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.space_ = Whitening(state["mean"], state["basis"], state["scale"])
        self.count_ = state["count"]
        self.generator_ = self.build_generator(torch.Generator())
        weights = {k.removeprefix("generator."): v for k, v in state.items() if k.startswith("generator.")}
        self.generator_.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in weights.items()})
        return self


class _Duel:
    """The training of one GAN: two networks, two optimisers, one generator of random numbers."""

    def __init__(self, config: Gan, real: Latents, rows: F32, seed: int) -> None:
        self.config, self.random = config, torch.Generator().manual_seed(seed)
        self.rows = torch.from_numpy(rows)
        self.y = torch.from_numpy(real.y.astype(np.float32))
        origin, near = _class_neighbors(rows, strata(real), config.neighbors)
        self.origin, self.near = torch.from_numpy(origin), torch.from_numpy(near)
        self.maker = config.build_generator(self.random)
        config.generator_ = copy.deepcopy(self.maker).requires_grad_(False)
        inputs = rows.shape[1] + len(config.count_) * config.conditional
        self.critic = Perceptron(inputs, config.width, config.depth, 1, self.random, config.gain)
        self.make_step = torch.optim.Adam(self.maker.parameters(), config.rate, betas=(0.0, 0.95))
        self.judge_step = torch.optim.Adam(self.critic.parameters(), config.rate, betas=(0.0, 0.95))

    def run(self, steps: int, progress: Callable[[float], None] | None) -> None:
        """Train for ``steps`` updates of each network."""
        for step in range(steps):
            self._set_rate(step / max(1, self.config.steps))
            self._judge()
            self._make()
            keep = min(0.998, (step + 1) / (step + 10))
            blend(self.config.generator_.parameters(), self.maker.parameters(), keep)
            if progress is not None and (step + 1) % 50 == 0:
                progress((step + 1) / steps)

    def _set_rate(self, done: float) -> None:
        rate = self.config.rate * (0.01 + 0.99 * 0.5 * (1.0 + float(np.cos(np.pi * min(1.0, done)))))
        for optimizer in (self.make_step, self.judge_step):
            optimizer.param_groups[0]["lr"] = rate

    def _real(self) -> tuple[Tensor, Tensor]:
        """A batch of vicinal rows (b, q) and their labels (b, k)."""
        at = torch.randint(len(self.rows), (self.config.batch,), generator=self.random)
        near = self.near[at]
        ball = torch.randn((*near.shape, 1), generator=self.random) * (self.config.vicinity / near.shape[1] ** 0.5)
        steps = self.rows[near] - self.rows[self.origin[at]]
        return self.rows[at] + (ball * steps).sum(dim=1), self.y[at]

    def _fake(self, y: Tensor) -> Tensor:
        noise = torch.randn((len(y), self.config.noise_size), generator=self.random)
        code = torch.randint(self.config.codes, (len(y),), generator=self.random)
        coded = LOUD * torch.nn.functional.one_hot(code, self.config.codes)
        out: Tensor = self.maker(self._with(torch.cat([noise, coded], dim=1), LOUD * y))
        return out

    def _with(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cat([x, y], dim=1) if self.config.conditional else x

    def _judge(self) -> None:
        """One update of the discriminator."""
        x, y = self._real()
        with torch.no_grad():
            fake = self._fake(y)
        both = torch.cat([x, fake]).requires_grad_(True)
        score = self.critic(self._with(both, torch.cat([y, y])))
        (slope,) = torch.autograd.grad(score.sum(), both, create_graph=True)
        real, made = score.chunk(2)
        loss = torch.nn.functional.softplus(made - real).mean()
        loss = loss + 0.5 * self.config.penalty * 2.0 * slope.square().sum(dim=1).mean()
        self.judge_step.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.judge_step.step()

    def _make(self) -> None:
        """One update of the generator."""
        x, y = self._real()
        self.critic.requires_grad_(False)
        gap = self.critic(self._with(x, y)) - self.critic(self._with(self._fake(y), y))
        self.make_step.zero_grad(set_to_none=True)
        torch.nn.functional.softplus(gap).mean().backward()  # type: ignore[no-untyped-call]
        self.make_step.step()
        self.critic.requires_grad_(True)


def _class_counts(real: Latents) -> I64:
    """(k,) rows of each class."""
    return np.bincount(real.labels, minlength=real.y.shape[1]).astype(np.int64)


def _class_neighbors(rows: F32, labels: I64, k: int) -> tuple[I64, I64]:
    """Near rows of the same class: origins (n, 1) and neighbours (n, k), repeated where a class is small.

    A row that is alone in its class borrows origin and neighbours from the row that is nearest to it among those
    that are not; where all are alone, both are the row itself, and the step between them is nothing.
    """
    origin = np.arange(len(rows))[:, None]
    near = np.tile(origin, (1, k))
    alone = np.bincount(labels)[labels] < 2
    for c in np.unique(labels[~alone]):
        members = np.flatnonzero(labels == c)
        found = members[nearest(rows[members], rows[members], k, same=True)[1]]
        near[members] = found[:, np.arange(k) % found.shape[1]]
    if alone.any() and not alone.all():
        lender = np.flatnonzero(~alone)[nearest(rows[alone], rows[~alone], 1)[1][:, 0]]
        origin[alone], near[alone] = lender[:, None], near[lender]
    return origin, near
