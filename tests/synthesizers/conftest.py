from __future__ import annotations

import numpy as np
import pytest
from made import rows_of
from sklearn.datasets import load_digits

from augmint.core.types import Latents


@pytest.fixture(scope="session")
def digit_rows() -> tuple[Latents, Latents]:
    """sklearn digits as rows of 64 pixels: 20 of each class, drawn at random, and all others."""
    pixels, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    few = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:20] for c in range(10)])
    rest = np.setdiff1d(np.arange(len(labels)), few)
    return rows_of(pixels[few], labels[few]), rows_of(pixels[rest], labels[rest])
