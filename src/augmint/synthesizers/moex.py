r"""Moment exchange: a row keeps its normalised features and takes mean and spread of another row.

.. math:: z = \sigma_b\, \frac{a - \mu_a}{\sigma_a} + \mu_b \qquad y = \lambda y_a + (1 - \lambda)\, y_b
.. math:: \mu = \frac1C \sum_c x_c \qquad \sigma^2 = \frac1C \sum_c (x_c - \mu)^2 + \epsilon

Moments are taken over the features of each position (positional normalisation): over all numbers of a vector (d,),
over the d numbers of each step of a sequence (T, d), over the C channels at each position of a map (C, h, w). b is
any other row, drawn evenly. Where a ragged b has ended, a keeps its own moments. A row with no other is copied, with
its own label, and ``Draw.note`` says so.

Shapes: anchors (n, *shape) -> (n, *shape); refs (n, 2) = (anchor, partner), label weights (share, 1 - share).
Papers: Li et al. 2021, "On feature normalization and data augmentation", CVPR, arXiv:2002.11102; positional
normalisation: Li et al. 2019, NeurIPS, arXiv:1907.04312.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np

from augmint.core.protocols import Batched, State, Synthesizer
from augmint.core.types import Draw, Latents, TargetKind
from augmint.numerics.partners import Partners
from augmint.numerics.rows import check_width, feature_axis, flat32
from augmint.synthesizers.mixup import paired_draw

if TYPE_CHECKING:
    import torch
    from torch import Tensor

EPSILON = 1e-5
"""What is added to a variance, as in the paper, so that equal features are not divided by zero."""


@dataclass
class Moex(Synthesizer, Batched):
    """Each anchor with the mean and spread of another row's features (MoEx).

    Attributes:
        share: lambda, the anchor's part of the label, in (0.5, 1].
        across: take moments from rows of any class; False stays within the anchor's.
        partners_: the real rows.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "global"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft", "multilabel"))

    share: float = 0.9
    across: bool = True
    partners_: Partners = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.5 < self.share <= 1.0:
            raise ValueError(f"share = {self.share} must be above 0.5 and at most 1")

    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Keep the real rows; raises UsageError when there is none."""
        self.partners_ = Partners.of(real, "moex")
        return self

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One row for each anchor."""
        rows = flat32(anchors)
        check_width(rows, self.partners_.rows.shape[1], "moex")
        partner = self.partners_.draw(anchors, rng.random(len(anchors)), across=self.across)
        a, axis = rows.reshape(anchors.z.shape), 1 + feature_axis(anchors.shape)
        other = self.partners_.rows[partner].reshape(a.shape)
        mean, spread = _moments(a, axis)
        moved = (a - mean) / spread * _moments(other, axis)[1] + _moments(other, axis)[0]
        step = self.partners_.until_end(moved - a, partner).reshape(rows.shape)
        alone = partner < 0
        share = np.where(alone, np.float32(1), np.float32(self.share))
        return paired_draw(self.partners_, anchors, np.where(alone[:, None], rows, rows + step), partner, share)

    def batch(
        self, z: Tensor, y: Tensor, generator: torch.Generator, learned: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Exchange moments with another row of the batch; needs no fit."""
        from augmint.numerics.batches import any_partner, class_partner

        partner = any_partner(len(z), generator) if self.across else class_partner(y.argmax(dim=1), generator)
        axis = 1 + feature_axis(z.shape[1:])
        mean = z.mean(dim=axis, keepdim=True)
        spread = ((z - mean).square().mean(dim=axis, keepdim=True) + EPSILON).sqrt()
        moved = (z - mean) * (spread[partner] / spread) + mean[partner]
        return moved, y.lerp(y[partner], 1 - self.share)

    def state(self) -> State:
        """The learned arrays."""
        return self.partners_.state()

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.partners_ = Partners.from_state(state)
        return self


def _moments(x: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread over one axis, which stays with size 1."""
    return x.mean(axis=axis, keepdims=True), np.sqrt(x.var(axis=axis, keepdims=True) + np.float32(EPSILON))
