r"""Are minted rows copies, and do they give away who was in the training set?

**Copies.** With t the training row nearest to a minted row y, and m(t) the mean distance from t to its own five
nearest other rows,

.. math:: \rho(y) = |y - t| / m(t) \qquad \text{copy:}\; \rho(y) < \min(\rho_q,\, c) \;\text{or}\; |y - t| = 0

rho_q is the ratio that the share q of real rows would fall below: the training rows are compared with each other, each
left out in turn. Nearest distances have a power law, :math:`P(\rho < r) \propto r^D`, whose D follows from the 10 % and
50 % quantiles; the tail below is extrapolated, so that fifty rows are enough, and so that a few copies among the real
rows themselves do not set the bar. c keeps "near" near in many dimensions, where all real rows are about equally far
apart. Rows that are equal count as one. Held-out rows, which nobody should have seen, are looked for in the same way.

**Membership.** An attacker who sees only the minted rows guesses that a row was in the training set where a minted row
lies near it (Chen et al. 2020). The score is the area under the curve of that guess over members and non-members: 0.5
tells nothing, 1 gives all away. Its interval is Newcombe's (2006, method 5), which stays within 0 and 1.

Shapes: train (m, d), held-out (h, d), minted (n, d).
Papers: Meehan et al. 2020, arXiv:2004.05675; Carlini et al. 2023, arXiv:2301.13188; Chen et al. 2020, "GAN-Leaks",
arXiv:1909.03935; Newcombe 2006, Statistics in Medicine 25.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from augmint.core.types import F32, I64, Bool
from augmint.evaluation.intervals import share_interval
from augmint.evaluation.score import NOT_ENOUGH, Score, checked_rows
from augmint.numerics.neighbors import nearest

QUANTILE = 0.005
"""q: share of real rows that may be taken for copies by chance."""

CLOSEST = 0.5
"""c: a copy is at least twice as near as real rows around it are to each other."""

AROUND = 5
"""Neighbours that say how far apart real rows are."""

LEAST_ROWS = 20
"""With fewer different rows there is no telling how near is too near."""

LEAST_NON_MEMBERS = 100


class Copies(NamedTuple):
    """Which rows are copies.

    Attributes:
        near: (n,) near or exact.
        exact: (n,).
        source: (n,) nearest row of those that may have been copied, by position.
        ratio: (n,) rho.
    """

    near: Bool
    exact: Bool
    source: I64
    ratio: F32


class CopyFinder:
    """Finds copies of the rows it was made with.

    Args:
        rows: (m, d), m >= 1. With fewer than 20 different rows only exact copies are found.
        quantile: q.
        closest: c.

    Attributes:
        own: which of the rows are copies of another one of them; ratio NaN where there are too few to tell.
    """

    def __init__(self, rows: F32, quantile: float = QUANTILE, closest: float = CLOSEST) -> None:
        self.first, place = _first_of_each(rows)
        self.rows = rows if len(self.first) == len(rows) else rows[self.first]
        self.spacing, own_ratio, beside = _spacing(self.rows)
        self.threshold = min(low_quantile(own_ratio[np.isfinite(own_ratio)], quantile), closest)
        twin = np.bincount(place)[place] > 1
        near, ratio = own_ratio[place] < self.threshold, np.where(twin, np.float32(0), own_ratio[place])
        self.own = Copies(twin | near, twin, self.first[np.where(twin, place, beside[place])], ratio)

    def find(self, minted: F32) -> Copies:
        """Compare rows (n, d) with the nearest that may have been copied."""
        apart, at = (found[:, 0] for found in nearest(minted, self.rows, 1))
        ratio = (apart / self.spacing[at]).astype(np.float32)
        exact = apart == 0
        return Copies(exact | (ratio < self.threshold), exact, self.first[at], ratio)


def _first_of_each(rows: F32) -> tuple[I64, I64]:
    """Positions of the different rows, ascending, each where it is first met; and (m,) which of these a row is."""
    seen: dict[bytes, int] = {}
    place = np.empty(len(rows), np.int64)
    first: list[int] = []
    for i, row in enumerate(rows):
        # Adding zero makes -0 and 0 the same bytes.
        key = hashlib.blake2b((row + np.float32(0)).tobytes(), digest_size=16).digest()
        place[i] = seen.setdefault(key, len(seen))
        if place[i] == len(first):
            first.append(i)
    return np.array(first, np.int64), place


def _spacing(rows: F32) -> tuple[F32, F32, I64]:
    """m(t) of each of the different rows; each row's ratio to the others (NaN where there are too few), its nearest."""
    if len(rows) < LEAST_ROWS:
        return np.ones(len(rows), np.float32), np.full(len(rows), np.nan, np.float32), np.zeros(len(rows), np.int64)
    apart, at = nearest(rows, rows, AROUND + 1, same=True)
    around = apart[:, :AROUND].mean(axis=1)
    # Without row i, the row nearest to it has one neighbour less where i is among its first.
    mine, beside = apart[at[:, 0]], at[at[:, 0]]
    others = np.where(beside == np.arange(len(rows))[:, None], np.inf, mine)
    left = np.sort(others, axis=1)[:, :AROUND].mean(axis=1)
    return around, (apart[:, 0] / left).astype(np.float32), at[:, 0]


def low_quantile(ratio: F32, q: float) -> float:
    """The q quantile by the power law through the 10 % and 50 % quantiles; 0 where there is no ratio."""
    if len(ratio) == 0:
        return 0.0
    tenth, half = np.quantile(ratio, [0.1, 0.5])
    if tenth <= 0:
        return 0.0
    return float(half * (2.0 * q) ** (np.log(half / tenth) / np.log(5.0)))


