"""Which children and which rejected draws a report shows, chosen by a fixed seed and not by their looks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from augmint.core.seeds import stream
from augmint.pipeline.finished import Finished
from augmint.pipeline.manifest import Rows
from augmint.report.facts import Rejection, Shown, Strip

STRIPS, OF_A_CLASS = 120, 8
REJECTS, OF_A_GATE = 48, 12


def strips_of(run: Finished) -> tuple[Strip, ...]:
    """Children beside their parents, in class order: up to eight of each class, 120 in all, of as many classes."""
    made = [run.tally.made[name] for name in run.classes]
    filled = [i for i, count in enumerate(made) if count]
    each = max(1, min(OF_A_CLASS, STRIPS // max(1, len(filled))))
    shown = [filled[at] for at in some(len(filled), STRIPS, "classes")]
    wanted = {run.classes[i]: some(made[i], each, "strips") for i in shown}
    chosen = _chosen(run.children(), "label", wanted)
    parents = run.parents(chosen)
    return tuple(_strip(row, run.child(row), parents) for row in chosen)


def rejections_of(run: Finished) -> tuple[Rejection, ...]:
    """Rejected draws, gate by gate in the plan's order: up to twelve of each, 48 in all."""
    counts = dict.fromkeys(run.plan["gates"], 0)
    for (_, gate), count in sorted(run.tally.rejected.items()):
        counts[gate] = counts.get(gate, 0) + count
    filled = {gate: count for gate, count in counts.items() if count}
    each = max(1, min(OF_A_GATE, REJECTS // max(1, len(filled))))
    wanted = {gate: some(count, each, "rejects") for gate, count in filled.items()}
    chosen = _chosen(run.rejects(), "gate", wanted)
    parents = run.parents(chosen)
    return tuple(_rejection(row, run.drawn(row), parents) for row in chosen)


def _chosen(rows: Iterable[dict[str, Any]], key: str, wanted: Mapping[str, list[int]]) -> Rows:
    """The rows whose place among those of the same word is wanted, word by word."""
    met, found = Counter[str](), dict[str, Rows]({word: [] for word in wanted})
    places = {word: set(own) for word, own in wanted.items()}
    for row in rows:
        word = row[key]
        if met[word] in places.get(word, ()):
            found[word].append(row)
        met[word] += 1
    return [row for own in found.values() for row in own]


def some(total: int, count: int, what: str) -> list[int]:
    """Up to ``count`` of so many places, in order: which, depends on nothing but their number."""
    if total <= count:
        return list(range(total))
    return [int(i) for i in sorted(stream(0, "report", what).choice(total, count, replace=False))]


def _strip(row: dict[str, Any], child: Shown, shown: Mapping[str, Shown]) -> Strip:
    weights = row.get("label_weights") or [1.0 / max(1, len(row["refs"]))] * len(row["refs"])
    parents = tuple((shown[ref], float(weight)) for ref, weight in zip(row["refs"], weights, strict=True))
    scores = json.loads(row["scores"] or "{}") if isinstance(row["scores"], str) else row["scores"]
    return Strip(child, parents, row["label"], row.get("label_by", ""), scores, row.get("note", ""))


def _rejection(row: dict[str, Any], child: Shown, shown: Mapping[str, Shown]) -> Rejection:
    strip = _strip(row, child, shown)
    score = row.get("score")
    threshold = row.get("threshold")
    missing = float("nan")
    return Rejection(
        strip, row["gate"], missing if score is None else score, missing if threshold is None else threshold
    )
