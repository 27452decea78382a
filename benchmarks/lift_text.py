"""Do minted texts help? Data sets x shots x students x arms, ours and the peers', wins and nulls.

SST-2, TREC and SNIPS at 5, 10 and 50 rows a class, BANKING77 at 5 and 10 (`lift_text_cells.py` deals the rows), every
arm with the same budget (`lift_text_arms.py`), statistics and page of the table of pictures (`lift_stats.py`,
`lift_table.py`). What is done is kept in $AUGMINT_TEXT_DRAWS, one file for each cell, arm and pair, and not done again.

    python benchmarks/lift_text.py run --time 20m [--students scratch,probe] [--data sst2] [--shots 10] [--lines ...]
    python benchmarks/lift_text.py table     # benchmarks/results/lift_text.json and docs/lift_text.md
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import lift_stats as stats
from augmint.core import registry
from augmint.core.protocols import Student
from augmint.core.types import Budget, TrainingSet
from augmint.models import load_network
from augmint.pipeline.arms import Arm
from augmint.pipeline.evaluate import seconds_of
from augmint.pipeline.minting import Fold
from augmint.pipeline.tune import choose
from augmint.students import TABLE
from lift import SCHEMES, as_none, scored
from lift_arms import Line
from lift_table import auto_lines, block, signed
from lift_text_arms import Bench, lines, nlpaug_path
from lift_text_cells import ENCODER, PAIRS, POOL, SHOTS, task

ROOT = Path(__file__).resolve().parents[1]
DRAWS = Path(os.environ.get("AUGMINT_TEXT_DRAWS", "/tmp/augmint-lift-text/pairs"))
RESULTS, PAGE = ROOT / "benchmarks/results/lift_text.json", ROOT / "docs/lift_text.md"
STUDENTS = ("scratch", "probe", "finetune")
BUDGETS = {
    "scratch": Budget(updates=100, trials=3),
    "probe": Budget(trials=3),
    "finetune": Budget(updates=50, batch=16),
}
AIMS = {"trec": 8.0, "sst2": 4.0, "snips": 3.0}

HEAD = """# Does it help texts? The table

