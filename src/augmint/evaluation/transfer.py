r"""How much of what a pretrained model knows reaches a student trained from nothing through minted rows.

.. math:: f = \frac{S_m - S_0}{P_0 - S_0}

``S_0`` is the score of the scratch student without minted rows, ``S_m`` with them, ``P_0`` that of the probe on frozen
pretrained features without them: 0 is nothing, 1 the whole gap, above 1 more than the probe itself knows. All three
are scored on the same pairs, so numerator and denominator are correlated, and a quotient of means has no standard
error to speak of. The interval holds every f that the pairs do not rule out,

.. math:: \bigl\{ f : 0 \in \mathrm{interval}\bigl((S_m - S_0) - f\, (P_0 - S_0)\bigr) \bigr\}

with any interval of paired differences (Fieller 1954, "Some problems in interval estimation", JRSS B 16, for
Student's). Where the gap itself cannot be told from zero no f can be ruled out, and there is no fraction to report.

Shapes: scores (J,) of pairs, or (J, R) of each test row in each pair, as the interval wants them; larger is better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from augmint.evaluation.intervals import F64, Lift, paired

NO_GAP = "the gap between the probe and the scratch student is within noise"
NO_LEAD = "the probe is no better than the scratch student"
ONE_PAIR = "one pair has no interval"


@dataclass(frozen=True)
class Transfer:
    """A share of the gap.

    Attributes:
        fraction: f; NaN where there is no gap.
        low: lower end of the interval; NaN where there is none.
        high: upper end.
        gap: mean of the gap, in units of the score.
        pairs: J.
        note: "" or why a number is missing.
    """

    fraction: float
    low: float
    high: float
    gap: float
    pairs: int
    note: str = ""

    def headline(self) -> str:
        """One line for people: ``62 % of the gap [31, 94], 20 pairs``, or why there is none."""
        if np.isnan(self.fraction):
            return f"not known: {self.note}"
        ends = f"[{100 * self.low:.0f}, {100 * self.high:.0f}]" if np.isfinite(self.low) else f"({self.note})"
        return f"{100 * self.fraction:.0f} % of the gap {ends}, {self.pairs} pair{'s' if self.pairs > 1 else ''}"


def transfer_fraction(
    scratch: npt.ArrayLike,
    minted: npt.ArrayLike,
    probe: npt.ArrayLike,
    interval: Callable[[F64], Lift] = paired,
) -> Transfer:
    """The share of the gap that minted rows close.

    Args:
        scratch: (J,) or (J, R) scores of the scratch student on real rows.
        minted: the same with minted rows.
        probe: of the pretrained probe on real rows.
        interval: of paired differences, as fits the pairs: :func:`~augmint.evaluation.intervals.paired`,
            ``paired_rows``, or one of these with its ratio.

    Raises:
        ValueError: unequal shapes, or numbers that are not finite.
    """
    s, m, p = (np.asarray(scores, dtype=np.float64) for scores in (scratch, minted, probe))
    if not s.shape == m.shape == p.shape:
        raise ValueError(f"got scores of shapes {s.shape}, {m.shape}, {p.shape}; need the same pairs three times")
    gain, gap = m - s, p - s
    size, pairs = interval(gap), len(gap)
    if not size.mean > 0 or size.high < 0:
        return Transfer(np.nan, np.nan, np.nan, size.mean, pairs, NO_LEAD)
    if size.low <= 0:
        return Transfer(np.nan, np.nan, np.nan, size.mean, pairs, NO_GAP)
    fraction = float(gain.mean() / gap.mean())
    if pairs < 2:
        return Transfer(fraction, np.nan, np.nan, size.mean, pairs, ONE_PAIR)
    low, high = (_end(gain, gap, interval, fraction, side) for side in (-1.0, 1.0))
    return Transfer(fraction, low, high, size.mean, pairs)


def _end(gain: F64, gap: F64, interval: Callable[[F64], Lift], fraction: float, side: float) -> float:
    """The f on this side of the fraction from which on the interval leaves zero out."""

    def inside(f: float) -> float:
        lift = interval(gain - f * gap)
        return lift.high if side > 0 else -lift.low

    if inside(fraction) <= 0:  # nothing varies
        return fraction
    step = 1.0
    while inside(fraction + side * step) > 0:
        step *= 2.0
        if step > 2.0**40:  # the gap is no more than rounding away from noise
            return side * np.inf
    return float(brentq(inside, fraction, fraction + side * step, xtol=1e-9))
