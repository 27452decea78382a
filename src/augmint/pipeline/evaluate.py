"""Does it help? Real against real and minted, with the same student, budget, test rows and random numbers.

    read -> pairs of every cell -> each pair: mint, fit, predict -> lifts, Holm in a cell -> lift.json

A cell is a student and a number of shots. A pair is a training draw and a test part; all arms meet it. Each pair and
student ends in a file, and the same command does what has none.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augmint.core.errors import UsageError
from augmint.core.types import I64, Budget, ReadOptions
from augmint.core.version import __version__
from augmint.engine import Local
from augmint.models import get_card
from augmint.pipeline.arms import NONE, Arm, parse_arms
from augmint.pipeline.lift_arrays import data_of_arrays
from augmint.pipeline.lift_data import LiftData, read_data
from augmint.pipeline.lift_pairs import MakeMeasurer, PairJob, pair_path
from augmint.pipeline.lift_plan import LiftPlan, shots_name
from augmint.pipeline.lift_table import cell_facts, conclusion, lifts_of, read_cell, transfers
from augmint.pipeline.machine import machine_facts
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.modality import MEDIA, default_model
from augmint.pipeline.neutral import pool_path
from augmint.pipeline.output import check_folder, opened
from augmint.pipeline.progress import Progress
from augmint.pipeline.sources import Inputs, as_path
from augmint.pipeline.splits import ALL, Pairs, choose_shots, make_pairs, stripe

OURS = ("cells", "lift.json", "report", ".augmint")
"""Names at the top of the folder; ``fresh`` removes these and nothing else."""


@dataclass(frozen=True)
class LiftResult:
    """What was found.

    Attributes:
        out: the folder with ``lift.json`` and a file for each pair; None when it was not kept.
        facts: the content of ``lift.json``: cells, arms, scores, lifts (see ``docs/files.md``).
        conclusions: a sentence for each cell.
        problems: a line for each reason of exit code 1: cells that the time did not allow.
    """

    out: Path | None
    facts: dict[str, Any]
    conclusions: tuple[str, ...]
    problems: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0, or 1 when pairs were left out."""
        return 1 if self.problems else 0

    def lift(self, arm: str, *, student: str = "", shots: int | str = "", metric: str = "") -> dict[str, Any]:
        """The lift of an arm in the first cell that fits: mean, low, high, p_adjusted, verdict, headline, ..."""
        for cell in self.facts["cells"]:
            if student in ("", cell["student"]) and str(shots) in ("", cell["shots"]) and arm in cell["arms"]:
                found: dict[str, Any] = cell["arms"][arm]["lift"][metric or self.facts["metric"]]
                return found
        raise KeyError(f"no cell with arm {arm!r}, student {student!r}, shots {shots!r}")


