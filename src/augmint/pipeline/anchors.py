"""Which real row each child is made like, and the draw units that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from augmint.core.seeds import stream
from augmint.core.types import Entry
from augmint.pipeline.manifest import Rows, sha256
from augmint.pipeline.setup import Setup
from augmint.pipeline.workers import Anchor, DrawJob


@dataclass(frozen=True)
class AnchorOrder:
    """Every row of a class in turn, in a shuffled order."""

    classes: tuple[str, ...]
    anchors: Mapping[str, tuple[Anchor, ...]]
    kin: Mapping[str, str]

    @classmethod
    def of(cls, seed: int, setup: Setup, real: Rows) -> AnchorOrder:
        """The order of a run; it depends on the seed and the class's own rows only."""
        found: dict[str, list[Anchor]] = {name: [] for name in setup.classes}
        for row, anchor in zip(real, anchors_of(setup, real), strict=True):
            found[row["target"]].append(anchor)
        shuffled, kin = {}, {}
        for name, rows in found.items():
            kin[name] = sha256("".join(anchor.sha256 for anchor in rows).encode())
            order: np.ndarray = stream(seed, "anchors", name).permutation(len(rows))
            shuffled[name] = tuple(rows[i] for i in order)
        return cls(setup.classes, shuffled, kin)

    def places(self, label: str, start: int, stop: int) -> tuple[Anchor, ...]:
        """The anchors of the places ``start`` to ``stop`` of a class; the rows repeat when all have had a turn."""
        rows = self.anchors[label]
        return tuple(rows[place % len(rows)] for place in range(start, stop))

    def jobs(self, unit_size: int, round_: int, need: Mapping[str, int], drawn: Mapping[str, int]) -> list[DrawJob]:
        """Draw units of a round: ``need`` children of each class, going on after the ``drawn`` first ones."""
        jobs = []
        for position, name in enumerate(self.classes):
            for index, start in enumerate(range(0, need[name], unit_size)):
                first = drawn[name] + start
                chosen = self.places(name, first, first + min(unit_size, need[name] - start))
                unit = unit_name(round_, position, index)
                jobs.append(DrawJob(unit, name, index, round_, self.kin[name], chosen))
        return jobs


def anchors_of(setup: Setup, real: Rows) -> tuple[Anchor, ...]:
    """Where these real rows are."""
    entries: dict[str, Entry] = {entry.id: entry for entry in setup.train}
    return tuple(Anchor(entries[row["id"]], row["sha256"], row["unit"], row["row"]) for row in real)


def unit_name(round_: int, position: int, index: int) -> str:
    """Name of a draw unit: class names can hold anything, so the class's position stands for it."""
    return f"draw-{round_:02d}-{position:04d}-{index:05d}"
