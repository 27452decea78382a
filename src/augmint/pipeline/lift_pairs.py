"""One pair: every arm's training set, every student on each of them, one file for each student.

The students of a pair meet the same children, and the arms of a pair the same batches: a student's random numbers are
named by student, shots and pair, never by the arm. Nothing but the training rows of the pair (and the pool, which
holds none of the data) reaches a method, a gate, the judge or a student before the test rows are predicted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from augmint.core.protocols import Student
from augmint.core.seeds import stream, stream_key
from augmint.core.types import F32, I64, Sample
from augmint.evaluation.metrics import METRICS, class_recall, row_scores, scores
from augmint.pipeline.arms import Arm
from augmint.pipeline.encodings import as_rows
from augmint.pipeline.lift_data import LiftData
from augmint.pipeline.lift_plan import LiftPlan, shots_name
from augmint.pipeline.manifest import Manifest, dump_json
from augmint.pipeline.minting import Children, Fold
from augmint.pipeline.splits import Pair
from augmint.pipeline.workshop import Workshop

DIGITS = 9
"""Decimal places that are kept of a score."""


@dataclass(frozen=True)
class PairJob:
    """A pair and the students that have no result of it yet.

    Attributes:
        shots, index: name the pair.
        rows: to train on and to test on.
        own: (m,) places among the test rows that no other pair is scored on, for scores that are no mean over rows;
            None where all test rows are the pair's own.
        students: to fit.
    """

    shots: int
    index: int
    rows: Pair
    own: I64 | None
    students: tuple[str, ...]


def pair_path(manifest: Manifest, student: str, shots: int, index: int) -> Path:
    """Where the result of a student on a pair is kept."""
    return manifest.out / "cells" / f"{student}-{shots_name(shots)}" / f"{index:03d}.json"


@dataclass(frozen=True)
class MakeMeasurer:
    """Builds the worker of pairs.

    Attributes:
        manifest: of the output folder.
        plan, data: of the lift.
        device: of the models.
        deadline: seconds since the epoch after which no pair is begun.
    """

    manifest: Manifest
    plan: LiftPlan
    data: LiftData
    device: str = "cpu"
    deadline: float = float("inf")

    def __call__(self) -> Measurer:
        """Models are loaded when they are needed."""
        rows = self.data.rows_space or self.plan.space == "rows"
        return Measurer(self, Workshop(self.plan, rows, self.device))


@dataclass
class Measurer:
    """Carries out one pair."""

    make: MakeMeasurer
    shop: Workshop
    _pool: tuple[Sample, ...] | None = field(default=None, repr=False)

    def __call__(self, job: PairJob) -> tuple[PairJob, bool]:
        """Write a file for each student; False when the time was up before it began."""
        if time.time() >= self.make.deadline:
            return job, False
        data, plan = self.make.data, self.make.plan
        real, test = (self._seen(data.shelf.take(at)) for at in (job.rows.train, job.rows.test))
        fold = Fold(real, data.classes, self._unlabelled())
        labels = data.rows.labels[job.rows.test]
        found: dict[str, dict[str, Any]] = {name: {} for name in job.students}
        for arm in plan.arms:
            children, students = self._fitted(arm, fold, job)
            for name, student in students.items():
                probability = student.predict_proba(test)
                found[name][arm.name] = {**_counts(children), **measured(probability, labels, job.own)}
        for name, arms in found.items():
            facts = {"pair": job.index, "train": len(real), "test": len(test), "arms": arms}
            path = pair_path(self.make.manifest, name, job.shots, job.index)
            self.make.manifest.write(path, (dump_json(facts) + "\n").encode())
        return job, True

    def _fitted(self, arm: Arm, fold: Fold, job: PairJob) -> tuple[Children, dict[str, Student]]:
        """The children of an arm, and every student after its budget."""
        plan, address = self.make.plan, (shots_name(job.shots), job.index)
        seed = int.from_bytes(stream_key(plan.seed, "pair", *address)[:7], "little")
        children = self.shop.children(arm, fold, seed)
        train = self.shop.training_set(arm, fold, children, seed)
        students = {}
        for name in job.students:
            rng = stream(plan.seed, "student", name, *address)
            students[name] = self.shop.student(name).fit(train, plan.budget, rng)
        return children, students

    def _seen(self, samples: Sequence[Sample]) -> tuple[Sample, ...]:
        """The samples as methods and students get them."""
        if self.make.plan.space == "rows" and not self.make.data.rows_space:
            return as_rows(samples, self.shop.encoder(self.make.plan.encoder))
        return tuple(samples)

    def _unlabelled(self) -> tuple[Sample, ...]:
        if self._pool is None:
            pool = self.make.data.pool
            self._pool = () if pool is None else self._seen(pool.take(range(len(pool))))
        return self._pool


def _counts(children: Children) -> dict[str, Any]:
    return {"minted": len(children), "rejected": sum(children.rejected.values())}


def measured(probability: F32, labels: I64, own: I64 | None) -> dict[str, Any]:
    """All scores of a student on the test rows of a pair, with those of single rows where rows may be a sample.

    Args:
        probability: (n, k) of the test rows.
        labels: (n,) their classes.
        own: as in :class:`PairJob`.
    """
    facts: dict[str, Any] = {
        "scores": _plain(scores(probability, labels)),
        "recall": [finite(value) for value in class_recall(probability, labels)],
    }
    if own is not None:
        hits = row_scores("accuracy", probability, labels)
        facts["hits"] = "".join("1" if hit else "0" for hit in hits)
        facts["log_likelihood"] = [round(float(v), 4) for v in row_scores("log_loss", probability, labels)]
        part = scores(probability[own], labels[own]) if len(own) else dict.fromkeys(METRICS, np.nan)
        facts["own"] = _plain({name: part[name] for name, metric in METRICS.items() if not metric.by_row})
    return facts


def _plain(values: dict[str, float]) -> dict[str, float | None]:
    return {name: finite(value) for name, value in values.items()}


def finite(value: float) -> float | None:
    """JSON has no word for what is not a number."""
    return round(float(value), DIGITS) if np.isfinite(value) else None
