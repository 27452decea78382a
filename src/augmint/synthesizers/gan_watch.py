r"""Early stopping: generated rows against real rows that were kept aside, every twentieth of the training.

The measure is the kernel distance of :mod:`augmint.numerics.fidelity` between rows with their labels beside them, a
wrong label being as far as two rows are in the median, so that a generator that ignores its label does not look good.
The generated rows come from the same random numbers each time: what changes between two looks is the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from augmint.core.types import F32, I64, Bool
from augmint.numerics.fidelity import coverage, kernel_distance, median_distance

LOOKS = 20
"""Looks in a full training."""

FEWEST = 20
"""Rows kept aside, in all, that make a distance worth looking at."""

CROWD = 1000
"""Most rows to compare with: the cost is quadratic."""


@dataclass(frozen=True)
class Crowd:
    """Real rows, and a way to make as many of the same labels.

    Attributes:
        rows: (n, q) whitened.
        y: (n, k) labels to put beside them; k = 0 for none.
        make: (n, q) rows of the network as it is now, always from the same random numbers.
    """

    rows: F32
    y: F32
    make: Callable[[], F32]


class Watch:
    """Looks at the averaged generator now and then, and keeps the best."""

    def __init__(self, crowd: Crowd, steps: int, patience: int) -> None:
        self.crowd, self.patience, self.every = crowd, patience, max(1, steps // LOOKS)
        self.width = median_distance(crowd.rows)
        self.best, self.since = np.inf, 0
        self.weights: Tensor | None = None

    def beside(self, rows: F32) -> F32:
        """Rows with their labels beside them."""
        return np.concatenate([rows, np.float32(self.width) * self.crowd.y], axis=1)

    def distance(self) -> float:
        """Kernel distance between real and made rows."""
        return kernel_distance(self.beside(self.crowd.rows), self.beside(self.crowd.make()), self.width)

    def measure(self) -> tuple[float, float]:
        """Distance and coverage."""
        return self.distance(), coverage(self.beside(self.crowd.rows), self.beside(self.crowd.make()))

    def go_on(self, step: int, weights: Tensor) -> bool:
        """Look, if it is time to; False when patience has run out."""
        if step % self.every:
            return True
        found = self.distance()
        self.since += 1
        if found < self.best:
            self.best, self.since, self.weights = found, 0, weights.clone()
        return self.since < self.patience

    def restore(self, weights: Tensor) -> None:
        """Put the best weights back."""
        if self.weights is not None:
            weights.copy_(self.weights)


def hold_out(labels: I64, share: float, rng: np.random.Generator) -> Bool:
    """(n,) True for the share of each class that is kept aside, rounded down; for none where that is too few."""
    out = np.zeros(len(labels), np.bool_)
    if share == 0.0:
        return out
    for c in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == c))
        out[members[: int(share * len(members))]] = True
    return out if out.sum() >= FEWEST else np.zeros(len(labels), np.bool_)
