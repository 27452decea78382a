r"""How many different rows are there? The Vendi score: the effective number of distinct rows.

.. math:: \mathrm{VS} = \exp\Bigl(-\sum_i \lambda_i \log \lambda_i\Bigr) \qquad
          \lambda = \mathrm{eig}(K / n) \qquad K_{ij} = \frac{x_i^\top x_j}{|x_i|\,|x_j|}

1 when all rows point one way, n when all are orthogonal; at most d for this kernel, whatever n is. K / n and the
d x d Gram matrix X'X / n of the scaled rows have the same eigenvalues but for zeros, so the smaller one is used, and
summed in blocks. A row of zeros has no direction and stands for itself: it adds an eigenvalue of its own, 1 / n.

Shapes: rows (n, d). Time n d min(n, d), memory min(n, d)^2.
Paper: Friedman & Dieng 2023, "The Vendi score", TMLR, arXiv:2210.02410.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.core.types import F32
from augmint.evaluation.score import NOT_ENOUGH, Score, checked_rows

F64 = npt.NDArray[np.float64]

BLOCK_NUMBERS = 1 << 19
"""Numbers that are cast to float64 at once: 4 MiB."""


def diversity(
    minted: npt.NDArray[Any], real: npt.NDArray[Any] | None = None, *, splits: int = 3, seed: int = 0
) -> Score:
    """The Vendi score of the minted rows, beside that of as many real rows.

    Args:
        minted: (n, d).
        real: (m, d); both are compared on min(n, m) rows drawn at random.
        splits: draws of the comparison.
        seed: of the draws.
    """
    b = checked_rows(minted, "minted rows")
    if len(b) == 0:
        return Score("vendi", np.nan, "larger", 1.0, 1.0, 0, note=NOT_ENOUGH)
    empty = int(np.count_nonzero(~b.any(axis=1)))  # each an eigenvalue of its own
    score = Score("vendi", vendi_score(b), "larger", 1.0, float(min(len(b), b.shape[1] + empty)), len(b))
    if real is None or len(real) == 0 or splits == 0:
        return score
    a = checked_rows(real, "real rows", b.shape[1])
    rng, size = np.random.default_rng(seed), min(len(a), len(b))
    drawn = [[vendi_score(x[rng.permutation(len(x))[:size]]) for x in (a, b)] for _ in range(splits)]
    reference, matched = np.mean(drawn, axis=0)
    return replace(score, reference=float(reference), matched=float(matched))


def vendi_score(rows: F32) -> float:
    """Effective number of rows (n, d), from 1 to n; n >= 1."""
    n, d = rows.shape
    size = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    empty = int(np.count_nonzero(size == 0))
    scale = 1.0 / np.where(size > 0, size, 1.0)
    if n <= d:
        x = rows * scale[:, None]
        gram = x @ x.T
    else:
        gram = np.zeros((d, d))
        step = max(1, BLOCK_NUMBERS // d)
        for start in range(0, n, step):
            x = rows[start : start + step] * scale[start : start + step, None]
            gram += x.T @ x
    own = np.linalg.eigvalsh(gram / n)
    return effective_number(np.concatenate([own, np.full(empty, 1.0 / n)]))


def effective_number(values: F64) -> float:
    """exp of the entropy of eigenvalues that sum to 1; those that rounding made negative count as 0."""
    positive = values[values > 0]
    return float(np.exp(-np.sum(positive * np.log(positive))))
