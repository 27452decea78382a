r"""A multinomial logistic probe with a temperature that is calibrated by cross-fitting.

.. math:: \min_{W, b}\; \frac1n \sum_i c_i\, \mathrm{CE}\bigl(y_i,\, \mathrm{softmax}(x_i W + b)\bigr)
          + \frac\lambda2 \lVert W \rVert^2 \qquad p(x) = \mathrm{softmax}\bigl((x W + b) / T\bigr)

``x`` are the rows standardised and divided by the square root of their width, so that one penalty suits all widths.
The penalty and then T minimise the cross-entropy of held-out rows over stratified folds (Guo et al. 2017,
arXiv:1706.04599). Classes with no rows get probability 0. Rows of a group stay in one fold.

Shapes: rows (n, d), y (n, k) label weights, probabilities (n, k) float32.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from augmint.core.protocols import State
from augmint.core.types import F32, I64, Bool, Text
from augmint.numerics.softmax_regression import Axes, fit_softmax

F64 = npt.NDArray[np.float64]


def stratified_folds(labels: I64, folds: int, groups: Text | None = None) -> I64:
    """(n,) fold of each row: the rows of each class dealt in turn, the rows of a group together.

    Each class starts where the one before ended, so that many classes of one row fill all folds alike.
    """
    fold = np.zeros(len(labels), dtype=np.int64)
    of_group: dict[str, int] = {}
    turn = 0
    for row in np.argsort(labels, kind="stable"):
        name = "" if groups is None else str(groups[row])
        if name and name in of_group:
            fold[row] = of_group[name]
            continue
        fold[row] = turn % folds
        turn += 1
        if name:
            of_group[name] = int(fold[row])
    return fold


@dataclass
class Probe:
    """Calibrated multinomial logistic regression.

    Attributes:
        folds: parts of the cross-fit.
        penalties: values of lambda to choose from.
        balanced: weigh rows so that each class counts the same.
        held_out_: (n, k) calibrated probabilities of the fitted rows, each from a fit that did not see it.
        held_out_ok_: (n,) False where the row's class was not in the other folds (a class of one row).
        temperature_: T.
    """

    folds: int = 5
    penalties: tuple[float, ...] = (1e-1, 1e-2, 1e-3)
    balanced: bool = True
    mean_: F32 = field(init=False, repr=False)
    scale_: F32 = field(init=False, repr=False)
    weight_: F32 = field(init=False, repr=False)
    bias_: F32 = field(init=False, repr=False)
    present_: Bool = field(init=False, repr=False)
    temperature_: float = field(init=False, repr=False)
    held_out_: F32 = field(init=False, repr=False)
    held_out_ok_: Bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.folds < 2 or not self.penalties or min(self.penalties) <= 0:
            raise ValueError(f"folds = {self.folds} must be >= 2 and penalties = {self.penalties} positive")

    def fit(self, rows: F32, y: F32, groups: Text | None = None) -> Self:
        """Fit on ``rows`` (n, d) with label weights ``y`` (n, k); n >= 1."""
        x = rows.astype(np.float64)
        std = x.std(axis=0)
        self.mean_ = x.mean(axis=0).astype(np.float32)
        self.scale_ = (np.where(std > 1e-12, std, 1.0) * np.sqrt(x.shape[1])).astype(np.float32)
        axes = Axes.of((x - self.mean_) / self.scale_)
        self.present_ = y.sum(axis=0) > 0
        target = _rows_to_one(y[:, self.present_].astype(np.float64))
        penalty, logits, self.held_out_ok_ = self._cross_fit(axes, target, groups)
        self.temperature_ = _temperature(logits[self.held_out_ok_], target[self.held_out_ok_], self.balanced)
        share = _row_weights(target, self.balanced) / len(target)
        weight, bias = fit_softmax(axes.rows, target, share, penalty, axes.variance)
        self._set(axes.basis @ weight, bias, len(self.present_))
        self.held_out_ = self._spread(softmax(logits / self.temperature_, axis=1))
        return self

    def _set(self, weight: F64, bias: F64, classes: int) -> None:
        self.weight_ = np.zeros((len(self.mean_), classes), np.float32)
        self.bias_ = np.zeros(classes, np.float32)
        self.weight_[:, self.present_], self.bias_[self.present_] = weight, bias

    def _cross_fit(self, axes: Axes, y: F64, groups: Text | None) -> tuple[float, F64, Bool]:
        """The best penalty, its held-out logits (n, present), and which rows could be judged."""
        labels = np.argmax(y, axis=1).astype(np.int64)
        fold, x = stratified_folds(labels, self.folds, groups), axes.rows
        logits = np.zeros((len(self.penalties), *y.shape))
        known = np.zeros(len(x), dtype=np.bool_)
        for part in range(self.folds):
            out, rest = fold == part, fold != part
            if not out.any() or not rest.any():
                continue
            known[out] = y[rest].sum(axis=0)[labels[out]] > 0
            share, start = _row_weights(y[rest], self.balanced) / int(rest.sum()), None
            for i, penalty in enumerate(self.penalties):
                weight, bias = start = fit_softmax(x[rest], y[rest], share, penalty, axes.variance, start)
                logits[i, out] = x[out] @ weight + bias
        loss = [
            _cross_entropy(own[known] / _temperature(own[known], y[known], self.balanced), y[known], self.balanced)
            for own in logits
        ]
        best = int(np.argmin(loss))
        return self.penalties[best], logits[best], known

    def predict_proba(self, rows: F32) -> F32:
        """(n, k) calibrated probabilities."""
        x = (rows.astype(np.float64) - self.mean_) / self.scale_
        logits = x @ self.weight_[:, self.present_].astype(np.float64) + self.bias_[self.present_]
        return self._spread(softmax(logits / self.temperature_, axis=1))

    def _spread(self, probability: F64) -> F32:
        """Columns of the classes that have rows, put at their place among all classes."""
        out = np.zeros((len(probability), len(self.present_)), np.float32)
        out[:, self.present_] = probability
        return out

    def state(self) -> State:
        """The learned arrays."""
        return {
            "mean": self.mean_,
            "scale": self.scale_,
            "weight": self.weight_,
            "bias": self.bias_,
            "present": self.present_,
            "temperature": np.asarray([self.temperature_], np.float64),
            "held_out": self.held_out_,
            "held_out_ok": self.held_out_ok_,
        }

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.mean_, self.scale_ = state["mean"], state["scale"]
        self.weight_, self.bias_, self.present_ = state["weight"], state["bias"], state["present"].astype(np.bool_)
        self.temperature_ = float(state["temperature"][0])
        self.held_out_, self.held_out_ok_ = state["held_out"], state["held_out_ok"].astype(np.bool_)
        return self


def _rows_to_one(y: F64) -> F64:
    total = y.sum(axis=1, keepdims=True)
    return np.where(total > 0, y / np.where(total > 0, total, 1.0), 1.0 / max(1, y.shape[1]))


def _row_weights(y: F64, balanced: bool) -> F64:
    """(n,) weights of mean 1: equal, or such that each class has the same total."""
    if not balanced:
        return np.ones(len(y))
    weight = (y / np.maximum(y.sum(axis=0), 1e-12)).sum(axis=1)
    return np.asarray(weight * (len(y) / max(weight.sum(), 1e-12)))


def _cross_entropy(logits: F64, y: F64, balanced: bool) -> float:
    if len(logits) == 0:
        return 0.0
    return float(-np.mean(_row_weights(y, balanced) * (y * log_softmax(logits, axis=1)).sum(axis=1)))


def _temperature(logits: F64, y: F64, balanced: bool) -> float:
    """T in [1/20, 20] that minimises the cross-entropy of held-out logits; 1 where there are too few rows."""
    if len(logits) < 5 or y.shape[1] < 2:
        return 1.0
    found = minimize_scalar(
        lambda t: _cross_entropy(logits / np.exp(t), y, balanced), bounds=(-3.0, 3.0), method="bounded"
    )
    return float(np.exp(found.x))
