"""Encode units: which entries are in which, and where each usable row of a source is, a few bytes for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from augmint.core.types import I64, Entry
from augmint.pipeline.jobs import Jobs, codes_of, in_blocks
from augmint.pipeline.manifest import Manifest, Rows
from augmint.pipeline.setup import UNITS, Setup
from augmint.pipeline.workers import Anchor, EncodeJob


@dataclass(frozen=True)
class Encoding:
    """The encode units of a source: entries of one class, or of none, in their order.

    Attributes:
        source: "data", "pool", "base" or "held-out".
        entries: of the source.
        parts: positions of each unit's entries.
        jobs: the units.
    """

    source: str
    entries: Sequence[Entry]
    parts: tuple[I64, ...]
    jobs: Jobs[EncodeJob]

    @classmethod
    def of(cls, setup: Setup, source: str) -> Encoding:
        """The units of a source, as many entries in each as the medium says."""
        entries, classes, size = setup.encoded[source], _classes(setup, source), setup.medium.encode_unit
        codes = codes_of(entries, classes)
        parts, units = list[I64](), list[str]()
        for index in range(len(classes)):
            for number, rows in enumerate(in_blocks(np.flatnonzero(codes == index), size)):
                parts.append(rows)
                units.append(f"{UNITS[source]}-{index:04d}-{number:05d}")

        def job(i: int) -> EncodeJob:
            return EncodeJob(units[i], tuple(entries[row] for row in parts[i]), source)

        return cls(source, entries, tuple(parts), Jobs(units, [len(rows) for rows in parts], job))


def _classes(setup: Setup, source: str) -> Sequence[str | None]:
    if source in setup.sources:
        return setup.sources[source].listing.classes or (None,)
    return setup.classes if source == "data" else (*setup.classes, None)


@dataclass(frozen=True)
class UsableRows(Sequence[Anchor]):
    """The usable rows of a source in the order of its units, as columns: nothing is held that the listing knows.

    Attributes:
        entries: of the source.
        units: names of its encode units.
        at: (n,) position of each row's entry.
        unit: (n,) number of its unit; ``row``: its place among the usable rows there.
        digest: (n, 32) bytes of its sha256.
    """

    entries: Sequence[Entry]
    units: Sequence[str]
    at: I64
    unit: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]
    digest: npt.NDArray[np.uint8]

    @classmethod
    def read(cls, manifest: Manifest, encoding: Encoding) -> tuple[UsableRows, Rows]:
        """The usable rows of finished units, and the facts of the others."""
        at, unit, row, digest = [], [], [], []
        skipped: Rows = []
        for number, (name, part) in enumerate(zip(encoding.jobs.units, encoding.parts, strict=True)):
            facts = manifest.load(name).rows
            good = [i for i, fact in enumerate(facts) if "skipped" not in fact]
            skipped += [fact for fact in facts if "skipped" in fact]
            at.append(part[good])
            unit.append(np.full(len(good), number, np.int32))
            row.append(np.arange(len(good), dtype=np.int32))
            digest.append(np.frombuffer(bytes.fromhex("".join(facts[i]["sha256"] for i in good)), np.uint8))
        return cls(
            encoding.entries,
            encoding.jobs.units,
            np.concatenate([np.zeros(0, np.int64), *at]),
            np.concatenate([np.zeros(0, np.int32), *unit]),
            np.concatenate([np.zeros(0, np.int32), *row]),
            np.concatenate([np.zeros(0, np.uint8), *digest]).reshape(-1, 32),
        ), skipped

    def __len__(self) -> int:
        return len(self.at)

    def labels(self, classes: Sequence[str]) -> I64:
        """(n,) position of each row's class."""
        return codes_of(self.entries, classes)[self.at]

    @overload
    def __getitem__(self, i: int) -> Anchor: ...
    @overload
    def __getitem__(self, i: slice) -> list[Anchor]: ...
    def __getitem__(self, i: int | slice) -> Anchor | list[Anchor]:
        if isinstance(i, slice):
            return [self[j] for j in range(len(self))[i]]
        digest = self.digest[i].tobytes().hex()
        return Anchor(self.entries[int(self.at[i])], digest, self.units[self.unit[i]], int(self.row[i]))
