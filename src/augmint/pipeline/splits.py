"""Pairs: which rows each of them trains on and which it is tested on.

Three schemes, the first that the data allows:

- ``shared test``: the data set has a test part of its own; every pair is tested on it, and training draws share no row
  as long as rows last. Draws and test rows both add to the variance: ``evaluation.intervals.paired_rows``.
- ``disjoint``: training draws and test parts of all pairs are apart. Pairs are independent of each other.
- ``resampled``: repeated splits of the same rows, two thirds to train on at most and half as many to test on as to
  train on; the variance is corrected for the rows that pairs share (Nadeau and Bengio 2003).

Disjoint draws come first because they find what is there: harm of 4 points was found in all of 40 repeats on disjoint
draws and in 43 % with corrected repeated splits (``docs/evaluation.md``). Rows of a group are never on both sides of a
pair, and in disjoint draws never in two pairs.

Shapes: labels (n,), units (n,) the group of each row, or a name of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from augmint.core.errors import DataError
from augmint.core.seeds import stream
from augmint.core.types import I64, Bool, Text
from augmint.numerics.probe import stratified_folds

Scheme = Literal["disjoint", "shared test", "resampled"]

FEWEST = 5
"""Disjoint pairs that are better than any number of repeated splits."""

TEST_ROWS = 2000
"""Most test rows of a pair; further ones would cost time and tell little."""

FEW = 4
"""Units of a class, if it has so many, in any part of the rows that stands for all of them."""

TRIES = 8
"""Deals of groups that are looked at for one where every class is learned and tested."""

ALL = 0
"""In place of a number of shots: two thirds of the rows, classes as uneven as they are."""


@dataclass(frozen=True)
class Rows:
    """The labelled rows of a data set.

    Attributes:
        labels: (n,) class of each row.
        units: (n,) group of each row; rows without one are a group of their own.
        test: (n,) True for the data set's own test part.
        classes: number of classes.
    """

    labels: I64
    units: Text
    test: Bool
    classes: int

    @cached_property
    def grouped(self) -> bool:
        """Whether any two rows are of one group."""
        return len(np.unique(self.units)) < len(self.units)

    @cached_property
    def units_of_class(self) -> I64:
        """(classes,) how many groups each class has rows of."""
        return np.array([len(np.unique(self.units[self.labels == c])) for c in range(self.classes)])

    @property
    def able(self) -> int:
        """Number of classes with two groups or more: one to learn from when the other is tested."""
        return int(np.count_nonzero(self.units_of_class > 1))


@dataclass(frozen=True)
class Pair:
    """Positions of the rows to train on and to test on."""

    train: I64
    test: I64


@dataclass(frozen=True)
class Pairs:
    """The pairs of a cell.

    Attributes:
        scheme: how they were made.
        pairs: J.
        ratio: for the variance: test rows / training rows where splits repeat, s / (1 - s) where draws that share a
            part s of their rows meet one test part, else 0.
    """

    scheme: Scheme
    pairs: tuple[Pair, ...]
    ratio: float = 0.0


def make_pairs(rows: Rows, shots: int, count: int, seed: int) -> Pairs:
    """Pairs of one cell, the same for every student and arm.

    Args:
        rows: of the data set.
        shots: rows of each class to train on (two thirds of a class that has too few), or :data:`ALL`.
        count: pairs wanted; fewer where this many disjoint draws do not fit, but five or more do.
        seed: of the draws.

    Raises:
        DataError: fewer than two rows of each class to split, too few groups, or a group on both sides of the own
            test part.
    """
    maker = _Maker(rows, shots, count, seed)
    if rows.test.any():
        _refuse_crossing(rows)
        return maker.on_own_test()
    _refuse_too_few(rows)
    return maker.disjoint() or maker.resampled()


def stripe(rows: Rows, test: I64, index: int, count: int) -> I64:
    """Places among these test rows that are scored on in one pair of ``count`` alone; rows of a group together."""
    _, first, at = np.unique(rows.units[test], return_index=True, return_inverse=True)
    turn = np.argsort(np.argsort(first))  # groups in the order of their first rows
    return np.flatnonzero(turn[at] % count == index)


def choose_shots(rows: Rows, count: int = 8) -> int:
    """Shots for who names none: as many as ``count`` disjoint pairs leave, 5 to 50; below that :data:`ALL`."""
    counts = np.bincount(rows.labels[~rows.test])
    least = int(counts[counts > 0].min())
    share = 1.0 if rows.test.any() else 1.5
    shots = min(50, int(least / (count * share)))
    return shots if shots >= FEWEST else ALL


def shared_part(draws: Sequence[I64], units: Text) -> float:
    """Mean over ordered pairs of draws of the share of one's rows whose group is in the other."""
    if len(draws) < 2:
        return 0.0
    own = [units[draw] for draw in draws]
    parts = [np.isin(a, b).mean() for i, a in enumerate(own) for j, b in enumerate(own) if i != j]
    return float(np.mean(parts))