def evaluate(
    data: str | Path | tuple[Any, Any],
    out: str | Path | None = None,
    *,
    methods: str | Sequence[str] | Sequence[Arm] = (),
    student: str | Sequence[str] = "probe",
    shots: str | int | Sequence[int] = (),
    pool: Any = None,
    label: str = "",
    group: Any = "",
    text: str = "",
    spans: str = "",
    updates: int = Budget.updates,
    batch: int = Budget.batch,
    trials: int = 3,
    factor: float = 3.0,
    model: str = "",
    budget: str | float = "",
    workers: int = 1,
    device: str = "cpu",
    fresh: bool = False,
    progress: Progress | None = None,
    **keys: Any,
) -> LiftResult:
    """Measure whether minted data help a student on this data set.

    Args:
        data: a labelled data set as for :func:`augmint.augment`, or arrays ``(X, y)``: rows (n, d) of features, or
            pictures. Its test part (else its val part) is tested on; without one, rows are split.
        out: folder for ``lift.json`` and the results of pairs; the same call resumes it. None keeps nothing.
        methods: arms to compare with ``none``: names as in ``"gan,gan+classic,class-weights"``, or
            :class:`~augmint.pipeline.arms.Arm`. Default: a few that are cheap.
        student: ``probe``, ``scratch``, ``finetune``, or several.
        shots: rows of each class to train on, or several numbers, or "all" (two thirds of all rows). Default: as many
            as leave eight disjoint pairs, else all.
        pool: unlabelled samples for methods that pick (a path, or an array where data are arrays).
        label: column with the label; ``group``: with the group (an array (n,) where data are arrays); ``text``: with
            the text, two with a comma between for pairs; ``spans``: with the labelled parts of a text.
        updates, batch, trials: budget of every student in every arm: steps, rows of a step, settings it may try.
        factor: rows after / rows before, for arms that mint.
        model: codec, encoder or language model of the methods; "" for the default of each.
        budget: time after which no pair is begun, as "6h", "30m", or seconds.
        workers: processes; the result is the same for any number.
        device: torch device of the models.
        fresh: throw away an earlier result in ``out``.
        progress: receives stages and messages.
        keys: of :class:`~augmint.pipeline.lift_plan.LiftPlan`: ``pairs, metric, seed, judge, encoder, gates, size,
            space``.

    Raises:
        UsageError, DataError, ModelError: nothing was measured; the message says what to do.
        RunError: it stopped half-way; the same call resumes it.
    """
    watcher = progress or Progress()
    options = ReadOptions(label, group if isinstance(group, str) else "", text=text, spans=spans)
    found = _data(data, pool, options, group, watcher)
    arms = _arms(methods, found, factor, model)
    _check_pool(arms, found)
    values = {"arms": arms, "students": _words(student), "shots": _shots(shots, found), **keys}
    plan = _plan({**values, "budget": Budget(updates, batch, trials)}, found)
    plan.check_kind(found.rows_space, found.modality)
    run = _Run(plan, found, watcher, workers, device, seconds_of(budget))
    if out is None:
        with tempfile.TemporaryDirectory() as folder:
            return dataclasses.replace(run.carry_out(Manifest(Path(folder) / "lift"), fresh), out=None)
    if isinstance(data, str | Path):
        check_folder(Path(out), Inputs(Path(data), pool_path(pool) if pool else None))
    return run.carry_out(Manifest(Path(out)), fresh)


def seconds_of(budget: str | float) -> float:
    """Seconds of "6h", "30m", "90s" or a number; infinite for ""."""
    if budget == "":
        return float("inf")
    text = str(budget).strip().lower()
    unit = {"h": 3600.0, "m": 60.0, "s": 1.0}.get(text[-1:], 0.0)
    try:
        seconds = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UsageError(f"budget {budget!r}", expected="a time such as 6h, 30m or 90s", do="correct it", code="budget")
    return seconds


def _data(data: Any, pool: Any, options: ReadOptions, group: Any, progress: Progress) -> LiftData:
    on_disk = isinstance(data, str | Path)
    named = isinstance(group, str)
    fits = named or group is None if on_disk else not (named and group)
    if not fits:
        raise UsageError(
            f"group of type {type(group).__name__} with data of type {type(data).__name__}",
            expected="the name of a column for data on disk, an array (n,) for arrays",
            do="correct group=",
            code="group",
        )
    if on_disk or not (isinstance(data, tuple | list) and len(data) == 2):
        return read_data(as_path("data", data), options, pool_path(pool) if pool else None, progress)
    x, y = data
    return data_of_arrays(x, y, None if named else group, pool)


def _plan(values: Mapping[str, Any], data: LiftData) -> LiftPlan:
    known = {field.name for field in dataclasses.fields(LiftPlan)}
    odd = next((key for key in values if key not in known), "")
    if odd:
        raise UsageError(
            f"key {odd!r}", expected=f"one of: {', '.join(sorted(known))}", do="correct the name", code="unknown-key"
        )
    gates = values.get("gates", LiftPlan.gates)
    judge = MEDIA[data.modality].judge
    own = {"judge": judge, "encoder": judge, **values, "gates": tuple(name for name in gates if name != "none")}
    return LiftPlan(**{**own, "size": values.get("size") or data.size})


def _words(words: str | Sequence[str]) -> tuple[str, ...]:
    listed = words.split(",") if isinstance(words, str) else words
    return tuple(dict.fromkeys(word.strip() for word in listed if word.strip()))


