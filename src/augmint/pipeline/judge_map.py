"""The map of a finished run: rows in the judge's space, some of each kind by a fixed seed."""

from __future__ import annotations

import numpy as np

from augmint.core.seeds import stream
from augmint.pipeline.finished import Finished
from augmint.pipeline.judged import Judged, heldout_rows, minted_rows, real_rows
from augmint.report.facts import SpaceMap
from augmint.report.plane import lay_out

MOST = 1200
"""Rows of a kind that are drawn."""


def map_of(run: Finished) -> SpaceMap | None:
    """The map; None where nothing was minted or fewer than three real rows were encoded."""
    if not run.tally.first or not run.manifest.finished("fit") or not run.manifest.load("fit").rows[0]["judge"]:
        return None
    found = {
        "real": real_rows(run.manifest),
        "minted": minted_rows(run.manifest),
        "held-out": heldout_rows(run.manifest),
    }
    if len(found["real"]) < 3:
        return None
    space = run.manifest.load("fit").rows[0]["judge"]
    return lay_out(space, {kind: _some(rows).x for kind, rows in found.items()}, {k: len(v) for k, v in found.items()})


def _some(rows: Judged) -> Judged:
    if len(rows) <= MOST:
        return rows
    return rows.take(np.sort(stream(0, "report", "map").choice(len(rows), MOST, replace=False)))
