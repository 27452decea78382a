r"""Points beyond an anchor, away from a near row of its class.

.. math:: z = a + \lambda\,(a - b) \qquad b \in \mathrm{kNN}_c(a)

Where :mod:`augmint.synthesizers.interpolation` stays inside what a class has shown, this goes as far to the other side
of the anchor. The neighbour b is drawn evenly from the k nearest other rows of class c; never from another class. A
class of one row falls back to Gaussian noise and says so in ``Draw.note``.

Shapes: anchors (n, *shape) -> (n, *shape); refs (n, 2) = (anchor, neighbour) with label weights (1, 0): the geometric
weights 1 + lambda and -lambda are no weights of labels. Ragged rows move where both are valid and keep the anchor's
length.
Paper: DeVries and Taylor 2017, "Dataset augmentation in feature space", arXiv:1702.05538.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from augmint.core.types import F32, Draw
from augmint.synthesizers.neighborhood import F64, Anchors, Neighborhood, NeighborMethod, Pairing

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ALONE = "fallback: one row in the class, noise instead of extrapolation"


@dataclass
class Extrapolation(NeighborMethod):
    """Points on the far side of each anchor, seen from one of its nearest rows of the same class.

    Attributes:
        neighbors: k, >= 1; classes with fewer rows use all they have.
        strength: lambda, >= 0: how far, in units of the distance to the neighbour.
        fallback_strength: strength of the noise for classes of one row.
        real_: the real rows by class.
    """

    dice: ClassVar[int] = 2  # the choice of neighbour, and the seed of the fallback's noise

    neighbors: int = 5
    strength: float = 0.5
    fallback_strength: float = 0.5
    real_: Neighborhood = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.neighbors < 1:
            raise ValueError(f"neighbors = {self.neighbors} must be >= 1")
        if not 0.0 <= self.strength < np.inf:
            raise ValueError(f"strength = {self.strength} must be >= 0")
        if not 0.0 <= self.fallback_strength < np.inf:
            raise ValueError(f"fallback_strength = {self.fallback_strength} must be >= 0")

    def draw(self, anchors: Anchors, dice: F64, out: F32 | None = None) -> Draw:
        """One point for each anchor, into ``out`` where it is given."""
        how = Pairing("extrapolation", ALONE, self.neighbors, "line", self.fallback_strength)
        return self.real_.draw(anchors, np.full(len(dice), -self.strength), dice, how, out)

    def batch(
        self, z: Tensor, y: Tensor, generator: torch.Generator, learned: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Move each row away from a random row of its class in the batch, or leave it where it is alone."""
        from augmint.numerics.batches import class_partner

        partner = class_partner(y.argmax(dim=1), generator)
        return z.lerp(z[partner], -self.strength), y
