r"""Is the row more than a copy of one that was accepted before?

.. math:: s(x_i) = \min_{j\,\mathrm{accepted},\, y_j = y_i} \lVert x_i - x_j \rVert / m_c

Rows are taken in order and each is compared with the accepted rows of its class, those of earlier calls and those
of this one; below ``closest`` it is a near copy. ``m_c`` is the median distance from a real row to its nearest
other real row of the class; classes with fewer than ``min_rows`` rows use the median over all. A row with nothing
to compare with scores 1000; one that is not finite scores 0 and is rejected.

Shapes: rows (n, d) of the judge's space -> mask (n,) and scores (n,).
Paper: greedy covering, Gonzalez 1985, "Clustering to minimize the maximum intercluster distance".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from augmint.core.protocols import SetGate, State
from augmint.core.types import F32, Bool, Latents
from augmint.numerics.neighbors import class_spacing, nearest, row_distances
from augmint.numerics.rows import check_width, checked, finite_rows, flat32, strata, strata_count

HIGHEST = 1000.0


@dataclass
class Diversity(SetGate):
    """Rejects near copies of rows that were accepted before, class by class, in order.

    Attributes:
        closest: smallest distance to an accepted row, in units of the distance between real rows.
        min_rows: classes with fewer rows share the scale of all rows.
        scale_: (k,) typical distance.
        width_: (1,) numbers in a row.
    """

    closest: float = 0.1
    min_rows: int = 5
    scale_: F32 = field(init=False, repr=False)
    width_: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.closest < np.inf or self.min_rows < 2:
            raise ValueError(f"closest = {self.closest} must be >= 0 and min_rows = {self.min_rows} >= 2")

    def fit(self, real: Latents) -> Self:
        """Measure how far apart the real rows of each class are."""
        rows = checked(real, "diversity")
        scale = class_spacing(rows, strata(real), strata_count(real), within=True, min_rows=self.min_rows)
        self.scale_ = np.resize(scale, real.y.shape[1])
        self.width_ = np.asarray([rows.shape[1]], np.int64)
        return self

    def select(self, fake: Latents, accepted: Latents) -> tuple[Bool, F32]:
        """Mask of the rows to keep, and the relative distance of each to the nearest accepted row."""
        rows, before = flat32(fake), flat32(accepted)
        check_width(rows, int(self.width_[0]), "diversity")
        labels, old = strata(fake), strata(accepted)
        keep, score = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.float32)
        for c in np.unique(labels):
            ours = np.flatnonzero((labels == c) & finite_rows(rows))
            keep[ours], score[ours] = self._greedy(rows[ours], before[old == c], float(self.scale_[c]))
        return keep, score

    def _greedy(self, rows: F32, before: F32, scale: float) -> tuple[Bool, F32]:
        """Mask and scores of the rows of one class."""
        apart = np.full(len(rows), np.inf)
        if len(before):
            apart = nearest(rows, before, 1)[0][:, 0].astype(np.float64)
        keep = np.zeros(len(rows), np.bool_)
        for i, row in enumerate(rows):
            keep[i] = apart[i] / scale >= self.closest
            if keep[i]:
                apart[i + 1 :] = np.minimum(apart[i + 1 :], row_distances(row, rows[i + 1 :]))
        return keep, np.minimum(apart / scale, HIGHEST).astype(np.float32)

    def state(self) -> State:
        """The learned arrays."""
        return {"scale": self.scale_, "width": self.width_}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.scale_, self.width_ = state["scale"], state["width"]
        return self
