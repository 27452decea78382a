r"""Which rows may be among the k nearest: the fast and rough half of :mod:`augmint.numerics.neighbors`.

.. math:: t_{ij} = \lVert q_i \rVert^2 - 2 q_i^\top r_j + \lVert r_j \rVert^2

A matrix product in float32 gives a block of t. The rows are dealt into groups, and the k-th smallest of the groups'
smallest t bounds the k-th distance of each query row: one comparison with it leaves little more than k rows of m.
Many rows among themselves need only the half of the matrix above the diagonal; there the distances to a few rows drawn
at random give the first bound, which leaves about sqrt(m k) rows, and sorting these about k.

The product loses digits, so the bound has to give: the computed value differs from t by at most
c (|q|^2 + |r|^2), c being the relative error of a product, and |r|^2 <= 2 (|q|^2 + t) by the triangle inequality,
so by at most c (3 |q|^2 + 2 t). Nothing that belongs to the k nearest is left out; what is kept beside them depends
on blocks and on the random rows.

Shapes: query (n, d), rows (m, d). Memory: a fixed number of blocks and some k pairs a row; for queries that are other
rows, a copy of ``rows``, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from augmint.core.types import F32, I64, Bool

BLOCK_NUMBERS = 1 << 22
"""Numbers in one block of the matrix: 16 MiB of float32."""

BLOCK_ROWS = 512
"""Most rows of a block where only half of the matrix is needed: larger blocks need more of the other half."""

HELD_PAIRS = 1 << 19
"""Pairs that are held before they are sorted out: 6 MiB; more where 3 k for each row are more."""

GROUPS = 16
"""Groups of rows for each of the k: the more, the fewer rows are left beside the k nearest, k / 2 GROUPS k in all."""

PROBES = 4.0
"""Rows that give the first bound where half of the matrix is enough, in units of sqrt(m k)."""

ROUNDING = 8.0 * float(np.finfo(np.float32).eps)


Index = npt.NDArray[np.int32] | I64


class Pairs(NamedTuple):
    """A row of ``rows`` that may be one of the k nearest of a query row, and their computed squared distance."""

    query: Index
    row: Index
    square: F32

    def take(self, at: npt.NDArray[Any]) -> Pairs:
        """The pairs at these positions or under this mask."""
        return Pairs(self.query[at], self.row[at], self.square[at])


def candidates(query: F32, rows: F32, k: int, *, same: bool) -> Iterator[tuple[Pairs, F32]]:
    """Groups of whole query rows, each sorted by query row and with at least k rows for each of them.

    Beside each pair (p,) its reach: a row of the same query whose computed square is larger is farther for certain.

    Args:
        query: (n, d), n >= 1; numbers below 1e12 or so, because they are squared.
        rows: (m, d).
        k: from 1 to m, or to m - 1 when ``same``.
        same: ``query`` is ``rows``, and no row is its own neighbour.
    """
    m = len(rows)
    step = max(1, BLOCK_NUMBERS // m)
    center = np.full(m, np.float32(1.0 / m)) @ rows  # anything near the middle: it makes the products lose less
    high = min(step, BLOCK_ROWS)
    found = _triangle(rows, center, k, high) if same and high < m else None
    if found is not None:
        yield found
        return
    right = _lifted(rows, center)
    for start in range(0, len(query), step):
        left = right if same and step >= m else _lifted(query[start : start + step], center)
        squares = _gram(right) if left is right else _squares(left, right)
        if same:
            np.fill_diagonal(squares[:, start:], np.inf)
        for part in _in_parts(squares, _reach(_bound(squares, k), left[:, -2], left.shape[1])):
            reach = _reach(part.square, left[part.query, -2], left.shape[1])
            yield Pairs(part.query + start, part.row, part.square), reach


def _lifted(rows: F32, center: F32) -> F32:
    """(n, d + 2) shifted rows, with their squared length and a 1: one product then gives whole distances."""
    out = np.empty((len(rows), rows.shape[1] + 2), np.float32)
    inner = out[:, :-2]
    np.subtract(rows, center, out=inner, casting="same_kind")
    np.einsum("nd,nd->n", inner, inner, out=out[:, -2])
    out[:, -1] = 1.0
    return out


def _squares(left: F32, right: F32) -> F32:
    """(n, m) computed squared distances of lifted rows."""
    turned = left.copy()
    turned *= np.float32(-2.0)
    turned[:, -2], turned[:, -1] = 1.0, left[:, -2]
    out: F32 = turned @ right.T
    return out


def _gram(right: F32) -> F32:
    """(m, m) computed squared distances of lifted rows among themselves: half of a product, then mirrored by BLAS."""
    inner = right[:, :-2]
    out: F32 = inner @ inner.T
    out *= np.float32(-2.0)
    out += right[:, -2]
    out += right[:, -2, None]
    return out


def _kth(squares: F32, k: int) -> F32:
    """(n,) the k-th smallest number of each row."""
    out: F32 = np.partition(squares, k - 1, axis=1)[:, k - 1]
    return out


def _bound(squares: F32, k: int) -> F32:
    """(n,) at least the k-th smallest number of each row: the k-th smallest of the groups' smallest."""
    n, m = squares.shape
    groups = GROUPS * k
    deep = m // groups
    if deep < 2:
        return _kth(squares, k)
    smallest = squares[:, : deep * groups].reshape(n, deep, groups).min(axis=1)
    return _kth(smallest, k)


