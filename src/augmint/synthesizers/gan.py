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
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

import numpy as np
import torch

from augmint.core.protocols import State, Synthesizer
from augmint.core.seeds import torch_seed
from augmint.core.types import F32, I64, Bool, Draw, Latents, TargetKind
from augmint.numerics import forecast
from augmint.numerics.networks import Perceptron
from augmint.numerics.projection import Whitening, fit_whitening
from augmint.numerics.rows import check_width, checked, class_counts, flat32, in_blocks, strata
from augmint.synthesizers.gan_losses import LOSSES
from augmint.synthesizers.gan_training import LOUD, Duel
from augmint.synthesizers.gan_watch import CROWD, Crowd, Watch, hold_out
from augmint.synthesizers.noise import anchored_draw, class_notes

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
        loss: relativistic, non-saturating, least-squares, wgan-gp or hinge (:mod:`augmint.synthesizers.gan_losses`).
        condition: how the discriminator reads the label: concat, or projection.
        auxiliary: weight of the cross-entropy that a classifier of the real rows gives generated ones; 0 for none.
        hold_out: share of the rows of each class to keep aside, to stop by; nothing is kept where that is fewer than
            20 rows in all.
        patience: measurements (20 in a full training) that may pass without a better kernel distance to the rows kept
            aside. The best averaged generator is kept.
        penalty: gamma; hinge has none.
        vicinity: v, how far real rows are blurred: 1 as far as their nearest rows, 0 not at all. More gives rows
            that are further from the real ones, and labels that are less sure.
        neighbors: k, near rows of the same class to blur along.
        codes: parts of the mixture that the noise is.
        gain: scale of the initial weights; less gives sharper modes, and labels that are learned later.
        space_: the whitening.
        generator_: the averaged generator.
        count_: (k,) rows of each class.
        distance_: kernel distance (:mod:`augmint.numerics.fidelity`) between generated rows and those kept aside, or
            where none were, at most 1,000 of those trained on; NaN below two.
        coverage_: share of the same rows with a generated row as near as their fifth neighbour.
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
    loss: str = "relativistic"
    condition: str = "concat"
    auxiliary: float = 0.0
    hold_out: float = 0.0
    patience: int = 5
    space_: Whitening = field(init=False, repr=False)
    generator_: Perceptron = field(init=False, repr=False)
    count_: I64 = field(init=False, repr=False)
    distance_: float = field(init=False, repr=False)
    coverage_: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("steps", "components", "noise_size", "width", "depth", "batch", "neighbors", "codes", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 1")
        for name in ("rate", "gain"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} = {getattr(self, name)} must be > 0")
        for name in ("penalty", "vicinity", "auxiliary"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 0")
        for name, known in (("loss", tuple(LOSSES)), ("condition", ("concat", "projection"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} = {getattr(self, name)!r} must be one of {', '.join(known)}")
        if not 0.0 <= self.hold_out <= 0.5:
            raise ValueError(f"hold_out = {self.hold_out} must be between 0 and 0.5")

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
        rows, seed = checked(real, "gan"), torch_seed(rng)
        held = hold_out(strata(real), self.hold_out, rng)
        self.space_, self.count_ = fit_whitening(rows[~held], self.components), class_counts(real)
        w = self.space_.forward(rows)
        watch = Watch(self._crowd(real, w, held, rng), self.steps, self.patience)
        duel = self.duel(real.take(~held), w[~held], seed)

        def after(step: int) -> bool:
            if progress is not None and step % 50 == 0:
                progress(step / self.steps)
            return not held.any() or watch.go_on(step, duel.averaged.weights)

        duel.run(self.steps, after)
        if held.any():
            watch.restore(duel.averaged.weights)
        self.distance_, self.coverage_ = watch.measure()
        return self

    def duel(self, real: Latents, w: F32, seed: int) -> Duel:
        """Both networks, untrained, before the whitened rows ``w`` (n, q) of ``real``."""
        random = torch.Generator().manual_seed(seed)
        duel = Duel(self, w, real.y.astype(np.float32), strata(real), self.build_generator(random), random)
        self.generator_ = duel.average
        return duel

    def _crowd(self, real: Latents, w: F32, held: Bool, rng: np.random.Generator) -> Crowd:
        """The rows to compare with, held out or, where none are, trained on."""
        at = np.flatnonzero(held) if held.any() else np.arange(len(w))
        at = at if len(at) <= CROWD else np.sort(rng.choice(at, CROWD, replace=False))
        y = real.y[at].astype(np.float32)
        inputs = self.inputs(y, rng)
        return Crowd(w[at], y if self.conditional else y[:, :0], lambda: self._rows(inputs))

    def fit_seconds(self, real: Latents) -> float:
        """Time a few updates and multiply."""

        def prepare() -> Callable[[], None]:
            trial = copy.copy(self)
            rows = checked(real, "gan")
            trial.space_, trial.count_ = fit_whitening(rows, self.components), class_counts(real)
            duel = trial.duel(real, trial.space_.forward(rows), 0)
            return lambda: duel.run(1)

        return forecast.fit_seconds(prepare, self.steps)

    def build_generator(self, source: torch.Generator) -> Perceptron:
        """The untrained generator: noise and labels in, whitened coordinates out."""
        inputs = self.noise_size + self.codes + len(self.count_) * self.conditional
        return Perceptron(inputs, self.width, self.depth, len(self.space_.scale), source, self.gain)

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One row of the anchor's label for each anchor."""
        rows = flat32(anchors)
        check_width(rows, len(self.space_.mean), "gan")
        z = in_blocks(
            lambda block: self.space_.back(self._rows(block)), self.inputs(anchors.y.astype(np.float32), rng), BLOCK
        )
        return anchored_draw(anchors, z, class_notes(anchors.labels, self.count_, self.conditional))

    @torch.no_grad()
    def _rows(self, inputs: F32) -> F32:
        """(n, q) whitened rows from what the generator reads."""
        return np.asarray(self.generator_(torch.from_numpy(inputs)).numpy())

    def inputs(self, y: F32, rng: np.random.Generator) -> F32:
        """(n, noise + codes + k) what the generator reads, each row from its own 1 + noise_size numbers."""
        dice = rng.standard_normal((len(y), self.noise_size + 1), dtype=np.float32)
        # The last number picks the code: its rank among the equally likely intervals of a normal variable.
        share = 0.5 * (1.0 + torch.erf(torch.from_numpy(dice[:, -1]) / 2**0.5).numpy())
        code = np.minimum((share * self.codes).astype(np.int64), self.codes - 1)
        parts = [dice[:, :-1], LOUD * np.eye(self.codes, dtype=np.float32)[code]]
        if self.conditional:
            parts.append(LOUD * y)
        return np.concatenate(parts, axis=1)

    def state(self) -> State:
        """The averaged generator, the projection, and what was measured after the fit."""
        weights = {f"generator.{k}": v.numpy().copy() for k, v in self.generator_.state_dict().items()}
        space = {"mean": self.space_.mean, "basis": self.space_.basis, "scale": self.space_.scale}
        found = {"distance": np.asarray([self.distance_]), "coverage": np.asarray([self.coverage_])}
        return {**weights, **space, "count": self.count_, **found}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.space_ = Whitening(state["mean"], state["basis"], state["scale"])
        self.count_ = state["count"]
        self.distance_, self.coverage_ = float(state["distance"][0]), float(state["coverage"][0])
        self.generator_ = self.build_generator(torch.Generator())
        weights = {k.removeprefix("generator."): v for k, v in state.items() if k.startswith("generator.")}
        self.generator_.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in weights.items()})
        return self
