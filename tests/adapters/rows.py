"""Rows for the tests of estimators."""

from __future__ import annotations

import numpy as np


def uneven(counts=(40, 15, 5), width=5, seed=0):
    """Rows of Gaussian classes named a, b, c ..., in a mixed order."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    X = rng.standard_normal((len(codes), width)) + 3.0 * codes[:, None]
    return X, np.array(["a", "b", "c", "d"])[codes]
