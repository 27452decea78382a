r"""Did it help? The mean of paired differences, what it may be off by, and one sentence that says so.

.. math:: \bar\delta = \frac1J \sum_j \delta_j \qquad
          \bar\delta \pm t_{J-1} \sqrt{\bigl(\tfrac1J + \rho\bigr)\, s^2}

``delta_j`` is a score with the minted rows minus the score without, of one pair that shares everything else. Pairs on
disjoint draws are independent: rho = 0, the ordinary interval. Pairs from repeated splits of one data set share rows,
and s^2 / J alone is far too small; rho = (test rows) / (training rows) is the correction of Nadeau & Bengio 2003,
"Inference for the generalization error", Machine Learning 52. Beside the interval stands a sign-flip test (Fisher
1935), which assumes no distribution: were there no effect, each difference could as well have had the other sign.

When the arms meet the same test rows in every pair, these rows are a sample, too: :func:`paired_rows`.

Shapes: differences (J,), in units of the score and so that larger is better; probabilities p (m,).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from augmint.core.units import POINTS, Unit

F64 = npt.NDArray[np.float64]
Verdict = Literal["improves", "harms", "no detectable effect"]

EXACT_PAIRS = 14
"""Up to so many pairs all sign flips are counted: 16,384."""

FLIPS = 9999
"""Random sign flips beyond that."""

EQUAL = 1e-8, 1e-6
"""Standard error, and its share of the mean, at which differences are equal: scores are kept to nine places."""


@dataclass(frozen=True)
class Lift:
    """A mean paired difference and what it may be off by.

    Attributes:
        mean: mean difference; larger is better.
        low: lower end of the interval; NaN for one pair.
        high: upper end.
        p_value: two-sided, of the same variance as the interval; 1 for one pair.
        p_flip: two-sided, of the sign flips; NaN where pairs share rows, which these cannot take into account.
        p_adjusted: ``p_value``, or what Holm's correction made of it in a family of comparisons.
        pairs: J.
        level: of the interval, such as 0.95.
        comparisons: size of the family.
    """

    mean: float
    low: float
    high: float
    p_value: float
    p_flip: float
    p_adjusted: float
    pairs: int
    level: float = 0.95
    comparisons: int = 1

    @property
    def verdict(self) -> Verdict:
        """What may be said: the interval leaves zero out, and so does the test after correction."""
        if not self.p_adjusted <= 1.0 - self.level:
            return "no detectable effect"
        return "improves" if self.low > 0 else "harms" if self.high < 0 else "no detectable effect"

    def within(self, margin: float) -> bool:
        """True where the interval rules out a loss of ``margin`` or more (non-inferior)."""
        return bool(self.low > -margin)

    def headline(self, unit: Unit = POINTS) -> str:
        """One line for people: ``+2.1 points [0.8, 3.4], 20 pairs``; with a verdict unless it improves."""
        sizes = f"{unit.change(self.mean)} {unit.word}{unit.interval(self.low, self.high)}"
        sizes += f", {self.pairs} pair{'s' if self.pairs > 1 else ''}"
        if self.comparisons > 1 and (self.low > 0 or self.high < 0):
            sizes += f", p {self.p_adjusted:.2g} among {self.comparisons} comparisons"
        return sizes if self.verdict == "improves" else f"{self.verdict}: {sizes}"


def paired(differences: npt.ArrayLike, *, ratio: float = 0.0, level: float = 0.95, seed: int = 0) -> Lift:
    """The lift of J pairs.

    Args:
        differences: (J,), J >= 1; average the seeds of one split first, see :func:`by_split`.
        ratio: rho; 0 for pairs on disjoint rows, test rows / training rows for repeated splits of the same rows.
        level: of the interval.
        seed: of the random sign flips.

    Raises:
        ValueError: no difference, one that is not finite, or a setting out of range.
    """
    delta = _finite(differences)
    if delta.ndim != 1 or not 0.0 <= ratio < np.inf or not 0.0 < level < 1.0:
        raise ValueError(f"got {delta.shape}, ratio = {ratio}, level = {level}; need (J,), >= 0 and between 0 and 1")
    pairs = len(delta)
    p_flip = sign_flip(delta, seed=seed) if ratio == 0.0 else np.nan
    if pairs < 2:
        return Lift(float(delta[0]), np.nan, np.nan, 1.0, p_flip, 1.0, pairs, level)
    variance = (1.0 / pairs + ratio) * float(delta.var(ddof=1))
    return _student(delta, variance, pairs - 1.0, p_flip, level)


def paired_rows(table: npt.ArrayLike, *, ratio: float = 0.0, level: float = 0.95, seed: int = 0) -> Lift:
    r"""The lift of J pairs that were all scored on the same R test rows.

    Both the draws and the test rows are a sample of what could have been met, so both add to the variance of the
    mean (two-way random effects):

    .. math:: \widehat{\mathrm{Var}}\, \bar\delta = \max(M_a,\, M_b,\, M_a + M_b - M_e) / (J R)

    with the mean squares of draws, rows and residual; degrees of freedom by Satterthwaite 1946.

    Args:
        table: (J, R), J >= 2, R >= 2: score of one test row with minted rows minus without, such as -1, 0, 1 for
            accuracy. The score must be a mean over rows.
        ratio: rho; 0 for draws on disjoint training rows. Draws that share a part s of theirs, on average, vary
            among themselves by too little: s / (1 - s), for an effect that is a sum over training rows.
        level: of the interval.
        seed: of the random sign flips, which speak of these test rows only.
    """
    cells = _finite(table)
    if cells.ndim != 2 or min(cells.shape) < 2:
        raise ValueError(f"got a table of shape {cells.shape}; expected (pairs, test rows), two or more of each")
    pairs, rows = cells.shape
    of_pair, of_row = cells.mean(axis=1), cells.mean(axis=0)
    rest = cells - of_pair[:, None] - of_row[None, :] + cells.mean()
    square = np.array([rows * of_pair.var(ddof=1), pairs * of_row.var(ddof=1), 0.0])
    square[0] *= 1.0 + pairs * ratio
    square[2] = -np.square(rest).sum() / ((pairs - 1) * (rows - 1))
    total = max(square[0], square[1], square.sum())
    down = float(square[0] ** 2 / (pairs - 1) + square[1] ** 2 / (rows - 1))
    freedom = max(1.0, total**2 / down) if down > 0 else pairs - 1.0
    return _student(of_pair, total / cells.size, freedom, sign_flip(of_pair, seed=seed), level)


def _student(delta: F64, variance: float, freedom: float, p_flip: float, level: float) -> Lift:
    """Interval and test of Student; where all differences are equal, the sign flips have to do, if they are valid."""
    mean, error = float(delta.mean()), float(np.sqrt(variance))
    reach = float(stats.t.ppf(0.5 + 0.5 * level, freedom)) * error
    if error <= max(EQUAL[0], EQUAL[1] * abs(mean)):
        p = 1.0 if np.isnan(p_flip) else p_flip
    else:
        p = float(2.0 * stats.t.sf(abs(mean) / error, freedom))
    return Lift(mean, mean - reach, mean + reach, p, p_flip, p, len(delta), level)


def _finite(numbers: npt.ArrayLike) -> F64:
    out = np.asarray(numbers, dtype=np.float64)
    if out.size == 0 or not np.isfinite(out).all():
        raise ValueError(f"got differences of shape {out.shape}, finite: {np.isfinite(out).all()}; need finite numbers")
    return out


def by_split(differences: npt.ArrayLike, split: npt.NDArray[Any]) -> F64:
    """(J,) mean difference of each split, in the order of the names: seeds on one split are not new evidence."""
    delta = _finite(differences)
    names, at = np.unique(split, return_inverse=True)
    return np.asarray(np.bincount(at, weights=delta, minlength=len(names)) / np.bincount(at), dtype=np.float64)


def by_unit(table: npt.ArrayLike, units: npt.NDArray[Any]) -> F64:
    r"""(J, U) from (J, R): rows of one patient are one piece of evidence. The mean of each pair stays what it was.

    .. math:: v_{ju} = \bar x_j + \frac{U n_u}{R}\,(\bar x_{ju} - \bar x_j)

    with the mean of a pair over its R rows and over the n_u rows of a unit (a ratio estimate, linearised: Cochran 1977,
    Sampling Techniques, 6.4); where every row is a unit of its own, the table itself.
    """
    cells = np.asarray(table, dtype=np.float64)
    names, at = np.unique(units, return_inverse=True)
    if len(names) == cells.shape[1]:
        return cells
    mean = cells.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(at, weights=row) for row in cells - mean])
    return np.asarray(mean + sums * (len(names) / cells.shape[1]))


def sign_flip(differences: npt.ArrayLike, *, seed: int = 0) -> float:
    """Two-sided p: how often flipped signs give a mean at least as far from zero; all flips, or random ones."""
    delta = _finite(differences)
    far = abs(delta.sum()) * (1.0 - 1e-12)
    if len(delta) <= EXACT_PAIRS:
        bits = np.arange(1 << len(delta))[:, None] >> np.arange(len(delta)) & 1
        return float(np.mean(np.abs((1.0 - 2.0 * bits) @ delta) >= far))
    signs = np.random.default_rng(seed).integers(0, 2, (FLIPS, len(delta))) * 2.0 - 1.0
    # The signs as they were count as one of the draws, so that p is never 0 (Phipson & Smyth 2010).
    return float((1 + np.count_nonzero(np.abs(signs @ delta) >= far)) / (1 + FLIPS))


def holm(p_values: npt.ArrayLike) -> F64:
    """(m,) adjusted p: any of them below a level, and the chance of one false alarm in the family is below it."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(stepped, 1.0)
    return out


def family(lifts: Mapping[str, Lift]) -> dict[str, Lift]:
    """The same lifts, their verdicts corrected for how many there are (Holm 1979)."""
    adjusted = holm([lift.p_value for lift in lifts.values()])
    pairs = zip(lifts.items(), adjusted, strict=True)
    return {name: replace(lift, p_adjusted=float(p), comparisons=len(lifts)) for (name, lift), p in pairs}


def share_interval(hits: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share, hits / n, that stays within 0 and 1 (Wilson 1927); (0, 1) for n = 0."""
    if n <= 0:
        return 0.0, 1.0
    z = float(stats.norm.ppf(0.5 + 0.5 * level))
    share, wide = hits / n, z * z / n
    middle = (share + 0.5 * wide) / (1.0 + wide)
    reach = np.sqrt(share * (1.0 - share) * wide + 0.25 * wide * wide) / (1.0 + wide)
    return float(max(0.0, middle - reach)), float(min(1.0, middle + reach))
