"""The leak guard: what is drawn must not be a near copy of held-out samples.

    draw units -> [prints of the held-out samples] -> leak units -> barrier

Prints are small: maps of pictures, hashed words of texts. No held-out sample is opened before the first children are
drawn, so that none can have a part in how they are made. A leak unit holds the verdicts on one draw unit; flagged
children are dropped before the set gates see them, and drawn again in a refill round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from augmint.core.errors import DataError
from augmint.core.types import Sample
from augmint.pipeline.jobs import Jobs, in_blocks
from augmint.pipeline.manifest import Rows
from augmint.pipeline.prints import PRINTS as PRINTS_OF
from augmint.pipeline.prints import Finder, Prints
from augmint.pipeline.progress import Progress
from augmint.pipeline.setup import PRINTS, Setup, check_source
from augmint.pipeline.workers import DrawJob, EncodeJob, Room, read_entry

_BAR = "prints-bar"
_REFS = {"splits": "data", "heldout": "heldout"}


@dataclass(frozen=True)
class MakePrinter:
    """Builds the worker that makes prints of held-out samples."""

    room: Room

    def __call__(self) -> PrintWorker:
        """It needs no model."""
        return PrintWorker(self.room)


@dataclass(frozen=True)
class PrintWorker:
    """Reads each held-out sample once."""

    room: Room

    def __call__(self, job: EncodeJob) -> tuple[str, int]:
        """Write the unit; returns its name and its number of entries."""
        reader, samples, rows = self.room.open_format(job.source), [], []
        for entry in job.entries:
            sample, row = read_entry(reader, entry)
            rows.append(row)
            samples += [] if sample is None else [sample]
        prints = prints_of(self.room)
        self.room.manifest.commit(job.unit, prints.arrays(prints.of(samples)), rows)
        return job.unit, len(job.entries)


@dataclass(frozen=True)
class LeakJob:
    """A draw unit to look through."""

    unit: str
    drawn: str


@dataclass(frozen=True)
class MakeLooker:
    """Builds the worker of leak units; ``prints`` are the units with the prints of what is held out: unit -> source."""

    room: Room
    prints: Mapping[str, str]

    def __call__(self) -> LeakWorker:
        """Load the prints once."""
        found, refs = load_prints(self.room, self.prints)
        bar = float(self.room.manifest.load(_BAR).array("bar")[0])
        return LeakWorker(self.room, prints_of(self.room).finder(found, bar), refs)


@dataclass(frozen=True)
class LeakWorker:
    """Compares the children of a draw unit that passed the row gates with all held-out samples."""

    room: Room
    finder: Finder
    refs: tuple[str, ...]

    def __call__(self, job: LeakJob) -> tuple[str, int]:
        """Write the unit: how many were compared, and a row for each child that is flagged."""
        drawn = self.room.manifest.load(job.drawn)
        kept = [i for i, row in enumerate(drawn.rows[1:]) if row["kept"]]
        rows: Rows = [{"compared": len(kept)}]
        if kept:
            ends, blob, prints = drawn.array("offsets"), drawn.array("blob"), prints_of(self.room)
            contents = [prints.content(blob[ends[i] : ends[i + 1]].tobytes()) for i in kept]
            ids = [drawn.rows[i + 1]["id"] for i in kept]
            samples = [Sample(*pair) for pair in zip(ids, contents, strict=True)]
            found = flagged(self.finder, prints.of(samples), ids, self.refs)
            rows += [{"kept": False, "gate": "leak", **row} for row in found]
        self.room.manifest.commit(job.unit, {"flagged": np.array([len(rows) - 1])}, rows)
        return job.unit, len(kept)


def prints_of(room: Room) -> Prints:
    """How samples of the run's medium are compared."""
    return PRINTS_OF[room.medium.name]


def flagged(finder: Finder, prints: Any, ids: Sequence[str], refs: Sequence[str]) -> Rows:
    """id, nearest held-out sample, score and threshold of those samples that are near copies."""
    found = finder.find(prints)
    return [
        {
            "id": id_,
            "nearest": refs[found.source[i]],
            "score": round(float(found.score[i]), 6),
            "threshold": round(float(found.threshold[i]), 6),
        }
        for i, id_ in enumerate(ids)
        if found.near[i]
    ]


def leak_words(counts: Mapping[str, float], noun: str) -> str:
    """What a card says of the leak check; ``noun`` is what the samples are called."""
    if not counts:
        return "none"
    said = "{children:.0f} children compared with {held_out:.0f} held-out {noun}, {flagged:.0f} near copies dropped"
    return said.format(**counts, noun=noun)


