"""What y means, and y for the rows that are added.

=============  =============================================================  =====================================
kind           y that comes in                                                y of a new row
=============  =============================================================  =====================================
class          (n,) labels of any type, or (n, k) one-hot rows                its anchor's
soft           (n, k) >= 0, rows sum to 1                                     weighted mean of its parents'
multilabel     (n, k) of 0 and 1                                              1 where that mean is at least 1/2
number         (n,) or (n, k) numbers                                         weighted mean of its parents'
=============  =============================================================  =====================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.utils.multiclass import type_of_target

from augmint.core.errors import UsageError
from augmint.core.types import F32, I64, TargetKind
from augmint.pipeline.memory import F64

KINDS = ("auto", "class", "soft", "multilabel", "number")

Asked = Literal["auto", "class", "soft", "multilabel", "number"]


@dataclass(frozen=True)
class Target:
    """The targets of the real rows.

    Attributes:
        kind: what they mean.
        values: (n,) or (n, k), as they came.
        classes: (k,) labels of a class target, column numbers of others.
        codes: (n,) position of each row's class; zeros where the target is not a class.
    """

    kind: TargetKind
    values: npt.NDArray[Any]
    classes: npt.NDArray[Any]
    codes: I64

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(str(label) for label in self.classes.tolist())

    def numbers(self, dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
        """(n, k) one-hot rows of a class target, the values of others."""
        if self.kind == "class":
            out = np.zeros((len(self.codes), len(self.classes)), dtype)
            out[np.arange(len(out)), self.codes] = 1
            return out
        return np.asarray(self.values, dtype).reshape(len(self.values), -1)

    def extended(self, anchors: I64, labels: Callable[[], F64]) -> npt.NDArray[Any]:
        """The values of the real rows and then those of the new ones, which ``labels`` returns as (m, k)."""
        if self.kind == "class":
            return np.concatenate([self.values, self.values[anchors]])
        made = labels().reshape(len(anchors), *self.values.shape[1:])
        if self.kind == "multilabel":
            made = (made >= 0.5).astype(np.float64)
        whole = self.kind == "number" and self.values.dtype.kind != "f"
        return np.concatenate([self.values, made.astype(np.float64 if whole else self.values.dtype)])


def read_target(y: Any, asked: Asked) -> Target:
    """Decide what ``y`` means and check that it can mean it.

    Raises:
        UsageError: y cannot be read as the kind asked for.
        ValueError: scikit-learn knows no kind for it (NaN, mixed types).
    """
    if asked not in KINDS:
        raise UsageError(f"target={asked!r}", expected=f"one of: {', '.join(KINDS)}", do="correct the name")
    if issparse(y):
        raise _unfit("a sparse matrix", "an array, a list, a series or a frame", "pass y.toarray()")
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    kind = _kind(y, values) if asked == "auto" else asked
    return _READERS[kind](values)


def _kind(y: Any, values: npt.NDArray[Any]) -> TargetKind:
    found = type_of_target(y, input_name="y", raise_unknown=True)
    if found in ("binary", "multiclass"):
        return "class"
    if found == "multilabel-indicator":
        return "class" if (values.sum(axis=1) == 1).all() else "multilabel"
    if found == "continuous-multioutput" and _soft(values):
        return "soft"
    if found in ("continuous", "continuous-multioutput"):
        return "number"
    raise _unfit(f"{found} of shape {values.shape}", _EXPECTED, 'pass target="number" if these are numbers')


def _class(values: npt.NDArray[Any]) -> Target:
    if values.ndim == 2:
        ones = values == 1
        if not ((values == 0) | ones).all() or not (ones.sum(axis=1) == 1).all():
            raise _unfit(f"shape {values.shape}", "(n,) labels or one-hot rows", 'pass target="soft" or "multilabel"')
        return Target("class", values, np.arange(values.shape[1]), ones.argmax(axis=1).astype(np.int64))
    if values.ndim != 1:
        raise _unfit(f"shape {values.shape}", "(n,) labels", "flatten it")
    classes, codes = np.unique(values, return_inverse=True)
    return Target("class", values, classes, codes.astype(np.int64))


def _weights(values: npt.NDArray[Any]) -> Target:
    if not _soft(values):
        raise _unfit(f"shape {values.shape}, dtype {values.dtype}", "(n, k) >= 0, rows sum to 1", "divide by the sums")
    return _columns("soft", values if values.dtype.kind == "f" else values.astype(np.float64))


def _indicators(values: npt.NDArray[Any]) -> Target:
    if values.ndim != 2 or values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise _unfit(f"shape {values.shape}, dtype {values.dtype}", "(n, k) of 0 and 1", "use a MultiLabelBinarizer")
    return _columns("multilabel", values)


def _numbers(values: npt.NDArray[Any]) -> Target:
    if values.ndim not in (1, 2) or values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise _unfit(f"shape {values.shape}, dtype {values.dtype}", "(n,) or (n, k) finite numbers", "correct y")
    return _columns("number", values)


_READERS: dict[str, Callable[[npt.NDArray[Any]], Target]] = {
    "class": _class,
    "soft": _weights,
    "multilabel": _indicators,
    "number": _numbers,
}

_EXPECTED = "labels (n,), one-hot rows, weights that sum to 1, 0/1 indicators, or numbers"


def _columns(kind: TargetKind, values: npt.NDArray[Any]) -> Target:
    width = values.shape[1] if values.ndim == 2 else 1
    return Target(kind, values, np.arange(width), np.zeros(len(values), np.int64))


def _soft(values: npt.NDArray[Any]) -> bool:
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        return False
    return bool((values >= 0).all() and np.allclose(values.sum(axis=1, dtype=np.float64), 1.0, atol=1e-3))


def _unfit(got: str, expected: str, do: str) -> UsageError:
    return UsageError(f"y of {got}", expected=expected, do=do, code="target")


def weights32(target: Target) -> F32:
    """(n, k) float32 targets, as :class:`~augmint.core.types.Latents` holds them."""
    return np.asarray(target.numbers(np.float32))
