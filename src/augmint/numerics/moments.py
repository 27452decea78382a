r"""Mean and spread of each class, with a pooled spread for classes that are too small to have one.

.. math:: \mu_c = \frac1{n_c}\sum_{i \in c} x_i \qquad s_c^2 = \frac1{n_c - 1}\sum_{i \in c} (x_i - \mu_c)^2

The pooled variance is :math:`\sum_c (n_c - 1) s_c^2 / \sum_c (n_c - 1)`.

Shapes: rows (n, d), labels (n,), mean (k, d), std (k, d), count (k,).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from augmint.core.types import F32, I64, Bool

BLOCK_NUMBERS = 1 << 20
"""Numbers in one block: 8 MiB of float64."""


@dataclass(frozen=True)
class Moments:
    """Per-class statistics.

    Attributes:
        mean: (k, d) mean of each class; the mean of all rows where a class is empty.
        std: (k, d) within-class standard deviation of each number; pooled where ``borrowed``.
        count: (k,) rows of each class.
        borrowed: (k,) True where the class has fewer than two rows and its spread comes from the others.
    """

    mean: F32
    std: F32
    count: I64
    borrowed: Bool

    @property
    def rms(self) -> F32:
        """(k,) root mean square of ``std``: one number for the spread of each class."""
        out: F32 = np.sqrt(np.mean(np.square(self.std, dtype=np.float64), axis=1)).astype(np.float32)
        return out


def class_moments(rows: F32, labels: I64, classes: int) -> Moments:
    """Mean and spread of each class of ``rows``; sums are taken in float64, a block of rows at a time."""
    count = np.bincount(labels, minlength=classes).astype(np.int64)
    mean = np.tile(rows.mean(axis=0, dtype=np.float64), (classes, 1))
    square = np.zeros_like(mean)
    for c in np.flatnonzero(count):
        members = np.flatnonzero(labels == c)
        mean[c] = sum(x.sum(axis=0) for x in _blocks(rows, members)) / count[c]
        square[c] = sum(np.square(x - mean[c]).sum(axis=0) for x in _blocks(rows, members))
    borrowed = count < 2
    variance = square / np.maximum(count - 1, 1)[:, None]
    if borrowed.any():
        variance[borrowed] = _pooled_variance(rows, square, count)
    return Moments(mean.astype(np.float32), np.sqrt(variance).astype(np.float32), count, borrowed)


def _blocks(rows: F32, members: I64) -> Iterator[np.ndarray]:
    """These rows in float64, so many at a time that no second copy of a large class is ever in memory."""
    step = max(1, BLOCK_NUMBERS // max(1, rows.shape[1]))
    return (rows[members[i : i + step]].astype(np.float64) for i in range(0, len(members), step))


def _pooled_variance(rows: F32, square: np.ndarray, count: I64) -> np.ndarray:
    """(d,) variance within classes; of all rows when no class has two; of a row's own size when there is one."""
    freedom = np.maximum(count - 1, 0).sum()
    if freedom:
        return np.asarray(square.sum(axis=0) / freedom)
    x = rows.astype(np.float64)
    if len(x) > 1:
        return np.asarray(x.var(axis=0, ddof=1))
    return np.full(x.shape[1], 0.01 * np.mean(np.square(x)))
