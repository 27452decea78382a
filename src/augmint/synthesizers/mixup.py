r"""Weighted means of two rows and of their labels, across classes.

.. math:: z = \lambda' a + (1 - \lambda')\, b \qquad y = \lambda' y_a + (1 - \lambda')\, y_b
.. math:: \lambda \sim \mathrm{Beta}(\alpha, \alpha) \qquad \lambda' = \max(\lambda, 1 - \lambda)

b is any other row, drawn evenly, of any class. The anchor gets the larger share, so that its class stays the heaviest
and a balanced choice of anchors stays balanced. A row with no other to mix with is copied and ``Draw.note`` says so.

Shapes: anchors (n, *shape) -> (n, *shape); refs (n, 2) = (anchor, partner), label weights (l', 1 - l'). Ragged rows
are mixed where both are valid and keep the anchor's length.
Papers: Zhang et al. 2018, "mixup", ICLR, arXiv:1710.09412; in a learned space: Verma et al. 2019, "Manifold mixup",
ICML, arXiv:1806.05236; the larger share: Berthelot et al. 2019, "MixMatch", NeurIPS, arXiv:1905.02249.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from augmint.core.protocols import Batched, State, Synthesizer
from augmint.core.types import F32, I64, Draw, Latents, TargetKind
from augmint.numerics.partners import Partners
from augmint.numerics.rows import check_width, flat32, mask_padding, text_array

if TYPE_CHECKING:
    import torch
    from torch import Tensor

F64 = npt.NDArray[np.float64]

LEAST = 0.5 + 1e-6
"""Smallest share of the anchor: at exactly a half, either class could be called the heaviest."""

ALONE = "fallback: no other row to mix with, copied"


@dataclass
class Mixup(Synthesizer, Batched):
    """Means of each anchor and another row, of any class, with labels mixed alike.

    Attributes:
        alpha: of the Beta distribution, > 0; 1 draws shares evenly, less keeps nearer to the anchor.
        across: mix with rows of any class; False stays within the anchor's.
        partners_: the real rows.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "global"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft", "multilabel", "number"))

    alpha: float = 1.0
    across: bool = True
    partners_: Partners = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha < np.inf:
            raise ValueError(f"alpha = {self.alpha} must be > 0")

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
        self.partners_ = Partners.of(real, "mixup")
        return self

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One mean for each anchor."""
        rows = flat32(anchors)
        check_width(rows, self.partners_.rows.shape[1], "mixup")
        dice = rng.random((len(anchors), 2))
        partner = self.partners_.draw(anchors, dice[:, 0], across=self.across)
        share = np.where(partner < 0, 1.0, self._shares(dice[:, 1])).astype(np.float32)
        z = rows + (1 - share)[:, None] * self.partners_.steps(anchors, rows, partner)
        return paired_draw(self.partners_, anchors, z, partner, share)

    def _shares(self, dice: F64) -> F64:
        """(n,) share of the anchor, by the inverse of the distribution: one number in, one out."""
        share: F64 = betaincinv(self.alpha, self.alpha, dice)
        return np.maximum(np.maximum(share, 1.0 - share), LEAST)

    def batch(
        self, z: Tensor, y: Tensor, generator: torch.Generator, learned: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mix each row with another of the batch; needs no fit."""
        from augmint.numerics.batches import any_partner, beside, class_partner

        partner = any_partner(len(z), generator) if self.across else class_partner(y.argmax(dim=1), generator)
        rest = 1 - self._batch_shares(len(z), generator)
        return z.lerp(z[partner], beside(rest, z)), y.lerp(y[partner], beside(rest, y))

    def _batch_shares(self, n: int, generator: torch.Generator) -> Tensor:
        """(n,) share of the anchor; torch's own Beta draws from the global generator."""
        import torch

        # A Beta is one gamma variable's share of two. In logarithms, and with Gamma(a) = Gamma(a + 1) U^(1/a), so
        # that a small alpha does not underflow.
        device = generator.device
        gamma = torch._standard_gamma(torch.full((2, n), self.alpha + 1.0, device=device), generator)
        power = torch.rand((2, n), generator=generator, device=device).clamp_min(1e-38).log() / self.alpha
        odds = gamma.log() + power
        return torch.sigmoid((odds[0] - odds[1]).abs()).clamp_min(LEAST)

    def state(self) -> State:
        """The learned arrays."""
        return self.partners_.state()

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.partners_ = Partners.from_state(state)
        return self


def paired_draw(partners: Partners, anchors: Latents, z: F32, partner: I64, share: F32) -> Draw:
    """The draw of flat rows ``z`` (n, d) whose labels are the anchor's by ``share`` and the partner's by the rest."""
    return Draw(
        z=mask_padding(z.astype(np.float32).reshape(anchors.z.shape), anchors.length),
        refs=partners.refs(anchors, partner),
        label_weights=np.stack([share, 1 - share], axis=1).astype(np.float32),
        length=None if anchors.length is None else anchors.length.astype(np.int64),
        note=text_array([ALONE if p < 0 else "" for p in partner]),
    )
