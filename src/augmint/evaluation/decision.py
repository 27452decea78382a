r"""Ship or abstain? Out-of-fold predictions of a student with minted rows and without, on the same real rows.

.. math:: d_{ri} = \log q^{B}_{ri}(y_i) - \log q^{A}_{ri}(y_i) \qquad q = \mathrm{softmax}(\log p \,/\, T)

``p`` are the probabilities of row i in repeat r by a student that has not seen it, A without minted rows, B with. T,
one for each arm, minimises the arm's log-loss over these rows, so that what an arm knows counts and not how sure it
sounds; at that minimum the loss is flat, so T adds nothing to the error of the mean to first order. The hit rate says
0 or 1 of a row, this score how much: with 50 rows it finds the same effect about three times as often (docs/tune.md).

The mean of d varies because the rows are a sample and because trainings differ. Rows that were predicted by one
training share its luck, so that rows alone understate it:

.. math:: \mathrm{Var}\,\bar d = \frac{1}{n^2}\sum_u \Bigl(\sum_{i \in u} (\bar d_i - \bar d)\Bigr)^2 \frac{U}{U-1}
          + \frac{\sum_{rk} n_{rk}^2 g_{rk}^2}{(R n)^2}\,\frac{R}{R-1}

with :math:`\bar d_i` the mean over repeats, u the units (rows, or groups of rows that belong together), and
:math:`g_{rk}` the mean over fold k of repeat r of :math:`d_{ri} - \bar d_i`: what that training did beyond its rows.

Data ship when all three hold: the gain in log-loss is more than chance (one-sided, ``LEVEL``); more rows are hit than
without; and the hit rate does not look worse by the margin, two to one (``GUARD``).

Shapes: probabilities (R, n, k), folds (R, n), labels (n,), units (n,).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from augmint.core.types import I64

F64 = npt.NDArray[np.float64]

LEVEL = 0.10
"""Chance of a gain in log-loss this large where there is none, with two repeats or more."""

LEVEL_ONE = 0.05
"""The same with one repeat, where the luck of the trainings cannot be told from that of the rows."""

GUARD = 2.0 / 3.0
"""Confidence with which a loss of the margin in the hit rate is ruled out."""

LEAST_ROWS = 10
"""Fewer rows than this decide nothing."""

_SMALLEST = 1e-7


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of rows by students that have not seen them.

    Attributes:
        probability: (R, n, k).
        fold: (R, n) which training of the repeat predicted the row.
    """

    probability: F64
    fold: I64

    def first(self, repeats: int) -> OutOfFold:
        """The first so many repeats."""
        return OutOfFold(self.probability[:repeats], self.fold[:repeats])


@dataclass(frozen=True)
class Gain:
    """A mean difference over rows, and its standard error.

    Attributes:
        mean: larger is better.
        error: standard error.
        freedom: degrees of freedom.
    """

    mean: float
    error: float
    freedom: float

    @property
    def p_value(self) -> float:
        """One-sided: how often a mean this large comes where there is no gain; 1 where nothing differs at all."""
        if self.error <= 0:
            return 0.0 if self.mean > 0 else 1.0
        return float(stats.t.sf(self.mean / self.error, self.freedom))

    def low(self, confidence: float) -> float:
        """What the gain exceeds with this (one-sided) confidence."""
        return self.mean - float(stats.t.ppf(confidence, self.freedom)) * self.error


@dataclass(frozen=True)
class Verdict:
    """Whether data ship, and why.

    Attributes:
        ship: or abstain.
        reason: one sentence.
        hits: gain in the hit rate (accuracy).
        information: gain in calibrated log-loss, in nats.
        rows: validated rows; ``repeats``: predictions of each.
    """

    ship: bool
    reason: str
    hits: Gain
    information: Gain
    rows: int
    repeats: int


