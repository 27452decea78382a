"""What the tables of methods share: a student, its grid, children of a method, paired intervals."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student_t
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from augmint.core.registry import build
from augmint.core.types import Latents
from augmint.numerics.rows import text_array
from augmint.synthesizers import TABLE

Array = npt.NDArray[Any]
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Rows:
    """Rows to learn from: x (n, d), soft labels y (n, k)."""

    x: Array
    y: Array


@dataclass(frozen=True)
class Arm:
    """One line of a table: a method of ours (or "" for none) and the settings it may choose from."""

    name: str
    method: str = ""
    settings: Sequence[Options] = field(default_factory=lambda: ({},))
    base: str = ""


def latents(x: Array, y: Array, classes: int, space: str = "benchmark", prefix: str = "r") -> Latents:
    """Rows of hard labels."""
    ids = text_array([f"{prefix}{i}" for i in range(len(x))])
    names = tuple(f"{prefix}-class-{c}" for c in range(classes))
    return Latents(ids, x.astype(np.float32), np.eye(classes, dtype=np.float32)[y], names, space=space)


def children(arm: Arm, options: Options, real: Latents, anchors: Array, base: Latents | None, seed: int) -> Rows:
    """One new row for each anchor, labelled by the weights of its parents."""
    method = build("synthesizers", "method", TABLE, arm.method, options)
    method.fit(real, np.random.default_rng([seed, 1]), base=base)
    draw = method.sample(real.take(anchors), np.random.default_rng([seed, 2]))
    label = {f"data:{name}": y for name, y in zip(real.ids, real.y, strict=True)}
    none = np.zeros(real.y.shape[1], np.float32)
    y = np.stack([sum(w * label.get(str(r), none) for r, w in zip(refs, ws, strict=True))
                  for refs, ws in zip(draw.refs, draw.label_weights, strict=True)])  # fmt: skip
    return Rows(draw.z.reshape(len(draw), -1), y)


def both(real: Latents, made: Rows | None) -> Rows:
    """Real rows, and the made ones below them."""
    if made is None:
        return Rows(real.flat, real.y)
    return Rows(np.concatenate([real.flat, made.x]), np.concatenate([real.y, made.y]))


def student(rows: Rows, strengths: Sequence[float], class_weights: bool = False) -> list[LogisticRegression]:
    """Multinomial logistic regressions, one for each C; soft labels are rows that are there with several weights.

    Weights sum to the number of classes, so that C means the same for 5 and for 2,000 rows. Each fit starts where
    the one before ended.
    """
    at, label = np.nonzero(rows.y > 1e-6)
    weight = rows.y[at, label].astype(np.float64)
    if class_weights:
        weight /= rows.y.sum(axis=0)[label]
    weight *= rows.y.shape[1] / weight.sum()
    fits: list[LogisticRegression] = []
    for c in strengths:
        model = LogisticRegression(C=c, max_iter=80, tol=1e-3, warm_start=True)
        if fits:
            model.coef_, model.intercept_ = fits[-1].coef_.copy(), fits[-1].intercept_.copy()
            model.classes_ = fits[-1].classes_
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fits.append(model.fit(rows.x[at], label, weight))
    return fits


def grid(low: float, high: float, count: int) -> list[float]:
    """C values evenly spaced in their logarithm."""
    return [float(f"{c:.3g}") for c in np.logspace(np.log10(low), np.log10(high), count)]


def mean_interval(values: Array) -> dict[str, float]:
    """Mean over draws and its 95 % t interval, in points."""
    values = 100.0 * np.asarray(values, np.float64)
    half = float(student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    mean = float(values.mean())
    return {"mean": round(mean, 2), "low": round(mean - half, 2), "high": round(mean + half, 2)}
