"""The main job: a data set in, a bigger labelled data set out, through a fixed graph of units.

    scan -> encode units -> fit -> draw units -> set-gate barrier -> refill rounds ... -> assemble

Every arrow ends in a receipt; running the same command again does what has none.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from augmint.core.errors import DataError
from augmint.core.types import Latents
from augmint.engine import Local, intra_op_threads
from augmint.formats import detect
from augmint.pipeline.anchors import AnchorOrder
from augmint.pipeline.assemble import assemble
from augmint.pipeline.assembly import Assembly
from augmint.pipeline.auto import QUICK, settle
from augmint.pipeline.barrier import Barrier, Chooser
from augmint.pipeline.config import plan_from
from augmint.pipeline.counts import children_per_class
from augmint.pipeline.encode_units import Encoding, UsableRows
from augmint.pipeline.films import make_films
from augmint.pipeline.fitting import as_latents, fit_all, gather, load_set_gates, told_by_fit
from augmint.pipeline.guard import Guard
from augmint.pipeline.jobs import Jobs
from augmint.pipeline.machine import machine_facts
from augmint.pipeline.manifest import Manifest, Rows
from augmint.pipeline.neutral import pool_path
from augmint.pipeline.picking import MakePicker, PickOrder
from augmint.pipeline.plan import AUTO, Plan
from augmint.pipeline.progress import Progress
from augmint.pipeline.quality import write_scores
from augmint.pipeline.reporting import write_report
from augmint.pipeline.row_file import ROWS, draw_rows, write_rows
from augmint.pipeline.second import encoded_rows, second_latents
from augmint.pipeline.setup import Setup, prepare
from augmint.pipeline.shortfall import problems_of
from augmint.pipeline.sources import Inputs, as_path
from augmint.pipeline.sums import format_sums
from augmint.pipeline.tuning import Tuning
from augmint.pipeline.workers import MakeDrawer, MakeEncoder, OnDisk


@dataclass(frozen=True)
class Execution:
    """Where and how a run goes; nothing here changes what it makes.

    Attributes:
        workers: processes.
        device: "cpu", or a torch device.
        max_skipped: share of unusable inputs above which the run ends with exit code 1.
        fresh: throw away an earlier run in the output folder.
    """

    workers: int = 1
    device: str = "cpu"
    max_skipped: float = 0.05
    fresh: bool = False


@dataclass(frozen=True)
class Result:
    """What a run did.

    Attributes:
        out: the output folder.
        before: usable real rows of each class; ``asked`` and ``made``: new rows.
        rejected: number of rejected draws of each class, by gate.
        exhausted: children of each class that the pool had no row for.
        skipped: (id, reason) of inputs that could not be used, out of ``total``.
        fallbacks: number of children by note, where a method did something else than its name says.
        leak_check: "none", or counts: children compared with how many held-out pictures, and how many were dropped.
        exit_code: 0, or 1 when fewer were made than asked or too many inputs were skipped.
        problems: one line for each reason of exit code 1.
        modality: of the samples.
        abstained: nothing was made because tuning found nothing that should be added.
        tuned: why tuning decided as it did; "" where a method was named.
    """

    out: Path
    before: dict[str, int]
    asked: dict[str, int]
    made: dict[str, int]
    rejected: dict[str, dict[str, int]]
    exhausted: dict[str, int]
    skipped: tuple[tuple[str, str], ...]
    total: int
    fallbacks: dict[str, int]
    leak_check: dict[str, float] | str = "none"
    problems: tuple[str, ...] = ()
    modality: str = "image"
    abstained: bool = False
    tuned: str = ""

    @property
    def exit_code(self) -> int:
        """0 or 1."""
        return 1 if self.problems else 0


def augment(
    data: str | Path,
    out: str | Path,
    *,
    pool: str | Path | None = None,
    base: str | Path | None = None,
    heldout: str | Path | None = None,
    config: str | Path | None = None,
    workers: int = 1,
    device: str = "cpu",
    max_skipped: float = 0.05,
    fresh: bool = False,
    tuning: Tuning = QUICK,
    progress: Progress | None = None,
    **values: Any,
) -> Result:
    """Make a bigger data set.

    Args:
        data: pictures: a folder of class folders, a folder with ``metadata.csv`` or ``metadata.jsonl``, or an ``.npz``;
            texts: a ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet``, or a folder of these.
        out: the folder to write; the same call resumes it, another plan in it is refused.
        pool: unlabelled samples of the same kind, for methods that pick from them (``retrieval``).
        heldout: samples that no child may be a near copy of, beside the data's own val and test (``docs/leaks.md``).
        base: another labelled data set, for methods that borrow statistics; nothing of it is written. Without one
            ``calibration`` borrows from the classes the model was pretrained on; others borrow from the other classes
            and do so only where fewer than two of these have five samples.
        config: a YAML file with keys of :class:`~augmint.pipeline.plan.Plan`; ``values`` win over it.
        workers: processes; the result is the same bytes for any number. From a script, more than one needs the
            usual ``if __name__ == "__main__":`` guard.
        device: torch device of the models.
        max_skipped: share of unusable inputs above which the result has exit code 1.
        fresh: throw away an earlier run in ``out``.
        tuning: how ``method="auto"`` searches.
        progress: receives stages and messages.
        values: keys of the plan: ``model, method, method_options, factor, strategy, seed, gates, label_by, ...``.

    Returns:
        Counts of what was asked, made, rejected and skipped.

    Raises:
        UsageError, DataError, ModelError: nothing was made; the message says what to do.
        RunError: the run stopped half-way; the same call resumes it.
    """
    data, out = as_path("data", data), as_path("out", out)
    plan = plan_from(Path(config) if config else None, values, modality=detect(data).modality)
    execution = Execution(workers, device, max_skipped, fresh)
    second = (Path(path) if path else None for path in (pool and pool_path(pool), base, heldout))
    inputs = Inputs(data, *second)
    return run(plan, inputs, out, execution, progress or Progress(), tuning)


def run(
    plan: Plan, inputs: Inputs, out: Path, execution: Execution, progress: Progress, tuning: Tuning = QUICK
) -> Result:
    """Carry out a plan in a folder; see :func:`augment`. Where its method is auto, ``tuning`` settles it first."""
    manifest, tuned = Manifest(out), ""
    started = time.time()
    if plan.method == AUTO:
        found = settle(plan, inputs, out, tuning, execution.device, execution.fresh, progress)
        plan, tuned, execution = found.plan, found.reason, replace(execution, fresh=False)
    with prepare(plan, inputs, manifest, execution.fresh, execution.device, progress) as setup:
        manifest.event("start", workers=execution.workers, device=execution.device)
        job = _Run(setup, Local(execution.workers, setup.plan.threads), progress)
        with intra_op_threads(setup.plan.threads):
            done = job.write_rows(execution) if plan.decode == "rows" else job.carry_out(execution)
            result = replace(done, abstained=plan.abstained, tuned=tuned)
        write_run_facts(setup, execution, started, result)
        if plan.decode != "rows":
            write_report(manifest)
        manifest.event("done", made=sum(result.made.values()))
    return result


def write_run_facts(setup: Setup, execution: Execution, started: float, result: Result) -> None:
    """run.json: where, when and with what; the only file whose bytes differ between two runs of one plan."""
    manifest = setup.room.manifest
    facts = {
        "data": str(setup.data.resolve()),
        **{name: str(source.path.resolve()) for name, source in setup.sources.items()},
        **({"heldout": str(setup.heldout.path.resolve())} if setup.heldout else {}),
        **machine_facts(),
        "workers": execution.workers,
        "device": execution.device,
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 3),
        "leak_check": result.leak_check,
        "judge": ("shared" if setup.judge_is_shared else "independent") if setup.judge else "none",
        "abstained": result.abstained,
        "tuned": result.tuned,
        "problems": list(result.problems),
    }
    manifest.write(manifest.out / "run.json", (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())
    manifest.write(manifest.home / "run.sha256", format_sums(manifest.out, [Path("run.json")]).encode())


@dataclass
class _Run:
    """The corridor: calls each room in turn."""

    setup: Setup
    engine: Local
    progress: Progress
    skipped: Rows = field(default_factory=list)
    exhausted: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.guard = Guard(self.setup, self.progress, self.work)
        self.data = Encoding.of(self.setup, "data")

    @property
    def manifest(self) -> Manifest:
        return self.setup.room.manifest

    @property
    def plan(self) -> Plan:
        return self.setup.plan

    def carry_out(self, execution: Execution) -> Result:
        real = self.encode()
        counts = np.bincount(real.labels(self.setup.classes), minlength=len(self.setup.classes)).tolist()
        before = dict(zip(self.setup.classes, counts, strict=True))
        asked = children_per_class(before, self.plan.factor, self.plan.strategy)
        self.tell_classes(before)
        barrier, quality = Barrier(self.manifest, Chooser(self.setup.classes, {})), None
        if sum(asked.values()):
            for source in self.setup.sources:
                self.encode_second(source)
            self.fit(real, before)
            barrier = self.draw(real, asked)
            if self.setup.held_out and self.setup.judge:
                self.encode_units(Encoding.of(self.setup, "held-out"))
            if self.setup.judge:
                quality = write_scores(self.manifest, shared=self.setup.judge_is_shared)
        skipped = (*self.skipped, *self.guard.skipped)
        assembly = Assembly(
            self.setup, real, skipped, before, asked, barrier, quality, self.exhausted, self.guard.counts
        )
        make_films(assembly)
        return summarise(assemble(assembly, self.progress), execution)

    def write_rows(self, execution: Execution) -> Result:
        """Rows as the product: nothing is decoded, gated, guarded or reported."""
        total = len(self.encode())
        for source in self.setup.sources:
            self.encode_second(source)
        drawn = draw_rows(self.setup, self.progress)
        write_rows(self.setup, drawn, self.skipped)
        self.progress.say(f"{self.manifest.out / ROWS}: rows of {self.setup.space}, no {self.setup.medium.noun}")
        skipped = tuple((row["id"], row["skipped"]) for row in self.skipped if "source" not in row)
        total += len(skipped)
        exhausted = {name: count - drawn.made[name] for name, count in drawn.asked.items() if drawn.made[name] < count}
        problems = problems_of(drawn.asked, drawn.made, {}, exhausted, (len(skipped), total), execution.max_skipped)
        return Result(self.manifest.out, drawn.before, drawn.asked, drawn.made, {}, exhausted, skipped, total,
                      drawn.notes, problems=problems, modality=self.setup.medium.name)  # fmt: skip

    def encode(self) -> UsableRows:
        """The usable rows of the data, encoded; the others are among the ``skipped``."""
        self.encode_units(self.data)
        real, self.skipped = UsableRows.read(self.manifest, self.data)
        self.skipped += self.setup.listing.unlisted
        if not real:
            raise DataError(
                f"{self.setup.data}: no usable sample, {len(self.skipped)} unusable",
                expected="at least one",
                do=f"first reason: {self.skipped[0]['skipped']}" if self.skipped else "add samples",
                code="no-samples",
            )
        return real

    def encode_units(self, encoding: Encoding) -> None:
        """Finish the units of a source."""
        stage = "encode" if encoding.source == "data" else encoding.source
        self.work(stage, MakeEncoder(self.setup.room), encoding.jobs)

    def encode_second(self, source: str) -> None:
        """Encode a pool or a base; what cannot be used of it is listed with the rest, under its source."""
        encoding = Encoding.of(self.setup, source)
        self.encode_units(encoding)
        _, bad = UsableRows.read(self.manifest, encoding)
        bad += self.setup.sources[source].listing.unlisted
        self.skipped += [{**row, "source": source} for row in bad]
        if bad:
            self.progress.say(f"warning: {source}: {len(bad)} samples cannot be used; see skipped.jsonl")

    def fit(self, rows: UsableRows, counts: dict[str, int]) -> None:
        if self.manifest.finished("fit"):
            return
        done = 0.0

        def report(share: float) -> None:
            nonlocal done
            self.progress.advance(share - done)
            done = share

        setup = self.setup
        real = None if self.plan.rewrites else self.latents("z", setup.space)
        judged = self.latents("judge", setup.judge_space) if setup.judge else None
        samples = OnDisk(setup.room.open_format(), rows)
        second = second_latents(self.manifest, setup, counts, self.progress)
        self.progress.stage("fit", 1.0, "share")
        lms = setup.room.load_lm(), setup.room.load_gate_lms()
        arrays = fit_all(self.plan, real, judged, samples, report, second, *lms)
        for line in told_by_fit(self.plan, arrays):
            self.progress.say(line)
        header = {"classes": list(setup.classes), "space": setup.space, "judge": setup.judge_space}
        self.manifest.commit("fit", arrays, [header])
        report(1.0)

    def latents(self, array: str, space: str) -> Latents:
        z, rows = gather(self.manifest, self.data.jobs.units, array)
        return as_latents(z, rows, self.setup.classes, space)

    def draw(self, real: UsableRows, asked: dict[str, int]) -> Barrier:
        """Draw units and barriers, round by round, until nothing is short or the rounds are used up."""
        arrays = self.manifest.load("fit").arrays()
        barrier = Barrier(self.manifest, Chooser(self.setup.classes, load_set_gates(self.plan, arrays)))
        order = AnchorOrder.of(self.plan.seed, self.setup.classes, real)
        picks = self.picks(order) if "pool" in self.setup.sources else None
        # A place that is picked for has one try a round.
        rounds = self.plan.max_rounds * (self.plan.max_tries if picks else 1)
        need, drawn = dict(asked), dict.fromkeys(asked, 0)
        for round_ in range(rounds):
            places = (self.plan.unit_size, round_, need, drawn)
            jobs = picks.jobs(*places) if picks else order.jobs(*places)
            given: Counter[str] = Counter()
            for name, size in zip(jobs.labels, jobs.sizes, strict=True):
                given[name] += size
            self.exhausted = {name: count - given[name] for name, count in need.items() if given[name] < count}
            if not len(jobs):
                break
            maker = MakePicker(self.setup.room) if picks else MakeDrawer(self.setup.room)
            self.work("mint" if not round_ else f"refill {round_}", maker, jobs)
            barrier.close(round_, jobs, self.guard.check(jobs))
            drawn = {name: drawn[name] + need[name] for name in need}
            need = {name: asked[name] - barrier.made(name) for name in asked}
        return barrier

    def picks(self, order: AnchorOrder) -> PickOrder:
        """The order of a method that picks; the method and the rows are loaded when they are needed."""
        pool = encoded_rows(self.manifest, self.setup, "pool")
        return PickOrder(self.setup.room, order, pool)

    def work(self, stage: str, maker: Any, jobs: Jobs[Any]) -> None:
        """Run units on the engine; those that were done before count as done at once."""
        self.progress.stage(stage, sum(jobs.sizes), "samples")
        todo, sizes = jobs.unfinished(self.manifest), dict(zip(jobs.units, jobs.sizes, strict=True))
        self.progress.advance(sum(jobs.sizes) - sum(jobs.sizes[i] for i in todo.at or ()))
        for unit, _ in self.engine.map(maker, todo):
            self.progress.advance(sizes[unit])

    def tell_classes(self, before: dict[str, int]) -> None:
        for name, count in before.items():
            if not count:
                self.progress.say(f"warning: class {name!r} has no usable sample; it is kept in the class order")


def summarise(assembly: Assembly, execution: Execution) -> Result:
    """Counts of a finished run, and what is wrong with it."""
    made = {name: assembly.barrier.made(name) for name in assembly.asked}
    rejected = assembly.barrier.rejected()
    skipped = [row for row in assembly.skipped if "source" not in row]
    unusable = {row["id"] for row in skipped}
    heldout = assembly.setup.apart
    again = sum(entry.id in unusable for entry in heldout) if unusable else 0
    total = len(assembly.real) + len(unusable) + len(heldout) - again
    counted = (len(skipped), total)
    problems = problems_of(assembly.asked, made, rejected, assembly.exhausted, counted, execution.max_skipped)
    return Result(
        out=assembly.setup.room.manifest.out,
        before=assembly.before,
        asked=assembly.asked,
        made=made,
        rejected=rejected,
        exhausted=dict(assembly.exhausted),
        skipped=tuple((row["id"], row["skipped"]) for row in skipped),
        total=total,
        fallbacks=assembly.barrier.notes(),
        leak_check=dict(assembly.leaks) or "none",
        problems=problems,
        modality=assembly.setup.medium.name,
    )
