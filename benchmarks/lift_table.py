"""The table of `lift.py`, from what is done: benchmarks/results/lift.json, and docs/lift_table.md for people.

A cell counts the pairs that have all arms that most of its pairs have; an arm that fewer have is shown with their
number, and is in no comparison of the best arms. Cells that were not run are shown as such. What was measured elsewhere
stays in the results: what lies in $AUGMINT_DRAWS is merged into them (`lift_stats.merged`).

Run: python benchmarks/lift_table.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lift_stats as stats
from augmint.evaluation.intervals import paired_rows
from augmint.evaluation.transfer import transfer_fraction
from lift import BUDGETS, FINE_PX, LONG, SCHEMES, Cell, cells, lines_of, stored, transfer_cells
from lift_arms import CODEC_PX, PICKS, PROBE_MODEL, PROBE_PX, lines
from lift_cells import PAIRS

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks/results/lift.json", ROOT / "docs/lift_table.md"
SEEDS = ROOT / "benchmarks/results/lift_seeds.json"
STUDENTS = ("probe", "scratch", "finetune")

HEAD = """# Does it help? The table

Written by `benchmarks/lift_table.py` from `benchmarks/results/lift.json` (`benchmarks/lift.py` measures); wins, nulls
and losses are kept. Accuracy of `none` in %, gains over it in points with 95 % intervals over the pairs of the cell;
**bold** where the interval leaves out 0 and so does the test after Holm's correction among the arms of the cell. The
number of pairs stands in the head of each column: 20 are the rule, and cells with fewer are not finished.
"""


def main() -> None:
    """Write both."""
    found = results(json.loads(RESULTS.read_text()) if RESULTS.exists() else {})
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf8")
    PAGE.write_text(HEAD + "\n" + "\n".join(page(found)).rstrip() + "\n", encoding="utf8")


def results(before: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is measured, here or before."""
    here = [table_of(cell, whole(cell)) for cell in cells(STUDENTS)]
    facts = {
        "version": 1,
        "metric": "accuracy",
        "budget": {name: vars(value) for name, value in BUDGETS.items()},
        "probe": f"{PROBE_MODEL}/{PROBE_PX}",
        "codec": {name: f"tiny-image/{px}" for name, px in CODEC_PX.items()},
        "finetune": f"{PROBE_MODEL}/{FINE_PX}",
        "auto": {name: vars(scheme) for name, scheme in SCHEMES.items()},
        "picks": PICKS,
        "machines": stats.machines(before, here=any(fresh["arms"] for fresh in here)),
    }
    listed = stats.grown(before, here, lines)
    seeds = json.loads(SEEDS.read_text()) if SEEDS.exists() else None
    closed = transfer() or before.get("transfer", {"status": "not run"})
    summary = stats.auto_summary(listed, seeds)
    return facts | {"cells": listed, "duels": duels(listed), "auto_summary": summary, "transfer": closed}


def whole(cell: Cell) -> list[dict[str, Any]]:
    """Pairs that have all arms of the student that any pair of the cell has."""
    pairs = [facts for pair in range(PAIRS) if (facts := stored(cell, pair))["arms"]]
    names = [line.name for line in lines_of(cell)]
    most = [name for name in names if sum(name in facts["arms"] for facts in pairs) * 2 > len(pairs)]
    return [facts for facts in pairs if set(most) <= set(facts["arms"])]


