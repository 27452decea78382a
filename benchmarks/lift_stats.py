"""What the table of `lift.py` says: lifts of every arm, musts and aims; arms are chosen on one half of the pairs.

A lift is the mean difference to `none` over the pairs of a cell. Where all pairs have the same test rows, these and the
draws both count as a sample (``paired_rows``); where pairs share a part s of their training rows, the variance between
draws is increased by s / (1 - s), which is what it lacks when the effect of a draw is a sum over its rows. The best arm
of a side is the one with the best mean on the even pairs, scored on the odd ones, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.evaluation.intervals import Lift, family, paired, paired_rows

F64 = npt.NDArray[np.float64]
Pairs = Sequence[Mapping[str, Any]]
"""One stored pair each: ``arms`` by name, and what its cell says of the draws."""


NULL = "no detectable effect"
LEAST = 3
"""Pairs that an arm must have to be shown beside others that have more."""


def right(pair: Mapping[str, Any], arm: str) -> npt.NDArray[np.bool_]:
    """(rows,) which test rows an arm got right."""
    stored = pair["arms"][arm]
    return np.unpackbits(np.frombuffer(bytes.fromhex(stored["right"]), np.uint8))[: stored["rows"]].astype(np.bool_)


def accuracy(pairs: Pairs, arm: str) -> F64:
    """(J,) accuracy of an arm in each pair."""
    return np.array([right(pair, arm).mean() for pair in pairs])


def table(pairs: Pairs, arm: str) -> F64:
    """(J, rows) 1 where an arm is right, 0 where it is wrong; for pairs with the same number of test rows."""
    return np.stack([right(pair, arm).astype(np.float64) for pair in pairs])


def lift(pairs: Pairs, arm: str, other: str = "none") -> Lift:
    """Accuracy of an arm minus that of another."""
    shared, same = float(pairs[0]["shared"]), bool(pairs[0]["same_test"])
    ratio = shared / (1.0 - shared)
    if same:
        return paired_rows(table(pairs, arm) - table(pairs, other), ratio=ratio)
    return paired(accuracy(pairs, arm) - accuracy(pairs, other), ratio=ratio)


def cell(pairs: Pairs, arms: Iterable[str]) -> dict[str, Any]:
    """Scores of each arm that every pair has, its lift, and Holm's correction among the arms."""
    there = [arm for arm in arms if all(arm in pair["arms"] for pair in pairs)]
    lifts = family({arm: lift(pairs, arm) for arm in there if arm != "none"})
    out: dict[str, Any] = {}
    for arm in there:
        stored = [pair["arms"][arm] for pair in pairs]
        facts = {
            "scores": {name: _mean(row["scores"][name] for row in stored) for name in stored[0]["scores"]},
            "values": [round(float(value), 5) for value in accuracy(pairs, arm)],
            "minted": _mean(row["minted"] for row in stored),
            "seconds": _mean(row["seconds"] for row in stored),
        }
        if arm in lifts:
            facts["lift"] = said(lifts[arm])
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


def best(pairs: Pairs, arms: Sequence[str]) -> str:
    """The arm with the best mean accuracy over these pairs; the first of equals."""
    return max(arms, key=lambda arm: accuracy(pairs, arm).mean())


def crossed(pairs: Pairs, arms: Sequence[str]) -> tuple[F64, list[str]]:
    """(J,) accuracy of the best arm, chosen on the half that the pair is not in; and the two choices."""
    halves = [[p for p in range(len(pairs)) if p % 2 == half] for half in (0, 1)]
    scores, chosen = np.zeros(len(pairs)), []
    for half in (0, 1):
        name = best([pairs[p] for p in halves[1 - half]], arms)
        scores[halves[half]] = accuracy([pairs[p] for p in halves[half]], name)
        chosen.append(name)
    return scores, chosen


def duel(pairs: Pairs, ours: Sequence[str], theirs: Sequence[str]) -> dict[str, Any]:
    """The best of ours against the best of theirs, both chosen on the other half."""
    (a, our_names), (b, their_names) = crossed(pairs, ours), crossed(pairs, theirs)
    shared = float(pairs[0]["shared"])
    found = paired(a - b, ratio=shared / (1.0 - shared))
    return {"ours": our_names, "theirs": their_names, **said(found)}


def oracle(pairs: Pairs, arms: Sequence[str]) -> dict[str, Any]:
    """What the best arm gains over none where it was not chosen."""
    scores, chosen = crossed(pairs, arms)
    return {"arms": chosen, "gain": _mean(scores - accuracy(pairs, "none"))}


def shipped(pairs: Pairs) -> float:
    """Share of pairs in which ``auto`` shipped data."""
    return _mean(not pair["arms"]["auto"]["abstained"] for pair in pairs)


def across(values: Mapping[str, float]) -> dict[str, Any]:
    """Mean over cells, each counting the same, with the t-interval over cells."""
    found = paired(list(values.values()))
    return {"cells": len(values), "mean": round(found.mean, 5), "low": round(found.low, 5),
            "high": round(found.high, 5), "above": sum(v > 0 for v in values.values())}  # fmt: skip