@dataclass(frozen=True)
class _Maker:
    rows: Rows
    shots: int
    count: int
    seed: int

    def rng(self, *address: str | int) -> np.random.Generator:
        return stream(self.seed, "pairs", self.shots, *address)

    def takes(self, at: I64) -> I64:
        """(k,) rows of each class to train on, out of those at these positions."""
        have = np.bincount(self.rows.labels[at], minlength=self.rows.classes)
        most = np.where(have > 1, np.maximum(1, 2 * have // 3), have)
        return np.asarray(most if self.shots == ALL else np.minimum(self.shots, most))

    def on_own_test(self) -> Pairs:
        own = np.flatnonzero(self.rows.test)
        test = np.sort(self.rng("test").permutation(own)[:TEST_ROWS])
        rest = np.flatnonzero(~self.rows.test)
        take = self.takes(rest)
        _refuse_no_class(take)
        for count in self._counts():
            draws = self._bins(rest, take, count, "draws")
            if draws:
                return Pairs("shared test", tuple(Pair(draw, test) for draw in draws))
        again = [self._first(rest, take, "again", j) for j in range(self.count)]
        shared = min(shared_part(again, self.rows.units), 0.99)
        return Pairs("shared test", tuple(Pair(draw, test) for draw in again), shared / (1.0 - shared))

    def disjoint(self) -> Pairs | None:
        """Pairs that share nothing; None where fewer than FEWEST fit."""
        if self.shots == ALL:
            return None
        every = np.arange(len(self.rows.labels))
        for count in self._counts():
            found = self._apart(every, count) if not self.rows.grouped else self._apart_by_group(every, count)
            if found:
                return Pairs("disjoint", tuple(found))
        return None

    def resampled(self) -> Pairs:
        every = np.arange(len(self.rows.labels))
        take = self.takes(every)
        made = []
        for j in range(self.count):
            if self.rows.grouped:
                made.append(self._across_groups(every, take, j))
            else:
                train = self._first(every, take, "train", j)
                made.append(Pair(train, self._some(np.setdiff1d(every, train), len(train), j)))
        ratio = float(np.mean([len(pair.test) / len(pair.train) for pair in made]))
        return Pairs("resampled", tuple(made), ratio)

    def _across_groups(self, at: I64, take: I64, j: int) -> Pair:
        """A third of the groups to test on, the others to train on; what these lack is not tested."""
        labels, best = self.rows.labels[at], (0, at[:0], at[:0])
        for attempt in range(TRIES):
            fold = self._folds(at, 3, "split", j, attempt)
            train = self._first(at[fold > 0], take, "train", j)
            test = at[(fold == 0) & np.isin(labels, self.rows.labels[train])]
            tested = len(np.unique(self.rows.labels[test]))
            best = max(best, (tested, train, test), key=lambda found: found[0])
            if tested == self.rows.able:
                break
        _, train, test = best
        if not len(test):
            raise _few_groups(self.rows)
        return Pair(train, self._some(test, len(train), j))

    def _counts(self) -> Iterator[int]:
        """Numbers of disjoint pairs to try, the most first."""
        return iter(range(self.count, min(FEWEST, self.count) - 1, -1))

    def _bins(self, at: I64, take: I64, count: int, word: str) -> list[I64] | None:
        """``count`` draws of ``take`` rows of each class that share no group; None where they do not fit."""
        fold = self._folds(at, count, word)
        draws = [self._first(at[fold == j], take, word, j) for j in range(count)]
        whole = take.sum()
        return draws if all(len(draw) == whole for draw in draws) else None

    def _apart(self, at: I64, count: int) -> list[Pair] | None:
        """Training draws first, and what is left dealt to the test parts."""
        take = self.takes(at)
        have = np.bincount(self.rows.labels[at], minlength=self.rows.classes)
        # A test part is half as large as a draw, or there are too few rows for so many pairs.
        if self.shots > take[have > 0].min() or (have // count < take + -(-take // 2)).any():
            return None
        order = self._by_class(at, "apart")
        draws = [np.concatenate([own[j * n : (j + 1) * n] for own, n in zip(order, take, strict=True)])
                 for j in range(count)]  # fmt: skip
        rest = [own[count * n :] for own, n in zip(order, take, strict=True)]
        most = [max(1, TEST_ROWS * len(own) // sum(map(len, rest))) for own in rest]
        tests = [np.concatenate([own[j::count][:n] for own, n in zip(rest, most, strict=True)]) for j in range(count)]
        return [Pair(np.sort(draw), np.sort(test)) for draw, test in zip(draws, tests, strict=True)]

    def _apart_by_group(self, at: I64, count: int) -> list[Pair] | None:
        """Groups dealt to three parts for each pair: two to train on, one to test on."""
        fold, made = self._folds(at, 3 * count, "groups"), []
        classes = len(np.unique(self.rows.labels))
        for j in range(count):
            train = self._first(at[(fold == 3 * j) | (fold == 3 * j + 1)], self.takes(at), "groups", j)
            test = at[fold == 3 * j + 2]
            whole = len(train) == self.shots * classes and len(np.unique(self.rows.labels[test])) == classes
            if not whole or 2 * len(test) < len(train):
                return None
            made.append(Pair(train, self._part(test, TEST_ROWS, "capped", j)))
        return made

    def _folds(self, at: I64, folds: int, *address: str | int) -> I64:
        """Part of each of these rows."""
        return deal(self.rows, at, folds, self.rng("folds", folds, *address))

    def _first(self, at: I64, take: I64, *address: str | int) -> I64:
        """``take`` rows of each class, or all where there are fewer."""
        order = self._by_class(at, *address)
        return np.sort(np.concatenate([own[:n] for own, n in zip(order, take, strict=True)]))

    def _by_class(self, at: I64, *address: str | int) -> list[I64]:
        """The rows of each class, shuffled."""
        mixed = self.rng(*address).permutation(at)
        return [mixed[self.rows.labels[mixed] == c] for c in range(self.rows.classes)]

    def _some(self, at: I64, trained: int, j: int) -> I64:
        """Half as many rows as were trained on."""
        return self._part(at, min(trained / 2, TEST_ROWS), "test", j)

    def _part(self, at: I64, most: float, *address: str | int) -> I64:
        """About so many of these rows, each class in proportion and with one row at least."""
        share = min(1.0, most / max(1, len(at)))
        own = self._by_class(at, *address)
        return np.sort(np.concatenate([rows[: max(1, round(share * len(rows)))] for rows in own]))


def deal(rows: Rows, at: I64, folds: int, rng: np.random.Generator) -> I64:
    """(len(at),) fold of each of these rows, dealt class by class after a shuffle; units stay together.

    The order of the classes and the first fold are drawn as well: a class of one or two units is in any fold.
    """
    order, place = rng.permutation(len(at)), rng.permutation(rows.classes)
    fold = np.empty(len(at), np.int64)
    fold[order] = stratified_folds(place[rows.labels[at[order]]], folds, rows.units[at[order]])
    return np.asarray((fold + rng.integers(folds)) % folds)


def share_of(rows: Rows, at: I64, most: int, rng: np.random.Generator) -> I64:
    """About ``most`` of these rows, in order: every class in proportion, but FEW units at least; units stay whole."""
    if len(at) <= most:
        return at
    labels, units = rows.labels[at], rows.units[at]
    names, unit = np.unique(units, return_inverse=True)
    by_unit = np.split(np.argsort(unit, kind="stable"), np.cumsum(np.bincount(unit))[:-1])
    counts = np.bincount(labels, minlength=rows.classes)
    wanted = np.ceil(counts * (most / len(at)))
    have, of_class, kept = np.zeros(rows.classes), np.zeros(rows.classes), np.zeros(len(names), np.bool_)
    for row in rng.permutation(len(at)):
        own, label = unit[row], labels[row]
        if not kept[own] and (have[label] < wanted[label] or of_class[label] < FEW):
            kept[own] = True
            have += np.bincount(labels[by_unit[own]], minlength=rows.classes)
            of_class[np.unique(labels[by_unit[own]])] += 1
    return np.asarray(at[kept[unit]])


def _refuse_no_class(take: I64 | Bool) -> None:
    found = np.count_nonzero(take)
    if found < 2:
        raise DataError(
            f"{found} class{'' if found == 1 else 'es'} with enough samples to measure a classifier",
            expected="two classes or more, each with two samples or more",
            do="add samples",
            code="one-class",
        )


def _refuse_too_few(rows: Rows) -> None:
    """Groups stay on one side, so three are needed, and two classes with two of them each."""
    if not rows.grouped:
        _refuse_no_class(rows.units_of_class > 1)
    elif len(np.unique(rows.units)) < 3 or rows.able < 2:
        raise _few_groups(rows)


def _few_groups(rows: Rows) -> DataError:
    return DataError(
        f"{len(np.unique(rows.units))} groups, {rows.able} of {rows.classes} classes with rows of two or more of them",
        expected="three groups or more, and two classes that each have rows of two: a group is never on both sides",
        do="name a finer --group column, add groups, or give the data set a test part of its own",
        code="few-groups",
    )


def _refuse_crossing(rows: Rows) -> None:
    both = np.intersect1d(rows.units[rows.test], rows.units[~rows.test])
    if len(both):
        raise DataError(
            f"{len(both)} groups in training and in the test part, first {str(both[0])!r}",
            expected="the rows of a group on one side, or the lift would be measured on what was learned",
            do="correct the splits; augmint inspect lists the groups",
            code="group-leak",
        )