def _shots(shots: str | int | Sequence[int], data: LiftData) -> tuple[int, ...]:
    if isinstance(shots, int | np.integer):
        return (int(shots),)
    if not shots:
        return (choose_shots(data.rows),)
    words = shots.split(",") if isinstance(shots, str) else [str(number) for number in shots]
    bad = next((word for word in words if word.strip() != "all" and not word.strip().isdecimal()), "")
    if bad:
        raise UsageError(f"shots {bad!r}", expected="numbers with commas, or all", do="correct --shots", code="shots")
    return tuple(ALL if word.strip() == "all" else int(word) for word in words)


def _arms(methods: Any, data: LiftData, factor: float, model: str) -> tuple[Arm, ...]:
    if not methods:
        return parse_arms(_usual(data), factor=factor, model=model, modality=data.modality)
    if not isinstance(methods, str) and all(isinstance(arm, Arm) for arm in methods):
        return (NONE, *(arm for arm in methods if arm != NONE))
    return parse_arms(methods, factor=factor, model=model, modality=data.modality)


def _usual(data: LiftData) -> list[str]:
    """Arms that are cheap, and those that suit the data."""
    counts = np.bincount(data.rows.labels, minlength=len(data.classes))
    uneven = ["class-weights", "oversampling"] if counts.max() > 1.5 * counts.min() else []
    own = ["noise", "interpolation"] if data.rows_space else list(MEDIA[data.modality].usual)
    return [*uneven, *own, *(["retrieval"] if data.pool is not None else [])]


def _check_pool(arms: Sequence[Arm], data: LiftData) -> None:
    needy = next((arm.name for arm in arms if arm.needs_pool), "")
    if needy and data.pool is None:
        raise UsageError(
            f"arm {needy!r} without a pool",
            expected="unlabelled samples of the same kind as the data",
            do="add --pool DIR (pool= in Python), or leave the arm out",
            code="no-pool",
        )


