"""Nested validation: what a student learns with a candidate's rows, on training rows that it does not see.

Only the training rows of the user's data come in here. A candidate (generator, gates, statistics) is fitted anew in
every fold on the rows that the student of this fold may see. Folds are stratified, rows of a group stay together, and
every candidate meets the same folds with the same random numbers, so that differences are paired row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from augmint.core.protocols import Student
from augmint.core.seeds import stream
from augmint.core.types import F32, I64, Budget, Sample, TrainingSet
from augmint.evaluation.decision import OutOfFold
from augmint.numerics.probe import stratified_folds
from augmint.numerics.rows import text_array
from augmint.pipeline.arms import Arm
from augmint.pipeline.minting import Fold

MintSet = Callable[[Arm, Fold, np.random.Generator], TrainingSet]
"""What a student of an arm learns from: the real samples of the fold and what the arm makes of these, not of others."""


@dataclass(frozen=True)
class Rows:
    """The labelled rows that are validated on.

    Attributes:
        samples: n training samples, their ``target`` a class name.
        labels: (n,) class of each.
        units: (n,) rows with the same number belong together (a group); else each is its own.
    """

    samples: tuple[Sample, ...]
    labels: I64
    units: I64

    @classmethod
    def of(cls, fold: Fold) -> Rows:
        """The real samples of a training fold."""
        place = {name: i for i, name in enumerate(fold.classes)}
        labels = np.array([place[sample.target] for sample in fold.real], np.int64)
        names = [f"group:{s.group}" if s.group else f"row:{i}" for i, s in enumerate(fold.real)]
        units = np.unique(np.array(names, np.str_), return_inverse=True)[1]
        return cls(fold.real, labels, np.asarray(units, np.int64))

    def __len__(self) -> int:
        return len(self.samples)

    def testable(self) -> I64:
        """Rows of classes with two units or more: one to learn from when the other is predicted."""
        units = {int(c): len(np.unique(self.units[self.labels == c])) for c in np.unique(self.labels)}
        return np.array([row for row, c in enumerate(self.labels) if units[int(c)] > 1], np.int64)

    def folds(self, at: I64, count: int, rng: np.random.Generator) -> I64:
        """(len(at),) fold of each of these rows, dealt class by class after a shuffle; units stay together."""
        order = rng.permutation(len(at))
        groups = text_array([str(unit) for unit in self.units[at[order]]])
        fold = np.empty(len(at), np.int64)
        fold[order] = stratified_folds(self.labels[at[order]], count, groups)
        return fold


@dataclass
class Validator:
    """Trains students and predicts the rows they have not seen.

    Attributes:
        data: all that may be seen.
        student: makes a fresh student.
        budget: of each student.
        mint: the training set of an arm.
        seed: of all random numbers, which depend on repeat and fold and not on the arm.
        fits: students trained so far.
    """

    data: Fold
    student: Callable[[], Student]
    budget: Budget
    mint: MintSet
    seed: int
    fits: int = 0

    def __post_init__(self) -> None:
        self.rows = Rows.of(self.data)

    def predict(self, arm: Arm, out: I64, *address: str | int) -> F32:
        """(len(out), k) probabilities of these rows by a student of all others."""
        rest = np.setdiff1d(np.arange(len(self.rows)), out)
        seen = replace(self.data, real=tuple(self.rows.samples[i] for i in rest))
        train = self.mint(arm, seen, stream(self.seed, "mint", *address))
        fitted = self.student().fit(train, self.budget, stream(self.seed, "student", *address))
        self.fits += 1
        return fitted.predict_proba([self.rows.samples[i] for i in out])

    def out_of_fold(self, arm: Arm, at: I64, folds: int, repeat: int) -> OutOfFold:
        """One repeat: the rows ``at`` dealt in folds; rows beside them are in every training set."""
        fold = self.rows.folds(at, folds, stream(self.seed, "folds", repeat))
        probability = np.zeros((len(at), len(self.data.classes)))
        for k in range(folds):
            mine = np.flatnonzero(fold == k)
            if len(mine):
                probability[mine] = self.predict(arm, at[mine], repeat, k)
        return OutOfFold(probability[None], fold[None])


def joined(parts: Sequence[OutOfFold]) -> OutOfFold:
    """Repeats, one after the other."""
    return OutOfFold(np.concatenate([p.probability for p in parts]), np.concatenate([p.fold for p in parts]))
