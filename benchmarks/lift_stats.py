"""What the tables say: lifts of every arm, musts and aims; arms are chosen on one half of the pairs.

A cell is computed from its pairs where these are, and kept in the results with each pair's accuracy of each arm. All
that is said across arms and cells is computed from the results, so that a table grows arm by arm on any machine
(``merged``).

A lift is the mean difference to `none` over the pairs of a cell. Where all pairs have the same test rows, these and the
draws both count as a sample (``paired_rows``); where pairs share a part s of their training rows, the variance between
draws is increased by s / (1 - s), which is what it lacks when the effect of a draw is a sum over its rows. The best arm
of a side is the one with the best mean on the even pairs, scored on the odd ones, and the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.evaluation.intervals import Lift, family, paired, paired_rows
from augmint.pipeline.machine import machine_facts

F64 = npt.NDArray[np.float64]
Pairs = Sequence[Mapping[str, Any]]
"""One stored pair each: ``arms`` by name, and what its cell says of the draws."""

Arms = Mapping[str, Mapping[str, Any]]
"""The arms of a cell in the results: ``values`` are a pair each."""

Lines = Callable[[str], Sequence[Any]]
"""The lines of a student, `lift_arms.Line` each."""

NULL = "no detectable effect"
MARGIN, ORACLE_GAIN = 0.01, 0.03
SAME = 0.005
"""What the accuracy of the same training may differ by between processors: in 1,000 rows two were seen."""

LEAST = 3
"""Pairs that an arm must have to be shown beside others that have more."""


def right(stored: Mapping[str, Any]) -> npt.NDArray[np.bool_]:
    """(rows,) which test rows an arm of a pair got right."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(stored["right"]), np.uint8))[: stored["rows"]].astype(np.bool_)


def accuracy(pairs: Pairs, arm: str) -> F64:
    """(J,) accuracy of an arm in each pair."""
    return np.array([right(pair["arms"][arm]).mean() for pair in pairs])


def table(pairs: Pairs, arm: str) -> F64:
    """(J, rows) 1 where an arm is right, 0 where it is wrong; for pairs with the same number of test rows."""
    return np.stack([right(pair["arms"][arm]).astype(np.float64) for pair in pairs])


def lift(pairs: Pairs, arm: str) -> Lift:
    """Accuracy of an arm minus that of none."""
    delta = [right(pair["arms"][arm]).astype(np.float64) - right(pair["arms"]["none"]) for pair in pairs]
    return lift_of(delta, float(pairs[0]["shared"]), bool(pairs[0]["same_test"]))


def lift_of(delta: Sequence[F64], shared: float, same_test: bool) -> Lift:
    """The lift of pairs whose test rows differ by these (rows,); ``shared`` is their share of common training rows."""
    ratio = shared / (1.0 - shared)
    if same_test:
        return paired_rows(np.stack(delta), ratio=ratio)
    return paired([row.mean() for row in delta], ratio=ratio)


def cell(pairs: Pairs, arms: Iterable[str]) -> dict[str, Any]:
    """Scores of each arm that every pair has, its lift, and Holm's correction among the arms."""
    there = [arm for arm in arms if all(arm in pair["arms"] for pair in pairs)]
    lifts = family({arm: lift(pairs, arm) for arm in there if arm != "none"})
    out: dict[str, Any] = {}
    for arm in there:
        stored = [pair["arms"][arm] for pair in pairs]
        facts: dict[str, Any] = {
            "scores": {name: _mean(row["scores"][name] for row in stored) for name in stored[0]["scores"]},
            "values": [round(float(value), 5) for value in accuracy(pairs, arm)],
            "minted": _mean(row["minted"] for row in stored),
            "seconds": _mean(row["seconds"] for row in stored),
        }
        if arm in lifts:
            facts["lift"] = said(lifts[arm])
        if "shipped" in stored[0]:
            facts["shipped"] = [row["shipped"] for row in stored]
            facts["ships"] = _mean(name != "none" for name in facts["shipped"])
        out[arm] = facts
    return out


