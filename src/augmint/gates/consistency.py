r"""Does the judge see the label the row carries?

.. math:: s(x, y) = \sum_c y_c\, p(c \mid x) \qquad t_c = \min\bigl(Q_{q}\{s(x_i, y_i) : i \in c\},\, 0.5\bigr)

``p`` is a calibrated logistic probe; the quantile is taken over cross-fitted probabilities of the real rows, so the
threshold is what a real row that the probe has not seen would score. A class with too few rows for a quantile asks
for half as much again as chance, ``min(0.5, 1.5 / k)``, where k counts the classes that have rows. A row of a class
without any real row cannot be verified: it scores 0 and is rejected. A row that is not finite scores 0.

Shapes: rows (n, d) of the judge's space -> scores (n,) in [0, 1]; threshold (k,).
Papers: Guo et al. 2017, arXiv:1706.04599 (calibration); Ravuri and Vinyals 2019, arXiv:1905.10887 (why to check).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from augmint.core.errors import UsageError
from augmint.core.protocols import RowGate, State
from augmint.core.types import F32, I64, Latents
from augmint.numerics.probe import Probe
from augmint.numerics.rows import check_width, checked, finite_rows, flat32


@dataclass
class Consistency(RowGate):
    """Probability of the row's own label, by a calibrated probe on real rows.

    Attributes:
        quantile: share of the real rows of a class that may fall below the threshold.
        min_rows: classes with fewer rows ask for 1.5 times chance instead.
        folds: parts of the cross-fit.
        probe_: the fitted probe.
        threshold_: (k,).
        missed_: (2,) real rows that score below the threshold when the probe has not seen them, of how many.
    """

    quantile: float = 0.05
    min_rows: int = 20
    folds: int = 5
    probe_: Probe = field(init=False, repr=False)
    threshold_: F32 = field(init=False, repr=False)
    missed_: I64 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.quantile < 1.0:
            raise ValueError(f"quantile = {self.quantile} must lie in [0, 1)")
        if self.min_rows < 1 or self.folds < 2:
            raise ValueError(f"min_rows = {self.min_rows} must be >= 1 and folds = {self.folds} >= 2")

    def fit(self, real: Latents) -> Self:
        """Fit the probe and the thresholds; raises UsageError for targets that are not classes."""
        if real.target not in ("class", "soft"):
            raise UsageError(
                f"gate consistency on a target of kind {real.target!r}",
                expected="class or soft labels",
                do="drop the gate",
                code="gate-target",
            )
        rows = checked(real, "consistency")
        self.probe_ = Probe(folds=self.folds).fit(rows, real.y, real.groups)
        own = (real.y * self.probe_.held_out_).sum(axis=1)
        present = int(self.probe_.present_.sum())
        self.threshold_ = np.full(real.y.shape[1], min(0.5, 1.5 / max(1, present)), np.float32)
        for c in range(len(self.threshold_)):
            score = own[(real.labels == c) & self.probe_.held_out_ok_]
            if len(score) >= self.min_rows:
                self.threshold_[c] = min(float(np.quantile(score, self.quantile)), 0.5)
        unseen = self.probe_.held_out_ok_ & (real.y.sum(axis=1) > 0)
        low = own[unseen] < self.threshold_[real.labels[unseen]]
        self.missed_ = np.array([low.sum(), len(low)], np.int64)
        return self

    def told(self) -> list[str]:
        """That the judge cannot check labels, where it would reject most of the real rows."""
        low, rows = self.missed_.tolist()
        if 2 * low <= rows:
            return []
        return [f"warning: the judge would reject {low} of {rows} real rows (unseen): too few rows for it to learn the "
                "classes; leave this gate out, or add rows"]  # fmt: skip

    def score(self, fake: Latents) -> F32:
        """(n,) probability of the row's label."""
        rows = flat32(fake)
        check_width(rows, len(self.probe_.mean_), "consistency")
        fine = finite_rows(rows)
        out = np.zeros(len(rows), np.float32)
        out[fine] = (fake.y[fine] * self.probe_.predict_proba(rows[fine])).sum(axis=1)
        return out

    def state(self) -> State:
        """The probe's arrays and the threshold."""
        probe = {f"probe.{k}": v for k, v in self.probe_.state().items()}
        return {**probe, "threshold": self.threshold_, "missed": self.missed_}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        inner = {k.removeprefix("probe."): v for k, v in state.items() if k.startswith("probe.")}
        self.probe_, self.threshold_ = Probe(folds=self.folds).load(inner), state["threshold"]
        self.missed_ = state.get("missed", np.zeros(2, np.int64))  # runs of earlier versions have none
        return self
