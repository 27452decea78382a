r"""Covariances of groups of rows, kept as factors: exact, and small where rows are few and wide.

.. math:: \Sigma_g = F_g^\top F_g + v_g I \qquad
          F_g = \mathrm{diag}\Bigl(\sqrt{w_i / (\textstyle\sum w - \sum w^2 / \sum w)}\Bigr)\,(x_i - \mu_g)

A draw from :math:`N(0, \Sigma_g)` is :math:`F_g^\top \epsilon + \sqrt{v_g}\, \epsilon'`: no d x d matrix is made.
With equal weights this is the usual covariance (divisor n - 1), and v is 0. Where a group has more rows than ``rank``
its factor is cut to as many strongest directions, and the variance they leave out is spread evenly as v.

Shapes: rows (n, d), mean (k, d), factors one below the other (R, d), start (k + 1,), rest v (k,), count (k,).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.utils.extmath import randomized_svd

from augmint.core.protocols import State
from augmint.core.types import F32, I64

F64 = npt.NDArray[np.float64]
Part = tuple[I64, F64]
"""Members of a group and their weights."""

_FIELDS = ("mean", "factor", "start", "rest", "count")

EXACT = 1536
"""Narrower side of a matrix up to which its strongest directions are found exactly."""

BLOCK = 512
"""Rows that are drawn at a time, so that the random numbers of many rows need not be in memory at once."""


@dataclass(frozen=True)
class Spread:
    """Mean and covariance of each group.

    Attributes:
        mean: (k, d); the mean of all rows where a group is empty.
        factor: (R, d) the factors of all groups, one below the other.
        start: (k + 1,) group g owns the rows ``start[g]:start[g + 1]`` of ``factor``; none below two members.
        rest: (k,) variance of every number beside the factor's.
        count: (k,) members.
    """

    mean: F32
    factor: F32
    start: I64
    rest: F32
    count: I64

    @property
    def rank(self) -> int:
        """Rows of the largest factor."""
        return int(np.diff(self.start).max(initial=0))

    @property
    def variance(self) -> F64:
        """(k,) mean over the d numbers of the variance of each group."""
        squares = np.einsum("rd,rd->r", self.factor, self.factor, dtype=np.float64)
        total = np.add.reduceat(np.append(squares, 0.0), self.start[:-1]) * (np.diff(self.start) > 0)
        return np.asarray(total / self.mean.shape[1] + self.rest)

    def of(self, group: int) -> F32:
        """(r, d) the factor of one group."""
        return self.factor[self.start[group] : self.start[group + 1]]

    def take(self, groups: I64) -> Spread:
        """These groups, in this order."""
        parts = [self.of(int(g)) for g in groups]
        factor = np.concatenate([self.factor[:0], *parts])
        return Spread(self.mean[groups], factor, _starts(parts), self.rest[groups], self.count[groups])

    def noise(self, which: I64, share: F64, extra: F64, rng: np.random.Generator) -> F32:
        r"""(n, d) draws from :math:`N(0, \sum_j s_j \Sigma_{w_j} + e I)`, each from its own random numbers.

        Args:
            which: (n, p) groups to mix, any number where the share is 0.
            share: (n, p) weight of each group's covariance.
            extra: (n,) variance to add to every number.
            rng: gives every row equally many numbers, in order.
        """
        n, slots, width = len(which), which.shape[1], self.mean.shape[1]
        rank, out = self.rank, np.zeros((n, width), np.float32)
        even = np.sqrt(extra + (share * self.rest[which]).sum(axis=1)).astype(np.float32)
        loud = np.sqrt(share).astype(np.float32)
        for at in range(0, n, BLOCK):
            rows = slice(at, min(at + BLOCK, n))
            dice = rng.standard_normal((rows.stop - at, slots * rank + width), dtype=np.float32)
            out[rows] = even[rows, None] * dice[:, slots * rank :]
            for slot in range(slots):
                own = dice[:, slot * rank : (slot + 1) * rank] * loud[rows, slot, None]
                self._add(out[rows], which[rows, slot], own)
        return out

    def _add(self, out: F32, group: I64, dice: F32) -> None:
        """Add ``dice`` (n, rank) times the factor of each row's group to ``out`` (n, d)."""
        for g in np.unique(group):
            members = np.flatnonzero(group == g)
            factor = self.of(int(g))
            out[members] += dice[members, : len(factor)] @ factor

    def arrays(self, prefix: str = "") -> State:
        """The fields, each name with this prefix, for the state of a method."""
        return {prefix + name: np.asarray(getattr(self, name)) for name in _FIELDS}

    @classmethod
    def load(cls, state: State, prefix: str = "") -> Spread:
        """The inverse of :meth:`arrays`, where each name has this prefix."""
        return cls(*(state[prefix + name] for name in _FIELDS))


def class_parts(labels: I64, classes: int) -> list[Part]:
    """The rows of each class, all of weight 1."""
    members = [np.flatnonzero(labels == c) for c in range(classes)]
    return [(own, np.ones(len(own))) for own in members]


def fit_spread(rows: F32, parts: Sequence[Part], rank: int = 256) -> Spread:
    """Mean and covariance of each part of the rows (n, d), n >= 1; sums are taken in float64."""
    mean = np.tile(rows.mean(axis=0, dtype=np.float64), (len(parts), 1))
    factors: list[F32] = []
    rest = np.zeros(len(parts))
    for g, (members, weight) in enumerate(parts):
        total = weight.sum()
        if len(members) == 0 or total <= 0:
            factors.append(np.zeros((0, rows.shape[1]), np.float32))
            continue
        own = rows[members].astype(np.float64)
        mean[g] = weight @ own / total
        freedom = total - np.square(weight).sum() / total
        scaled = (own - mean[g]) * np.sqrt(weight / freedom)[:, None] if freedom > 1e-9 else own[:0]
        factor, rest[g] = _cut(scaled, rank)
        factors.append(factor.astype(np.float32))
    count = np.asarray([len(members) for members, _ in parts], np.int64)
    return Spread(mean.astype(np.float32), np.concatenate(factors), _starts(factors), rest.astype(np.float32), count)


def join(first: Spread, second: Spread) -> Spread:
    """The groups of both, one after the other."""
    factor = np.concatenate([first.factor, second.factor])
    start = np.concatenate([first.start, second.start[1:] + first.start[-1]])
    pairs = ((getattr(first, name), getattr(second, name)) for name in ("mean", "rest", "count"))
    mean, rest, count = (np.concatenate(pair) for pair in pairs)
    return Spread(mean, factor, start, rest, count)


def _starts(parts: Sequence[F32]) -> I64:
    """(k + 1,) where each part begins when they lie one below the other, and where the last one ends."""
    return np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)


def _cut(scaled: F64, rank: int) -> tuple[F64, float]:
    """At most ``rank`` rows with the same strongest directions, and the variance of each number left out."""
    if len(scaled) <= rank:
        return scaled, 0.0
    if min(scaled.shape) <= EXACT:
        _, s, vt = np.linalg.svd(scaled, full_matrices=False)
    else:
        _, s, vt = randomized_svd(scaled, rank, n_iter=4, random_state=0)
    s, vt = s[:rank], vt[:rank]
    left = np.square(scaled).sum() - np.square(s).sum()
    return s[:, None] * vt, max(0.0, float(left)) / scaled.shape[1]
