r"""What a labelled set knows of its classes, without its rows: means and low-rank covariances.

.. math:: \Sigma_c \approx B^\top F_c^\top F_c B + l_c \bigl(B^\top \mathrm{diag}(w) B + \mathrm{diag}(v)\bigr)

The directions B are shared by all classes, and F_c says how class c moves along them. What F_c does not catch is the
same for all classes but for one loudness each: a variance w along each shared direction, and a variance v of each
number outside of them. A few hundred classes of thousands of numbers are a few megabytes; no row of the set can be
read off.

Methods take rows, so :meth:`BaseStatistics.rows` makes some that have these statistics: pairs
:math:`\mu_c \pm u_j`, where the u_j are F_c turned by a fixed random rotation plus noise of the variance w. Mean and
low-rank part are exact, w is so on average. v has no shape, and decodes to grain, so it is added only when asked for.

Maps may be folded: statistics are then those of f x f cells averaged, and rows that are made repeat them. The strong
directions of a map are smooth, so little of them is lost, and f^2 of the size is saved.

Shapes (d after folding): mean (K, d), basis B (q, d), factor F (K, r, q), along w (q,), beside v (d,), loud l (K,),
count (K,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.utils.extmath import randomized_svd

from augmint.core.protocols import State
from augmint.core.types import F32, I64, Latents
from augmint.numerics.rows import checked, text_array
from augmint.numerics.spread import F64, class_parts, fit_spread


@dataclass(frozen=True)
class BaseStatistics:
    """Means and covariances of the classes of a base set.

    Attributes:
        classes: K names.
        space: of the rows they were taken of.
        shape: of one row.
        fold: f, side of the squares of cells that were averaged; 1 for none.
        mean: (K, d).
        basis: (q, d) orthonormal rows.
        factor: (K, r, q).
        along: (q,) variance along the shared directions that the average class's factor does not catch.
        beside: (d,) variance of each number outside of the shared directions, of the average class.
        loud: (K,) how much of both each class has.
        count: (K,) rows the class had.
    """

    classes: tuple[str, ...]
    space: str
    shape: tuple[int, ...]
    fold: int
    mean: F32
    basis: F32
    factor: F32
    along: F32
    beside: F32
    loud: F32
    count: I64

    def rows(self, *, beside: bool = False) -> Latents:
        """2 r rows of each class with its mean and covariance, the same at every call; ids are ``CLASS#0``, ...

        Args:
            beside: add the variance outside of the shared directions, as white noise.
        """
        classes, pairs = self.factor.shape[:2]
        width = self.mean.shape[1]
        rng = np.random.default_rng(0)
        z = np.zeros((classes, 2 * pairs, width), np.float32)
        size = np.float32(np.sqrt((2 * pairs - 1) / 2))
        for c in range(classes):
            turn = np.linalg.qr(rng.standard_normal((pairs, pairs)))[0].astype(np.float32)
            dice = rng.standard_normal((pairs, len(self.basis) + width), dtype=np.float32)
            dice *= np.sqrt(self.loud[c] / pairs * np.concatenate([self.along, beside * self.beside]))
            shared = turn @ self.factor[c] + dice[:, : len(self.basis)]
            step = size * (shared @ self.basis + dice[:, len(self.basis) :])
            z[c] = self.mean[c] + np.concatenate([step, -step])
        ids = text_array([f"{name}#{i}" for name in self.classes for i in range(2 * pairs)])
        y = np.repeat(np.eye(classes, dtype=np.float32), 2 * pairs, axis=0)
        return Latents(ids, _unfold(z.reshape(-1, width), self.shape, self.fold), y, self.classes, space=self.space)

    def arrays(self) -> State:
        """The arrays, half precision, for a file; names of classes and space go beside them."""
        half = {name: getattr(self, name).astype(np.float16) for name in _HALF}
        return {**half, "count": self.count, "shape": np.asarray([self.fold, *self.shape], np.int64)}

    @classmethod
    def load(cls, arrays: State, classes: tuple[str, ...], space: str) -> BaseStatistics:
        """The inverse of :meth:`arrays`."""
        whole = {name: arrays[name].astype(np.float32) for name in _HALF}
        fold, *shape = (int(n) for n in arrays["shape"])
        return cls(classes=classes, space=space, shape=tuple(shape), fold=fold, count=arrays["count"], **whole)


_HALF = ("mean", "basis", "factor", "along", "beside", "loud")


def base_statistics(base: Latents, *, shared: int = 64, rank: int = 6, fold: int = 1) -> BaseStatistics:
    """Statistics of a labelled set; classes of one row have a mean and no spread.

    Args:
        base: rows with class labels.
        shared: q, directions that all classes share; cut to what the rows span.
        rank: r, directions of each class.
        fold: f; maps (C, h, w) only, and h and w are multiples of it.
    """
    rows, labels, classes = _fold(checked(base, "base statistics"), base.shape, fold), base.labels, base.y.shape[1]
    mean = fit_spread(rows, class_parts(labels, classes), rank=1).mean
    inner = rows - mean[labels]
    basis = _strongest(inner, shared)
    factor = np.zeros((classes, rank, len(basis)), np.float32)
    count = np.bincount(labels, minlength=classes).astype(np.int64)
    along, beside = np.zeros((classes, len(basis))), np.zeros((classes, rows.shape[1]))
    for c in np.flatnonzero(count >= 2):
        own = inner[labels == c].astype(np.float64) / np.sqrt(count[c] - 1)
        at = own @ basis.T
        _, s, vt = np.linalg.svd(at, full_matrices=False)
        keep = min(rank, len(s))
        factor[c, :keep] = s[:keep, None] * vt[:keep]
        along[c] = np.maximum(np.square(at).sum(axis=0) - np.square(factor[c]).sum(axis=0), 0.0)
        beside[c] = np.square(own - at @ basis).sum(axis=0)
    spread = max(1, int((count >= 2).sum()))
    total = along.sum(axis=1) + beside.sum(axis=1)
    return BaseStatistics(
        classes=base.classes,
        space=base.space,
        shape=base.shape,
        fold=fold,
        mean=mean,
        basis=basis.astype(np.float32),
        factor=factor,
        along=(along.sum(axis=0) / spread).astype(np.float32),
        beside=(beside.sum(axis=0) / spread).astype(np.float32),
        loud=(total * spread / max(float(total.sum()), 1e-12)).astype(np.float32),
        count=count,
    )


def _fold(rows: F32, shape: tuple[int, ...], fold: int) -> F32:
    """(n, d / f^2) rows of maps whose cells are averaged f x f."""
    if fold == 1:
        return rows
    channels, high, wide = shape
    cells = rows.reshape(len(rows), channels, high // fold, fold, wide // fold, fold)
    return np.asarray(cells.mean(axis=(3, 5)).reshape(len(rows), -1))


def _unfold(rows: F32, shape: tuple[int, ...], fold: int) -> F32:
    """(n, *shape) with every cell of a folded map f x f times."""
    if fold == 1:
        return rows.reshape(len(rows), *shape)
    channels, high, wide = shape
    cells = rows.reshape(len(rows), channels, high // fold, wide // fold)
    return cells.repeat(fold, axis=2).repeat(fold, axis=3)


def _strongest(inner: F32, shared: int) -> F64:
    """(q, d) the strongest directions of rows whose class means were taken off."""
    q = max(1, min(shared, *inner.shape))
    _, _, vt = randomized_svd(inner, q, n_iter=4, random_state=0)
    return np.asarray(vt, np.float64)
