r"""Multinomial logistic regression on the rows of a frozen encoder.

.. math:: \min_{W, b}\; \frac{1}{\sum_i w_i} \sum_i w_i\, \mathrm{CE}\bigl(y_i,\, \mathrm{softmax}(x_i W + b)\bigr)
          + \frac{1}{2\, C\, n_r} \lVert W \rVert^2

``x`` are the rows standardised by the real training rows, clipped at two deviations, and divided by the square root of
their width. Of 15 rows some number hardly varies by chance, after a ReLU most of all; its deviation is far too small
for the rows that are to come, which it would decide alone. Clipped, CIFAR-10 with 5 and 20 of each class went from
28 to 34 % and from 41 to 46 % (SqueezeNet), blood cells with 5 from 82 to 86 %; `docs/students.md` has what else was
tried.

``n_r`` is the number of different real samples, so that minted rows and copies change no penalty and every arm chooses
among the same C. The best one by cross-entropy is mostly between 5 and 30, for 15 rows as for 2,000.

A convex problem has one answer however long the way: ``budget.updates`` is the most steps L-BFGS may take. A transform
is met as a fixed number of views of each row, encoded once; mixup as rows mixed once, for each view anew.

Shapes: rows (n, d), probabilities (n, k).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from augmint.core.protocols import Encoder, Student
from augmint.core.types import F32, I64, Bool, Budget, Sample, TrainingSet
from augmint.numerics.softmax_regression import Axes
from augmint.students.convex import Fits
from augmint.students.inputs import check, rows_of
from augmint.students.trials import values
from augmint.students.views import changed, view_count

F64 = npt.NDArray[np.float64]
REACH = 10.0
"""Values of C to choose from lie within so many times the field."""


@dataclass
class LinearProbe(Student):
    """A linear classifier on frozen pretrained features.

    Attributes:
        encoder: makes the rows; None where contents are rows already.
        c: inverse strength of the penalty, the middle of those tried.
        clip: rows are clipped at so many standard deviations of the real rows.
        folds: of the inner validation.
        views: most views of each row under a transform or mixup, itself included.
        most_rows: fewer views where there would be more rows than this, but one changed view at least.
    """

    encoder: Encoder | None = None
    c: float = 10.0
    clip: float = 2.0
    folds: int = 3
    views: int = 8
    most_rows: int = 2000
    weight_: F64 = field(init=False, repr=False)
    bias_: F64 = field(init=False, repr=False)
    mean_: F64 = field(init=False, repr=False)
    scale_: F64 = field(init=False, repr=False)
    present_: Bool = field(init=False, repr=False)
    c_: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if min(self.c, self.clip) <= 0 or min(self.folds, self.views) < 2 or self.most_rows < 1:
            raise ValueError(
                f"c = {self.c} and clip = {self.clip} must be positive, folds = {self.folds} and views = {self.views} "
                f"2 or more, most_rows = {self.most_rows} 1 or more"
            )

    def fit(self, train: TrainingSet, budget: Budget, rng: np.random.Generator) -> Self:
        """Choose C by the real rows, then fit on all rows."""
        check(train, "probe")
        x, parent = self._rows(train, rng)
        own = x[: len(train)][~train.minted].astype(np.float64)
        std = own.std(axis=0)
        self.mean_ = own.mean(axis=0)
        self.scale_ = np.where(std > 1e-6 * (1.0 + np.abs(self.mean_)), std, 1.0)
        self.present_ = train.y.sum(axis=0) > 0
        axes = Axes.of(self._standard(x).astype(np.float32))
        fits = Fits(axes, parent, train, self.present_, budget.updates, int(rng.integers(2**62)))
        self.c_, weight, self.bias_ = fits.chosen(values(self.c, REACH, budget.trials), self.folds)
        self.weight_ = axes.basis @ weight
        return self

    def predict_proba(self, samples: Sequence[Sample]) -> F32:
        """(n, k) probabilities; 0 for classes that had no row."""
        out = np.zeros((len(samples), len(self.present_)), np.float32)
        if len(samples):
            x = self._standard(self._encode(samples, len(self.mean_)))
            out[:, self.present_] = softmax(x @ self.weight_ + self.bias_, axis=1)
        return out

    def _standard(self, x: F32) -> F64:
        """(n, d) rows of about unit length."""
        far = (x - self.mean_) / self.scale_
        return np.asarray(far.clip(-self.clip, self.clip) / np.sqrt(x.shape[1]), dtype=np.float64)

    def _encode(self, samples: Sequence[Sample], width: int | None = None) -> F32:
        if self.encoder is None:
            return rows_of(samples, width)
        return self.encoder.encode(samples).reshape(len(samples), -1)

    def _rows(self, train: TrainingSet, rng: np.random.Generator) -> tuple[F32, I64]:
        """(m, d) the rows as they are and below them their views; (m,) the row each is a view of."""
        x, more = self._encode(train.samples), view_count(train, self.views, self.most_rows) - 1
        views = [x]
        for _ in range(more):
            views.append(x if train.transform is None else self._encode(changed(train.samples, train.transform, rng)))
        return np.concatenate(views), np.tile(np.arange(len(train)), more + 1)