Written by `benchmarks/lift_text.py table` from `benchmarks/results/lift_text.json`; wins, nulls and losses are kept.
Accuracy of `none` in %, gains over it in points with 95 % intervals over the pairs of the cell; **bold** where the
interval leaves out 0 and so does the test after Holm's correction among the arms of the cell. How it is measured, and
what was tried: [lift_text_benchmark.md](lift_text_benchmark.md).
"""


@cache
def cells() -> tuple[tuple[str, str, int], ...]:
    """(student, data, shots) of the table."""
    return tuple((student, data, n) for student in STUDENTS for data, shots in SHOTS.items() for n in shots)


def path_of(cell: tuple[str, str, int], line: str, pair: int) -> Path:
    """Where the result of an arm on a pair is kept."""
    student, data, shots = cell
    return DRAWS / f"{student}-{data}-{shots:02d}" / f"{line.replace(' ', '_')}-{pair:02d}.json"


def work(arguments: argparse.Namespace) -> Iterator[tuple[tuple[str, str, int], Line, int]]:
    """What is missing, pair by pair so that the table is even wherever it is stopped."""
    students, data = arguments.students.split(","), arguments.data.split(",")
    shots, names = arguments.shots.split(","), [name for name in arguments.lines.split(",") if name]
    for pair in range(arguments.pairs):
        for cell in sorted(cells(), key=lambda cell: cell[1:]):  # students of the same texts share their children
            if cell[0] in students and cell[1] in data and str(cell[2]) in shots:
                asked = (line for line in lines(cell[0]) if not names or line.name in names)
                yield from ((cell, line, pair) for line in asked if not path_of(cell, line.name, pair).exists())


def run(arguments: argparse.Namespace) -> None:
    """Do what is missing while there is time."""
    import torch

    torch.set_num_threads(1)
    end, bench = time.time() + seconds_of(arguments.time), None
    at: tuple[tuple[str, str, int], int] | None = None
    for cell, line, pair in work(arguments):
        if time.time() > end:
            break
        if (cell, pair) != at:
            same_texts = at is not None and (at[0][1:], at[1]) == (cell[1:], pair)
            bench, at = bench_of(cell, pair, bench if same_texts else None), (cell, pair)
        assert bench is not None
        found = measured(line, bench, cell, pair)
        if found is None:
            continue
        path = path_of(cell, line.name, pair)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.draft")
        draft.write_text(json.dumps(found))
        draft.replace(path)
        print(time.strftime("%H:%M:%S"), *cell, line.name, pair, f"{found['seconds']:.1f} s", flush=True)


def bench_of(cell: tuple[str, str, int], pair: int, before: Bench | None) -> Bench:
    """One pair as a student sees it; ``before`` is the same pair of another student, whose children it takes."""
    bench = Bench(task(*cell[1:], pair), cell[0], pair, cell[2])
    return bench if before is None else replace(bench, made=before.made)


def measured(line: Line, bench: Bench, cell: tuple[str, str, int], pair: int) -> dict[str, Any] | None:
    """How the student does on the test rows; None where what the arm needs is not there yet."""
    if line.side == "auto":
        return decided(line, bench, cell, pair)
    if line.name == "nlpaug" and not nlpaug_path(cell[1], cell[2], pair).exists():
        return None
    clock = time.process_time()
    train = bench.training_set(line, bench.fold, np.random.default_rng([bench.seed, 1]))
    none = path_of(cell, "none", pair)
    if line.name != "none" and none.exists() and as_none(train):
        return {**json.loads(none.read_text()), "seconds": 0.0, "note": "the training set of none"}
    fitted = student(bench.student).fit(train, BUDGETS[bench.student], np.random.default_rng([bench.seed, 2]))
    found = scored(fitted.predict_proba(bench.test), bench.task.texts.y[bench.task.test])
    return {**found, "minted": int(train.minted.sum()), "seconds": round(time.process_time() - clock, 3),
            "shared": bench.task.shared}  # fmt: skip


def student(name: str) -> Student:
    """A fresh student; the one to fine-tune is MiniLM."""
    options = {"network": partial(_minilm)} if name == "finetune" else {}
    made: Student = registry.build("students", "student", TABLE, name, options)
    return made


def _minilm() -> Any:
    return load_network(ENCODER)[0]


def decided(line: Line, bench: Bench, cell: tuple[str, str, int], pair: int) -> dict[str, Any] | None:
    """What ``auto`` does: it ships one of its candidates, and then scores as that arm does, or nothing."""
    clock = time.process_time()
    by_name = {other.name: other for other in lines(bench.student)}
    paths = {name: path_of(cell, name, pair) for name in ("none", *line.candidates)}
    if not all(path.exists() for path in paths.values()):
        return None

    def mint_set(arm: Arm, fold: Fold, rng: np.random.Generator) -> TrainingSet:
        return bench.training_set(by_name[arm.name], fold, rng)

    candidates, rng = [Arm(name) for name in line.candidates], np.random.default_rng([bench.seed, 3])
    budget, fresh = BUDGETS[bench.student], lambda: student(bench.student)
    scheme = SCHEMES[bench.student]
    chosen = choose(candidates, bench.fold, fresh, budget, mint_set, rng, scheme=scheme)
    shipped = "none" if chosen.arm is None else chosen.arm.name
    facts = {"abstained": chosen.arm is None, "shipped": shipped, "reason": chosen.reason, "fits": chosen.fits}
    return {**json.loads(paths[shipped].read_text()), **facts, "seconds": round(time.process_time() - clock, 3)}


# --- the table --------------------------------------------------------------------------------------------------------


def pairs_of(cell: tuple[str, str, int], names: Sequence[str]) -> list[dict[str, Any]]:
    """The pairs that have all of these arms, as `lift_stats` takes them."""
    found = []
    for pair in range(PAIRS):
        paths = {name: path_of(cell, name, pair) for name in names}
        if names and all(path.exists() for path in paths.values()):
            arms = {name: json.loads(path.read_text()) for name, path in paths.items()}
            found.append({"arms": arms, "shared": arms["none"]["shared"], "same_test": True})
    return found


def table_of(cell: tuple[str, str, int]) -> dict[str, Any]:
    """One cell: each arm beside ``none`` on the pairs that have both."""
    student_name, data, shots = cell
    facts: dict[str, Any] = {"name": f"{student_name}-{data}-{shots:02d}", "student": student_name, "data": data,
                             "shots": shots, "pairs": len(pairs_of(cell, ["none"]))}  # fmt: skip
    if facts["pairs"] < 2:
        return facts | {"status": "not run", "arms": {}}
    sides = {line.name: line.side for line in lines(student_name)}
    done = {name: pairs_of(cell, ["none", name]) for name in sides}
    most = max(len(pairs) for pairs in done.values())
    full = [name for name, pairs in done.items() if len(pairs) == most]
    arms = stats.cell(pairs_of(cell, full), full)
    for name, pairs in done.items():
        if name not in arms and len(pairs) >= stats.LEAST:
            arms[name] = {**stats.cell(pairs, ["none", name])[name], "pairs": len(pairs)}
    ordered = {name: {"side": side, **arms[name]} for name, side in sides.items() if name in arms}
    share = pairs_of(cell, ["none"])[0]["shared"]
    scheme = "shared test rows, " + (f"draws share {share:.0%} of their training rows" if share else "disjoint draws")
    return facts | {"status": "done", "scheme": scheme, "shared": round(share, 4), "arms": ordered}


def aims(listed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What was hoped for, at 10 rows a class from scratch."""
    by_name = {cell["name"]: cell for cell in listed}
    for data, points in AIMS.items():
        arms = by_name[f"scratch-{data}-10"]["arms"]
        for name in ("retrieval", "retrieval soft"):
            if name in arms:
                lift = arms[name]["lift"]
                word = "met" if 100 * lift["mean"] >= points else "missed"
                word += ", no detectable effect among all arms of the cell" if lift["verdict"] == stats.NULL else ""
                said = f"{signed(lift, False)}, {lift['pairs']} pairs; aim +{points:g} {word}"
                yield f"- {data}, {name} with {POOL} pool texts: {said}."
    yield from (line for data in SHOTS for line in beside_peers(by_name[f"scratch-{data}-10"]))


