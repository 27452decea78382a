r"""Precision, recall, density and coverage: which rows lie in the balls around the other rows.

With r_i the distance from real row x_i to its k-th nearest other real row, s_j the same among the minted rows y_j,

.. math:: \text{precision} = \tfrac1n |\{j : \exists i\; |x_i - y_j| < r_i\}| \qquad
          \text{recall} = \tfrac1m |\{i : \exists j\; |x_i - y_j| < s_j\}|

.. math:: \text{density} = \tfrac1{kn} \sum_{ij} 1[|x_i - y_j| < r_i] \qquad
          \text{coverage} = \tfrac1m |\{i : \exists j\; |x_i - y_j| < r_i\}|

A ball always holds its own centre, also where duplicates make it a point; else the border is outside, as in the
authors' code. A float32 product in blocks decides all pairs but those within its rounding of a border; these few are
decided by exact distances, so that the result does not depend on blocks.

Shapes: real (m, d), minted (n, d). Time m n d, memory one block.
Papers: Kynkaanniemi et al. 2019, arXiv:1904.06991; Naeem et al. 2020, arXiv:2002.09797.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from augmint.core.types import F32, I64, Bool
from augmint.numerics.candidates import Pairs
from augmint.numerics.neighbors import nearest, pair_squares

BLOCK_ROWS, BLOCK_COLUMNS = 1024, 2048
"""One block of distances: 8 MiB of float32."""

ROUNDING = 8.0 * float(np.finfo(np.float32).eps)


class Balls(NamedTuple):
    """The four shares; density may be above 1."""

    precision: float
    recall: float
    density: float
    coverage: float


class Crossings(NamedTuple):
    """Who lies in whose ball.

    Attributes:
        holders: (n,) how many real balls hold each minted row.
        covered: (m,) whether the ball of each real row holds a minted one.
        reached: (m,) whether each real row lies in the ball of a minted one.
    """

    holders: I64
    covered: Bool
    reached: Bool


def ball_scores(real: F32, minted: F32, k: int = 5) -> Balls:
    """The four scores; NaN where a set has fewer than two rows, and k is at most the rows of the smaller set - 1."""
    if min(len(real), len(minted)) < 2:
        return Balls(*[float("nan")] * 4)
    k = min(k, len(real) - 1, len(minted) - 1)
    radius, own_radius = (nearest(x, x, k, same=True)[0][:, -1] for x in (real, minted))
    found = crossings(real, radius, minted, own_radius)
    return Balls(
        float(np.mean(found.holders > 0)),
        float(found.reached.mean()),
        float(found.holders.mean() / k),
        float(found.covered.mean()),
    )


def crossings(real: F32, radius: F32, minted: F32, own_radius: F32) -> Crossings:
    """Both sets' balls against the other set's rows, each product made once."""
    out = Crossings(np.zeros(len(minted), np.int64), *(np.zeros(len(real), np.bool_) for _ in range(2)))
    center = real.mean(axis=0, dtype=np.float64).astype(np.float32)
    # A power of two, so that no square overflows and no digit changes.
    largest = max(float(max(x.max(), -x.min())) for x in (real, minted))
    scale = np.float32(2.0 ** -int(np.clip(np.frexp(largest)[1], -120, 120)))
    for i in range(0, len(minted), BLOCK_ROWS):
        rows = slice(i, i + BLOCK_ROWS)
        b = _Rows(minted[rows], own_radius[rows], center, scale)
        for j in range(0, len(real), BLOCK_COLUMNS):
            columns = slice(j, j + BLOCK_COLUMNS)
            a = _Rows(real[columns], radius[columns], center, scale)
            _one_block(a, b, out.holders[rows], out.covered[columns], out.reached[columns])
    return out


class _Rows:
    """Some rows and their radii, scaled; and shifted and squared for the product."""

    def __init__(self, rows: F32, radius: F32, center: F32, scale: np.float32) -> None:
        self.rows: F32 = rows * scale
        self.radius: F32 = radius * scale
        self.near_zero: F32 = (rows - center) * scale
        self.size: F32 = np.einsum("nd,nd->n", self.near_zero, self.near_zero)
        self.slack: F32 = self.size * np.float32(ROUNDING * np.sqrt(rows.shape[1]))
        self.limit: F32 = np.square(self.radius)


def _one_block(a: _Rows, b: _Rows, holders: I64, covered: Bool, reached: Bool) -> None:
    """Enter what one block of distances, minted rows ``b`` by real rows ``a``, says."""
    square: F32 = b.near_zero @ a.near_zero.T
    square *= -2.0
    square += a.size
    square += b.size[:, None]
    slack = a.slack[None, :], b.slack[:, None]
    inside, near = _sorted_out(square, a.limit[None, :], slack)
    _settle(inside, near, square, a, b, of_real=True)
    holders += np.count_nonzero(inside, axis=1)
    covered |= inside.any(axis=0)
    inside, near = _sorted_out(square, b.limit[:, None], slack)
    reached |= inside.any(axis=0)
    near &= ~reached
    _settle(inside, near, square, a, b, of_real=False)
    reached |= inside.any(axis=0)


def _sorted_out(square: F32, limit: F32, slack: tuple[F32, F32]) -> tuple[Bool, Bool]:
    """Pairs surely below the limit, and pairs too near to it to tell: an error of at most slack (1, m) + (n, 1)."""
    gap = square - limit
    gap += slack[0]
    inside = gap < -slack[1]
    gap -= 2.0 * slack[0]
    near = gap <= slack[1]
    near ^= inside
    return inside, near


def _settle(inside: Bool, near: Bool, square: F32, a: _Rows, b: _Rows, *, of_real: bool) -> None:
    """Decide the pairs that are near a border by exact distances, in place."""
    row, column = np.nonzero(near)
    if len(row):
        pairs = Pairs(row, column, square[near])
        apart = np.sqrt(pair_squares(b.rows, a.rows, pairs))
        inside[row, column] = (apart < (a.radius[column] if of_real else b.radius[row])) | (apart == 0)
