"""What a change of a metric is told in: points of a hundred, or nats for the log loss, which has no hundredths."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """A unit, and how many digits behind the point it is told with."""

    word: str
    scale: float
    digits: int

    def told(self, value: float, sign: str = "") -> str:
        """A number in this unit; a dash where nothing is known. ``sign`` is "+" where gains have theirs."""
        return f"{value * self.scale:{sign}.{self.digits}f}" if math.isfinite(value) else "\N{EM DASH}"

    def change(self, value: float) -> str:
        """A gain or a loss, with its sign."""
        return self.told(value, "+")

    def interval(self, low: float, high: float) -> str:
        """`` [0.8, 3.4]``; nothing where an end is not known."""
        return f" [{self.told(low)}, {self.told(high)}]" if math.isfinite(low) and math.isfinite(high) else ""


POINTS, NATS = Unit("points", 100.0, 1), Unit("nats", 1.0, 3)


def unit_of(metric: str) -> Unit:
    """Of a metric by name."""
    return NATS if metric == "log_loss" else POINTS
