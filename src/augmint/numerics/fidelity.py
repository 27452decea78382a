r"""How far made rows are from real ones: a kernel distance, and the share of real rows that are covered.

.. math:: \mathrm{MMD}^2 = \frac{\sum_{i \ne j} k(x_i, x_j)}{n(n-1)} + \frac{\sum_{i \ne j} k(z_i, z_j)}{m(m-1)}
          - 2\,\frac{\sum_{ij} k(x_i, z_j)}{nm}
          \qquad k(x, z) = \frac13 \sum_{s \in \{\frac1{16}, \frac14, 1\}} e^{-\lVert x - z \rVert^2 / 2 (s h)^2}

The distance is unbiased: 0 on average when both come from one distribution, and then negative half of the time. h is
the median distance between real rows of the whole set; several widths see both the layout and the shape of clusters,
which the cubic kernel of the usual KID does not (in two dimensions it compares three moments and no more).

.. math:: \mathrm{coverage} = \frac1n \sum_i 1\bigl[\min_j \lVert x_i - z_j \rVert \le d_k(x_i)\bigr]

with d_k(x_i) the distance to the k-th nearest other real row: the share of real rows in whose neighbourhood there is
a made one; against as many other real rows it is about :math:`1 - 2^{-k}`.

Shapes: real x (n, d), made z (m, d).
Papers: Gretton et al. 2012, JMLR 13; Binkowski et al. 2018, arXiv:1801.01401 (KID); Naeem et al. 2020,
arXiv:2002.09797 (coverage).
"""

from __future__ import annotations

import numpy as np

from augmint.core.types import F32
from augmint.numerics.neighbors import distances, nearest

WIDTHS = (0.0625, 0.25, 1.0)


def kernel_distance(real: F32, made: F32, width: float | None = None) -> float:
    """Unbiased squared maximum mean discrepancy; NaN when one side has fewer than two rows.

    Args:
        real: (n, d).
        made: (m, d).
        width: h; the median distance between the real rows when not given.
    """
    n, m = len(real), len(made)
    if min(n, m) < 2:
        return float("nan")
    h = median_distance(real) if width is None else width
    own, other, cross = (_kernel_sum(a, b, h) for a, b in ((real, real), (made, made), (real, made)))
    # k(x, x) = 1: the diagonals are left out.
    return float((own - n) / (n * (n - 1)) + (other - m) / (m * (m - 1)) - 2.0 * cross / (n * m))


def median_distance(rows: F32) -> float:
    """Median distance between two rows; 1 where all are equal."""
    apart = distances(rows, rows)[np.triu_indices(len(rows), 1)]
    return float(np.median(apart)) or 1.0 if len(apart) else 1.0


def _kernel_sum(a: F32, b: F32, h: float) -> float:
    square = np.square(distances(a, b), dtype=np.float64)
    return float(sum(np.exp(square / (-2.0 * (s * h) ** 2)).sum() for s in WIDTHS)) / len(WIDTHS)


def coverage(real: F32, made: F32, k: int = 5) -> float:
    """Share of the real rows that have a made row as near as their k-th real one; NaN below two real rows."""
    if len(real) < 2 or len(made) == 0:
        return float("nan")
    reach = nearest(real, real, k, same=True)[0][:, -1]
    return float((nearest(real, made, 1)[0][:, 0] <= reach).mean())
