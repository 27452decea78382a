r"""The plane of a map: the two directions in which the real rows differ most (principal components).

.. math:: C = \tfrac1n \sum_i (x_i - \mu)(x_i - \mu)^\top \qquad C v_j = \lambda_j v_j \qquad
          \mathrm{at}(x) = \bigl((x - \mu) \cdot v_1,\ (x - \mu) \cdot v_2\bigr)

Minted and held-out rows are laid on the plane of the real ones; they have no say in where it lies.

Shapes: rows (n, d) -> (n, 2) float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.linalg import eigh

from augmint.core.types import F32
from augmint.report.facts import Cloud, SpaceMap


def lay_out(space: str, rows: Mapping[str, F32], totals: Mapping[str, int]) -> SpaceMap:
    """The map of rows of each kind: "real" (two or more), "minted", "held-out"; ``totals`` of which these are some."""
    real = rows["real"].astype(np.float64)
    mean = real.mean(axis=0)
    vectors, share = _directions(real - mean)
    clouds: Sequence[Cloud] = [
        Cloud(kind, ((own - mean) @ vectors).astype(np.float32), totals[kind])
        for kind in ("real", "held-out", "minted")
        if (own := rows.get(kind)) is not None and len(own)
    ]
    return SpaceMap(space, share, tuple(clouds))


def _directions(centred: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """(d, 2) directions, strongest first, and the share of variance in each; zeros where there is none."""
    size = centred.shape[1]
    count = min(2, size)
    covariance = centred.T @ centred / len(centred)
    values, found = eigh(covariance, subset_by_index=[size - count, size - 1])
    vectors, strength = np.zeros((size, 2)), np.zeros(2)
    vectors[:, :count], strength[:count] = found[:, ::-1], np.maximum(values[::-1], 0.0)
    # The sign of a direction is arbitrary; make its largest entry positive so that machines agree.
    sign = np.sign(vectors[np.abs(vectors).argmax(axis=0), [0, 1]])
    total = max(float(np.trace(covariance)), 1e-30)
    first, second = (strength / total).tolist()
    return vectors * np.where(sign == 0, 1.0, sign), (first, second)
