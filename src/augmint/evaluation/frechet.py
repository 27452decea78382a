r"""Frechet distance between the Gaussians of two sets of rows, without a matrix root.

.. math:: \lVert \mu_a - \mu_b \rVert^2 + \mathrm{tr}\,C_a + \mathrm{tr}\,C_b - 2\, \mathrm{tr}\,(C_a C_b)^{1/2}
          \qquad \mathrm{tr}\,(C_a C_b)^{1/2} = \lVert A B^\top \rVert_*

With C_a = A' A and C_b = B' B, the last trace is the sum of the singular values of A B'. Factors come from the centred
rows themselves where there are fewer rows than numbers (no d x d matrix is made), else from the eigenvectors of the
covariance, summed in blocks. Nothing has to be invertible and no complex root appears, the known faults of the usual
``sqrtm`` form. Covariances divide by n - 1.

Shapes: rows (n, d) and (m, d); factors (min(n, d), d) float64.
Papers: Frechet distance of Gaussians: Dowson & Landau 1982; for generators: Heusel et al. 2017, arXiv:1706.08500.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from augmint.core.types import F32

F64 = npt.NDArray[np.float64]

BLOCK_NUMBERS = 1 << 19
"""Numbers that are cast to float64 at once: 4 MiB."""


def frechet_distance(a: F32, b: F32) -> float:
    """The (squared) distance, >= 0; NaN where a set has fewer than two rows."""
    if min(len(a), len(b)) < 2:
        return float("nan")
    center = a.mean(axis=0, dtype=np.float64)
    (mean_a, factor_a), (mean_b, factor_b) = _gaussian(a, center), _gaussian(b, center)
    spread = np.square(factor_a).sum() + np.square(factor_b).sum()
    overlap = np.linalg.svd(factor_a @ factor_b.T, compute_uv=False).sum()
    return float(max(0.0, np.square(mean_a - mean_b).sum() + spread - 2.0 * overlap))


def _gaussian(rows: F32, center: F64) -> tuple[F64, F64]:
    """Mean (d,) of the rows minus ``center``, and a factor A (min(n, d), d) of their covariance A' A."""
    n, d = rows.shape
    mean = rows.mean(axis=0, dtype=np.float64) - center
    if n <= d:
        return mean, (rows - (center + mean)) / np.sqrt(n - 1)
    covariance = np.zeros((d, d))
    step = max(1, BLOCK_NUMBERS // d)
    for start in range(0, n, step):
        block = rows[start : start + step] - (center + mean)
        covariance += block.T @ block
    values, vectors = np.linalg.eigh(covariance / (n - 1))
    return mean, np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
