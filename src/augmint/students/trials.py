"""What a student may try (one number, a few values of it) and what the choice may look at (real rows, never minted).

Every arm of a comparison has the same values and the same real rows to choose by, whatever was minted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from augmint.core.types import F32, I64, TrainingSet
from augmint.numerics.probe import stratified_folds
from augmint.numerics.rows import text_array


def values(middle: float, reach: float, trials: int) -> list[float]:
    """``middle`` for one trial, else so many values from ``middle / reach`` up to ``middle * reach``, evenly in log."""
    if trials <= 1:
        return [middle]
    return [float(middle * reach**at) for at in np.linspace(-1.0, 1.0, trials)]


def inner_folds(train: TrainingSet, folds: int) -> I64:
    """(n,) fold in which a real row is held out; -1 for rows that never are.

    Minted rows are trained on in every fold. So are real rows of a class that no other fold has: what the fit has not
    seen says nothing about the number that is to be chosen. Rows of a group, and copies of a sample, stay together.
    """
    fold = np.full(len(train), -1, dtype=np.int64)
    real = np.flatnonzero(~train.minted)
    if len(real) == 0:
        return fold
    y = train.y[real]
    kin = text_array([train.samples[i].group or f"sample {train.samples[i].id}" for i in real])
    label = y.argmax(axis=1).astype(np.int64)
    fold[real] = stratified_folds(label, folds, kin)
    for part in range(folds):
        out = fold[real] == part
        alone = out & (y[~out].sum(axis=0)[label] <= 0)
        fold[real[alone]] = -1
    return fold


def best(candidates: Sequence[float], folds: Sequence[int], loss: Callable[[float, int], float]) -> float:
    """The candidate with the least mean loss over the folds, tried in order until it grows.

    The loss is taken to have one valley, so that what lies behind its far side is not paid for.
    """
    found = [(np.inf, candidates[len(candidates) // 2])]
    for value in candidates if len(candidates) > 1 and folds else ():
        mean = float(np.mean([loss(value, part) for part in folds]))
        if not mean < found[-1][0]:
            break
        found.append((mean, value))
    return found[-1][1]


def cross_entropy(probability: F32, y: F32, weight: F32) -> float:
    """Mean over rows by weight, of probabilities (n, k) against label weights (n, k)."""
    own = -(y * np.log(np.maximum(probability, 1e-7))).sum(axis=1)
    return float(np.average(own, weights=weight))
