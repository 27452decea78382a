"""The rows of a run in the judge's space, read back from its units: real ones, accepted children, held-out ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from augmint.core.types import F32, I64, Text
from augmint.pipeline.fitting import gather
from augmint.pipeline.manifest import Manifest, Rows


@dataclass(frozen=True)
class Judged:
    """Rows of one kind.

    Attributes:
        x: (n, d) the judge's features.
        y: (n,) class, in class order; -1 for rows without a label.
        facts: the row of facts of each.
    """

    x: F32
    y: I64
    facts: Rows

    def __len__(self) -> int:
        return len(self.y)

    def take(self, at: I64) -> Judged:
        """The rows at these positions."""
        return Judged(self.x[at], self.y[at], [self.facts[i] for i in at])

    def words(self, key: str) -> Text:
        """(n,) one fact of each row."""
        return np.array([row[key] for row in self.facts], np.str_)


def real_rows(manifest: Manifest) -> Judged:
    """The real training rows, in the order of their units."""
    header = manifest.load("fit").rows[0]
    return _judged(*gather(manifest, manifest.units("encode"), "judge"), header["classes"], "target")


def heldout_rows(manifest: Manifest) -> Judged:
    """Rows of val and test; none where the data set has neither."""
    header = manifest.load("fit").rows[0]
    return _judged(*gather(manifest, manifest.units("heldout"), "judge"), header["classes"], "target")


def minted_rows(manifest: Manifest) -> Judged:
    """The children that passed every gate, in unit order."""
    rejected = {row["id"] for unit in manifest.units("barrier") for row in manifest.load(unit).rows if not row["kept"]}
    parts, facts = [], []
    for name in manifest.units("draw"):
        unit = manifest.load(name)
        passed = [row for row in unit.rows[1:] if row["kept"]]  # only these have features
        at = [i for i, row in enumerate(passed) if row["id"] not in rejected]
        if at:
            parts.append(unit.array("judge")[at])
            facts += [passed[i] for i in at]
    x = np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)
    return _judged(x, facts, manifest.load("fit").rows[0]["classes"], "label")


def _judged(x: F32, facts: Rows, classes: Sequence[str], key: str) -> Judged:
    order = {name: i for i, name in enumerate(classes)}
    flat = np.ascontiguousarray(x.reshape(len(x), -1) if len(x) else np.zeros((0, 1)), np.float32)
    return Judged(flat, np.array([order.get(row[key], -1) for row in facts], np.int64), facts)


def parents_of(minted: Judged, real: Judged) -> list[list[int]]:
    """Positions of the real rows that each child has as parents; a row of a pool or a base is none of them."""
    order = {f"data:{row['id']}": i for i, row in enumerate(real.facts)}
    return [[order[ref] for ref in _refs(row) if ref in order] for row in minted.facts]


def _refs(row: dict[str, Any]) -> Iterator[str]:
    yield from row["refs"]