def few(pairs: Pairs, arms: Iterable[str]) -> dict[str, Any]:
    """Arms that only some pairs have, LEAST or more, each over its own pairs and without correction."""
    own = {arm: [pair for pair in pairs if arm in pair["arms"]] for arm in arms}
    return {arm: cell(some, ["none", arm])[arm] for arm, some in own.items() if LEAST <= len(some) < len(pairs)}


def _mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 5)


def said(found: Lift) -> dict[str, Any]:
    """A lift as it is stored: shares of 1, not points."""
    numbers = {name: round(float(getattr(found, name)), 5) for name in ("mean", "low", "high", "p_value", "p_adjusted")}
    return {**numbers, "pairs": found.pairs, "verdict": found.verdict, "headline": found.headline()}


def merged(old: Mapping[str, Any], new: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """A cell of the results, with the arms that were measured here, in this order.

    An arm that both have is the one of more pairs, or the new one; ``none``, on which the others' lifts stand, stays.
    Arms stand beside each other where ``none`` scored the same in every pair (but for SAME, a processor's last bits);
    where it did not, the cell of more pairs is the cell.
    """
    if not old.get("arms") or not new["arms"]:
        return dict(new if new["arms"] or not old else old)
    mine, theirs = values(new["arms"], "none"), values(old["arms"], "none")
    both = min(len(mine), len(theirs))
    if len(mine) > len(theirs) or np.abs(mine[:both] - theirs[:both]).max() > SAME:
        return dict(new if len(mine) >= len(theirs) else old)
    arms = dict(old["arms"])
    for name, arm in new["arms"].items():
        if name not in arms or (name != "none" and len(arm["values"]) >= len(arms[name]["values"])):
            arms[name] = arm
    return {**old, "arms": corrected({name: arms[name] for name in order if name in arms}, len(theirs))}


def grown(before: Mapping[str, Any], here: Sequence[Mapping[str, Any]], lines: Lines) -> list[dict[str, Any]]:
    """The cells of the results before, with what was measured here; arms in the order of their student's lines."""
    earlier = {cell["name"]: cell for cell in before.get("cells", [])}
    return [merged(earlier.get(cell["name"], {}), cell, [line.name for line in lines(cell["student"])])
            for cell in here]  # fmt: skip


def corrected(arms: Mapping[str, Mapping[str, Any]], pairs: int) -> dict[str, Any]:
    """The same arms, with Holm's correction among those that have all pairs; the others say how many they have."""
    whole = {name: lift_said(arm["lift"]) for name, arm in arms.items()
             if "lift" in arm and len(arm["values"]) == pairs}  # fmt: skip
    lifts, out = family(whole), {}
    for name, arm in arms.items():
        out[name] = {key: value for key, value in arm.items() if key != "pairs"}
        if name in lifts:
            out[name]["lift"] = said(lifts[name])
        elif "lift" in arm:
            out[name]["pairs"] = len(arm["values"])
    return out


def lift_said(stored: Mapping[str, Any]) -> Lift:
    """A lift from what is stored of it, before any correction."""
    mean, low, high, p, pairs = (stored[name] for name in ("mean", "low", "high", "p_value", "pairs"))
    return Lift(mean, low, high, p, float("nan"), p, pairs)


def values(arms: Arms, name: str) -> F64:
    """(J,) accuracy of an arm in each pair of its cell."""
    return np.array(arms[name]["values"])


def whole(cell: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Those of these arms that have all pairs of the cell."""
    return [name for name in names if name in cell["arms"] and len(cell["arms"][name]["values"]) == cell["pairs"]]


def sided(cell: Mapping[str, Any], *sides: str) -> list[str]:
    """Arms of these sides that have all pairs of the cell."""
    return whole(cell, [name for name, arm in cell["arms"].items() if arm["side"] in sides])


def crossed(arms: Arms, names: Sequence[str]) -> tuple[F64, list[str]]:
    """(J,) accuracy of the best arm, chosen on the half that the pair is not in; and the two choices."""
    table = np.stack([values(arms, name) for name in names])
    scores, chosen = np.zeros(table.shape[1]), []
    for half in (0, 1):
        at = int(table[:, 1 - half :: 2].mean(axis=1).argmax())  # the first of equals
        scores[half::2] = table[at, half::2]
        chosen.append(names[at])
    return scores, chosen


def duel(cell: Mapping[str, Any], ours: Sequence[str], theirs: Sequence[str]) -> dict[str, Any]:
    """The best of ours against the best of theirs, both chosen on the other half."""
    (a, our_names), (b, their_names) = crossed(cell["arms"], ours), crossed(cell["arms"], theirs)
    found = paired(a - b, ratio=cell["shared"] / (1.0 - cell["shared"]))
    return {"ours": our_names, "theirs": their_names, **said(found)}


def oracle(arms: Arms, names: Sequence[str]) -> dict[str, Any]:
    """What the best arm gains over none where it was not chosen."""
    scores, chosen = crossed(arms, names)
    return {"arms": chosen, "gain": _mean(scores - values(arms, "none"))}


def autos(rows: Mapping[str, Mapping[str, Any]], least: float) -> dict[str, Any]:
    """Over cells: where ``auto`` is safe, how often it abstains, and whether it ships where the oracle gains."""
    if not rows:
        return {}
    rich = [row["ships"] >= 0.5 for row in rows.values() if row["oracle"]["gain"] >= least]
    return {"cells": dict(rows), "abstention_rate": round(1.0 - _mean(row["ships"] for row in rows.values()), 4),
            "safe_cells": sum(row["safe"] for row in rows.values()),
            "cells_where_oracle_gains": len(rich), "of_these_it_ships_in": sum(rich)}  # fmt: skip


def auto(cell: Mapping[str, Any], names: Sequence[str], margin: float) -> dict[str, Any]:
    """What ``auto`` does in a cell, beside the best of these arms."""
    arms = cell["arms"]
    lift = arms["auto"]["lift"]
    return {**lift, "ships": arms["auto"]["ships"], "oracle": oracle(arms, names), "safe": lift["low"] > -margin}


def auto_summary(listed: Sequence[Mapping[str, Any]], seeds: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Non-inferiority of ``auto``, how often it ships, and whether it ships where the oracle gains.

    Where pairs have several seeds of the student (`lift_seeds.py`), the difference of a pair is the mean over them.
    """
    rows = {}
    for cell in listed:
        ours = sided(cell, "ours", "pool")
        if cell["pairs"] > 3 and ours and sided(cell, "auto"):
            row = auto(cell, ours, MARGIN)
            if seeds and cell["name"] in seeds["cells"]:
                lift = seeds["cells"][cell["name"]]["lift"]
                one = {key: row[key] for key in ("mean", "low", "high")}
                row |= {**lift, "safe": lift["low"] > -MARGIN, "seeds": seeds["seeds"], "one seed": one}
            rows[cell["name"]] = row
    return autos(rows, ORACLE_GAIN)


def machines(before: Mapping[str, Any], here: bool) -> list[dict[str, Any]]:
    """Where the results were measured, this machine among them if any were here."""
    known = list(before.get("machines", []))
    return [*known, facts] if here and (facts := machine_facts()) not in known else known


def across(values: Mapping[str, float]) -> dict[str, Any]:
    """Mean over cells, each counting the same, with the t-interval over cells."""
    found = paired(list(values.values()))
    return {"cells": len(values), "mean": round(found.mean, 5), "low": round(found.low, 5),
            "high": round(found.high, 5), "above": sum(v > 0 for v in values.values())}  # fmt: skip