def _reach(square: F32, own: F32, width: int) -> F32:
    """(n,) the most that can be computed for a row no farther than one of computed ``square``; see the top of the file.

    Args:
        square: (n,) computed squares.
        own: (n,) squared length of the query rows.
        width: of lifted rows.
    """
    c = ROUNDING * np.sqrt(width)
    length = 3.0 * c * own.astype(np.float64) + 1e-30
    farthest = (square + length) / (1.0 - 2.0 * c)
    out: F32 = np.nextafter((farthest * (1.0 + 2.0 * c) + length).astype(np.float32), np.float32(np.inf))
    return out


def _in_parts(squares: F32, limit: F32) -> Iterator[Pairs]:
    """Candidates of a block of query rows, in parts that are not too large where many rows tie."""
    inside, most = squares <= limit[:, None], max(HELD_PAIRS // 4, squares.shape[1])
    if np.count_nonzero(inside) <= most:
        yield _marked(squares, inside)
        return
    part = np.cumsum(np.count_nonzero(inside, axis=1)) // most
    for rows in np.split(np.arange(len(limit)), np.flatnonzero(np.diff(part)) + 1):
        at = slice(int(rows[0]), int(rows[-1]) + 1)
        found = _marked(squares[at], inside[at])
        yield Pairs(found.query + at.start, found.row, found.square)


def _triangle(rows: F32, center: F32, k: int, step: int) -> tuple[Pairs, F32] | None:
    """Candidates of all rows among themselves, each product used twice; None where too many rows tie.

    The rows are shuffled, so that the first block of them is a fair sample, and so are all blocks seen so far. They are
    lifted block by block, each time anew, so that there is no second copy of them.
    """
    shuffled = _Shuffled(rows, center)
    n, width, held, count = len(rows), shuffled.width, list[Pairs](), 0
    limit = np.full(n, np.inf, np.float32)
    most, first = max(HELD_PAIRS, 3 * k * n), max(min(int(PROBES * np.sqrt(n * k)), 2 * step), k + 1)
    high = min(BLOCK_ROWS, math.isqrt(BLOCK_NUMBERS))  # blocks are at least as wide, and have their diagonal
    for start in (0, *range(first, n, high)):
        stop = min(start + (high if start else first), n)
        for left, squares in shuffled.above(start, stop, BLOCK_NUMBERS // high):
            if start == 0:
                limit = _reach(_kth_above(squares, k), shuffled.size, width)
            right = left + squares.shape[1]
            across = _marked(squares, squares <= limit[start:stop, None])
            later = np.where(np.arange(left, right) < stop, np.float32(-np.inf), limit[left:right])
            down = _marked(squares, squares <= later)
            held.append(Pairs(across.query + start, across.row + left, across.square))
            held.append(Pairs(down.row + left, down.query + start, down.square))
            count += len(across.query) + len(down.query)
            if count > most or stop == n:
                columns = [np.concatenate([pairs[i] for pairs in held]) for i in range(3)]
                held.clear()  # before the copies that sorting makes
                pairs, limit = _closest(Pairs(*columns), shuffled.size, width, k, limit)
                held, count = [pairs], len(pairs.query)
                if 3 * count > 2 * most:
                    return None
    found, order = held[0], shuffled.order
    reach = _reach(found.square, shuffled.size[found.query], width)
    found = Pairs(order[found.query], order[found.row], found.square)
    turn = np.argsort(found.query, kind="stable")
    return found.take(turn), reach[turn]


class _Shuffled:
    """Rows in a random order, lifted when they are asked for; ``size`` (n,) are their squared lengths."""

    def __init__(self, rows: F32, center: F32) -> None:
        self.rows, self.center, self.width = rows, center, rows.shape[1] + 2
        self.order = np.random.default_rng(0).permutation(len(rows))
        self.size = np.concatenate([self.lifted(i, i + BLOCK_ROWS)[:, -2] for i in range(0, len(rows), BLOCK_ROWS)])

    def lifted(self, start: int, stop: int) -> F32:
        """The rows of these places."""
        return _lifted(self.rows[self.order[start:stop]], self.center)

    def above(self, start: int, stop: int, wide: int) -> Iterator[tuple[int, F32]]:
        """Squares of these rows with all from ``start`` on: the first column of a block, and the block.

        All columns in one block for the first rows, which are to bound the others.
        """
        n, own = len(self.rows), self.lifted(start, stop)
        if start == 0:
            squares = np.empty((stop, n), np.float32)
            for i in range(0, n, wide):
                squares[:, i : i + wide] = _squares(own, self.lifted(i, i + wide))
            np.fill_diagonal(squares, np.inf)
            yield 0, squares
            return
        for i in range(start, n, wide):
            squares = _squares(own, self.lifted(i, i + wide))
            if i == start:
                np.fill_diagonal(squares, np.inf)
            yield i, squares


def _kth_above(squares: F32, k: int) -> F32:
    """(m,) the k-th smallest number of each column."""
    width = max(1, BLOCK_NUMBERS // (4 * len(squares)))
    parts = [_kth(squares[:, i : i + width].T, k) for i in range(0, squares.shape[1], width)]
    return np.concatenate(parts)


def _marked(squares: F32, inside: Bool) -> Pairs:
    """The marked places of a block."""
    at = np.flatnonzero(inside)
    row = at // squares.shape[1]
    column = (at - row * squares.shape[1]).astype(np.int32)
    return Pairs(row.astype(np.int32), column, squares.ravel()[at])


def sort_key(query: Index, square: F32) -> npt.NDArray[np.uint64]:
    """(p,) one number to sort by: the query row, and below it the square, whose bits sort as it does if >= 0."""
    key = query.astype(np.uint64)
    key <<= np.uint64(32)
    key |= np.where(square > 0, square, np.float32(0)).view(np.uint32)
    return key


def _closest(pairs: Pairs, size: F32, width: int, k: int, limit: F32) -> tuple[Pairs, F32]:
    """The pairs sorted by query row, without those that k others rule out, and the tighter limits."""
    pairs = pairs.take(np.argsort(sort_key(pairs.query, pairs.square)))
    first = np.flatnonzero(np.diff(pairs.query, prepend=-1))
    full = np.diff(first, append=len(pairs.query)) >= k
    rows, kth = pairs.query[first[full]], pairs.square[first[full] + k - 1]
    limit = limit.copy()
    limit[rows] = np.minimum(limit[rows], _reach(kth, size[rows], width))
    return pairs.take(pairs.square <= limit[pairs.query]), limit
