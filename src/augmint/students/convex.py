"""Fits of a linear softmax on the rows of one training set and their views: C by the real rows, then all rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from augmint.core.types import I64, Bool, TrainingSet
from augmint.numerics.softmax_regression import Axes, Stop, fit_softmax
from augmint.students.trials import best, cross_entropy, inner_folds, parts
from augmint.students.views import partners

F64 = npt.NDArray[np.float64]


class Fits:
    """Fits on the rows of one training set, of which some are held out; each starts from the last on the same rows.

    Args:
        axes: of the rows (m, d), the training set's own and below them their views.
        parent: (m,) the row of the training set that each is a view of.
        train: labels, weights, mixup.
        present: (k,) the classes that have a row.
        steps: of L-BFGS, at most.
        seed: of the partners of mixup.
    """

    def __init__(self, axes: Axes, parent: I64, train: TrainingSet, present: Bool, steps: int, seed: int) -> None:
        self.axes, self.parent, self.train, self.steps, self.seed = axes, parent, train, steps, seed
        self.y = train.y[:, present].astype(np.float64)
        self.y /= self.y.sum(axis=1, keepdims=True)
        self.samples = len({s.id for s, minted in zip(train.samples, train.minted, strict=True) if not minted})
        self.found: dict[bytes, tuple[F64, F64]] = {}

    def chosen(self, tried: Sequence[float], folds: int) -> tuple[float, F64, F64]:
        """The C of these that is best on real rows held out, and weight (r, k) and bias (k,) of the fit on all rows."""
        fold = inner_folds(self.train, folds)
        c = best(tried, parts(self.train, fold), lambda c, part: self.loss(c, fold == part))
        return c, *self.fit(c, np.zeros(len(self.train), np.bool_), Stop(self.steps, 1e-6, 1e-4))

    def loss(self, c: float, out: Bool) -> float:
        """Mean cross-entropy of the real rows that are out, by a fit on the rows that are not and their views."""
        weight, bias = self.fit(c, out, Stop(self.steps, 1e-5, 1e-4))
        rows = np.flatnonzero(out & ~self.train.minted)
        probability = softmax(self.axes.rows[rows] @ weight + bias, axis=1)
        return cross_entropy(probability, self.y[rows].astype(np.float32), self.train.weight[rows])

    def fit(self, c: float, out: Bool, stop: Stop) -> tuple[F64, F64]:
        """Weight (r, k) and bias (k,) along the axes."""
        rows = np.flatnonzero(~out[self.parent])
        of = self.parent[rows]
        x, y, weight = self.axes.rows[rows], self.y[of], self.train.weight[of].astype(np.float64)
        if self.train.mixup > 0:
            partner, share = partners(weight, self.train.mixup, np.random.default_rng(self.seed))
            x = share[:, None] * x + (1 - share[:, None]) * x[partner]
            y = share[:, None] * y + (1 - share[:, None]) * y[partner]
        key, penalty = out.tobytes(), 1.0 / (c * self.samples)
        # Never from the fit of another fold: it has seen the rows that are out here, and a way of few steps keeps that.
        start = self.found.get(key)
        found = self.found[key] = fit_softmax(x, y, weight / weight.sum(), penalty, self.axes.variance, start, stop)
        return found
