r"""Whitened principal components: small data made small and round.

.. math:: w = (x - \mu) V \,\mathrm{diag}(1 / s) \qquad x = \mu + w\,\mathrm{diag}(s) V^\top

Shapes: x (n, d), V (d, q) orthonormal, s (q,) standard deviation along each component; q <= min(n - 1, d).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augmint.core.types import F32


@dataclass(frozen=True)
class Whitening:
    """A projection on the strongest components and back.

    Attributes:
        mean: (d,).
        basis: (d, q) orthonormal columns.
        scale: (q,) positive.
    """

    mean: F32
    basis: F32
    scale: F32

    def forward(self, x: F32) -> F32:
        """(n, d) -> (n, q) whitened coordinates."""
        return np.asarray((x - self.mean) @ self.basis / self.scale, dtype=np.float32)

    def back(self, w: F32) -> F32:
        """(n, q) -> (n, d); exact for rows that lie in the span of the components."""
        return np.asarray(self.mean + (w * self.scale) @ self.basis.T, dtype=np.float32)


def fit_whitening(x: F32, components: int) -> Whitening:
    """The ``components`` strongest directions of the rows ``x`` (n, d), in float64, signs fixed.

    One row, or rows that are all equal, give one direction of scale 1e-6, so that nothing divides by zero.
    """
    rows = x.astype(np.float64)
    mean = rows.mean(axis=0)
    _, s, vt = np.linalg.svd(rows - mean, full_matrices=False)
    std = s / np.sqrt(max(1, len(rows) - 1))
    keep = max(1, min(components, int((std > 1e-6 * max(std[0], 1e-30)).sum()), max(1, len(rows) - 1)))
    basis = vt[:keep].T
    # The sign of a singular vector is arbitrary; make its largest entry positive so that machines agree.
    flip = np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(keep)])
    basis = basis * np.where(flip == 0, 1.0, flip)
    scale = np.maximum(std[:keep], 1e-6)
    return Whitening(mean.astype(np.float32), basis.astype(np.float32), scale.astype(np.float32))
