"""Is what `auto` does to fine-tuning the data, or the luck of one training? Pairs where it shipped, with five seeds.

A network that is trained further for 50 updates ends one to seven points higher or lower by its seed alone, and
`lift.py` trains it once for each arm of a pair. Here, in every cell of fine-tuning, `none` and what `auto` shipped are
trained with four more seeds of the student in each pair where it shipped (elsewhere they are the same, whatever the
seed); the rows and what was minted stay as they are. A pair's difference is then the mean over its seeds. Seed 0 is the
one of `lift.py`: on the same processor it gives what the table has; on another one, whose last bits differ, it is one
more seed (``off``).

    python benchmarks/lift_seeds.py run [--time 1h]   # resumes; $AUGMINT_DRAWS/seeds
    python benchmarks/lift_seeds.py write             # benchmarks/results/lift_seeds.json, read by lift_table.py
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import lift_stats as stats
from augmint.pipeline.evaluate import seconds_of
from augmint.pipeline.machine import machine_facts
from lift import DRAWS, Cell, budget, cells, keep, lines_of, scored, stored, student
from lift_arms import Bench
from lift_cells import PAIRS, task

ROOT = Path(__file__).resolve().parents[1]
TABLE, RESULTS = ROOT / "benchmarks/results/lift.json", ROOT / "benchmarks/results/lift_seeds.json"
SEEDS = 5


def home(cell: Cell) -> Cell:
    """Where the trainings of a cell are kept."""
    return replace(cell, home=DRAWS / "seeds")


def shipped(table: Mapping[str, Any]) -> dict[Cell, list[str]]:
    """What `auto` shipped in each pair of each cell of fine-tuning, "none" where it abstained."""
    arms = {cell["name"]: cell["arms"] for cell in table["cells"]}
    return {cell: arms[cell.name]["auto"]["shipped"] for cell in cells(["finetune"])}


def left(table: Mapping[str, Any]) -> Iterator[tuple[Cell, int, str]]:
    """Pairs to train: cell, pair and the arm that was shipped; pair 0 of all cells first."""
    found = shipped(table)
    for pair in range(PAIRS):
        yield from ((cell, pair, names[pair]) for cell, names in found.items()
                    if names[pair] != "none" and not home(cell).path(pair).exists())  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Train what is missing while there is time."""
    import torch

    torch.set_num_threads(1)
    end, table = time.time() + seconds_of(arguments.time), json.loads(TABLE.read_text())
    for cell, pair, name in left(table):
        if time.time() > end:
            break
        begin, rows = time.process_time(), task(cell.data, cell.shots, pair)
        bench = Bench(rows, cell.student, pair)
        trained = {arm: list(trainings(cell, bench, arm)) for arm in ("none", name)}
        facts = {"shared": rows.shared, "same_test": rows.same_test, "shipped": name, "arms": trained}
        keep(home(cell), pair, facts)
        print(time.strftime("%H:%M:%S"), cell.name, pair, f"{time.process_time() - begin:.0f} s", flush=True)


def trainings(cell: Cell, bench: Bench, name: str) -> Iterator[dict[str, Any]]:
    """How the student does on the test rows with each seed; the training set is that of the table."""
    line = next(line for line in lines_of(cell) if line.name == name)
    train = bench.training_set(line, bench.fold, np.random.default_rng([bench.seed, 1]))
    for seed in range(SEEDS):
        rng = np.random.default_rng([bench.seed, 2, seed] if seed else [bench.seed, 2])
        yield scored(student(cell.student).fit(train, budget(cell), rng).predict_proba(bench.test), bench.task.y_test)


# --- what it says -----------------------------------------------------------------------------------------------------


def write(arguments: argparse.Namespace) -> None:
    """Cells whose pairs are all there: accuracies of each seed, and the lift of the mean over seeds."""
    table = json.loads(TABLE.read_text())
    values = {cell["name"]: {name: arm["values"] for name, arm in cell["arms"].items()} for cell in table["cells"]}
    found = {cell.name: row for cell, names in shipped(table).items() if (row := cell_of(cell, names))}
    off = [abs(pair[arm][0] - values[name][column][at]) for name, row in found.items()
           for at, pair in zip(row["at"], row["pairs"], strict=True)
           for arm, column in (("none", "none"), ("shipped", "auto"))]  # fmt: skip
    facts = {"version": 1, "metric": "accuracy", "seeds": SEEDS, "machine": machine_facts(),
             "off": {"trainings": len(off), "mean": round(float(np.mean(off)), 5), "most": round(max(off), 5)},
             "cells": found}  # fmt: skip
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf8")
    print(f"{len(found)} cells, {len(off)} trainings with seed 0; off the table's accuracy: {facts['off']}")


def cell_of(cell: Cell, names: Sequence[str]) -> dict[str, Any]:
    """One cell; empty where a pair is missing or `auto` never shipped."""
    at = [pair for pair, name in enumerate(names) if name != "none"]
    there = {pair: stored(home(cell), pair) for pair in at}
    if not at or not all(facts["arms"] for facts in there.values()):
        return {}
    first = there[at[0]]
    same = np.zeros(first["arms"]["none"][0]["rows"])  # where nothing shipped, on as many test rows
    pairs = [{"none": _accuracies(facts, "none"), "shipped": _accuracies(facts, facts["shipped"])}
             for facts in there.values()]  # fmt: skip
    delta = [_differences(there[pair]) if pair in there else same for pair in range(len(names))]
    lift = stats.lift_of(delta, float(first["shared"]), bool(first["same_test"]))
    return {"at": at, "pairs": pairs, "lift": stats.said(lift)}


def _accuracies(facts: Mapping[str, Any], arm: str) -> list[float]:
    return [round(float(stats.right(row).mean()), 5) for row in facts["arms"][arm]]


def _differences(facts: Mapping[str, Any]) -> stats.F64:
    """(rows,) mean over seeds of right with what was shipped minus right without."""
    ours, none = (np.stack([stats.right(row) for row in facts["arms"][arm]]) for arm in (facts["shipped"], "none"))
    delta: stats.F64 = ours.mean(axis=0) - none.mean(axis=0)
    return delta


def main() -> None:
    """Run, or write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["run", "write"])
    parser.add_argument("--time", default="2h", help="begin nothing after it")
    arguments = parser.parse_args()
    {"run": run, "write": write}[arguments.verb](arguments)


if __name__ == "__main__":
    main()
