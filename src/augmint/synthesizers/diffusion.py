r"""Class-conditional flow matching in a whitened space, with guidance.

.. math:: x_t = (1 - t)\,\epsilon + t\,x \qquad
          L = E_{t, \epsilon, x}\,\bigl\lVert v_\theta(x_t, t, y) - (x - \epsilon) \bigr\rVert^2
          \qquad \epsilon \sim N(0, I),\; t \sim U(0, 1)

.. math:: \frac{dx}{dt} = v_\theta(x, t, y) + w\,\bigl(v_\theta(x, t, y) - v_\theta(x, t, \varnothing)\bigr)

The network learns the mean velocity from noise to the rows; following it from t = 0 to 1 turns fresh noise into new
rows. A tenth of the labels is hidden in training, so that the same network also knows the velocity without a label;
w > 0 leans away from it, towards what is typical of the class (``guidance``). As in :mod:`augmint.synthesizers.gan`,
rows are whitened on their strongest principal components and blurred along the steps to their nearest rows of the
class; without the blur a flow through tens of rows ends on these rows. Samples come from the averaged network, in
Heun steps. What lies outside the components is not generated.

A class of one row borrows the steps of the row nearest to it and says so in ``Draw.note``.

Shapes: anchors (n, *shape) -> (n, *shape); y (n, k) conditions the network; refs (n, 1) = anchor.
Papers: Lipman et al. 2023, "Flow matching for generative modeling", arXiv:2210.02747; Ho and Salimans 2022,
"Classifier-free diffusion guidance", arXiv:2207.12598. The sibling that does this with the latents of foundation models
for classes of few samples is GeLDA.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor

from augmint.core.protocols import State, Synthesizer
from augmint.core.seeds import torch_seed
from augmint.core.types import F32, I64, Draw, Latents, TargetKind
from augmint.numerics import forecast
from augmint.numerics.networks import Descent, Passes, Perceptron, cosine, memory
from augmint.numerics.projection import Whitening, fit_whitening
from augmint.numerics.rows import check_width, checked, class_counts, flat32, in_blocks, strata
from augmint.numerics.vicinity import Vicinity
from augmint.synthesizers.noise import anchored_draw, class_notes

OCTAVES = 4
"""Time goes in as sine and cosine of pi t, 2 pi t, 4 pi t and 8 pi t."""

HIDDEN = 0.1
"""Share of the labels that training hides."""

LOUD = 2.0
"""Scale of the labels among whitened numbers."""

BLOCK = 64
"""Rows in one pass of the network: always the same, so that a row's bytes do not depend on its batch."""


