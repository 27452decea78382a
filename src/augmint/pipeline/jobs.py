"""Units of work as sequences that make a job when it is looked at: a million rows are a few names and positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, overload

import numpy as np

from augmint.core.types import I64, Entries, Entry
from augmint.pipeline.manifest import Manifest

J = TypeVar("J")


@dataclass(frozen=True)
class Jobs(Sequence[J], Generic[J]):
    """Units of one stage, in order.

    Attributes:
        units: name of each.
        sizes: samples in each.
        make: the job of a unit, by its number.
        labels: class of each; "" where a unit has none.
        at: numbers of the units that are in this sequence; None for all.
    """

    units: Sequence[str]
    sizes: Sequence[int]
    make: Callable[[int], J]
    labels: Sequence[str] = ()
    at: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.units) if self.at is None else len(self.at)

    @overload
    def __getitem__(self, i: int) -> J: ...
    @overload
    def __getitem__(self, i: slice) -> list[J]: ...
    def __getitem__(self, i: int | slice) -> J | list[J]:
        if isinstance(i, slice):
            return [self[j] for j in range(len(self))[i]]
        return self.make(range(len(self.units))[i] if self.at is None else self.at[i])

    def unfinished(self, manifest: Manifest) -> Jobs[J]:
        """Those without a receipt."""
        return replace(self, at=tuple(i for i, unit in enumerate(self.units) if not manifest.finished(unit)))


def in_blocks(rows: I64, size: int) -> list[I64]:
    """Positions in blocks of at most so many."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def codes_of(entries: Sequence[Entry], classes: Sequence[str | None]) -> I64:
    """(n,) position of each entry's class; -1 for one that is not among them. ``None`` stands for no class."""
    place = {name: i for i, name in enumerate(classes)}
    if isinstance(entries, Entries):
        codes = entries.codes.astype(np.int64)
        return np.where(codes < 0, place[None], codes) if None in place else codes
    return np.array([place.get(entry.target, -1) for entry in entries], np.int64)