def decide(
    without: OutOfFold,
    minted: OutOfFold,
    labels: I64,
    *,
    margin: float = 0.01,
    looks: int = 1,
    units: npt.NDArray[Any] | None = None,
) -> Verdict:
    """The rule.

    Args:
        without: predictions of the student on real rows alone; ``minted``: with the candidate's rows, same folds.
        labels: class of each row.
        margin: loss of hit rate that would be tolerable; shares, not points.
        looks: candidates that these rows have been asked about, this one among them; the level is shared.
        units: rows that belong together have the same number; each row is its own by default.

    Raises:
        ValueError: tables of different shapes or folds, or a negative margin.
    """
    if without.probability.shape != minted.probability.shape or not np.array_equal(without.fold, minted.fold):
        raise ValueError(f"got {without.probability.shape} and {minted.probability.shape}; need the same folds in both")
    if not 0.0 <= margin <= 1.0:
        raise ValueError(f"got margin = {margin}; need a share, 0 to 1")
    repeats, rows = without.fold.shape
    together = np.arange(rows) if units is None else units
    hits, information = gains(without, minted, labels, together)
    level = (LEVEL if repeats > 1 else LEVEL_ONE) / looks
    ship, reason = _rule(hits, information, len(np.unique(together)), level, margin)
    return Verdict(ship, reason, hits, information, rows, repeats)


def gains(without: OutOfFold, minted: OutOfFold, labels: I64, units: npt.NDArray[Any]) -> tuple[Gain, Gain]:
    """In the hit rate, and in calibrated log-loss."""
    pairs = [(hit(minted, labels), hit(without, labels)), (calibrated(minted, labels), calibrated(without, labels))]
    hits, information = (gain(b - a, without.fold, units) for b, a in pairs)
    return hits, information


def _rule(hits: Gain, information: Gain, units: int, level: float, margin: float) -> tuple[bool, str]:
    points = 100.0 * hits.mean
    if units < LEAST_ROWS:
        return False, f"{units} rows to validate on are too few to tell (at least {LEAST_ROWS})"
    if hits.mean <= 0:
        return False, f"not better on average ({points:+.1f} points)"
    if not information.p_value <= level:
        chance = f"p {information.p_value:.2g} of the log-loss, {level:.2g} needed"
        return False, f"{points:+.1f} points may be chance ({chance})"
    low = 100.0 * hits.low(GUARD)
    if not low > -100.0 * margin:
        far = f"{points:+.1f} points, low {low:.1f}"
        return False, f"a loss beyond the margin of {100 * margin:g} points is not ruled out ({far})"
    return True, f"{points:+.1f} points, p {information.p_value:.2g} of the log-loss"


def hit(table: OutOfFold, labels: I64) -> F64:
    """(R, n) 1 where the first class is the row's."""
    return np.asarray(table.probability.argmax(axis=2) == labels, dtype=np.float64)


def calibrated(table: OutOfFold, labels: I64) -> F64:
    """(R, n) log-probability of each row's class, at the temperature that suits the whole table."""
    logs = np.log(np.maximum(table.probability, _SMALLEST))
    rows = np.arange(len(labels))

    def score(inverse: float) -> F64:
        return np.asarray(log_softmax(logs * np.exp(inverse), axis=2)[:, rows, labels])

    best = minimize_scalar(lambda t: -score(t).mean(), bounds=(-4.0, 3.0), method="bounded", options={"xatol": 1e-3})
    return score(float(best.x))


def gain(differences: F64, fold: I64, units: npt.NDArray[Any]) -> Gain:
    """Mean of a table of differences (R, n), its error from units and from trainings."""
    repeats, rows = differences.shape
    of_row = differences.mean(axis=0)
    names, at = np.unique(units, return_inverse=True)
    mean, count = float(of_row.mean()), len(names)
    sums = np.bincount(at, weights=of_row - mean)
    variance = float(np.square(sums).sum()) / rows**2 * count / max(1, count - 1)
    if repeats > 1:
        rest = differences - of_row
        of_fit = [np.square(np.bincount(fold[r], weights=rest[r])).sum() for r in range(repeats)]
        variance += float(np.sum(of_fit)) / (repeats * rows) ** 2 * repeats / (repeats - 1)
    return Gain(mean, float(np.sqrt(variance)), max(1.0, count - 1.0))