def beside_peers(cell: Mapping[str, Any]) -> Iterator[str]:
    """The arms without a pool beside the best peer."""
    peers, ours = stats.sided(cell, "peer"), stats.sided(cell, "ours")
    if cell["pairs"] > 3 and peers and ours:
        over, beside = stats.duel(cell, ours, ["none"]), stats.duel(cell, ours, peers)
        own, theirs = (" or ".join(dict.fromkeys(beside[side])) for side in ("ours", "theirs"))
        yield (f"- {cell['data']}, without a pool, chosen on the other half of the pairs: best of ours ({own}) "
               f"{signed(over, False)} over none, {signed(beside, False)} over the best peer ({theirs}), "
               f"{cell['pairs']} pairs.")  # fmt: skip


def page(found: Mapping[str, Any]) -> Iterator[str]:
    """Aims, auto, then a table for each student and data set."""
    yield from ["## What it says", "", *found["aims"]]
    if found["auto_summary"]:
        yield from auto_lines(found["auto_summary"])
    for name in STUDENTS:
        listed = [cell for cell in found["cells"] if cell["student"] == name]
        yield from ["", f"## {name}", "", f"Budget of every arm: {found['budget'][name]}.", ""]
        for data in SHOTS:
            own = [cell for cell in listed if cell["data"] == data]
            yield from block(own)
            yield from fewer(own)


def fewer(listed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Which arms have fewer pairs than their cell."""
    words = [f"{name} at {cell['shots']}: {arm['pairs']}" for cell in listed for name, arm in cell["arms"].items()
             if "pairs" in arm]  # fmt: skip
    if words:
        yield from [f"Fewer pairs than the cell: {', '.join(words)}.", ""]


def table(arguments: argparse.Namespace) -> None:
    """Write the results and the page; what was measured elsewhere stays in them."""
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    here = [table_of(cell) for cell in cells()]
    listed = stats.grown(before, here, lines)
    found = {"version": 1, "metric": "accuracy", "budget": {name: vars(value) for name, value in BUDGETS.items()},
             "probe": ENCODER, "pool": POOL, "auto": {name: vars(scheme) for name, scheme in SCHEMES.items()},
             "machines": stats.machines(before, here=any(fresh["arms"] for fresh in here)), "cells": listed,
             "auto_summary": stats.auto_summary(listed), "aims": list(aims(listed))}  # fmt: skip
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf8")
    PAGE.write_text(HEAD + "\n" + "\n".join(page(found)).rstrip() + "\n", encoding="utf8")


def main() -> None:
    """Run, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["run", "table"])
    parser.add_argument("--students", default="scratch,probe")
    parser.add_argument("--data", default=",".join(SHOTS))
    parser.add_argument("--shots", default="5,10,50")
    parser.add_argument("--lines", default="", help="names of arms, with commas; all")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--time", default="1h", help="begin nothing after it")
    arguments = parser.parse_args()
    {"run": run, "table": table}[arguments.verb](arguments)


if __name__ == "__main__":
    main()
