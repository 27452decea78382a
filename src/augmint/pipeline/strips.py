"""Which children and which rejected draws a report shows, chosen by a fixed seed and not by their looks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from augmint.core.errors import SampleError
from augmint.core.seeds import stream
from augmint.formats.images import read_image
from augmint.pipeline.finished import Finished
from augmint.pipeline.manifest import Rows
from augmint.report.facts import Rejection, Shown, Strip

STRIPS, OF_A_CLASS = 120, 8
REJECTS, OF_A_GATE = 48, 12


def strips_of(run: Finished) -> tuple[Strip, ...]:
    """Children beside their parents: up to eight of each class in class order, 120 in all."""
    by_class: dict[str, Rows] = {name: [] for name in run.classes}
    for row in run.children:
        by_class[row["label"]].append(row)
    filled = [rows for rows in by_class.values() if rows]
    each = max(1, min(OF_A_CLASS, STRIPS // max(1, len(filled))))
    chosen = [row for rows in filled[:STRIPS] for row in some(rows, each, "strips")]
    return tuple(_strip(run, row, run.picture(row["id"], row["file_name"])) for row in chosen)


def rejections_of(run: Finished) -> tuple[Rejection, ...]:
    """Rejected draws, gate by gate in the plan's order: up to twelve of each, 48 in all."""
    by_gate: dict[str, Rows] = {name: [] for name in run.plan["gates"]}
    for row in run.rejects:
        by_gate.setdefault(row["gate"], []).append(row)
    filled = [rows for rows in by_gate.values() if rows]
    each = max(1, min(OF_A_GATE, REJECTS // max(1, len(filled))))
    return tuple(_rejection(run, row) for rows in filled for row in some(rows, each, "rejects"))


def some(rows: Sequence[dict[str, Any]], count: int, what: str) -> Rows:
    """Up to ``count`` of the rows, in their order: which, depends on nothing but their number."""
    if len(rows) <= count:
        return list(rows)
    return [rows[i] for i in sorted(stream(0, "report", what).choice(len(rows), count, replace=False))]


def _strip(run: Finished, row: dict[str, Any], child: Shown) -> Strip:
    weights = row.get("label_weights") or [1.0 / max(1, len(row["refs"]))] * len(row["refs"])
    parents = tuple((run.shown(ref), float(weight)) for ref, weight in zip(row["refs"], weights, strict=True))
    scores = json.loads(row["scores"] or "{}") if isinstance(row["scores"], str) else row["scores"]
    return Strip(child, parents, row["label"], row.get("label_by", ""), scores, row.get("note", ""))


def _rejection(run: Finished, row: dict[str, Any]) -> Rejection:
    strip = _strip(run, row, _drawn(run, row))
    score = row.get("score")
    threshold = row.get("threshold")
    missing = float("nan")
    return Rejection(
        strip, row["gate"], missing if score is None else score, missing if threshold is None else threshold
    )


def _drawn(run: Finished, row: dict[str, Any]) -> Shown:
    """A rejected draw; its bytes are in its unit alone."""
    unit = run.manifest.load(row["unit"])
    position = next((i for i, facts in enumerate(unit.rows[1:]) if facts["id"] == row["id"]), None)
    if position is None:
        return Shown(row["id"])
    arrays = unit.arrays()
    start, stop = arrays["offsets"][position : position + 2]
    try:
        return Shown(row["id"], read_image(arrays["blob"][start:stop].tobytes())[0])
    except SampleError:
        return Shown(row["id"])
