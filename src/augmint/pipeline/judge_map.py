"""Rows of a finished run in the judge's space, for the map: real, held-out and minted, some of each by a fixed seed."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from augmint.core.types import F32
from augmint.pipeline.finished import Finished
from augmint.pipeline.manifest import Unit
from augmint.pipeline.strips import some
from augmint.report.facts import SpaceMap
from augmint.report.plane import lay_out

MOST = 1200
"""Rows of a kind that are drawn."""


def map_of(run: Finished) -> SpaceMap | None:
    """The map; None where nothing was minted or fewer than three real rows were encoded."""
    if not run.children or not run.manifest.finished("fit"):
        return None
    header, *real = run.manifest.load("fit").rows
    found = {"real": {row["id"] for row in some(real, MOST, "map")}}
    found["minted"] = {row["id"] for row in some(run.children, MOST, "map")}
    rows = {"real": _encoded(run, found["real"]), "minted": _drawn(run, found["minted"])}
    if len(rows["real"]) < 3:
        return None
    return lay_out(header["judge"], rows, {"real": len(real), "minted": len(run.children)})


def _encoded(run: Finished, wanted: Collection[str]) -> F32:
    """Judge's rows of the originals of these ids."""
    parts = []
    for unit in _units(run, "encode"):
        good = [row["id"] for row in unit.rows if "skipped" not in row]
        at = [i for i, id_ in enumerate(good) if id_ in wanted]
        if at:
            parts.append(unit.array("judge")[at])
    return _flat(parts)


def _drawn(run: Finished, wanted: Collection[str]) -> F32:
    """Judge's rows of the children of these ids; a unit holds those that passed the row gates."""
    parts = []
    for unit in _units(run, "draw"):
        kept = [row["id"] for row in unit.rows[1:] if row["kept"]]
        at = [i for i, id_ in enumerate(kept) if id_ in wanted]
        if at:
            parts.append(unit.array("judge")[at])
    return _flat(parts)


def _units(run: Finished, word: str) -> Iterator[Unit]:
    for path in sorted((run.manifest.home / "receipts").glob(f"{word}-*.json")):
        yield run.manifest.load(path.stem)


def _flat(parts: list[np.ndarray]) -> F32:
    if not parts:
        return np.zeros((0, 1), np.float32)
    rows = np.concatenate(parts)
    return rows.reshape(len(rows), int(np.prod(rows.shape[1:]))).astype(np.float32)
