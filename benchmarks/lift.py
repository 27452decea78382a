"""Does it help? The big table: data sets x shots x students x arms, ours and the peers', wins and nulls.

CIFAR-10, blood cells and digits at 5, 10 and 50 rows a class, Omniglot at 1, 5 and 10 (`lift_cells.py` says how rows
are dealt), students trained with the same number of updates and trials in every arm (`lift_arms.py`), and what may be
said of it (`lift_stats.py`). What is done is kept in $AUGMINT_DRAWS, one file for each cell and pair, and not done
again; pair 0 of all cells comes first, so that the table is even wherever it is stopped.

    python benchmarks/lift.py plan      # what it costs, by what was measured so far
    python benchmarks/lift.py run       # all that is missing; --students, --pairs, --lines, --workers
    python benchmarks/lift_table.py     # benchmarks/results/lift.json and docs/lift_table.md
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from augmint.core import registry
from augmint.core.protocols import Student
from augmint.core.types import F32, I64, Budget, TrainingSet
from augmint.evaluation.metrics import class_recall, scores
from augmint.models import load_network
from augmint.pipeline.arms import Arm
from augmint.pipeline.minting import Fold
from augmint.pipeline.tune import Scheme, choose
from augmint.students import TABLE
from frozen import SQUEEZENET
from lift_arms import PROBE_MODEL, Bench, Line, lines
from lift_cells import PAIRS, SHOTS, TRANSFER, task

DRAWS = Path(os.environ.get("AUGMINT_DRAWS", "/tmp/augmint-lift"))
BUDGETS = {
    "probe": Budget(trials=3),
    "scratch": Budget(updates=100, batch=32),
    "finetune": Budget(updates=50, batch=16),
}
SCHEMES = {
    "probe": Scheme(folds=3, repeats=1),
    "scratch": Scheme(folds=3, repeats=1),
    "finetune": Scheme(folds=4, repeats=3),
}
"""What ``auto`` may spend: 1 + m + 4 trainings for m candidates, or what ``run --method auto`` does."""

FINE_PX = 64
"""Working size of the network that is trained further."""

LONG = 1000
"""Updates of the scratch student where the transfer fraction is measured: a pool is more than 100 can read."""


@dataclass(frozen=True)
class Cell:
    """A part of the table; what is done of it lies below ``home``."""

    student: str
    data: str
    shots: int
    home: Path = DRAWS

    @property
    def name(self) -> str:
        """``scratch-cifar10-05``."""
        return f"{self.student}-{self.data}-{self.shots:02d}"

    def path(self, pair: int) -> Path:
        """Where a pair is kept."""
        return self.home / self.name / f"{pair:02d}.json"


def cells(students: Sequence[str]) -> list[Cell]:
    """All cells of these students."""
    known = [student for student in students if student in BUDGETS]
    return [Cell(student, data, n) for data, shots in SHOTS.items() for n in shots for student in known]


def transfer_cells() -> list[Cell]:
    """The two ends of the transfer fraction: probe and scratch student."""
    return [Cell("probe", *TRANSFER), Cell("scratch", *TRANSFER)]


def budget(cell: Cell) -> Budget:
    """What every arm of a cell may spend."""
    long = cell.student == "scratch" and (cell.data, cell.shots) == TRANSFER
    return replace(BUDGETS[cell.student], updates=LONG) if long else BUDGETS[cell.student]


def stored(cell: Cell, pair: int) -> dict[str, Any]:
    """What is there of a pair; no arms where nothing is."""
    path = cell.path(pair)
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"arms": {}}
    return found


def keep(cell: Cell, pair: int, facts: Mapping[str, Any]) -> None:
    """Write a pair, at once or not at all."""
    path = cell.path(pair)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(facts))
    draft.replace(path)


def lines_of(cell: Cell) -> Sequence[Line]:
    """The lines of a cell; those of the transfer fraction have a few of their own."""
    if (cell.data, cell.shots) != TRANSFER:
        return lines(cell.student)
    return lines("transfer") if cell.student == "scratch" else lines(cell.student)[:1]


def missing(cell: Cell, pair: int, names: Sequence[str]) -> list[Line]:
    """The lines of a cell that a pair lacks."""
    done = stored(cell, pair)["arms"]
    return [line for line in lines_of(cell) if line.name not in done and (not names or line.name in names)]


def do(unit: tuple[Cell, int, tuple[str, ...]]) -> str:
    """Fit the student on every missing arm of a pair."""
    import torch

    torch.set_num_threads(1)
    cell, pair, names = unit
    begin = time.perf_counter()
    rows = task(cell.data, cell.shots, pair)
    bench = Bench(rows, cell.student, pair)
    facts = stored(cell, pair) | {"shared": rows.shared, "same_test": rows.same_test}
    for line in missing(cell, pair, names):
        facts["arms"][line.name] = measured(line, bench, budget(cell), facts["arms"])
        keep(cell, pair, facts)
    return f"{cell.name} {pair:02d} {time.perf_counter() - begin:.1f} s"


def measured(line: Line, bench: Bench, spend: Budget, done: Mapping[str, Any]) -> dict[str, Any]:
    """How the student does on the test rows, with this arm's training set; ``done`` are the pair's other arms."""
    if line.side == "auto":
        return decided(line, bench, spend, done)
    clock = time.process_time()
    train = bench.training_set(line, bench.fold, np.random.default_rng([bench.seed, 1]))
    if "none" in done and as_none(train):
        return {**done["none"], "seconds": 0.0, "note": "the training set of none"}
    fitted = student(bench.student).fit(train, spend, np.random.default_rng([bench.seed, 2]))
    found = scored(fitted.predict_proba(bench.test), bench.task.y_test)
    facts = {"minted": int(train.minted.sum()), "seconds": round(time.process_time() - clock, 3)}
    if line.side == "pool":
        facts["labels right"] = labels_right(bench, train)
    return {**found, **facts}


def student(name: str) -> Student:
    """A fresh student; the one to fine-tune is SqueezeNet at FINE_PX."""
    options = {"network": _squeezenet, "size": FINE_PX} if name == "finetune" else {}
    made: Student = registry.build("students", "student", TABLE, name, options)
    return made


def _squeezenet() -> Any:
    return load_network(PROBE_MODEL, path=SQUEEZENET)[0]


def decided(line: Line, bench: Bench, spend: Budget, done: Mapping[str, Any]) -> dict[str, Any]:
    """What ``auto`` does: it ships one of its candidates, and then scores as that arm does, or nothing."""
    clock = time.process_time()
    by_name = {other.name: other for other in lines(bench.student)}

    def mint_set(arm: Arm, fold: Fold, rng: np.random.Generator) -> TrainingSet:
        return bench.training_set(by_name[arm.name], fold, rng)

    candidates = [Arm(name) for name in line.candidates if name in done]
    chosen = choose(candidates, bench.fold, lambda: student(bench.student), spend, mint_set,
                    np.random.default_rng([bench.seed, 3]), scheme=SCHEMES[bench.student])  # fmt: skip
    shipped = "none" if chosen.arm is None else chosen.arm.name
    facts = {"abstained": chosen.arm is None, "shipped": shipped, "reason": chosen.reason, "fits": chosen.fits}
    return {**done[shipped], **facts, "seconds": round(time.process_time() - clock, 3)}


def as_none(train: TrainingSet) -> bool:
    """Whether it is the training set of ``none``: the real rows, of equal weight, unchanged."""
    return not train.minted.any() and train.transform is None and not train.mixup and np.ptp(train.weight) == 0


def scored(p: F32, y: I64) -> dict[str, Any]:
    """Scores, and which rows are right."""
    right = np.packbits(p.argmax(axis=1) == y).tobytes().hex()
    recall = [round(float(value), 4) for value in class_recall(p, y)]
    return {"scores": scores(p, y), "recall": recall, "right": right, "rows": len(y)}


def labels_right(bench: Bench, train: TrainingSet) -> float:
    """Share of the picked rows whose most likely label is theirs; NaN where none was picked."""
    truth = {f"pool:{i:05d}": c for i, c in zip(bench.task.pool, bench.task.y_pool, strict=True)}
    picked = np.flatnonzero(train.minted)
    given = [truth[train.samples[i].group] == train.y[i].argmax() for i in picked]
    return round(float(np.mean(given)), 4) if given else float("nan")


def units(students: Sequence[str], pairs: int, names: tuple[str, ...]) -> Iterator[tuple[Cell, int, tuple[str, ...]]]:
    """What is to be done: pair 0 of all cells, then pair 1, ..."""
    asked = [*cells(students), *(cell for cell in transfer_cells() if "transfer" in students)]
    for pair in range(min(pairs, PAIRS)):
        yield from ((cell, pair, names) for cell in asked if missing(cell, pair, names))


def run(arguments: argparse.Namespace) -> None:
    """Do what is missing."""
    work = list(units(arguments.students.split(","), arguments.pairs, tuple(filter(None, arguments.lines.split(",")))))
    with ProcessPoolExecutor(arguments.workers) as pool:
        for said in pool.map(do, work):
            print(time.strftime("%H:%M:%S"), said, flush=True)


def plan(arguments: argparse.Namespace) -> None:
    """Print what is missing and what it will cost, by the mean of what was measured; unmeasured lines are named."""
    names, students = tuple(filter(None, arguments.lines.split(","))), arguments.students.split(",")
    left: dict[str, float] = {}
    unknown: set[str] = set()
    for cell, pair, _ in units(students, arguments.pairs, names):
        cost = seconds_of_lines(cell)
        for line in missing(cell, pair, names):
            left[cell.student] = left.get(cell.student, 0.0) + cost.get(line.name, 0.0)
            unknown |= set() if line.name in cost else {f"{cell.name}: {line.name}"}
    for student, seconds in left.items():
        print(f"{student}: {seconds / 60:.1f} CPU minutes left")
    print(f"not measured yet: {len(unknown)} lines of cells", *sorted(unknown)[:5], sep="\n  ")


@cache
def seconds_of_lines(cell: Cell) -> dict[str, float]:
    """Mean CPU seconds of each line of a cell, over the pairs that are done."""
    found: dict[str, list[float]] = {}
    for pair in range(PAIRS):
        for name, facts in stored(cell, pair)["arms"].items():
            found.setdefault(name, []).append(facts["seconds"])
    return {name: float(np.mean(values)) for name, values in found.items()}


def main() -> None:
    """Run, forecast, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["run", "plan"])
    parser.add_argument("--students", default="probe,scratch,finetune")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--lines", default="", help="names of arms, with commas; all")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    {"run": run, "plan": plan}[arguments.verb](arguments)


if __name__ == "__main__":
    main()
