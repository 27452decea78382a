r"""Distribution calibration: a class of one or a few rows borrows mean and covariance from the classes near it.

.. math:: \mu' = \frac{1}{k + 1}\Bigl(t(a) + \sum_{j \in S} \mu_j\Bigr) \qquad
          \Sigma' = \frac1k \sum_{j \in S} \Sigma_j + \alpha\, \bar v\, I \qquad
          z = t^{-1}(x), \; x \sim N(\mu', \Sigma')

S are the k base classes whose means are nearest to t(a). t is Tukey's ladder of powers, :math:`t(x) = x^\lambda`, and
everything above is taken in its space: base rows are transformed before their means and covariances are (the released
code of the paper compares square-rooted rows with the statistics of raw ones). Roots of negative numbers do not exist,
and a signed root would tear the numbers around 0 apart, so where any row has a negative number t is the identity.
Draws go back to the space of the anchors; what a root cannot be (below 0) is 0. :math:`\alpha` is in units of
:math:`\bar v`, the mean variance of the borrowed classes (the paper adds an absolute number to every entry).

Without a base it borrows from the other classes of ``y`` and says so in ``Draw.note``. Where there is none of two rows
it falls back to noise.

Shapes: anchors (n, *shape) -> (n, *shape); refs (n, 1 + k) = (anchor, base classes as ``base:CLASS``), label weights
(1, 0, ...): the label is the anchor's. Ragged rows keep their length and zeros beyond it.
Paper: Yang, Liu and Xu 2021, "Free Lunch for Few-shot Learning: Distribution Calibration", ICLR, arXiv:2101.06395.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np

from augmint.core.protocols import Batched, State, Synthesizer
from augmint.core.types import F32, I64, Bool, Draw, Latents, TargetKind, Text
from augmint.numerics.moments import class_moments
from augmint.numerics.neighbors import nearest_rows
from augmint.numerics.rows import (
    check_base,
    check_width,
    checked,
    flat32,
    pack_text,
    strata,
    strata_count,
    text_array,
    unpack_text,
)
from augmint.numerics.spread import F64, Spread, class_parts, fit_spread
from augmint.synthesizers.noise import anchored_draw

if TYPE_CHECKING:
    import torch
    from torch import Tensor

OTHERS = "borrowed: no base, statistics of the other classes"
ITSELF = "fallback: no base, and no other class of two rows; statistics of its own class"
NOBODY = "fallback: no class of two rows to borrow from, noise instead of calibration"

BATCH_TERMS = 4
"""Rows of factors combined in one draw of the batch form."""


@dataclass
class Calibration(Synthesizer, Batched):
    """Rows from a Gaussian around each anchor, calibrated by the base classes near it.

    Attributes:
        neighbors: k, base classes to borrow from.
        dispersion: alpha, variance added to every number, in units of the borrowed classes' mean variance.
        power: lambda of Tukey's transform, in (0, 1]; used where no number is negative.
        rank: most directions of each class's covariance that are kept.
        fallback_strength: strength of the noise where no class can lend.
        lenders_: statistics of the classes to borrow from, in the transformed space.
        lender_names_: their refs, ``base:CLASS``, or "" without a base.
        lender_label_: (K,) class of ``y`` that a lender is, -1 for base classes.
        power_: (1,) the power in use.
        rms_: (k,) spread of each class, for the fallback.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "global"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft"))
    uses: ClassVar[frozenset[Literal["pool", "base"]]] = frozenset(("base",))
    needs_many_classes: ClassVar[bool] = True

    neighbors: int = 2
    dispersion: float = 0.2
    power: float = 0.5
    rank: int = 64
    fallback_strength: float = 0.5
    lenders_: Spread = field(init=False, repr=False)
    lender_names_: Text = field(init=False, repr=False)
    lender_label_: I64 = field(init=False, repr=False)
    power_: F64 = field(init=False, repr=False)
    rms_: F32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("neighbors", "rank"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 1")
        for name in ("dispersion", "fallback_strength"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 0")
        if not 0.0 < self.power <= 1.0:
            raise ValueError(f"power = {self.power} must be in (0, 1]")

    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Measure the classes to borrow from; raises UsageError for no row, or a base of another space."""
        rows = checked(real, "calibration")
        source, names = real, [""] * strata_count(real)
        if base is not None:
            check_base(base, real, "calibration")
            source, names = base, [f"base:{name}" for name in base.classes]
        lent = rows if base is None else checked(base, "calibration")
        parts = class_parts(strata(source), len(names))
        lendable = any(len(members) > 1 for members, _ in parts)
        rooted = lendable and min(rows.min(), lent.min()) >= 0.0
        self.power_ = np.asarray([self.power if rooted else 1.0])
        spread = fit_spread(self._there(lent), parts, self.rank)
        able = self._able(spread, None if base is None else self._there(rows))
        self.lenders_, self.lender_label_ = spread.take(able), able if base is None else np.full_like(able, -1)
        self.lender_names_ = text_array([names[g] for g in able])
        self.rms_ = class_moments(rows, strata(real), strata_count(real)).rms
        return self

    def _able(self, spread: Spread, near: F32 | None) -> I64:
        """Groups of two rows or more; where ``near`` is given only the k next to any of its rows, to keep few."""
        able = np.flatnonzero(spread.count >= 2)
        if near is not None and len(able):
            able = able[np.unique(nearest_rows(near, spread.mean[able], self.neighbors))]
        return able.astype(np.int64)

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One draw from each anchor's calibrated Gaussian."""
        rows, labels = flat32(anchors), strata(anchors)
        check_width(rows, self.lenders_.mean.shape[1], "calibration")
        there = self._there(rows)
        which, lends = self._nearest(there, labels)
        count = lends.sum(axis=1)
        share = lends / np.maximum(count, 1)[:, None]
        extra = self.dispersion * (share * self.lenders_.variance[which]).sum(axis=1)
        extra = np.where(count > 0, extra, np.square(self.fallback_strength * self.rms_[labels]))
        mean = there.copy()
        for slot in range(which.shape[1]):
            mean += lends[:, slot, None] * self.lenders_.mean[which[:, slot]]
        mean /= (1.0 + count)[:, None].astype(np.float32)
        z = self._back(mean + self.lenders_.noise(which, share, extra, rng))
        names = np.where(lends, self.lender_names_[which], "") if which.size else None
        return anchored_draw(anchors, z, [self._note(int(c)) for c in labels], names)

    def _nearest(self, there: F32, labels: I64) -> tuple[I64, Bool]:
        """(n, k) the lenders of each anchor, and (n, k) whether there is one in this slot."""
        slots = min(self.neighbors, len(self.lender_label_))
        which = np.zeros((len(there), slots), np.int64)
        lends = np.zeros((len(there), slots), np.bool_)
        for c in np.unique(labels):
            own, others = np.flatnonzero(labels == c), np.flatnonzero(self.lender_label_ != c)
            able = others if len(others) else np.arange(len(self.lender_label_))
            near = able[nearest_rows(there[own], self.lenders_.mean[able], slots)]
            which[own, : near.shape[1]], lends[own, : near.shape[1]] = near, True
        return which, lends

    def _there(self, rows: F32) -> F32:
        """t: into the space of the statistics."""
        return rows if self.power_[0] == 1.0 else np.maximum(rows, 0.0) ** np.float32(self.power_[0])

    def _back(self, rows: F32) -> F32:
        """The inverse of t."""
        return rows if self.power_[0] == 1.0 else np.maximum(rows, 0.0) ** np.float32(1.0 / self.power_[0])

    def _note(self, label: int) -> str:
        if len(self.lender_label_) == 0:
            return NOBODY
        if (self.lender_label_ == label).all():
            return ITSELF
        return OTHERS if (self.lender_label_ >= 0).any() else ""

    @property
    def batch_needs_fit(self) -> bool:
        """Yes: means and covariances of the classes to borrow from."""
        return True

    def batch_state(self) -> State:
        """Statistics of the lenders; `even` is the variance that every number gets beside a factor's."""
        even = self.dispersion * self.lenders_.variance + self.lenders_.rest
        lenders = self.lenders_.arrays()
        rows = np.concatenate([lenders["factor"], lenders["mean"]])
        return {
            "rows": rows,
            "start": lenders["start"],
            "even": even.astype(np.float32),
            "label": self.lender_label_,
            "rms": self.rms_,
            "size": np.square(lenders["mean"]).sum(axis=1),
        }

    def batch(
        self, z: Tensor, y: Tensor, generator: torch.Generator, learned: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """A draw from each row's calibrated Gaussian; labels stay.

        The covariance is that of :meth:`sample`, drawn from BATCH_TERMS rows of the lenders' factors, and its part
        without a shape from a uniform distribution.
        """
        import torch

        from augmint.numerics.batches import even_noise, factor_choice, on_device, stratum

        found, power = on_device(learned, self.batch_state, z), float(self.power_[0])
        flat = z.flatten(1).float()
        # Not clamped at 0, where the slope of a root is infinite.
        there = flat if power == 1.0 else flat.clamp(min=1e-12) ** power
        label = stratum(y, len(found["rms"]))
        which, lends = self._lenders(there, label, found)
        count = lends.sum(dim=1, keepdim=True)
        even = (lends * found["even"][which]).sum(dim=1, keepdim=True) / count.clamp(min=1)
        even = torch.where(count > 0, even, (self.fallback_strength * found["rms"][label, None]).square()).sqrt()
        noise = even_noise(even, there.shape[1], generator)
        new = noise.add_(there / (1 + count))  # in place: memory costs more than arithmetic here
        if which.shape[1]:
            # Means and factors lie in one table, so that one sum of rows gives the shift and the noise.
            at, loud = factor_choice(found["start"], which, count, BATCH_TERMS, generator)
            at = torch.cat([at, which + found["start"][-1]], dim=1)
            loud = torch.cat([loud, lends / (1 + count)], dim=1)
            new = new.add_(torch.nn.functional.embedding_bag(at, found["rows"], per_sample_weights=loud, mode="sum"))
        return (new if power == 1.0 else new.clamp(min=0) ** (1.0 / power)).to(z.dtype).reshape(z.shape), y

    def _lenders(self, there: Tensor, label: Tensor, found: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """(n, k) the lenders of each row, nearest first, and (n, k) 1 where there is one in this slot, else 0."""
        import torch

        # Squared distances, without the rows' own size, which no order depends on.
        mean = found["rows"][-len(found["label"]) or len(found["rows"]) :]
        far = torch.addmm(found["size"], there.detach(), mean.T, alpha=-2)
        own = found["label"] == label[:, None]
        far = far.masked_fill(own & ~own.all(dim=1, keepdim=True), torch.inf)
        distance, which = far.topk(min(self.neighbors, far.shape[1]), dim=1, largest=False)
        return which, distance.isfinite().to(there.dtype)

    def state(self) -> State:
        """The learned arrays."""
        return {
            **self.lenders_.arrays("lenders."),
            "names": pack_text(self.lender_names_),
            "label": self.lender_label_,
            "power": self.power_,
            "rms": self.rms_,
        }

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.lenders_ = Spread.load(state, "lenders.")
        self.lender_label_, self.power_, self.rms_ = state["label"], state["power"], state["rms"]
        self.lender_names_ = unpack_text(state["names"])[: len(self.lender_label_)]
        return self
