r"""A second opinion on labels that the parents of a row have no say in: ridge regression, cross-fitted by parent.

.. math:: W_S = \Bigl(\sum_{f \notin S} X_f^\top D_f X_f + \tfrac\lambda r I\Bigr)^{-1}
          \sum_{f \notin S} X_f^\top D_f Y_f

Real rows are dealt into folds, rows of a group together. A real row is judged without its own fold, a minted row
without the folds S of all its parents: a row that is nearly its parent would else only be told what the parent is
labelled. X are the rows standardised and divided by the square root of their width, in r coordinates and with a 1 for
the bias (no penalty on it); Y the indicators of the classes; D weighs each class alike. Each fold's sums are made once,
so another S costs one solution of r = min(n, d) equations.

Shapes: real (n, d), minted (m, d), left out (m, folds); scores (m, k), the largest is the class.
Paper: regularised least squares as a classifier, Rifkin, Yeo & Poggio 2003.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import linalg

from augmint.core.types import F32, I64, Bool, Text
from augmint.numerics.probe import stratified_folds

F64 = npt.NDArray[np.float64]


@dataclass
class SecondJudge:
    """Says which class a row is of, without some folds of the real rows.

    Attributes:
        folds: parts of the real rows.
        penalty: lambda, in units of the mean eigenvalue of all of X'DX.
        fold_: (n,) of each real row.
        left_: (folds, r, r) sums X'DX of each fold; ``right_``: (folds, r, k) sums X'DY.
        count_: (folds, k) rows of each class.
    """

    folds: int = 5
    penalty: float = 0.5
    fold_: I64 = field(init=False, repr=False)
    left_: F64 = field(init=False, repr=False)
    right_: F64 = field(init=False, repr=False)
    count_: I64 = field(init=False, repr=False)
    mean_: F64 = field(init=False, repr=False)
    scale_: F64 = field(init=False, repr=False)
    basis_: F64 | None = field(init=False, repr=False)

    def fit(self, rows: F32, labels: I64, classes: int, groups: Text | None = None) -> Self:
        """Sum up each fold; rows (n, d) with n >= 1, labels (n,) below ``classes``."""
        self.fold_ = stratified_folds(labels, self.folds, groups)
        x = rows.astype(np.float64)
        self.mean_, std = x.mean(axis=0), x.std(axis=0)
        self.scale_ = np.where(std > 1e-12, std, 1.0) * np.sqrt(x.shape[1])
        x = (x - self.mean_) / self.scale_
        # With a penalty the answer lies in the span of the rows.
        self.basis_ = np.linalg.svd(x, full_matrices=False)[2].T if len(x) < x.shape[1] else None
        x = self._coordinates(x)
        y = np.eye(classes)[labels]
        weight = 1.0 / (np.bincount(labels, minlength=classes)[labels] * len(np.unique(labels)))
        parts = [self.fold_ == part for part in range(self.folds)]
        self.left_ = np.stack([(x[at] * weight[at, None]).T @ x[at] for at in parts])
        self.right_ = np.stack([(x[at] * weight[at, None]).T @ y[at] for at in parts])
        self.count_ = np.stack([y[at].sum(axis=0) for at in parts]).astype(np.int64)
        return self

    def judge(self, rows: F32, left_out: Bool) -> tuple[F32, Bool]:
        """Scores (m, k), and (m, k) whether a class could be recognised at all without the folds ``left_out``."""
        x = self._coordinates((rows.astype(np.float64) - self.mean_) / self.scale_)
        scores = np.zeros((len(rows), self.right_.shape[2]), np.float32)
        known = np.zeros(scores.shape, np.bool_)
        patterns, which = np.unique(left_out, axis=0, return_inverse=True)
        for i, out in enumerate(patterns):
            at = which.ravel() == i
            present = self.count_[~out].sum(axis=0) > 0
            known[at] = present
            if present.any():
                scores[at] = np.where(present, x[at] @ self._solution(~out), -np.inf)
        return scores, known

    def without(self, parents: list[list[int]]) -> Bool:
        """(m, folds) the folds of each row's parents, which are positions of real rows."""
        out = np.zeros((len(parents), self.folds), np.bool_)
        for i, own in enumerate(parents):
            out[i, self.fold_[own]] = True
        return out

    def _solution(self, use: Bool) -> F64:
        left = self.left_[use].sum(axis=0)
        width = len(left) - 1  # all but the bias
        left[np.diag_indices(width)] += self.penalty / width
        found: F64 = linalg.solve(left, self.right_[use].sum(axis=0), assume_a="pos")
        return found

    def _coordinates(self, x: F64) -> F64:
        inner = x if self.basis_ is None else x @ self.basis_
        return np.concatenate([inner, np.ones((len(x), 1))], axis=1)