@dataclass
class _Run:
    """Carries a plan out in a folder."""

    plan: LiftPlan
    data: LiftData
    progress: Progress
    workers: int
    device: str
    seconds: float

    def carry_out(self, manifest: Manifest, fresh: bool) -> LiftResult:
        deadline = time.time() + self.seconds
        cells = {shots: make_pairs(self.data.rows, shots, self.plan.pairs, self.plan.seed) for shots in self.plan.shots}
        with opened(manifest, self.identity(), fresh, OURS):
            jobs = [job for shots, pairs in cells.items() for job in self._jobs(manifest, shots, pairs)]
            self._tell(cells, jobs)
            left = self._measure(manifest, jobs, deadline)
            return self._conclude(manifest, cells, left)

    def identity(self) -> dict[str, object]:
        """What a folder is the result of."""
        named = {self.plan.judge, self.plan.encoder, *(arm.model for arm in self.plan.arms)}
        weights = {} if self.data.rows_space else {name: get_card(name).weights.sha256 for name in sorted(named - {""})}
        facts = {"augmint": __version__, "data": self.data.digest, "classes": list(self.data.classes)}
        return {"command": "evaluate", **self.plan.as_dict(), **facts, "models": weights}

    def settings(self) -> dict[str, Any]:
        """What is not as it is where nothing is said, by its flag."""
        plan, data, judge = self.plan, self.data, MEDIA[self.data.modality].judge
        usual = {"seed": LiftPlan.seed, "space": LiftPlan.space, "size": data.size, "judge": judge, "encoder": judge}
        found: dict[str, Any] = {key: getattr(plan, key) for key, value in usual.items() if getattr(plan, key) != value}
        if plan.gates != LiftPlan.gates:
            found["gate"] = list(plan.gates) or ["none"]
        models = [
            arm.model for arm in plan.arms if arm.method and arm.model != default_model(arm.method, data.modality)
        ]
        return {**({"model": models[0]} if models else {}), **found, **data.columns}

    def _jobs(self, manifest: Manifest, shots: int, pairs: Pairs) -> Iterator[PairJob]:
        """Pairs that lack the result of a student."""
        for index, pair in enumerate(pairs.pairs):
            lacking = [s for s in self.plan.students if not pair_path(manifest, s, shots, index).exists()]
            if lacking:
                shared = pairs.scheme == "shared test"
                own = stripe(self.data.rows, pair.test, index, len(pairs.pairs)) if shared else None
                yield PairJob(shots, index, pair, own, tuple(lacking))

    def _measure(self, manifest: Manifest, jobs: Sequence[PairJob], deadline: float) -> int:
        """Do the jobs; returns how many the time did not allow."""
        make = MakeMeasurer(manifest, self.plan, self.data, self.device, deadline)
        self.progress.stage("pairs", len(jobs), "pairs")
        begin, done, left = time.monotonic(), 0, 0
        for job, finished in Local(self.workers, threads=1).map(make, jobs):
            done, left = done + finished, left + (not finished)
            if finished:
                self.progress.advance(1)
                manifest.event("pair", shots=job.shots, pair=job.index, students=list(job.students))
            if finished and done == 1 and len(jobs) > 1:
                passed = time.monotonic() - begin
                rest = passed * (len(jobs) - 1) / max(1, self.workers)
                self.progress.say(f"the first pair took {passed:.1f} s; about {rest:.0f} s to go")
        return left

    def _tell(self, cells: Mapping[int, Pairs], jobs: Sequence[PairJob]) -> None:
        for warning in self.data.warnings:
            self.progress.say(f"warning: {warning}")
        for shots, pairs in cells.items():
            first = pairs.pairs[0]
            named = f"{shots_name(shots)} shots" if shots else "all samples"
            self.progress.say(
                f"{named}: {len(pairs.pairs)} pairs ({pairs.scheme}), "
                f"{len(first.train)} to train on and {len(first.test)} to test on in each"
            )
            if pairs.scheme == "shared test" and len(np.unique(self.data.rows.units[first.test])) == 1:
                self.progress.say("warning: the test part is one group, which tells nothing of others: no intervals")
            self._tell_few(shots, np.bincount(self.data.rows.labels[first.train], minlength=len(self.data.classes)))
        fits = sum(len(job.students) for job in jobs) * len(self.plan.arms)
        budget = self.plan.budget
        self.progress.say(
            f"{fits} trainings to do, {budget.updates} updates of {budget.batch} rows and {budget.trials} "
            f"setting{'s' if budget.trials > 1 else ''} tried in each"
        )

    def _tell_few(self, shots: int, trained: I64) -> None:
        """That some classes have fewer rows than were asked for."""
        few = trained[(trained > 0) & (trained < shots)]
        if len(few):
            have = f"{few.min()}" if few.min() == few.max() else f"{few.min()} to {few.max()}"
            self.progress.say(
                f"warning: {len(few)} of {len(trained)} classes have too few samples for {shots} shots, and train on "
                f"{have} (two thirds of what they have, at most)"
            )

    def _conclude(self, manifest: Manifest, cells: Mapping[int, Pairs], left: int) -> LiftResult:
        names, plan = [arm.name for arm in self.plan.arms], self.plan
        found = [
            read_cell(manifest, self.data, student, shots, pairs)
            for student in plan.students
            for shots, pairs in cells.items()
        ]
        facts: dict[str, Any] = {
            "version": 1,
            "data": self.data.name,
            "metric": plan.metric,
            "students": list(plan.students),
            "shots": [shots_name(shots) for shots in plan.shots],
            "arms": plan.as_dict()["arms"],
            "budget": dataclasses.asdict(plan.budget),
            "settings": self.settings(),
            "pool": self.data.pool is not None,
            "cells": [cell_facts(cell, names) for cell in found],
            "transfer": transfers(found, names, plan.metric),
            "machine": machine_facts(),
        }
        manifest.write(manifest.out / "lift.json", (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())
        lifts = [lifts_of(cell, names, plan.metric) if cell.done else {} for cell in found]
        said = tuple(conclusion(cell, own, plan.metric) for cell, own in zip(found, lifts, strict=True))
        problems = (f"the time was up before {left} pairs; the same command does them",) if left else ()
        return LiftResult(manifest.out, facts, said, problems)
