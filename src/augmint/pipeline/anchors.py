"""Which real row each child is made like, and the draw units that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from augmint.core.seeds import stream
from augmint.core.types import I64
from augmint.pipeline.encode_units import UsableRows
from augmint.pipeline.jobs import Jobs
from augmint.pipeline.manifest import sha256
from augmint.pipeline.workers import Anchor, DrawJob


@dataclass(frozen=True)
class AnchorOrder:
    """Every row of a class in turn, in a shuffled order.

    Attributes:
        classes: in class order.
        real: the rows.
        order: positions of each class's rows, shuffled.
        kin: digest of each class's rows.
    """

    classes: tuple[str, ...]
    real: UsableRows
    order: Mapping[str, I64]
    kin: Mapping[str, str]

    @classmethod
    def of(cls, seed: int, classes: tuple[str, ...], real: UsableRows) -> AnchorOrder:
        """The order of a run; it depends on the seed and the class's own rows only."""
        labels, shuffled, kin = real.labels(classes), {}, {}
        for i, name in enumerate(classes):
            rows = np.flatnonzero(labels == i)
            kin[name] = sha256(real.digest[rows].tobytes().hex().encode())
            shuffled[name] = rows[stream(seed, "anchors", name).permutation(len(rows))]
        return cls(classes, real, shuffled, kin)

    def turns(self, label: str) -> int:
        """Rows of a class: after so many places they come again."""
        return len(self.order[label])

    def anchor(self, label: str, place: int) -> Anchor:
        """The row of a place of a class."""
        return self.real[int(self.order[label][place % self.turns(label)])]

    def places(self, label: str, start: int, stop: int) -> tuple[Anchor, ...]:
        """The anchors of the places ``start`` to ``stop`` of a class; the rows repeat when all have had a turn."""
        return tuple(self.anchor(label, place) for place in range(start, stop))

    def jobs(self, unit_size: int, round_: int, need: Mapping[str, int], drawn: Mapping[str, int]) -> Jobs[DrawJob]:
        """Draw units of a round: ``need`` children of each class, going on after the ``drawn`` first ones."""
        spots = [
            (position, name, index, drawn[name] + start, min(unit_size, need[name] - start))
            for position, name in enumerate(self.classes)
            for index, start in enumerate(range(0, need[name], unit_size))
        ]
        units = [unit_name(round_, position, index) for position, _, index, _, _ in spots]

        def job(i: int) -> DrawJob:
            _, name, index, first, size = spots[i]
            return DrawJob(units[i], name, index, round_, self.kin[name], self.places(name, first, first + size))

        return Jobs(units, [spot[-1] for spot in spots], job, [name for _, name, _, _, _ in spots])


def unit_name(round_: int, position: int, index: int) -> str:
    """Name of a draw unit: class names can hold anything, so the class's position stands for it."""
    return f"draw-{round_:02d}-{position:04d}-{index:05d}"
