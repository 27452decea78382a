r"""Is a picture a near copy of one that nobody should have seen?

With p(1), p(2), ... the held-out pictures nearest to a picture y by the aligned distance d of
:mod:`augmint.numerics.alignment` (blind to mirroring, crops, brightness),

.. math:: \rho(y) = \frac{d(y, p_{(1)})}{\frac15 \sum_{i=2}^{6} d(y, p_{(i)})} \qquad
          \text{copy:}\; \rho(y) < \min(\rho_q, c) \;\text{or}\; d(y, p_{(1)}) < \varepsilon

so that "near" is what is near among the pictures of this data set: two handwritten ones are near each other, and near
all other ones as well. rho_q is what the share q of real pictures would fall below: held-out pictures are compared with
each other, and the lower tail is extrapolated by the power law of :mod:`augmint.evaluation.memorization`, so that copies
among them do not set the bar. With fewer than LEAST_ROWS held-out pictures there is no telling what is near, and only
eps counts; it also catches copies of a picture that is there several times.

Shapes: maps (n, C, S, S) float32, small versions of the pictures.
Paper: Carlini et al. 2023, "Extracting training data from diffusion models", arXiv:2301.13188.
"""

from __future__ import annotations

import numpy as np

from augmint.core.types import F32
from augmint.evaluation.memorization import LEAST_ROWS, Copies, low_quantile
from augmint.numerics.alignment import Windows

QUANTILE = 0.005
"""q: share of real pictures that may be taken for copies by chance."""

CLOSEST = 0.4
"""c: a copy is at least two and a half times as near as the other pictures around."""

SAME = 0.05
"""eps: the same picture, whatever is around it."""

AROUND = 5
OWN_ROWS = 500
"""Held-out pictures that are compared with the others to find the bar, evenly spread."""


class LeakFinder:
    """Finds near copies of held-out pictures.

    Args:
        maps: (m, C, S, S) of the held-out pictures, m >= 1.
        bar: min(rho_q, c), where it is known already; else it is taken from the maps.
    """

    def __init__(self, maps: F32, bar: float | None = None) -> None:
        self.windows = Windows(maps)
        self._known = {key: i for i, key in reversed(list(enumerate(map(_key, maps))))}
        self.bar = self._own_bar(maps) if bar is None else bar

    def find(self, maps: F32) -> Copies:
        """Compare pictures with those held out; a ratio is NaN where too few are held out."""
        found = self.windows.find(maps)
        exact = np.array([_key(row) in self._known for row in maps], np.bool_)
        source = found.index[:, 0].copy()
        source[exact] = [self._known[_key(row)] for row in maps[exact]]
        ratio = np.where(exact, np.float32(0), _ratio(found.distance))
        near = exact | (ratio < self.bar) | (found.distance[:, 0] < SAME)
        return Copies(near, exact, source, ratio)

    def _own_bar(self, maps: F32) -> float:
        if len(maps) < LEAST_ROWS:
            return 0.0
        some = np.unique(np.linspace(0, len(maps) - 1, OWN_ROWS).astype(np.int64))
        return min(low_quantile(_ratio(self.windows.find(maps[some], some).distance), QUANTILE), CLOSEST)


def _ratio(distance: F32) -> F32:
    """(n,) rho; NaN with fewer than LEAST_ROWS neighbours to look at."""
    if distance.shape[1] < LEAST_ROWS - 1:
        return np.full(len(distance), np.nan, np.float32)
    out: F32 = distance[:, 0] / np.maximum(distance[:, 1 : 1 + AROUND].mean(axis=1), 1e-6)
    return out


def _key(row: F32) -> bytes:
    return row.tobytes()
