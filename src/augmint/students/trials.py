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
    """(n,) fold of each row: where it is not trained on. Of these rows the real ones are validated on; -1: trained on.

    Which real rows are held out depends on real rows alone. What tells the answer of a row that is held out is not
    trained on: copies of the sample and all of its group, and so its minted children, where these carry the group of
    their parent; other minted rows are always trained on. So are real rows of a class that no other fold has: what the
    fit has not seen says nothing about the number that is to be chosen.
    """
    kin = text_array([sample.group or f"sample {sample.id}" for sample in train.samples])
    real = np.flatnonzero(~train.minted)
    y = train.y[real]
    label = y.argmax(axis=1).astype(np.int64)
    fold = np.full(len(train), -1, dtype=np.int64)
    fold[real] = stratified_folds(label, folds, kin[real])
    for part in range(folds):
        out = fold[real] == part
        fold[real[out & (y[~out].sum(axis=0)[label] <= 0)]] = -1
    of_kin = {str(kin[i]): fold[i] for i in real if fold[i] >= 0}
    fold[train.minted] = [of_kin.get(str(name), -1) for name in kin[train.minted]]
    return fold


def parts(train: TrainingSet, fold: I64) -> list[int]:
    """The folds in which a real row is held out."""
    held = fold[~train.minted]
    return [int(part) for part in np.unique(held[held >= 0])]


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