def load_prints(room: Room, prints: Mapping[str, str]) -> tuple[Any, tuple[str, ...]]:
    """Prints of all held-out samples that can be read, and what they are called; ``prints``: unit -> source."""
    arrays, refs = [], list[str]()
    for name, source in prints.items():
        unit = room.manifest.load(name)
        arrays.append(unit.arrays())
        refs += [f"{_REFS[source]}:{row['id']}" for row in unit.rows if "skipped" not in row]
    return prints_of(room).joined(arrays), tuple(refs)


@dataclass
class Guard:
    """The leak stage of a run.

    Attributes:
        setup: of the run.
        progress: is told what is held out and cannot be read.
        work: runs jobs on the engine: (stage, maker, jobs).
        skipped: held-out samples that cannot be read.
        counts: how many children were compared with how many held-out samples, and how many were flagged; empty
            where nothing is held out.
    """

    setup: Setup
    progress: Progress
    work: Callable[[str, Any, Jobs[Any]], None]
    skipped: Rows = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)

    def check(self, drawn: Jobs[DrawJob]) -> dict[str, dict[str, Any]]:
        """The verdicts on those children of these units that are near copies, by id."""
        manifest = self.setup.room.manifest
        if not self.setup.guarded or not self.prints:
            return {}
        units = [f"leak-{unit.removeprefix('draw-')}" for unit in drawn.units]
        jobs = Jobs(units, drawn.sizes, lambda i: LeakJob(units[i], drawn.units[i]))
        self.work("leak check", MakeLooker(self.setup.room, self.prints), jobs)
        found: dict[str, dict[str, Any]] = {}
        for unit in units:
            head, *rows = manifest.load(unit).rows
            found |= {row["id"]: row for row in rows}
            self.counts["children"] += head["compared"]
        self.counts["flagged"] += len(found)
        return found

    @cached_property
    def prints(self) -> dict[str, str]:
        """The units with the prints of what is held out, finished now, and their sources; none if none can be read."""
        room, prints = self.setup.room, dict[str, str]()
        for source, entries in self.setup.guarded.items():
            check_source(room, source, entries, PRINTS[source])
        for source in self.setup.guarded:
            jobs = self._jobs(source)
            self.work("held-out", MakePrinter(room), jobs)
            prints |= dict.fromkeys(jobs.units, source)
        for unit, source in prints.items():
            bad = [row for row in room.manifest.load(unit).rows if "skipped" in row]
            # Those of the data's own splits are told where the splits are written.
            self.skipped += [{**row, "source": "heldout"} for row in bad if source == "heldout"]
        found, _ = load_prints(room, prints)
        unlisted = self.setup.heldout.listing.unlisted if self.setup.heldout else []
        self.skipped += [{**row, "source": "heldout"} for row in unlisted]
        self._tell(len(found))
        if not len(found):
            return {}
        if not room.manifest.finished(_BAR):
            room.manifest.commit(_BAR, {"bar": np.array([prints_of(room).finder(found).bar])}, [])
        bar = round(float(room.manifest.load(_BAR).array("bar")[0]), 6)
        self.counts |= {"held_out": len(found), "children": 0, "flagged": 0, "bar": bar}
        return prints

    def _tell(self, usable: int) -> None:
        heldout = self.setup.heldout
        if self.skipped:
            self.progress.say(f"warning: heldout: {len(self.skipped)} samples cannot be used; see skipped.jsonl")
        if heldout and len(self.skipped) == len(heldout.entries) + len(heldout.listing.unreadable):
            raise DataError(
                f"--heldout {heldout.path}: none of its {len(heldout.entries)} samples can be read",
                expected=self.setup.medium.noun,
                do="check --heldout",
                code="no-samples",
            )
        if not usable:
            self.progress.say("warning: no held-out sample can be read: leak_check: none")

    def _jobs(self, source: str) -> Jobs[EncodeJob]:
        entries = self.setup.guarded[source]
        blocks = in_blocks(np.arange(len(entries)), self.setup.medium.encode_unit)
        units = [f"{PRINTS[source]}-{n:05d}" for n in range(len(blocks))]

        def job(i: int) -> EncodeJob:
            return EncodeJob(units[i], tuple(entries[row] for row in blocks[i]), source)

        return Jobs(units, [len(block) for block in blocks], job)