@dataclass
class Diffusion(Synthesizer):
    """A small flow from noise to the real rows, trained on the spot.

    Attributes:
        steps: updates of the network.
        conditional: condition on the labels of the anchors.
        guidance: w; more gives surer labels and less variety. 0 samples what was learned.
        sampling_steps: Heun steps from noise to a row, two passes each.
        components: most principal components to work in.
        width: units of each hidden layer.
        depth: hidden layers.
        batch: rows of one update.
        rate: learning rate at the start; it falls to a hundredth along a cosine.
        vicinity: how far real rows are blurred: 1 as far as their nearest rows, 0 not at all.
            The flow gives back what it sees, blur and all, so it wants less of it than the GAN.
        neighbors: near rows of the same class to blur along.
        space_: the whitening.
        network_: the averaged network.
        count_: (k,) rows of each class.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "global"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft"))

    steps: int = 3000
    conditional: bool = True
    guidance: float = 0.5
    sampling_steps: int = 16
    components: int = 48
    width: int = 192
    depth: int = 3
    batch: int = 256
    rate: float = 2e-3
    vicinity: float = 0.6
    neighbors: int = 8
    space_: Whitening = field(init=False, repr=False)
    network_: Perceptron = field(init=False, repr=False)
    count_: I64 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("steps", "sampling_steps", "components", "width", "depth", "batch", "neighbors"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 1")
        if not 0.0 < self.rate < np.inf:
            raise ValueError(f"rate = {self.rate} must be > 0")
        for name in ("guidance", "vicinity"):
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
        """Train the network; raises UsageError when there is no row."""
        training = self._prepare(real, torch_seed(rng))
        for step in range(self.steps):
            training.update()
            if progress is not None and (step + 1) % 50 == 0:
                progress((step + 1) / self.steps)
        return self

    def fit_seconds(self, real: Latents) -> float:
        """Time a few updates and multiply."""
        return forecast.fit_seconds(lambda: copy.copy(self)._prepare(real, 0).update, self.steps)

    def _prepare(self, real: Latents, seed: int) -> _Training:
        rows = checked(real, "diffusion")
        self.space_, self.count_ = fit_whitening(rows, self.components), class_counts(real)
        random = torch.Generator().manual_seed(seed)
        network = self._build(random)
        self.network_ = copy.deepcopy(network)
        vicinity = Vicinity(self.space_.forward(rows), strata(real), self.neighbors, self.vicinity)
        y = torch.from_numpy(real.y.astype(np.float32))[:, : self._labels]
        return _Training(self, vicinity, y, Passes(network), Passes(self.network_), random)

    @property
    def _labels(self) -> int:
        """How many labels the network reads."""
        return len(self.count_) * self.conditional

    def _build(self, source: torch.Generator) -> Perceptron:
        """The untrained network: a row, time and labels in, a velocity out."""
        q = len(self.space_.scale)
        return Perceptron(q + 2 * OCTAVES + self._labels, self.width, self.depth, q, source)

    @torch.no_grad()
    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One row of the anchor's label for each anchor."""
        rows = flat32(anchors)
        check_width(rows, len(self.space_.mean), "diffusion")
        noise = rng.standard_normal((len(rows), len(self.space_.scale)), dtype=np.float32)
        start = np.concatenate([noise, anchors.y.astype(np.float32)[:, : self._labels]], axis=1)
        z = in_blocks(lambda block: self.space_.back(self._flow(torch.from_numpy(block))), start, BLOCK)
        return anchored_draw(anchors, z, class_notes(anchors.labels, self.count_))

    def _flow(self, start: Tensor) -> F32:
        """(b, q) where noise beside labels (b, q + k) arrives, in Heun steps."""
        q = len(self.space_.scale)
        x, y, h = start[:, :q], start[:, q:], 1.0 / self.sampling_steps
        for step in range(self.sampling_steps):
            first = self._velocity(x, step * h, y)
            second = self._velocity(x + h * first, (step + 1) * h, y)
            x = x + 0.5 * h * (first + second)
        return np.asarray(x.numpy())

    def _velocity(self, x: Tensor, t: float, y: Tensor) -> Tensor:
        """(b, q) velocity with guidance."""
        time_ = torch.full((len(x), 1), t)
        with_label: Tensor = drift(x, time_) + self.network_(read(x, time_, y))
        if self.guidance == 0.0 or not self.conditional:
            return with_label
        without: Tensor = drift(x, time_) + self.network_(read(x, time_, torch.zeros_like(y)))
        return with_label + self.guidance * (with_label - without)

    def state(self) -> State:
        """The averaged network and the projection."""
        weights = {f"network.{k}": v.numpy().copy() for k, v in self.network_.state_dict().items()}
        space = {"mean": self.space_.mean, "basis": self.space_.basis, "scale": self.space_.scale}
        return {**weights, **space, "count": self.count_}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.space_ = Whitening(state["mean"], state["basis"], state["scale"])
        self.count_ = state["count"]
        self.network_ = self._build(torch.Generator())
        weights = {k.removeprefix("network."): v for k, v in state.items() if k.startswith("network.")}
        self.network_.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in weights.items()})
        return self


def drift(x: Tensor, t: Tensor) -> Tensor:
    """(b, q) the exact velocity if the rows were one Gaussian cloud; the network learns the rest."""
    return x * ((2.0 * t - 1.0) / (t.square() + (1.0 - t).square()))


def read(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
    """What the network reads: rows (b, q), times (b, 1), labels (b, k), all 0 where hidden."""
    angle = t * (torch.pi * 2.0 ** torch.arange(OCTAVES))
    return torch.cat([x, torch.sin(angle), torch.cos(angle), LOUD * y], dim=1)


@dataclass
class _Training:
    """The training of one flow."""

    options: Diffusion
    vicinity: Vicinity
    y: Tensor
    network: Passes
    average: Passes
    random: torch.Generator
    step: int = 0

    def __post_init__(self) -> None:
        self.descent = Descent(self.network.weights, self.network.slopes, (0.9, 0.99))

    def update(self) -> None:
        """Move the network once, and its average."""
        at = torch.randint(len(self.y), (self.options.batch,), generator=self.random)
        x = self.vicinity.draw(at, self.random)
        noise, t = torch.randn(x.shape, generator=self.random), torch.rand((len(x), 1), generator=self.random)
        shown = (torch.rand((len(x), 1), generator=self.random) >= HIDDEN).float()
        trace = self.network.forward(read(torch.lerp(noise, x, t), t, shown * self.y.index_select(0, at)))
        at_t = torch.lerp(noise, x, t)
        slope = (trace[-1] + drift(at_t, t) - (x - noise)) * (2.0 / x.numel())
        self.network.collect(self.network.pull(trace, slope), trace[:-1])
        self.descent.step(cosine(self.options.rate, self.step / self.options.steps))
        self.average.weights.lerp_(self.network.weights, 1.0 - memory(self.step))
        self.step += 1
