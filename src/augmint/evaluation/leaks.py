r"""Is a picture a near copy of one that nobody should have seen?

With p(1), p(2), ... the held-out pictures nearest to a picture y by the aligned distance d of
:mod:`augmint.numerics.alignment` (blind to mirroring, crops, brightness),

.. math:: \rho(y) = \frac{d(y, p_{(1)})}{\frac15 \sum_{i=3}^{7} d(y, p_{(i)})} \qquad
          \text{copy:}\; \rho(y) < \min(\rho_q, c) \;\text{or}\; d(y, p_{(1)}) < \varepsilon

so that "near" is what is near among the pictures of this data set: two handwritten ones are near each other, and near
all other ones as well. rho_q is what the share q of real pictures would fall below: held-out pictures are compared with
each other, and the lower tail is extrapolated by the power law of :mod:`augmint.evaluation.memorization`, so that
copies among them do not set the bar. With fewer than LEAST_ROWS held-out pictures there is no telling what is near, and
only eps counts; it also catches copies of a picture that is there several times.

Shapes: maps (n, C, S, S) uint8, small versions of the pictures.
Paper: Carlini et al. 2023, "Extracting training data from diffusion models", arXiv:2301.13188.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from augmint.core.types import F32, I64, Bool
from augmint.evaluation.memorization import LEAST_ROWS, low_quantile
from augmint.numerics.alignment import Windows

U8 = npt.NDArray[np.uint8]

QUANTILE = 0.005
"""q: share of real pictures that may be taken for copies by chance."""

CLOSEST = 0.4
"""c: a copy is at least two and a half times as near as the other pictures around."""

SAME = 0.05
"""eps: the same picture, whatever is around it."""

AROUND = 5
"""Pictures that say how near others are."""

BESIDE = 2
"""The first of these: the third nearest, since the nearest may be there twice."""

OWN_ROWS = 500
"""Held-out pictures that are compared with the others to find the bar, evenly spread."""


class Leaks(NamedTuple):
    """Which pictures are near copies of held-out ones.

    Attributes:
        near: (n,).
        source: (n,) the nearest held-out picture, by position.
        score: (n,) rho, or the distance where that decided.
        threshold: (n,) what the score must not be below.
    """

    near: Bool
    source: I64
    score: F32
    threshold: F32


class LeakFinder:
    """Finds near copies of held-out pictures.

    Args:
        maps: (m, C, S, S) uint8 of the held-out pictures, m >= 1. Their order does not matter, equal ones count once.
        bar: min(rho_q, c), where it is known already; else it is taken from the maps.
    """

    def __init__(self, maps: U8, bar: float | None = None) -> None:
        keys, self.first = np.unique(_keys(maps), return_index=True)
        self._known = {key.tobytes(): i for i, key in enumerate(keys)}
        rows = _as_numbers(maps[self.first])
        self.windows = Windows(rows)
        self.bar = self._own_bar(rows) if bar is None else bar

    def find(self, maps: U8) -> Leaks:
        """Compare pictures (n, C, S, S) with those held out."""
        found = self.windows.find(_as_numbers(maps))
        exact = np.array([self._known.get(key.tobytes(), -1) for key in _keys(maps)], np.int64)
        nearest = np.where(exact >= 0, exact, found.index[:, 0])
        near, score, threshold = decided(_ratio(found.distance), found.distance[:, 0], self.bar, SAME)
        score = np.where(exact >= 0, np.float32(0), score)
        return Leaks((exact >= 0) | near, self.first[nearest], score, threshold)

    def _own_bar(self, rows: F32) -> float:
        if len(rows) < LEAST_ROWS:
            return 0.0
        some = np.unique(np.linspace(0, len(rows) - 1, OWN_ROWS).astype(np.int64))
        return min(low_quantile(_ratio(self.windows.find(rows[some], some).distance), QUANTILE), CLOSEST)


def decided(ratio: F32, apart: F32, bar: float, same: float) -> tuple[Bool, F32, F32]:
    """Which are copies; of each the number that is told, the reason or how far it is from being one; and its bar."""
    by_ratio = ratio < bar
    told = by_ratio | ((apart >= same) & np.isfinite(ratio))
    threshold = np.where(told, np.float32(bar), np.float32(same))
    return by_ratio | (apart < same), np.where(told, ratio, apart), threshold


def _ratio(distance: F32) -> F32:
    """(n,) rho; NaN with fewer than LEAST_ROWS - 1 neighbours to look at."""
    if distance.shape[1] < LEAST_ROWS - 1:
        return np.full(len(distance), np.nan, np.float32)
    out: F32 = distance[:, 0] / np.maximum(distance[:, BESIDE : BESIDE + AROUND].mean(axis=1), 1e-6)
    return out


def _as_numbers(maps: U8) -> F32:
    return maps.astype(np.float32) / np.float32(255)


def _keys(maps: U8) -> npt.NDArray[np.void]:
    """(n,) the bytes of each map."""
    rows = np.ascontiguousarray(maps).reshape(len(maps), -1)
    return rows.view(np.dtype((np.void, rows.shape[1])))[:, 0]
