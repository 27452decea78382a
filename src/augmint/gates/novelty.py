r"""Is the row more than a copy of a real one?

.. math:: s(x) = \min_i \lVert x - r_i \rVert / m_c
          \qquad t_c = \mathrm{clip}\bigl(Q_{q}\{s(r_i) : i \in c\},\, f,\, t\bigr)

``m_c`` is the median distance from a real row of class c to its nearest other real row (of any class), so a score
of 1 is as far apart as real rows are. The threshold is the low quantile of the real rows' own leave-one-out scores,
but never more than ``closest`` (mild noise around a row must pass) nor less than ``floor`` (a copy must not, also
where the real rows hold duplicates). Classes with fewer than ``min_rows`` rows use the scale and quantile of all
rows; with a single row in all, the scale is a tenth of its size. A row that is not finite scores 0.

Shapes: rows (n, d) of the judge's space -> scores (n,); threshold (k,).
Papers: Meehan et al. 2020, arXiv:2004.05675 (data copying); Carlini et al. 2023, arXiv:2301.13188.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from augmint.core.protocols import RowGate, State
from augmint.core.types import F32, Latents
from augmint.numerics.neighbors import class_spacing, nearest
from augmint.numerics.rows import check_width, checked, finite_rows, flat32, strata, strata_count


@dataclass
class Novelty(RowGate):
    """Distance to the nearest real row, in units of the distance between real rows.

    Attributes:
        closest: highest threshold.
        floor: lowest threshold.
        quantile: share of the real rows that may fall below the threshold where neither bound acts.
        min_rows: classes with fewer rows share the scale and quantile of all rows.
        rows_: (m, d) the real rows.
        scale_: (k,) typical distance.
        threshold_: (k,).
    """

    closest: float = 0.1
    floor: float = 0.02
    quantile: float = 0.05
    min_rows: int = 5
    rows_: F32 = field(init=False, repr=False)
    scale_: F32 = field(init=False, repr=False)
    threshold_: F32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 < self.floor <= self.closest < np.inf:
            raise ValueError(f"floor = {self.floor} must be > 0 and at most closest = {self.closest}")
        if not 0.0 <= self.quantile < 1.0 or self.min_rows < 2:
            raise ValueError(f"quantile = {self.quantile} must lie in [0, 1), min_rows = {self.min_rows} be >= 2")

    def fit(self, real: Latents) -> Self:
        """Keep the real rows and measure how far apart they are."""
        self.rows_ = checked(real, "novelty").copy()
        labels, count = strata(real), strata_count(real)
        scale = class_spacing(self.rows_, labels, count, within=False, min_rows=self.min_rows)
        self.scale_ = np.resize(scale, real.y.shape[1])
        apart, _ = nearest(self.rows_, self.rows_, 1, same=True)
        own = apart[:, 0] / scale[labels] if len(self.rows_) > 1 else np.full(1, self.closest)
        self.threshold_ = np.empty(real.y.shape[1], np.float32)
        for c in range(len(self.threshold_)):
            score = own[labels == c] if (labels == c).sum() >= self.min_rows else own
            self.threshold_[c] = np.clip(np.quantile(score, self.quantile), self.floor, self.closest)
        return self

    def score(self, fake: Latents) -> F32:
        """(n,) relative distance to the nearest real row of any class."""
        rows = flat32(fake)
        check_width(rows, self.rows_.shape[1], "novelty")
        fine = finite_rows(rows)
        out = np.zeros(len(rows), np.float32)
        out[fine] = nearest(rows[fine], self.rows_, 1)[0][:, 0] / self.scale_[fake.labels[fine]]
        return out

    def state(self) -> State:
        """The learned arrays."""
        return {"rows": self.rows_, "scale": self.scale_, "threshold": self.threshold_}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.rows_, self.scale_, self.threshold_ = state["rows"], state["scale"], state["threshold"]
        return self
