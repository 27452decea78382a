r"""Exact Euclidean nearest neighbours, in blocks, with ties broken by the lower index.

.. math:: d_{ij}^2 = \lVert q_i \rVert^2 - 2 q_i^\top r_j + \lVert r_j \rVert^2

The product above is fast but loses digits to cancellation and its last bit depends on the block, so it only picks
candidates, with a bound on its error; the distances of the candidates are then taken from differences. The result
for a query row depends on nothing but that row and ``rows``.

Shapes: query (n, d), rows (m, d); distances (n, k) float32, indices (n, k) int64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from augmint.core.types import F32, I64

F64 = npt.NDArray[np.float64]

BLOCK_NUMBERS = 1 << 22
"""Numbers in one block of the distance matrix: 16 MiB of float32."""

ROUNDING = 8.0 * float(np.finfo(np.float32).eps)


def nearest(query: F32, rows: F32, k: int, *, same: bool = False) -> tuple[F32, I64]:
    """The k nearest rows of each query row, nearest first.

    Args:
        query: (n, d).
        rows: (m, d).
        k: how many; at most m (m - 1 when ``same``) are returned.
        same: ``query`` is ``rows``: leave out the row itself (by position, so that duplicates still count).

    Returns:
        Distances (n, k') and indices (n, k').
    """
    n, m = len(query), len(rows)
    k = max(0, min(k, m - 1 if same else m))
    distance, index = np.zeros((n, k), np.float32), np.zeros((n, k), np.int64)
    if k == 0 or n == 0:
        return distance, index
    center = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    shifted = rows - center
    size = np.einsum("md,md->m", shifted, shifted)
    step = max(1, BLOCK_NUMBERS // m)
    for start in range(0, n, step):
        block = query[start : start + step] - center
        own = np.einsum("nd,nd->n", block, block)
        rough = own[:, None] - 2.0 * (block @ shifted.T) + size[None, :]
        slack = ROUNDING * np.sqrt(rows.shape[1]) * (own + size.max())
        if same:
            at = np.arange(start, start + len(block))
            rough[at - start, at] = np.inf
        limit = np.partition(rough, k - 1, axis=1)[:, k - 1] + 2.0 * slack
        for i in range(len(block)):
            near = np.flatnonzero(rough[i] <= limit[i])
            distance[start + i], index[start + i] = _refine(query[start + i], rows, near, k)
    return distance, index


def _refine(row: F32, rows: F32, near: I64, k: int) -> tuple[F64, I64]:
    """The k nearest among the candidates, by exact distance and then by index."""
    exact = row_distances(row, rows[near])
    order = np.lexsort((near, exact))[:k]
    return exact[order], near[order]


def row_distances(row: F32, rows: F32) -> F64:
    """(m,) distances from one row, taken from differences in float64."""
    difference = rows.astype(np.float64) - row.astype(np.float64)
    squares: F64 = np.einsum("md,md->m", difference, difference)
    return np.sqrt(squares)


def distances(query: F32, rows: F32) -> F32:
    """(n, m) all distances, float32; for one class at a time, where n times m fits in memory."""
    a, b = query.astype(np.float64), rows.astype(np.float64)
    if len(b):
        center = b.mean(axis=0)
        a, b = a - center, b - center
    squares = np.einsum("nd,nd->n", a, a)[:, None] - 2.0 * (a @ b.T) + np.einsum("md,md->m", b, b)[None, :]
    out: F32 = np.sqrt(np.maximum(squares, 0.0)).astype(np.float32)
    return out


def typical_spacing(nearest_real: F32, fallback: float) -> float:
    """Median of the nearest distances that are not zero (duplicates say nothing of the scale), or the fallback."""
    apart = nearest_real[nearest_real > 0]
    return float(np.median(apart)) if len(apart) else fallback


def class_spacing(rows: F32, labels: I64, classes: int, *, within: bool, min_rows: int) -> F32:
    """(classes,) the typical distance from a row of each class to its nearest real row.

    Args:
        rows: (n, d).
        labels: (n,) class of each row.
        classes: how many classes there are.
        within: look for the nearest among rows of the same class only.
        min_rows: classes with fewer rows take the median over all rows.

    Returns:
        Positive numbers. Where no class has two different rows, half the distance between rows of any class (so
        that classes stay apart); where no two rows differ at all, a tenth of the rows' own size.
    """
    found = np.zeros(len(rows), np.float32)
    groups = [np.flatnonzero(labels == c) for c in range(classes)] if within else [np.arange(len(rows))]
    for members in groups:
        if len(members) > 1:
            found[members] = nearest(rows[members], rows[members], 1, same=True)[0][:, 0]
    size = 0.1 * float(np.sqrt(np.mean(np.einsum("nd,nd->n", rows, rows, dtype=np.float64)))) or 1.0
    if within and not (found > 0).any() and len(rows) > 1:
        size = 0.5 * typical_spacing(nearest(rows, rows, 1, same=True)[0][:, 0], 2.0 * size)
    pooled = typical_spacing(found, size)
    out = np.full(classes, pooled, np.float32)
    for c in range(classes):
        own = found[labels == c]
        if len(own) >= min_rows:
            out[c] = typical_spacing(own, pooled)
    return out
