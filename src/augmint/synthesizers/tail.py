r"""Head-to-tail transfer: a class with few rows borrows the shape of its spread from classes with many.

.. math:: z = a + \beta\,(\mu_c' - a) + s\,\epsilon \qquad \epsilon \sim N(0, \Sigma_c')

.. math:: \Sigma_c' = w\,\Sigma_c + (1 - w)\,\frac1k \sum_{j \in H(c)} \Sigma_j \qquad w = \frac{n_c - 1}{n_c - 1 + m}
          \qquad \mu_c' = \frac{n_c\,\mu_c + p\,\frac1k \sum_{j \in H(c)} \mu_j}{n_c + p}

H(c) are the k classes whose means are nearest to :math:`\mu_c` among those that have at least as many rows as c, two
or more, and the classes of a base where there is one. What a class says of itself counts as much as it has rows: the
borrowed covariance is worth m degrees of freedom, the borrowed mean p rows. A head class keeps its own shape and place.
Moving the mean is what pays for a classifier: few rows cover a corner of their class, and the border a classifier draws
around them gives the ground between them and the next head to the head. Rows to be looked at want p = 0, since a row
between two classes is decoded to something between two classes.

Yin et al. carry the steps of head rows from their centre to a tail's centre; Liu et al. draw a cloud around each tail
row, as wide as the head's. This is the cloud, with the full covariance; the shrunk mean is ours. Where there is no
class to borrow from and one row, it falls back to noise and says so.

Shapes: anchors (n, *shape) -> (n, *shape); refs (n, 1 + k) = (anchor, base classes as ``base:CLASS`` or ""), label
weights (1, 0, ...). Ragged rows keep their length and zeros beyond it.
Papers: Yin et al. 2019, "Feature Transfer Learning for Face Recognition with Under-Represented Data", CVPR,
arXiv:1803.09014; Liu et al. 2020, "Deep Representation Learning on Long-tailed Data: A Learnable Embedding
Augmentation Perspective", CVPR, arXiv:2002.10826.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

import numpy as np

from augmint.core.protocols import State, Synthesizer
from augmint.core.types import F32, I64, Draw, Latents, TargetKind, Text
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
from augmint.numerics.spread import F64, Spread, class_parts, fit_spread, join
from augmint.synthesizers.noise import anchored_draw

NOBODY = "fallback: one row in the class and no class to borrow from, noise instead"


@dataclass
class Tail(Synthesizer):
    """Gaussian rows around each anchor with a covariance that small classes borrow from large ones.

    Attributes:
        strength: s, size of the steps; 1 is as far as rows lie from their mean.
        center: beta, how far a row is moved to its class's shrunk mean first: 0 stays at the anchor, 1 is the mean.
        neighbors: k, classes to borrow from.
        worth: m, degrees of freedom that the borrowed covariance counts for.
        pull: p, rows that the borrowed mean counts for; 0 keeps the class's own.
        rank: most directions of each class's covariance that are kept.
        fallback_strength: strength of the noise where no class can lend.
        spread_: statistics of the classes, then of the lenders of a base.
        lenders_: (c, k) groups of ``spread_`` that each class borrows from, -1 where there are fewer.
        names_: refs of the groups of ``spread_``, "" for the classes of ``y``.
        rms_: (c,) spread of each class, for the fallback.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "global"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft"))
    uses: ClassVar[frozenset[Literal["pool", "base"]]] = frozenset(("base",))

    strength: float = 0.7
    center: float = 1.0
    neighbors: int = 1
    worth: float = 10.0
    pull: float = 5.0
    rank: int = 64
    fallback_strength: float = 0.5
    spread_: Spread = field(init=False, repr=False)
    lenders_: I64 = field(init=False, repr=False)
    names_: Text = field(init=False, repr=False)
    rms_: F32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("neighbors", "rank"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 1")
        for name in ("strength", "worth", "pull", "fallback_strength"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 0")
        if not 0.0 <= self.center <= 1.0:
            raise ValueError(f"center = {self.center} must be in [0, 1]")

    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Measure every class; raises UsageError for no row, or a base of another space."""
        rows, classes = checked(real, "tail"), strata_count(real)
        spread, names = fit_spread(rows, class_parts(strata(real), classes), self.rank), [""] * classes
        if base is not None:
            check_base(base, real, "tail")
            lent = class_parts(strata(base), strata_count(base))
            spread = join(spread, fit_spread(checked(base, "tail"), lent, self.rank))
            names += [f"base:{name}" for name in base.classes]
        lenders = self._find_lenders(spread, classes)
        # Of a base only what is lent is kept.
        used = np.concatenate([np.arange(classes), np.unique(lenders[lenders >= classes])])
        self.lenders_ = np.where(lenders < 0, -1, np.searchsorted(used, lenders))
        self.spread_, self.names_ = spread.take(used), text_array([names[g] for g in used])
        self.rms_ = class_moments(rows, strata(real), classes).rms
        return self

    def _find_lenders(self, spread: Spread, classes: int) -> I64:
        """(c, k) the groups that each class borrows from, nearest first; -1 where there are fewer."""
        found = np.full((classes, self.neighbors), -1, np.int64)
        group = np.arange(len(spread.count))
        for c in np.flatnonzero(spread.count[:classes]):
            head = (group >= classes) | (spread.count >= spread.count[c])
            able = np.flatnonzero(head & (spread.count >= 2) & (group != c))
            near = nearest_rows(spread.mean[c : c + 1], spread.mean[able], self.neighbors)[0]
            found[c, : len(near)] = able[near]
        return found

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One row of the cloud around each anchor."""
        rows, labels = flat32(anchors), strata(anchors)
        check_width(rows, self.spread_.mean.shape[1], "tail")
        lenders = self.lenders_[labels]
        share = self._shares()[labels]
        alone = share.sum(axis=1) == 0
        extra = np.where(alone, np.square(self.fallback_strength * self.rms_[labels]), 0.0)
        which = np.concatenate([labels[:, None], np.maximum(lenders, 0)], axis=1)
        noise = self.spread_.noise(which, share * self.strength**2, extra, rng)
        known = np.where(self.spread_.count[labels] > 0, self.center, 0.0)[:, None].astype(np.float32)
        z = rows + known * (self._centers()[labels] - rows) + noise
        others = np.where(lenders < 0, "", self.names_[np.maximum(lenders, 0)])
        return anchored_draw(anchors, z, [NOBODY if lone else "" for lone in alone], others)

    def _shares(self) -> F64:
        """(c, 1 + k) weight of the own and of each borrowed covariance; all 0 where a class has neither."""
        freedom = np.maximum(self.spread_.count[: len(self.lenders_)] - 1, 0)[:, None].astype(np.float64)
        lends = (self.lenders_ >= 0).astype(np.float64)
        count = lends.sum(axis=1, keepdims=True)
        own = np.where(count > 0, freedom / np.maximum(freedom + self.worth, 1e-12), freedom > 0)
        return np.concatenate([own, (1.0 - own) * lends / np.maximum(count, 1.0)], axis=1)

    def _centers(self) -> F32:
        """(c, d) mean of each class, shrunk towards the mean of its lenders by its own count."""
        mean, lends = self.spread_.mean, (self.lenders_ >= 0).astype(np.float32)
        count = lends.sum(axis=1, keepdims=True)
        borrowed = np.einsum("ck,ckd->cd", lends / np.maximum(count, 1.0), mean[np.maximum(self.lenders_, 0)])
        own = self.spread_.count[: len(lends), None]
        share = np.where(count > 0, self.pull / np.maximum(own + self.pull, 1e-12), 0.0).astype(np.float32)
        return np.asarray((1.0 - share) * mean[: len(lends)] + share * borrowed)

    def state(self) -> State:
        """The learned arrays."""
        return {
            **self.spread_.arrays("spread."),
            "lenders": self.lenders_,
            "names": pack_text(self.names_),
            "rms": self.rms_,
        }

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.spread_ = Spread.load(state, "spread.")
        self.lenders_, self.names_, self.rms_ = state["lenders"], unpack_text(state["names"]), state["rms"]
        return self
