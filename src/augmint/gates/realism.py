r"""Does the row lie where real rows of its class lie?

.. math:: s(x, c) = \max_{j \in c} \rho_j / \lVert x - r_j \rVert

``rho_j`` is the distance from the real row j to its k-th nearest row of the class, so a score of 1 or more means
that x lies inside a ball of real support. The threshold of a class is the low quantile of its real rows' scores,
each computed as if the row were not there. Classes with fewer than ``min_rows`` rows take the quantile over all
rows; a class of one row takes the typical distance between rows of a class, and where no class has two rows, half
the distance between classes. A class with no rows at all scores 0 and is rejected, as is a row that is not finite.

Shapes: rows (n, d) of the judge's space -> scores (n,), at most 1000; threshold (k,).
Paper: Kynkaanniemi et al. 2019, "Improved precision and recall metric", arXiv:1904.06991 (realism score).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from augmint.core.protocols import RowGate, State
from augmint.core.types import F32, I64, Latents
from augmint.numerics.neighbors import class_spacing, distances
from augmint.numerics.rows import check_width, checked, finite_rows, flat32, strata, strata_count

HIGHEST = 1000.0


@dataclass
class Realism(RowGate):
    """Is the row inside the support of the real rows of its class?

    Attributes:
        neighbors: k; classes with fewer rows use all they have.
        quantile: share of the real rows that may fall below the threshold.
        min_rows: classes with fewer rows share the quantile of all rows.
        rows_: (m, d) the real rows.
        label_: (m,) their class.
        radius_: (m,) rho.
        threshold_: (k,).
    """

    neighbors: int = 3
    quantile: float = 0.05
    min_rows: int = 10
    rows_: F32 = field(init=False, repr=False)
    label_: I64 = field(init=False, repr=False)
    radius_: F32 = field(init=False, repr=False)
    threshold_: F32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.neighbors < 1 or self.min_rows < 2:
            raise ValueError(f"neighbors = {self.neighbors} must be >= 1 and min_rows = {self.min_rows} >= 2")
        if not 0.0 <= self.quantile < 1.0:
            raise ValueError(f"quantile = {self.quantile} must lie in [0, 1)")

    def fit(self, real: Latents) -> Self:
        """Measure the balls around the real rows, and what real rows would score without themselves."""
        self.rows_, self.label_ = checked(real, "realism").copy(), strata(real)
        count = strata_count(real)
        spare = class_spacing(self.rows_, self.label_, count, within=True, min_rows=2)
        self.radius_, own = np.zeros(len(self.rows_), np.float32), np.full(len(self.rows_), np.nan, np.float32)
        for c in np.unique(self.label_):
            members = np.flatnonzero(self.label_ == c)
            apart = distances(self.rows_[members], self.rows_[members])
            self.radius_[members], own[members] = _leave_one_out(apart, self.neighbors, float(spare[c]))
        known = own[np.isfinite(own)]
        pooled = float(np.quantile(known, self.quantile)) if len(known) else 1.0
        self.threshold_ = np.full(real.y.shape[1], min(pooled, 1.0), np.float32)
        for c in range(count):
            score = own[(self.label_ == c) & np.isfinite(own)]
            if len(score) >= self.min_rows:
                # A target without classes is one group, and its threshold holds for every column of y.
                self.threshold_[c if count > 1 else slice(None)] = np.quantile(score, self.quantile)
        return self

    def score(self, fake: Latents) -> F32:
        """(n,) realism within the class."""
        rows, labels = flat32(fake), strata(fake)
        check_width(rows, self.rows_.shape[1], "realism")
        fine, out = finite_rows(rows), np.zeros(len(rows), np.float32)
        for c in np.unique(labels):
            ours, members = np.flatnonzero((labels == c) & fine), np.flatnonzero(self.label_ == c)
            if len(ours) and len(members):
                out[ours] = _ratio(distances(rows[ours], self.rows_[members]), self.radius_[members])
        return out

    def state(self) -> State:
        """The learned arrays."""
        return {"rows": self.rows_, "label": self.label_, "radius": self.radius_, "threshold": self.threshold_}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.rows_, self.label_ = state["rows"], state["label"]
        self.radius_, self.threshold_ = state["radius"], state["threshold"]
        return self


def _ratio(apart: F32, radius: F32) -> F32:
    """(n,) the largest radius / distance; ``apart`` (n, m), ``radius`` (m,) or (n, m)."""
    best: F32 = (radius / np.maximum(apart, 1e-30)).max(axis=1)
    return np.minimum(best, HIGHEST).astype(np.float32)


def _leave_one_out(apart: F32, k: int, spare: float) -> tuple[F32, F32]:
    """Radius of each row of a class, and each row's score with itself left out (NaN where the class is too small).

    Args:
        apart: (m, m) distances.
        k: which neighbour sets the radius.
        spare: the radius of a row that is alone.
    """
    m = len(apart)
    if m == 1:
        return np.full(1, spare, np.float32), np.full(1, np.nan, np.float32)
    other = apart.astype(np.float64)
    np.fill_diagonal(other, np.inf)
    ranked = np.sort(other, axis=1)
    k = min(k, m - 1)
    radius = np.where(ranked[:, k - 1] > 0, ranked[:, k - 1], spare)
    if m == 2:
        return radius.astype(np.float32), np.full(2, np.nan, np.float32)
    # Without row i, the k-th neighbour of j is its next one when i was among the first k.
    following = ranked[:, min(k, m - 2)]
    without = np.where(other <= radius[None, :], following[None, :], radius[None, :])
    return radius.astype(np.float32), _ratio(other.astype(np.float32), without.astype(np.float32))
