r"""Sums of a few rows each, with weights, added to what is there.

.. math:: y_i \mathrel{+}= \sum_k w_{ik}\, x_{j(i, k)}

It is the product with a sparse matrix, k numbers a row. scipy's public product makes a new array, which costs more than
the sums where there are many rows; what it calls takes the array to add to, but is private.

Shapes: rows x (m, d), at j (n, k), weights w (n, k), out y (n, d).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from augmint.core.types import F32, I64

try:
    from scipy.sparse._sparsetools import csr_matvecs
except ImportError:  # another scipy: the same numbers, more slowly
    csr_matvecs = None


def add_weighted(rows: F32, at: I64, weights: F32, out: F32) -> None:
    """Add to each row of ``out``, C-contiguous, the weighted sum of the rows at these positions, first to last."""
    n, k = at.shape
    starts = np.arange(0, n * k + 1, k)
    if csr_matvecs is None:
        out += csr_array((weights.ravel(), at.ravel(), starts), shape=(n, len(rows))) @ rows
        return
    flat = [np.ascontiguousarray(x).reshape(-1) for x in (weights, rows)]
    csr_matvecs(n, len(rows), rows.shape[1], starts, at.astype(np.int64).ravel(), *flat, out.reshape(-1))
