"""Rows that look like features of an encoder: clusters of different sizes and spreads, in float32."""

from __future__ import annotations

import numpy as np


def clouds(n: int, d: int = 16, seed: int = 0, clusters: int = 6) -> np.ndarray:
    """(n, d) rows; the clusters are the same for every seed."""
    world, rng = np.random.default_rng(99), np.random.default_rng(seed)
    center, spread = 3.0 * world.standard_normal((clusters, d)), np.exp(0.5 * world.standard_normal(clusters))
    shape = world.standard_normal((d, d)) / np.sqrt(d)
    at = rng.integers(0, clusters, n)
    rows = center[at] + (rng.standard_normal((n, d)) @ shape) * spread[at][:, None]
    return rows.astype(np.float32)
