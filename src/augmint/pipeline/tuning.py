"""Search for what to mint, prove it, and ship it or abstain.

    training rows -> rows of the choice: trials, by Optuna -> the best
                  -> the other rows: with and without its rows -> the rule; a random candidate and an equal mixture

Only training rows come in; the data set's own test and validation parts are not looked at. Every prediction is kept in
the state folder, so the same command goes on where it stopped. A best candidate that changes when a search goes on is
a second look at the rows of the proof, and each look makes the level stricter.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from augmint.core.errors import AugmintError, UsageError
from augmint.core.seeds import stream
from augmint.core.types import I64, Budget, ReadOptions, TrainingSet
from augmint.core.version import __version__
from augmint.evaluation.decision import gains
from augmint.models import get_card
from augmint.pipeline.arms import NONE, Arm
from augmint.pipeline.config import read_config
from augmint.pipeline.lift_data import LiftData, read_data
from augmint.pipeline.lift_file import read_object
from augmint.pipeline.lift_plan import LiftPlan
from augmint.pipeline.machine import machine_facts
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.minting import Children, Fold
from augmint.pipeline.modality import MEDIA, default_model
from augmint.pipeline.output import opened
from augmint.pipeline.plan import Plan, make_plan
from augmint.pipeline.progress import Progress
from augmint.pipeline.search import Trial, ranked, search
from augmint.pipeline.search_space import Dice, SearchSpace
from augmint.pipeline.splits import deal, share_of
from augmint.pipeline.tune import Scheme, prove
from augmint.pipeline.validation import TimeUp, Validator, provable, too_few
from augmint.pipeline.workshop import Workshop

OURS = ("tune.json", "config.yaml", ".augmint")
"""Names at the top of the folder of a search."""

RANDOM, MIXTURE = Arm("random candidate"), Arm("equal mixture")
"""Controls: another candidate of the space in every fold, and all methods as they are, in equal parts."""


@dataclass(frozen=True)
class Tuning:
    """How a search goes.

    Attributes:
        trials: most candidates.
        seconds: of the whole; half of it at most goes into the trials. Infinite for no limit.
        student: who is to get better: "scratch" or "probe".
        margin: loss of hit rate that would be tolerable, as a share.
        methods: to search; () for those that fit in no time and suit the data.
        models: to search; () for the default of each method.
        budget: of every training of the student.
        most_rows: training rows that are searched with, about; of more, a part with every class in it.
        scheme: folds and repeats.
        controls: whether a random candidate and an equal mixture are measured beside the best.
    """

    trials: int = 30
    seconds: float = math.inf
    student: str = "scratch"
    margin: float = 0.01
    methods: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    budget: Budget = field(default_factory=Budget)
    most_rows: int = 2000
    scheme: Scheme = field(default_factory=lambda: Scheme(folds=4, repeats=3))
    controls: bool = True

    def __post_init__(self) -> None:
        low = {"trials": self.trials, "updates": self.budget.updates, "batch": self.budget.batch}
        for name, number in low.items():
            if number < 1:
                raise UsageError(f"{name} = {number}", expected="1 or more", do=f"change {name}", code="range")
        if not 0.0 <= self.margin <= 1.0:
            raise UsageError(
                f"margin = {self.margin:g}",
                expected="a share, such as 0.01 for one point",
                do="change the margin",
                code="range",
            )

    def as_dict(self) -> dict[str, Any]:
        """What changes a search's results; how long it may go on does not."""
        values = asdict(self)
        return {key: value for key, value in values.items() if key not in ("trials", "seconds", "controls")}


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes:
        plan: of the run that should follow; its ``abstained`` is true where nothing should be added.
        reason: one sentence.
        facts: the content of tune.json.
    """

    plan: Plan
    reason: str
    facts: dict[str, Any]


def is_finished(out: Path) -> bool | None:
    """Whether the search in a folder came to its end, or the time cut it; None where there is none."""
    path = out / "tune.json"
    return bool(read_object(path).get("finished", True)) if path.exists() else None


def tune(
    plan: Plan,
    data: Path,
    out: Path,
    tuning: Tuning,
    *,
    pool: Path | None = None,
    device: str = "cpu",
    fresh: bool = False,
    settled: bool = False,
    progress: Progress | None = None,
) -> Tuned:
    """Search, prove, and write ``tune.json`` and ``config.yaml``.

    Args:
        plan: keys that are not searched: label, group, seed, judge, strategy, ...
        data: a labelled data set; its training part is used.
        out: folder to write; the same call goes on in it.
        tuning: how the search goes.
        pool: unlabelled samples of the same kind.
        device: of the models.
        fresh: throw away an earlier search in ``out``.
        settled: take what the search in ``out`` ended with (`is_finished`), instead of going on with it.
        progress: receives stages and messages.

    Raises:
        UsageError, DataError, ModelError: nothing was searched; the message says what to do.
    """
    watcher = progress or Progress()
    begin = time.time()
    found = read_data(
        data, ReadOptions(plan.label, plan.group, text=plan.text, spans=plan.spans), pool, watcher, measured=False
    )
    for warning in found.warnings:
        watcher.say(f"warning: {warning}")
    job = _Job(plan, found, tuning, Manifest(out), device, watcher, begin)
    with opened(job.manifest, job.identity(), fresh, OURS):
        if settled:
            facts = read_object(out / "tune.json")
            if tuning.trials > facts["tuning"]["trials"]:
                watcher.say(f"{facts['tuning']['trials']} trials settled it before; fresh (--fresh) searches again")
            return Tuned(make_plan(read_config(out / "config.yaml")[0]), facts["reason"], facts)
        return job.carry_out()


@dataclass
class _Job:
    """One search in its folder."""

    plan: Plan
    data: LiftData
    tuning: Tuning
    manifest: Manifest
    device: str
    progress: Progress
    begin: float
    finished: bool = True

    def __post_init__(self) -> None:
        tuning, data = self.tuning, self.data
        self.fold = self._training_rows()
        self.space = SearchSpace.of(
            tuning.methods,
            modality="" if data.rows_space else data.modality,
            pool=len(self.fold.pool),
            models=tuning.models or self._named(),
            strategy=str(self.plan.strategy or ""),
            real=len(self.fold.real),
            classes=len(data.classes),
            gates=self.plan.gates,
        )
        lift = LiftPlan(
            students=(tuning.student,),
            seed=self.plan.seed,
            judge=self.plan.judge,
            encoder=MEDIA[data.modality].judge,
            gates=self.plan.gates,
            size=self.plan.size or data.size,
        )
        lift.check_kind(data.rows_space, data.modality)
        keys = {"strategy": self.plan.strategy, "label_by": self.plan.label_by, "gate_options": self.plan.gate_options}
        self.shop = Workshop(lift, data.rows_space, self.device, keys)
        self.bench = Validator(
            self.fold,
            lambda: self.shop.student(tuning.student),
            tuning.budget,
            self.mint,
            self.plan.seed,
            deadline=self.begin + tuning.seconds,
            kept=self.manifest,
        )

    def _named(self) -> tuple[str, ...]:
        """The plan's model where it is none of the defaults: then the user named it."""
        usual = {"", *MEDIA[self.data.modality].models.values()}
        return () if self.plan.model in usual else (self.plan.model,)

    def _training_rows(self) -> Fold:
        """The training part, or as many rows of it as are searched with, classes in their shares."""
        rows, most = self.data.rows, self.tuning.most_rows
        at = np.flatnonzero(~rows.test)
        if len(at) > most:
            at = share_of(rows, at, most, stream(self.plan.seed, "rows of the search"))
            self.progress.say(f"searching with {len(at)} of {int((~rows.test).sum())} training samples")
        pool = self.data.pool
        return Fold(self.data.shelf.take(at), self.data.classes, () if pool is None else pool.take(range(len(pool))))

    def mint(self, arm: Arm, fold: Fold, rng: np.random.Generator) -> TrainingSet:
        """What a student learns from; the controls are made up here."""
        if arm == RANDOM:
            arm = self.space.suggest(Dice(rng))
        seed = int(rng.integers(2**53))
        parts = [self.shop.children(part, fold, seed) for part in (self.space.mixture() if arm == MIXTURE else (arm,))]
        children = Children(
            tuple(sample for part in parts for sample in part.samples),
            np.concatenate([part.y for part in parts]),
            tuple(parent for part in parts for parent in part.parents),
        )
        return self.shop.training_set(arm, fold, children, seed)

    def identity(self) -> dict[str, object]:
        """What the folder is the result of."""
        usual = {default_model(name, self.data.modality) for name in self.space.methods}
        models = {self.plan.judge, *(self.space.models or usual)} - {""}
        weights = {name: get_card(name).weights.sha256 for name in sorted(models)}
        facts = {"augmint": __version__, "data": self.data.digest, "classes": list(self.data.classes)}
        searched = {"method", "method_options", "then", "then_options", "model", "factor", "abstained"}
        kept = {key: value for key, value in self.plan.as_dict().items() if key not in searched}
        return {"command": "tune", **kept, **self.tuning.as_dict(), **asdict(self.space), **facts, "models": weights}

    def carry_out(self) -> Tuned:
        """Trials, the proof, the controls, and the files."""
        at = provable(self.bench.rows)
        trials: list[Trial] = []
        proof: dict[str, Any] = {}
        best, why = None, too_few(self.bench.rows, at)
        if not why:
            fold = deal(self.bench.rows, at, self.tuning.scheme.folds, np.random.default_rng(self.bench.seed))
            trials = self.search(at[fold == 0])
            best, why, proof = self.proved(trials, at[fold != 0])
        return self.written(best, why, trials, proof)

    def search(self, out: I64) -> list[Trial]:
        """The trials, told as they come."""
        self.progress.stage("trials", self.tuning.trials, "trials")
        until = self.begin + self.tuning.seconds / 2
        trials = []
        for trial in search(self.bench, self.space, out, self.tuning.trials, until):
            trials.append(trial)
            self.progress.advance(1)
        return trials

    def proved(self, trials: Sequence[Trial], at: I64) -> tuple[Arm | None, str, dict[str, Any]]:
        """What ships, why, and the proof."""
        good = ranked(list(trials))
        if not good:
            self.finished = bool(trials)
            return None, trials[0].failed if trials else "the time was up before the first trial was done", {}
        arm, scheme = good[0].arm, self.tuning.scheme
        looks = self.looks(arm)
        self.progress.say(f"best of {len(trials)} trials: {arm.name}; proving it on the {len(at)} other rows")
        try:
            verdict = prove(self.bench, arm, NONE, at, scheme.folds - 1, scheme, self.tuning.margin, looks=looks)
        except TimeUp:
            self.finished = False
            return None, f"the time was up before {arm.name} was proved", {}
        except AugmintError as error:
            return None, f"{arm.name} could not be made for the proof: {error.got}", {}
        proof = {"name": arm.name, "looks": looks, **asdict(verdict), "controls": self.controls(arm, at)}
        return (arm if verdict.ship else None), f"{arm.name}: {verdict.reason}", proof

    def looks(self, arm: Arm) -> int:
        """How many candidates the rows of the proof have been asked about, this one among them."""
        path = self.manifest.home / "looks.json"
        names = json.loads(path.read_bytes()) if path.exists() else []
        names = [*names, *([arm.name] if arm.name not in names else [])]
        self.manifest.write(path, json.dumps(names).encode())
        return names.index(arm.name) + 1

    def controls(self, best: Arm, at: I64) -> list[dict[str, Any]]:
        """Gains of the best and of the controls over no minted rows, one repeat on the rows of the proof."""
        found, folds = list[dict[str, Any]](), self.tuning.scheme.folds - 1
        labels, units = self.bench.rows.labels[at], self.bench.rows.units[at]
        if not self.tuning.controls:
            return found
        with contextlib.suppress(TimeUp):
            without = self.bench.out_of_fold(NONE, at, folds, 0)
            for arm in (best, RANDOM, MIXTURE):
                with self.forgiven(arm):
                    minted = self.bench.out_of_fold(arm, at, folds, 0)
                    hits, information = gains(without, minted, labels, units)
                    found.append({"name": arm.name, "hits": asdict(hits), "information": asdict(information)})
        return found

    @contextlib.contextmanager
    def forgiven(self, control: Arm) -> Iterator[None]:
        """What ships does not hang on a control: one that cannot be made is told, and left out."""
        try:
            yield
        except AugmintError as error:
            self.progress.say(f"{control.name}, a control, could not be made: {error.got}")

    def written(self, best: Arm | None, why: str, trials: Sequence[Trial], proof: Mapping[str, Any]) -> Tuned:
        """The files, and what they say."""
        plan = plan_of(best, self.plan, MEDIA[self.data.modality].method)
        facts = {
            "version": 1,
            "data": self.data.name,
            "abstained": best is None,
            "reason": why,
            "finished": self.finished,
            "tuning": {**self.tuning.as_dict(), "trials": self.tuning.trials},
            "rows": len(self.fold.real),
            "trials": [trial.as_dict() for trial in trials],
            "proof": dict(proof),
            "trained": self.bench.fits,
            "seconds": round(time.time() - self.begin, 1),
            "machine": machine_facts(),
        }
        text = json.dumps(_plain(facts), indent=1, ensure_ascii=False) + "\n"
        config = yaml.safe_dump(plan.as_dict(), sort_keys=False, allow_unicode=True)
        self.manifest.write(self.manifest.out / "config.yaml", config.encode())
        self.manifest.write(self.manifest.out / "tune.json", text.encode())
        return Tuned(plan, why, json.loads(text))


def plan_of(arm: Arm | None, base: Plan, usual: str) -> Plan:
    """The plan of the run that follows: the candidate's, or one that makes nothing and names the ``usual`` method."""
    if arm is None:
        return dataclasses.replace(base, method=usual, factor=1.0, strategy="", abstained=True)
    return dataclasses.replace(
        base,
        model=arm.model,
        method=arm.method,
        method_options=dict(arm.options),
        then=arm.then,
        gates=base.gates if arm.gates is None else arm.gates,
        factor=base.factor if base.strategy else arm.factor,
    )


def _plain(value: Any) -> Any:
    """JSON has no word for what is not a number."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
