r"""Points between an anchor and another row of its class.

.. math:: z = a + u\,(b - a) \qquad b \in \mathrm{kNN}_c(a) \qquad u \sim U(l, h)

The partner b is drawn evenly from the k nearest other rows of class c, or from all of them; never from another class.
On the sphere the direction turns from a to b and the length goes evenly (:mod:`augmint.synthesizers.paths`), so that
points between rows of one length keep it. A class of one row falls back to Gaussian noise and says so in
``Draw.note``.

Shapes: anchors (n, *shape) -> (n, *shape); refs (n, 2) = (anchor, partner), label weights (1 - u, u), clipped to
[0, 1]. Ragged rows are mixed where both are valid and keep the anchor's length.
Paper: Chawla et al. 2002, "SMOTE", JAIR 16, arXiv:1106.1813; in a learned space: DeVries and Taylor 2017,
arXiv:1702.05538; on the sphere: Shoemake 1985, "Animating rotation with quaternion curves", SIGGRAPH.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from augmint.core.types import F32, Draw
from augmint.synthesizers.neighborhood import F64, Anchors, Neighborhood, NeighborMethod, Pairing

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ALONE = "fallback: one row in the class, noise instead of interpolation"


@dataclass
class Interpolation(NeighborMethod):
    """Points between each anchor and one of its nearest rows of the same class (SMOTE).

    Attributes:
        neighbors: k, >= 1; classes with fewer rows use all they have.
        low: smallest u.
        high: largest u; above 1 is extrapolation beyond the partner.
        partner: "near" for one of the k nearest rows, "random" for any row of the class.
        path: "line", or "sphere" for the arc.
        fallback_strength: strength of the noise for classes of one row.
        real_: the real rows by class.
    """

    dice: ClassVar[int] = 3  # u, the choice of partner, and the seed of the fallback's noise

    neighbors: int = 5
    low: float = 0.0
    high: float = 1.0
    partner: Literal["near", "random"] = "near"
    path: Literal["line", "sphere"] = "line"
    fallback_strength: float = 0.5
    real_: Neighborhood = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.neighbors < 1:
            raise ValueError(f"neighbors = {self.neighbors} must be >= 1")
        if not -np.inf < self.low <= self.high < np.inf:
            raise ValueError(f"low = {self.low}, high = {self.high}: low must be at most high, both finite")
        if self.partner not in ("near", "random"):
            raise ValueError(f"partner = {self.partner!r} must be 'near' or 'random'")
        if self.path not in ("line", "sphere"):
            raise ValueError(f"path = {self.path!r} must be 'line' or 'sphere'")
        if not 0.0 <= self.fallback_strength < np.inf:
            raise ValueError(f"fallback_strength = {self.fallback_strength} must be >= 0")

    def draw(self, anchors: Anchors, dice: F64, out: F32 | None = None) -> Draw:
        """One point for each anchor, into ``out`` where it is given."""
        u = self.low + (self.high - self.low) * dice[:, 0]
        near = self.neighbors if self.partner == "near" else None
        how = Pairing("interpolation", ALONE, near, self.path, self.fallback_strength)
        return self.real_.draw(anchors, u, dice[:, 1:], how, out)

    def batch(
        self, z: Tensor, y: Tensor, generator: torch.Generator, learned: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Move each row towards a random row of its class in the batch, or leave it where it is alone."""
        import torch

        from augmint.numerics.batches import arc, beside, class_partner

        partner = class_partner(y.argmax(dim=1), generator)
        u = self.low + (self.high - self.low) * torch.rand(len(z), generator=generator, device=z.device)
        new = arc(z, z[partner], u) if self.path == "sphere" else z.lerp(z[partner], beside(u, z))
        return new, y.lerp(y[partner], beside(u.clamp(0, 1), y))
