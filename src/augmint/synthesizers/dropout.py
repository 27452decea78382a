r"""Feature dropout: a share of the features of each anchor is taken away.

.. math:: z = m \odot a + (1 - m) \odot \mu_c \qquad m_j \sim \mathrm{Bernoulli}(1 - p) \qquad (\text{fill = mean})
.. math:: z = m \odot a \,/\, (1 - p) \qquad (\text{fill = zero})

Dropout at the input of a network is data augmentation (Bouthillier et al. 2015). In a hidden layer zero means "not
active"; in a pretrained space zero is one value like others and often a rare one, so by default a lost feature takes
the mean of the anchor's class, the best guess for it (mean imputation). With "zero" the rest is scaled up so that the
mean over draws is the anchor, as in Srivastava et al. A feature of a map (C, h, w) is a channel and one of a sequence
(T, d) a column: single numbers of a map say little that their neighbours do not (Tompson et al. 2015).

A class of one row is its own mean; it takes the mean of all rows instead and says so in ``Draw.note``.

Shapes: anchors (n, *shape) -> (n, *shape); m (n, features). Ragged rows keep their length and zeros beyond it.
Papers: Srivastava et al. 2014, "Dropout", JMLR 15; Bouthillier et al. 2015, "Dropout as data augmentation",
arXiv:1506.08700; Tompson et al. 2015, CVPR, arXiv:1411.4280 (whole channels).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np

from augmint.core.protocols import Batched, State, Synthesizer
from augmint.core.types import F32, Bool, Draw, Latents, TargetKind
from augmint.numerics.moments import class_moments
from augmint.numerics.rows import check_width, checked, feature_axis, flat32, strata, strata_count
from augmint.synthesizers.noise import anchored_draw

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BORROWED = "fallback: one row in the class, lost features take the mean of all rows"


@dataclass
class Dropout(Synthesizer, Batched):
    """Each anchor without some of its features.

    Attributes:
        share: p, the part of the features that is lost, in [0, 1).
        fill: "mean" puts the class's mean in their place, "zero" nothing, with the rest scaled up.
        mean_: (k, d) mean of each class; of all rows where ``borrowed_``.
        borrowed_: (k,) True where a class has fewer than two rows.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "class"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft", "multilabel", "number"))

    share: float = 0.2
    fill: str = "mean"
    mean_: F32 = field(init=False, repr=False)
    borrowed_: Bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.share < 1.0:
            raise ValueError(f"share = {self.share} must be in [0, 1)")
        if self.fill not in ("mean", "zero"):
            raise ValueError(f"fill = {self.fill!r} must be 'mean' or 'zero'")

    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Take the mean of each class; raises UsageError when there is no row."""
        rows = checked(real, "dropout")
        moments = class_moments(rows, strata(real), strata_count(real))
        self.borrowed_ = moments.borrowed
        everything = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.mean_ = np.where(self.borrowed_[:, None], everything, moments.mean)
        return self

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """Each anchor with its own features missing."""
        rows, group = flat32(anchors), strata(anchors)
        check_width(rows, self.mean_.shape[1], "dropout")
        axes, axis = [1] * len(anchors.shape), feature_axis(anchors.shape)
        axes[axis] = anchors.shape[axis]
        keep = rng.random((len(rows), *axes)) >= self.share
        keep = np.broadcast_to(keep, anchors.z.shape).reshape(rows.shape)
        if self.fill == "zero":
            return anchored_draw(anchors, rows * keep / np.float32(1 - self.share), [""] * len(rows))
        z = np.where(keep, rows, self.mean_[group])
        return anchored_draw(anchors, z, [BORROWED if self.borrowed_[c] else "" for c in group])

    @property
    def batch_needs_fit(self) -> bool:
        """Only for the means."""
        return self.fill == "mean"

    def batch_state(self) -> State:
        """The means; nothing when lost features become zero."""
        return {"mean": self.mean_} if self.batch_needs_fit else {}

    def batch(
        self, z: Tensor, y: Tensor, generator: torch.Generator, learned: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Lose features of each row; labels stay."""
        from augmint.numerics.batches import coins, on_device, stratum

        axes, axis = [1] * (z.ndim - 1), feature_axis(z.shape[1:])
        axes[axis] = z.shape[1 + axis]
        lost = coins((len(z), *axes), self.share, generator).to(z.dtype)
        if self.fill == "zero":
            return z * (1 - lost) / (1 - self.share), y
        mean = on_device(learned, self.batch_state, z)["mean"]
        return z.lerp(mean[stratum(y, len(mean))].to(z.dtype).reshape(z.shape), lost), y

    def state(self) -> State:
        """The learned arrays."""
        return {"mean": self.mean_, "borrowed": self.borrowed_}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.mean_, self.borrowed_ = state["mean"], state["borrowed"].astype(np.bool_)
        return self
