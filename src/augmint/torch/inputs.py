"""Features and labels as people have them in PyTorch, turned into Latents."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from augmint.core.errors import UsageError
from augmint.core.types import Latents, TargetKind
from augmint.numerics.rows import text_array

Rows = Tensor | np.ndarray


def to_latents(z: Rows, y: Rows, *, classes: int | None = None, target: TargetKind | None = None) -> Latents:
    """Rows and labels of a training set; the id of a row is its number.

    Args:
        z: (n, *shape) features.
        y: (n,) whole numbers, classes from 0; (n, k) label weights; (n,) or (n, k) numbers with ``target="number"``.
        classes: how many classes there are, where the highest has no row.
        target: what ``y`` means; None: "class" for whole numbers, "soft" for (n, k).

    Raises:
        UsageError: shapes or types that do not fit.
    """
    rows, labels = as_array(z), as_array(y)
    if rows.ndim < 2 or labels.ndim not in (1, 2) or len(rows) != len(labels):
        raise UsageError(
            f"features of shape {rows.shape} and labels of shape {labels.shape}",
            expected="(n, *shape) and (n,) or (n, k), with the same n",
            do="pass one label for each row of features",
            code="shapes",
        )
    whole = labels.ndim == 1 and labels.dtype.kind in "iu"
    kind: TargetKind = target or ("class" if whole else "soft")
    if whole and kind == "class":
        y32 = one_hot(labels, classes)
    elif labels.ndim == 2 or kind == "number":
        y32 = labels.reshape(len(labels), -1).astype(np.float32)
    else:
        raise UsageError(
            f"labels of shape {labels.shape} and type {labels.dtype}",
            expected="whole numbers (n,), weights (n, k), or target='number'",
            do="pass classes as whole numbers, or say target='number' for regression",
            code="labels",
        )
    names = tuple(str(i) for i in range(y32.shape[1]))
    return Latents(text_array([str(i) for i in range(len(rows))]), rows.astype(np.float32), y32, names, target=kind)


def one_hot(labels: np.ndarray, classes: int | None) -> Any:
    """(n, k) float32 from (n,) whole numbers; k is ``classes`` or one more than the highest."""
    most = int(labels.max(initial=-1))
    if labels.min(initial=0) < 0 or (classes is not None and most >= classes):
        raise UsageError(
            f"labels from {labels.min(initial=0)} to {most}",
            expected=f"0 to {classes - 1}" if classes is not None else "0 and up",
            do="number the classes from 0, without gaps",
            code="labels",
        )
    return np.eye(most + 1 if classes is None else classes, dtype=np.float32)[labels]


def as_array(x: Rows) -> np.ndarray:
    """The values in numpy, without a gradient; 16-bit floats of torch become float32."""
    if isinstance(x, Tensor):
        found = x.detach().to("cpu")
        return (found.float() if found.dtype == torch.bfloat16 else found).numpy()
    return np.asarray(x)
