"""Rows and estimators for the tests of adapters."""

from __future__ import annotations

from typing import Any

import numpy as np

import augmint.adapters as adapters

QUICK: dict[str, dict[str, Any]] = {
    "gan": {"steps": 2, "width": 8, "batch": 8},
    "diffusion": {"steps": 2, "width": 8, "batch": 8},
    "retrieval": {"confidence": 0.0},
}
"""Options for tests: methods that train do so for a moment, and retrieval takes what the probe is unsure of, too."""

NAMES = sorted(adapters.estimators().items())


def uneven(counts=(40, 15, 5), width=5, seed=0):
    """Rows of Gaussian classes named a, b, c ..., in a mixed order."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    X = rng.standard_normal((len(codes), width)) + 3.0 * codes[:, None]
    return X, np.array(["a", "b", "c", "d"])[codes]


def quick(class_name: str, X: Any, **parameters: Any) -> Any:
    """An estimator that is fitted in a moment, with a pool of moved copies of X where it needs one."""
    kind, method = getattr(adapters, class_name), adapters.estimators()[class_name]
    if method == "retrieval":
        rows = np.concatenate([np.asarray(X, np.float64)] * 12)
        parameters = {"pool": rows + np.random.default_rng(0).normal(0, 0.3, rows.shape), **parameters}
    return kind(**{"random_state": 0, **QUICK.get(method, {}), **parameters})
