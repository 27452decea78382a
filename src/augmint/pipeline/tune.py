"""Choose among candidates, or abstain: one is chosen on some of the rows and must then prove itself on the others.

    all rows -> the rows to choose on (one fold): every candidate, one training each; the best goes on
             -> the others, dealt in folds: with and without its rows, repeated while there is hope -> the rule

The rows of the proof have no part in the choice, so the best of many has no advantage there, and nothing has to be
corrected for how many there were. The rule is :mod:`augmint.evaluation.decision`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from augmint.core.protocols import Student
from augmint.core.types import I64, Budget
from augmint.evaluation.decision import OutOfFold, Verdict, decide, gains
from augmint.pipeline.arms import NONE, Arm
from augmint.pipeline.minting import Fold
from augmint.pipeline.splits import deal
from augmint.pipeline.validation import MintSet, TimeUp, Validator, joined, provable, too_few


@dataclass(frozen=True)
class Scheme:
    """How much is spent on a choice.

    Attributes:
        folds: parts of the rows; one of them is for the choice when there are several candidates.
        repeats: times that the rows of the proof are dealt in folds afresh.
        hopeless: p of the log-loss above which no further repeat is made.
    """

    folds: int = 4
    repeats: int = 2
    hopeless: float = 0.35

    def __post_init__(self) -> None:
        if self.folds < 3 or self.repeats < 1:
            raise ValueError(f"folds = {self.folds} must be >= 3 and repeats = {self.repeats} >= 1")


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        arm: the candidate that ships; None to abstain.
        reason: one sentence.
        table: a row for each candidate: name, gains on the rows of the choice, and those of the proof where it went on.
        verdict: of the one that went on; None where nothing could be validated.
        fits: students trained.
    """

    arm: Arm | None
    reason: str
    table: tuple[dict[str, Any], ...] = ()
    verdict: Verdict | None = None
    fits: int = 0


def choose(
    candidates: Sequence[Arm],
    fold: Fold,
    student: Callable[[], Student],
    budget: Budget,
    mint: MintSet,
    rng: np.random.Generator,
    margin: float = 0.01,
    *,
    reference: Arm = NONE,
    scheme: Scheme = Scheme(),
) -> Choice:
    """The candidate whose rows should ship, or none.

    Costs 1 + m + 2 (folds - 1) trainings for m candidates and one repeat, and 2 (folds - 1) for each further repeat,
    which is made only where the first leaves hope.

    Args:
        candidates: in the order in which they are preferred when nothing tells them apart.
        fold: the training rows, and the pool; no others are looked at.
        student: makes a fresh student.
        budget: of each of its trainings.
        mint: training set of an arm, from a part of the fold and a generator.
        rng: of all that is random here.
        margin: loss of hit rate that would be tolerable, as a share.
        reference: what a candidate must beat.
        scheme: folds and repeats.
    """
    bench = Validator(fold, student, budget, mint, int(rng.integers(2**62)))
    at = provable(bench.rows)
    if not candidates:
        return Choice(None, "no candidate")
    if why := too_few(bench.rows, at):
        return Choice(None, why)
    arm, table, at, folds = _screened(bench, candidates, reference, at, scheme.folds)
    verdict = prove(bench, arm, reference, at, folds, scheme, margin)
    table = tuple(row | {"proof": asdict(verdict)} if row["name"] == arm.name else row for row in table)
    return Choice(arm if verdict.ship else None, f"{arm.name}: {verdict.reason}", table, verdict, bench.fits)


def _screened(
    bench: Validator, candidates: Sequence[Arm], reference: Arm, at: I64, folds: int
) -> tuple[Arm, tuple[dict[str, Any], ...], I64, int]:
    """The best on one fold, what was found of all, and the rows and number of the other folds."""
    if len(candidates) == 1:
        return candidates[0], ({"name": candidates[0].name},), at, folds
    fold = deal(bench.rows, at, folds, np.random.default_rng(bench.seed))
    out = at[fold == 0]
    tables = [single(bench.predict(arm, out, "choice")) for arm in (reference, *candidates)]
    rows: list[dict[str, Any]] = []
    for arm, own in zip(candidates, tables[1:], strict=True):
        hits, information = gains(tables[0], own, bench.rows.labels[out], bench.rows.units[out])
        rows.append({"name": arm.name, "rows": len(out), "hits": hits.mean, "information": information.mean})
    best = max(range(len(rows)), key=lambda i: float(rows[i]["information"]))
    return candidates[best], tuple(rows), at[fold != 0], folds - 1


def single(probability: Any) -> OutOfFold:
    """One repeat of one fold."""
    return OutOfFold(probability[None], np.zeros((1, len(probability)), np.int64))


def prove(
    bench: Validator,
    arm: Arm,
    reference: Arm,
    at: I64,
    folds: int,
    scheme: Scheme,
    margin: float,
    *,
    looks: int = 1,
) -> Verdict:
    """The rule on these rows; repeats end early where there is no hope, which can only lead to abstaining.

    Raises:
        TimeUp: before the first repeat was done; later the verdict is of the repeats that were.
    """
    parts: list[list[OutOfFold]] = []
    verdict: Verdict | None = None
    for repeat in range(scheme.repeats):
        try:
            parts.append([bench.out_of_fold(own, at, folds, repeat) for own in (reference, arm)])
        except TimeUp:
            if verdict is None:
                raise
            return verdict
        without, minted = (joined(side) for side in zip(*parts, strict=True))
        units = bench.rows.units[at]
        verdict = decide(without, minted, bench.rows.labels[at], margin=margin, looks=looks, units=units)
        if verdict.hits.mean <= -margin or verdict.information.p_value > scheme.hopeless:
            break
    assert verdict is not None
    return verdict
