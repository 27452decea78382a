r"""Exact Euclidean nearest neighbours, in blocks, with ties broken by the lower index.

.. math:: d_{ij} = \lVert q_i - r_j \rVert

:mod:`augmint.numerics.candidates` leaves few rows for each query row, by a product that is fast but not exact; the
distances to these are then taken from differences. The result for a query row depends on nothing but that row and
``rows``: not on the blocks, not on other query rows.

Shapes: query (n, d), rows (m, d); distances (n, k) float32, indices (n, k) int64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from augmint.core.types import F32, I64, Bool
from augmint.numerics.candidates import Pairs, candidates, sort_key

F64 = npt.NDArray[np.float64]

CHUNK_NUMBERS = 1 << 16
"""Numbers of the differences that are taken at once: 256 KiB of float32, so that they stay in the cache."""

LARGE = 1e12
"""Rows with larger numbers, or with none above the inverse of this, are scaled before they are squared."""


def nearest(query: F32, rows: F32, k: int, *, same: bool = False) -> tuple[F32, I64]:
    """The k nearest rows of each query row, nearest first.

    Args:
        query: (n, d).
        rows: (m, d).
        k: how many; at most m (m - 1 when ``same``) are returned.
        same: ``query`` is ``rows``: leave out the row itself (by position, so that duplicates still count). Half
            the work.

    Returns:
        Distances (n, k') and indices (n, k').
    """
    distance, index = _empty(query, rows, k, same)
    if not index.size:
        return distance, index
    query, rows, scale = _scaled(query, rows, same)
    for pairs, _ in candidates(query, rows, index.shape[1], same=same):
        square = pair_squares(query, rows, pairs)
        places = _best_places(pairs, index.shape[1])
        best, at = nearest_first(pairs, square)[places], pairs.query[places[:, 0]]
        distance[at], index[at] = np.sqrt(square[best]) / scale, pairs.row[best]
    return distance, index


def nearest_rows(query: F32, rows: F32, k: int, *, same: bool = False) -> I64:
    """The indices (n, k') that :func:`nearest` finds, without the distances.

    Most query rows need no differences: where the computed squares of the k + 1 nearest candidates lie farther apart
    than the product can err, their order is known.
    """
    _, index = _empty(query, rows, k, same)
    if not index.size:
        return index
    query, rows, _ = _scaled(query, rows, same)
    for pairs, reach in candidates(query, rows, index.shape[1], same=same):
        places = _best_places(pairs, index.shape[1])
        order = nearest_first(pairs, pairs.square)
        index[pairs.query[places[:, 0]]] = pairs.row[order[places]]
        unsure = pairs.query[places[_unsure(pairs, reach, order, places), 0]]
        if len(unsure):
            some = pairs.take(np.isin(pairs.query, unsure))
            best = nearest_first(some, pair_squares(query, rows, some))[_best_places(some, index.shape[1])]
            index[unsure] = some.row[best]
    return index


def _empty(query: F32, rows: F32, k: int, same: bool) -> tuple[F32, I64]:
    """Distances and indices to be filled, (n, k')."""
    k = max(0, min(k, len(rows) - 1 if same else len(rows)))
    return np.zeros((len(query), k), np.float32), np.zeros((len(query), k), np.int64)


def _scaled(query: F32, rows: F32, same: bool) -> tuple[F32, F32, np.float32]:
    """Both times the same power of two, so that their squares are finite and not zero; and the power."""
    largest = max(float(max(x.max(), -x.min())) for x in ((rows,) if same else (query, rows)))
    if not largest or 1.0 / LARGE < largest < LARGE:
        return query, rows, np.float32(1.0)
    scale = np.float32(2.0 ** -float(np.clip(np.frexp(largest)[1], -126, 126)))
    return query * scale, rows * scale, scale


def _best_places(pairs: Pairs, k: int) -> I64:
    """(q, k) where the k nearest of each query row stand, once its pairs are sorted."""
    return np.flatnonzero(np.diff(pairs.query, prepend=-1))[:, None] + np.arange(k)


def _unsure(pairs: Pairs, reach: F32, order: I64, places: I64) -> Bool:
    """(q,) whether a candidate may be nearer than one of the k that stand before it."""
    close = pairs.square[order[1:]] <= reach[order[:-1]]
    close &= pairs.query[1:] == pairs.query[:-1]  # sorted, so it is the same before and after ordering
    return np.asarray(np.append(close, False)[places].any(axis=1), np.bool_)


def nearest_first(pairs: Pairs, square: F32) -> I64:
    """(p,) the order by query row, then by squared distance, then by row."""
    key = sort_key(pairs.query, square)
    order: I64 = np.argsort(key)
    key = key[order]
    if (key[1:] == key[:-1]).any():
        order = np.lexsort((pairs.row, square, pairs.query))
    return order


def pair_squares(query: F32, rows: F32, pairs: Pairs) -> F32:
    """(p,) squared distance of each pair, from differences."""
    out = np.empty(len(pairs.query), np.float32)
    step = max(1, CHUNK_NUMBERS // query.shape[1])
    for start in range(0, len(out), step):
        at = slice(start, start + step)
        difference = rows[pairs.row[at]]
        difference -= query[pairs.query[at]]
        np.einsum("pd,pd->p", difference, difference, out=out[at])
    return out


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
