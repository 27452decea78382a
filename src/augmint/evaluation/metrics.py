r"""How good is a classifier? Seven numbers from its probabilities, and which way each of them points.

.. math::
    \mathrm{log\ loss} = -\frac1n \sum_i \log p_{i, y_i} \qquad
    \mathrm{ECE} = \sum_b \frac{n_b}{n}\, \lvert \mathrm{acc}_b - \mathrm{conf}_b \rvert

Predictions are the most probable class, the first where two are equal. What has classes is a mean over the classes that
have rows in ``y``: balanced accuracy (recall), macro-F1, and the area under the ROC curve of each class against the
rest, which is NaN where all rows are of one class. A class without rows has no recall (NaN) and no share in the means;
rows wrongly given to it still count against their own class. The calibration error looks at the probability of the
predicted class in 15 bins with equally many rows (as equal as n allows). Probabilities below 1e-7 count as 1e-7 in the
log loss, so that one row cannot make it infinite.

Shapes: probabilities (n, k), rows that sum to 1; labels (n,) in 0..k-1; n >= 1.
Papers: Hand and Till 2001, Machine Learning 45 (macro AUROC); Nixon et al. 2019, arXiv:1904.01685 (adaptive ECE).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from augmint.core.types import I64

F64 = npt.NDArray[np.float64]

BINS = 15
"""Of the calibration error."""

LEAST = 1e-7
"""Smallest probability in the log loss."""


@dataclass(frozen=True)
class Metric:
    """What a score is.

    Attributes:
        larger: whether larger is better.
        by_row: whether it is a mean of numbers of single rows, so that rows can be treated as a sample.
    """

    larger: bool
    by_row: bool


METRICS: dict[str, Metric] = {
    "accuracy": Metric(larger=True, by_row=True),
    "balanced_accuracy": Metric(larger=True, by_row=True),
    "macro_f1": Metric(larger=True, by_row=False),
    "auroc": Metric(larger=True, by_row=False),
    "log_loss": Metric(larger=False, by_row=True),
    "calibration_error": Metric(larger=False, by_row=False),
}


def scores(probability: npt.NDArray[Any], labels: I64) -> dict[str, float]:
    """Every score of :data:`METRICS`, by name."""
    p = checked(probability, labels)
    recall = class_recall(p, labels)
    return {
        "accuracy": float((p.argmax(axis=1) == labels).mean()),
        "balanced_accuracy": float(np.nanmean(recall)),
        "macro_f1": macro_f1(p, labels),
        "auroc": auroc(p, labels),
        "log_loss": float(-_log_likelihood(p, labels).mean()),
        "calibration_error": calibration_error(p, labels),
    }


def row_scores(name: str, probability: npt.NDArray[Any], labels: I64) -> F64:
    """(n,) numbers of single rows whose mean is the score, so that larger is better (the log loss is turned round).

    Raises:
        ValueError: the score is no mean over rows.
    """
    if not METRICS[name].by_row:
        raise ValueError(f"got {name!r}, which is no mean over rows; expected accuracy, balanced_accuracy or log_loss")
    p = checked(probability, labels)
    if name == "log_loss":
        return _log_likelihood(p, labels)
    right = (p.argmax(axis=1) == labels).astype(np.float64)
    return right if name == "accuracy" else np.asarray(right * balancing(labels, p.shape[1]))


def balancing(labels: I64, classes: int) -> F64:
    """(n,) weights of mean 1 that give each class that has rows the same total."""
    count = np.bincount(labels, minlength=classes)
    return np.asarray(len(labels) / (np.count_nonzero(count) * count[labels].astype(np.float64)))


def class_recall(probability: npt.NDArray[Any], labels: I64) -> F64:
    """(k,) share of the rows of each class that are found; NaN for a class without rows."""
    classes = probability.shape[1]
    count = np.bincount(labels, minlength=classes)
    found = np.bincount(labels[probability.argmax(axis=1) == labels], minlength=classes)
    return np.where(count > 0, found / np.maximum(count, 1), np.nan)


def macro_f1(probability: npt.NDArray[Any], labels: I64) -> float:
    """Mean over the classes with rows of 2 hits / (rows of the class + rows given to the class)."""
    classes, given = probability.shape[1], probability.argmax(axis=1)
    count, named = np.bincount(labels, minlength=classes), np.bincount(given, minlength=classes)
    hits = np.bincount(labels[given == labels], minlength=classes)
    there = count > 0
    return float(np.mean(2.0 * hits[there] / (count + named)[there]))


def auroc(probability: npt.NDArray[Any], labels: I64) -> float:
    """Mean over the classes with rows of the chance that a row of the class has more of it than a row of another."""
    count, areas = np.bincount(labels, minlength=probability.shape[1]), []
    for c in np.flatnonzero((count > 0) & (count < len(labels))):
        rank = rankdata(probability[:, c])
        above = float(rank[labels == c].sum()) - 0.5 * count[c] * (count[c] + 1)
        areas.append(above / (count[c] * (len(labels) - count[c])))
    return float(np.mean(areas)) if areas else float("nan")


def calibration_error(probability: npt.NDArray[Any], labels: I64) -> float:
    """Expected calibration error of the predicted class, in 15 bins of equal mass."""
    sure = probability.max(axis=1).astype(np.float64)
    right = (probability.argmax(axis=1) == labels).astype(np.float64)
    # Rows that are equally sure are sorted by whether they are right, so that their order does not matter.
    order = np.lexsort((right, sure))
    bins = np.array_split(order, min(BINS, len(order)))
    return float(sum(abs(right[own].sum() - sure[own].sum()) for own in bins) / len(order))


def _log_likelihood(p: F64, labels: I64) -> F64:
    return np.log(np.maximum(p[np.arange(len(p)), labels], LEAST))


def checked(probability: npt.NDArray[Any], labels: I64) -> F64:
    """The probabilities as float64; raises ValueError where they are none, or do not fit the labels."""
    p = np.asarray(probability, np.float64)
    if p.ndim != 2 or len(p) == 0 or len(p) != len(labels) or not np.isfinite(p).all():
        raise ValueError(f"got probabilities {p.shape} for {len(labels)} labels; expected finite (n, k), n >= 1")
    if p.min() < 0 or np.abs(p.sum(axis=1) - 1.0).max() > 1e-3:
        raise ValueError(f"got rows that sum to {p.sum(axis=1).min():.4f} or more; expected 1, nothing below 0")
    if labels.min() < 0 or labels.max() >= p.shape[1]:
        raise ValueError(f"got labels {labels.min()}..{labels.max()}; expected 0..{p.shape[1] - 1}")
    return p
