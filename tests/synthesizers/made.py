"""Rows for the tests of methods."""

from __future__ import annotations

from typing import Any

import numpy as np

from augmint.core.types import Latents
from augmint.numerics.rows import text_array


def rows_of(z: Any, labels: Any) -> Latents:
    """Rows with one-hot labels and ids r0, r1, ..."""
    z, labels = np.asarray(z, np.float32), np.asarray(labels)
    y = np.eye(int(labels.max()) + 1, dtype=np.float32)[labels]
    return Latents(text_array([f"r{i}" for i in range(len(z))]), z, y)