def table_of(cell: Cell, pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One cell."""
    facts = {"name": cell.name, "student": cell.student, "data": cell.data, "shots": cell.shots, "pairs": len(pairs)}
    if len(pairs) < 2:
        return facts | {"status": "not run", "arms": {}}
    shared = round(float(pairs[0]["shared"]), 4)
    scheme = ("shared test rows, " if pairs[0]["same_test"] else "own test rows, ") + (
        f"draws share {shared:.0%} of their training rows" if shared else "disjoint training rows")  # fmt: skip
    names = [line.name for line in lines(cell.student)]
    arms = stats.cell(pairs, names) | stats.few(pairs, names)
    sides = {line.name: line.side for line in lines(cell.student)}
    arms = {name: {"side": sides[name], **row} for name, row in arms.items()}
    return facts | {"status": "done", "scheme": scheme, "shared": shared, "arms": arms}


def duels(listed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The best of ours against the best of the peers, with a pool and without, chosen on the other half."""
    out: dict[str, Any] = {}
    for student in STUDENTS:
        for word, sides in {"with a pool": ("ours", "pool"), "without a pool": ("ours",)}.items():
            found = {}
            for cell in listed:
                ours, theirs = stats.sided(cell, *sides), stats.sided(cell, "peer")
                if cell["student"] == student and cell["pairs"] > 3 and ours and theirs:
                    found[cell["name"]] = stats.duel(cell, ours, theirs)
            if found:
                means = {name: duel["mean"] for name, duel in found.items()}
                out[f"{student}, {word}"] = {"average": stats.across(means), "cells": found}
    return out


def transfer() -> dict[str, Any]:
    """How much of the gap between scratch and probe the pool closes, CIFAR-10 at 20 a class; empty if not run here."""
    probe, scratch = (whole(cell) for cell in transfer_cells())
    pairs = min(len(probe), len(scratch))
    if pairs < 2:
        return {}
    low, high = stats.table(scratch[:pairs], "none"), stats.table(probe[:pairs], "none")
    out: dict[str, Any] = {"pairs": pairs, "probe": float(high.mean()), "scratch": float(low.mean()), "arms": {}}
    for name in (name for name in scratch[0]["arms"] if name != "none"):
        got = stats.table(scratch[:pairs], name)
        found = transfer_fraction(low, got, high, paired_rows)
        ends = {key: round(float(getattr(found, key)), 4) for key in ("fraction", "low", "high")}
        out["arms"][name] = {"accuracy": float(got.mean()), **ends, "headline": found.headline()}
    return out


# --- the page ---------------------------------------------------------------------------------------------------------


def page(found: Mapping[str, Any]) -> Iterator[str]:
    """Summary, then a table for each student and data set."""
    yield from summary(found)
    for student in STUDENTS:
        listed = [cell for cell in found["cells"] if cell["student"] == student]
        yield from [f"## {student}", "", f"Budget of every arm: {found['budget'][student]}.", ""]
        for data in dict.fromkeys(cell["data"] for cell in listed):
            yield from block([cell for cell in listed if cell["data"] == data])


def block(listed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Arms by shots."""
    yield from [f"### {listed[0]['student']}, {listed[0]['data']}", ""]
    heads = [f"{cell['shots']} a class ({cell['pairs']} pairs)" for cell in listed]
    names = list(dict.fromkeys(name for cell in listed for name in cell["arms"]))
    rows = [["arm", *heads], ["---"] * (1 + len(heads))]
    rows += [[name, *(entry(cell, name) for cell in listed)] for name in names]
    yield from ["| " + " | ".join(row) + " |" for row in rows]
    schemes = dict.fromkeys(cell.get("scheme", "not run") for cell in listed)
    yield from ["", "; ".join(schemes) + ".", ""]


def entry(cell: Mapping[str, Any], name: str) -> str:
    """What one arm does in one cell."""
    if name not in cell["arms"]:
        return "not run"
    row = cell["arms"][name]
    if "lift" not in row:
        return f"{100 * row['scores']['accuracy']:.1f}"
    count = row["lift"]["pairs"]
    whole = count == cell["pairs"]  # an arm with fewer is not corrected among the others
    bold = whole and row["lift"]["verdict"] != stats.NULL
    return signed(row["lift"], bold) + ("" if whole else f", {count} pairs")


def signed(lift: Mapping[str, Any], bold: bool) -> str:
    """``+1.2 [0.5, 1.9]``."""
    text = f"{100 * lift['mean']:+.1f} [{100 * lift['low']:.1f}, {100 * lift['high']:.1f}]"
    return f"**{text}**" if bold else text


def summary(found: Mapping[str, Any]) -> Iterator[str]:
    """The musts and the aims."""
    yield from ["## What it says", ""]
    for name, part in found["duels"].items():
        mean = part["average"]
        yield (f"- {name}: best augmint arm minus best peer arm, each chosen on the other half of the pairs: "
               f"{signed(mean, mean['low'] > 0)} over {mean['cells']} cells, above in {mean['above']}.")  # fmt: skip
    if found["auto_summary"]:
        yield from auto_lines(found["auto_summary"])
    yield from transfer_lines(found["transfer"])
    yield ""


def auto_lines(auto_found: Mapping[str, Any]) -> Iterator[str]:
    """Non-inferior everywhere? Ships where there is something to gain?"""
    rows = auto_found["cells"]
    bad = [name for name, row in rows.items() if not row["safe"]]
    missed = f" (not in {', '.join(bad)})" if bad else ""
    yield f"- auto: lower bound above -1 point in {auto_found['safe_cells']} of {len(rows)} cells{missed}."
    yield f"- auto abstained in {auto_found['abstention_rate']:.0%} of the pairs."
    rich, ships = auto_found["cells_where_oracle_gains"], auto_found["of_these_it_ships_in"]
    yield f"- The oracle arm gains 3 points or more in {rich} cells; auto ships (in half of the pairs) in {ships}."
    yield from ["", "| cell | auto minus none | ships | oracle gains |", "| --- | --- | --- | --- |"]
    for name, row in rows.items():
        one = f", with one seed {signed(row['one seed'], False)}" if "seeds" in row else ""
        yield f"| {name} | {signed(row, False)}{one} | {row['ships']:.0%} | {100 * row['oracle']['gain']:+.1f} |"
    many = {row["seeds"] for row in rows.values() if "seeds" in row}
    if many:
        yield f"\nWhere one seed is named too, a pair's difference is the mean over {max(many)} seeds of the student."
    yield ""


def transfer_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The transfer fraction."""
    if "arms" not in found:
        yield "- transfer fraction: not run."
        return
    yield (f"- transfer fraction, CIFAR-10 at 20 a class, {found['pairs']} pairs, {LONG} updates: "
           f"scratch {100 * found['scratch']:.1f} %, probe {100 * found['probe']:.1f} %.")  # fmt: skip
    for name, row in found["arms"].items():
        yield f"  - {name}: {100 * row['accuracy']:.1f} %, {row['headline']}"


if __name__ == "__main__":
    main()