def copying(
    train: npt.NDArray[Any],
    minted: npt.NDArray[Any],
    held_out: npt.NDArray[Any] | None = None,
    *,
    quantile: float = QUANTILE,
    closest: float = CLOSEST,
) -> dict[str, Score]:
    """Shares of copies: near and exact ones among the minted rows, and training rows that were copied.

    Args:
        train: (m, d) rows the generator saw.
        minted: (n, d).
        held_out: (h, d) rows it did not see: how often these look like copies is the reference, and minted rows that
            are copies of them are a leak. Without them the reference is how often a training row looks like a copy
            of another one.
        quantile: q.
        closest: c.
    """
    a = checked_rows(train, "training rows")
    b = checked_rows(minted, "minted rows", a.shape[1])
    other = None if held_out is None else checked_rows(held_out, "held-out rows", a.shape[1])
    names = ["near copies of training rows", "exact copies of training rows", "training rows copied"]
    if not len(a) or not len(b):
        return {name: Score(name, np.nan, "smaller", 0.0, 1.0, len(b), note=NOT_ENOUGH) for name in names}
    finder = CopyFinder(a, quantile, closest)
    found = finder.find(b)
    control = finder.own if other is None or not len(other) else finder.find(other)
    scores = [
        _share(names[0], int(found.near.sum()), len(b), len(b), float(control.near.mean())),
        _share(names[1], int(found.exact.sum()), len(b), len(b), float(control.exact.mean())),
        _exposed(names[2], found, control, len(finder.rows)),
    ]
    if other is not None and len(other):
        leak = CopyFinder(other, quantile, closest)
        hits = int(leak.find(b).near.sum())
        scores.append(_share("copies of held-out rows", hits, len(b), len(b), float(leak.find(a).near.mean())))
    return {score.name: score for score in scores}


def _exposed(name: str, found: Copies, control: Copies, of: int) -> Score:
    """Share of the ``of`` training rows that were copied; it grows with the rows that are looked at."""

    def hits(copies: Copies, size: int) -> int:
        some = np.linspace(0, len(copies.near) - 1, size).astype(np.int64)
        return len(np.unique(copies.source[some][copies.near[some]]))

    n, size = len(found.near), min(len(found.near), len(control.near))
    score = _share(name, hits(found, n), of, n, hits(control, size) / of)
    return replace(score, matched=hits(found, size) / of)


def _share(name: str, hits: int, of: int, n: int, reference: float) -> Score:
    """A share of rows; it does not depend on how many there are, so it stands beside its reference as it is."""
    return Score(name, hits / of, "smaller", 0.0, 1.0, n, share_interval(hits, of), reference, hits / of)


def membership(
    train: npt.NDArray[Any], held_out: npt.NDArray[Any], minted: npt.NDArray[Any], *, splits: int = 3, seed: int = 0
) -> Score:
    """Area under the curve of guessing members by their distance to the nearest minted row.

    The reference puts half the training rows in the place of the minted ones and guesses the other half: where held-out
    rows differ from training rows for other reasons (another hospital), it is away from 0.5, too.

    Args:
        train: (m, d) members.
        held_out: (h, d) non-members; below 100 there is no answer.
        minted: (n, d).
        splits: halves of the training rows for the reference; 0 for none.
        seed: of the halves.
    """
    a = checked_rows(train, "training rows")
    out = checked_rows(held_out, "held-out rows", a.shape[1])
    b = checked_rows(minted, "minted rows", a.shape[1])
    name = "membership"
    if len(out) < LEAST_NON_MEMBERS or len(a) < 2 or not len(b):
        why = f"{NOT_ENOUGH}: {len(a)} members, {len(out)} non-members of at least {LEAST_NON_MEMBERS}, {len(b)} minted"
        return Score(name, np.nan, "smaller", 0.0, 1.0, len(b), note=why)
    value = guess_area(a, out, b)
    rng, size = np.random.default_rng(seed), min(len(a) // 2, len(b))
    found = []
    for _ in range(splits):
        order, some = rng.permutation(len(a)), rng.permutation(len(b))[:size]
        found.append((guess_area(a[order[size:]], out, a[order[:size]]), guess_area(a, out, b[some])))
    reference, matched = np.mean(found, axis=0) if found else (np.nan, np.nan)
    interval = area_interval(value, len(a), len(out))
    return Score(name, value, "smaller", 0.0, 1.0, len(b), interval, float(reference), float(matched))


def guess_area(members: F32, others: F32, minted: F32) -> float:
    """Chance that a member is nearer to the minted rows than a non-member is; ties count half."""
    near = np.concatenate([nearest(x, minted, 1)[0][:, 0] for x in (members, others)])
    rank = stats.rankdata(-near)[: len(members)].sum()
    return float((rank - len(members) * (len(members) + 1) / 2) / (len(members) * len(others)))


def area_interval(area: float, members: int, others: int, level: float = 0.95) -> tuple[float, float]:
    """The true areas from which the measured one is not farther than chance allows (Newcombe's method 5)."""
    z, extra = float(stats.norm.ppf(0.5 + 0.5 * level)), (members + others) / 2 - 1

    def excess(true: float) -> float:
        spread = 1.0 + extra * (1.0 - true) / (2.0 - true) + extra * true / (1.0 + true)
        return (true - area) ** 2 - z * z * true * (1.0 - true) * spread / (members * others)

    # Both ends of the range solve the equation as well when the area is there; they are not the answer.
    low = 0.0 if area <= 0.0 else float(optimize.brentq(excess, 0.0, min(area, 1.0 - 1e-12)))
    high = 1.0 if area >= 1.0 else float(optimize.brentq(excess, max(area, 1e-12), 1.0))
    return low, high
