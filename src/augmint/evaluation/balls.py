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
from augmint.numerics.neighbors import nearest

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
    a, b = _unit_scale(real, minted)
    found = crossings(a, nearest(a, a, k, same=True)[0][:, -1], b, nearest(b, b, k, same=True)[0][:, -1])
    return Balls(
        float(np.mean(found.holders > 0)),
        float(found.reached.mean()),
        float(found.holders.mean() / k),
        float(found.covered.mean()),
    )


def _unit_scale(real: F32, minted: F32) -> tuple[F32, F32]:
    """Both sets around the real mean, scaled by a power of two so that no square overflows."""
    center = real.mean(axis=0, dtype=np.float64).astype(np.float32)
    a, b = real - center, minted - center
    largest = max(float(np.abs(a).max(initial=0.0)), float(np.abs(b).max(initial=0.0)))
    scale = np.float32(2.0 ** -int(np.clip(np.frexp(largest)[1], -120, 120)))
    a *= scale
    b *= scale
    return a, b


def crossings(real: F32, real_radius: F32, minted: F32, minted_radius: F32) -> Crossings:
    """Both sets' balls against the other set's rows, each product made once."""
    out = Crossings(np.zeros(len(minted), np.int64), *(np.zeros(len(real), np.bool_) for _ in range(2)))
    for i in range(0, len(minted), BLOCK_ROWS):
        rows = slice(i, i + BLOCK_ROWS)
        for j in range(0, len(real), BLOCK_COLUMNS):
            columns = slice(j, j + BLOCK_COLUMNS)
            _one_block(out, rows, columns, (real, real_radius), (minted, minted_radius))
    return out


def _one_block(out: Crossings, rows: slice, columns: slice, real: tuple[F32, F32], minted: tuple[F32, F32]) -> None:
    """Enter what one block of distances, minted ``rows`` by real ``columns``, says."""
    a, reach, b, own_reach = real[0][columns], real[1][columns], minted[0][rows], minted[1][rows]
    size_a, size_b = np.einsum("md,md->m", a, a), np.einsum("nd,nd->n", b, b)
    square: F32 = b @ a.T
    square *= -2.0
    square += size_a
    square += size_b[:, None]
    relative = ROUNDING * np.sqrt(a.shape[1])
    slack = np.float32(relative) * size_a[None, :], np.float32(relative) * size_b[:, None]
    inside, near = _sorted_out(square, np.square(reach)[None, :], slack)
    _settle(inside, near, a, b, reach, None)
    out.holders[rows] += np.count_nonzero(inside, axis=1)
    out.covered[columns] |= inside.any(axis=0)
    inside, near = _sorted_out(square, np.square(own_reach)[:, None], slack)
    known = out.reached[columns] | inside.any(axis=0)
    near &= ~known
    _settle(inside, near, a, b, None, own_reach)
    out.reached[columns] = known | inside.any(axis=0)


def _sorted_out(square: F32, limit: F32, slack: tuple[F32, F32]) -> tuple[Bool, Bool]:
    """Pairs surely below the limit, and pairs too near to it to tell: an error of at most slack (1, m) + (n, 1)."""
    gap = square - limit
    gap += slack[0]
    inside = gap < -slack[1]
    gap -= 2.0 * slack[0]
    near = gap <= slack[1]
    near ^= inside
    return inside, near


def _settle(inside: Bool, near: Bool, a: F32, b: F32, of_column: F32 | None, of_row: F32 | None) -> None:
    """Decide the pairs that are near a border by exact distances, in place."""
    row, column = np.nonzero(near)
    if len(row):
        apart = _apart(b, a, row, column)
        limit = of_column[column] if of_column is not None else of_row[row] if of_row is not None else apart
        inside[row, column] = (apart < limit) | (apart == 0)


def _apart(b: F32, a: F32, row: I64, column: I64) -> F32:
    out = np.empty(len(row), np.float32)
    for at in range(0, len(row), 256):
        part = slice(at, at + 256)
        difference = b[row[part]].astype(np.float64) - a[column[part]]
        out[part] = np.sqrt(np.einsum("pd,pd->p", difference, difference))
    return out
