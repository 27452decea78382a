"""Nested validation: what a student learns with a candidate's rows, on training rows that it does not see.

Only the training rows of the user's data come in here. A candidate (generator, gates, statistics) is fitted anew in
every fold on the rows that the student of this fold may see. Folds are stratified, rows of a group stay together, and
every candidate meets the same folds with the same random numbers, so that differences are paired row by row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from augmint.core.protocols import Student
from augmint.core.seeds import stream
from augmint.core.types import F32, I64, Budget, TrainingSet
from augmint.evaluation.decision import LEAST_ROWS, OutOfFold
from augmint.pipeline.arms import Arm
from augmint.pipeline.lift_data import rows_of
from augmint.pipeline.manifest import Manifest, dump_json, sha256
from augmint.pipeline.minting import Fold
from augmint.pipeline.splits import Rows, deal

MintSet = Callable[[Arm, Fold, np.random.Generator], TrainingSet]
"""What a student of an arm learns from: the real samples of the fold and what the arm makes of these, not of others."""


def provable(rows: Rows) -> I64:
    """Rows of classes with two units or more: one to learn from when the other is predicted."""
    return np.flatnonzero(rows.units_of_class[rows.labels] > 1)


def too_few(rows: Rows, at: I64) -> str:
    """Why the `provable` rows cannot prove anything; "" where there are enough of them."""
    units = len(np.unique(rows.units[at]))
    if units >= LEAST_ROWS:
        return ""
    what = "groups" if rows.grouped else "rows"
    return f"{units} {what} of classes with two or more {what}: too few to validate on, {LEAST_ROWS} needed"


@dataclass
class Validator:
    """Trains students and predicts the rows they have not seen.

    Attributes:
        data: all that may be seen.
        student: makes a fresh student.
        budget: of each student.
        mint: the training set of an arm.
        seed: of all random numbers, which depend on repeat and fold and not on the arm.
        deadline: seconds since the epoch after which no student is trained.
        kept: where predictions are kept as units, so that the same question is answered without training; or None.
        fits: students trained so far.
    """

    data: Fold
    student: Callable[[], Student]
    budget: Budget
    mint: MintSet
    seed: int
    deadline: float = float("inf")
    kept: Manifest | None = None
    fits: int = 0

    def __post_init__(self) -> None:
        self.rows = rows_of(self.data.real, self.data.classes)

    def predict(self, arm: Arm, out: I64, *address: str | int) -> F32:
        """(len(out), k) probabilities of these rows by a student of all others.

        Raises:
            TimeUp: it would have to be trained, and the time is up.
        """
        unit = f"predict-{self._key(arm, out, address)}"
        if self.kept is not None and self.kept.finished(unit):
            found: F32 = self.kept.load(unit).array("probability")
            return found
        if time.time() >= self.deadline:
            raise TimeUp
        rest = np.setdiff1d(np.arange(len(self.data.real)), out)
        seen = replace(self.data, real=tuple(self.data.real[i] for i in rest))
        train = self.mint(arm, seen, stream(self.seed, "mint", *address))
        fitted = self.student().fit(train, self.budget, stream(self.seed, "student", *address))
        self.fits += 1
        probability = fitted.predict_proba([self.data.real[i] for i in out])
        if self.kept is not None:
            self.kept.commit(unit, {"probability": probability}, [{"arm": arm.name, "rows": len(out)}])
        return probability

    def _key(self, arm: Arm, out: I64, address: tuple[str | int, ...]) -> str:
        """Names a prediction by all it depends on, but for what the folder stands for."""
        words = dump_json([asdict(arm), self.seed, list(address), out.tolist()])
        return sha256(words.encode())[:32]

    def out_of_fold(self, arm: Arm, at: I64, folds: int, repeat: int) -> OutOfFold:
        """One repeat: the rows ``at`` dealt in folds; rows beside them are in every training set."""
        fold = deal(self.rows, at, folds, stream(self.seed, "folds", repeat))
        probability = np.zeros((len(at), len(self.data.classes)))
        for k in range(folds):
            mine = np.flatnonzero(fold == k)
            if len(mine):
                probability[mine] = self.predict(arm, at[mine], repeat, k)
        return OutOfFold(probability[None], fold[None])


class TimeUp(Exception):  # noqa: N818 (a state of affairs, not an error)
    """The deadline has passed."""


def joined(parts: Sequence[OutOfFold]) -> OutOfFold:
    """Repeats, one after the other."""
    return OutOfFold(np.concatenate([p.probability for p in parts]), np.concatenate([p.fold for p in parts]))
