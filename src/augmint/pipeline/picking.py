"""Methods that pick: which row of the pool each place of a class gets, and the worker that copies the rows.

The method is asked for a whole class at once, from its first place on, because no row may be given twice and a method
has no memory. Its answer for a place depends on the places before it only, so a refill round that asks for more gets
the same answers for the places of the rounds before. What was picked is written down as a unit, ``picks-<round>``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from augmint.core.errors import SampleError
from augmint.core.protocols import Encoder, Format, Rewriter, Synthesizer
from augmint.core.seeds import stream
from augmint.core.types import F32, NO_PICK, Latents, Sample
from augmint.formats.images import strip_metadata
from augmint.pipeline.anchors import AnchorOrder, unit_name
from augmint.pipeline.fitting import load_synthesizer, load_then
from augmint.pipeline.jobs import Jobs
from augmint.pipeline.judging import Bench
from augmint.pipeline.making import restyled
from augmint.pipeline.manifest import Rows, sha256
from augmint.pipeline.workers import (
    Anchor,
    Arrays,
    DrawJob,
    Drawn,
    OnDisk,
    Pick,
    Room,
    child_id,
    job_row,
    provenance,
    unchanged,
)


@dataclass
class PickOrder:
    """The places of every class and the rows of the pool they get.

    Attributes:
        room: of the run.
        order: the anchor of each place.
        pool: where each row of the pool is, by id.
    """

    room: Room
    order: AnchorOrder
    pool: Mapping[str, Anchor]
    _known: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def jobs(self, unit_size: int, round_: int, need: Mapping[str, int], drawn: Mapping[str, int]) -> Jobs[DrawJob]:
        """Draw units of a round; places that get no row are left out."""
        unit, manifest = f"picks-{round_:02d}", self.room.manifest
        if not any(need.values()):
            return Jobs((), (), (()).__getitem__)
        if not manifest.finished(unit):
            rows: Rows = [
                {"label": name, "picks": self._picks(name, drawn[name], drawn[name] + count)}
                for name, count in need.items()
                if count
            ]
            manifest.commit(unit, {"picked": np.array([sum(len(row["picks"]) for row in rows)])}, rows)
        found = manifest.load(unit).rows
        made = [job for row in found for job in self._units(row["label"], row["picks"], unit_size, round_)]
        sizes = [len(job.anchors) for job in made]
        return Jobs([job.unit for job in made], sizes, made.__getitem__, [job.label for job in made])

    def _units(self, label: str, picks: Rows, unit_size: int, round_: int) -> Iterator[DrawJob]:
        order = self.order
        for index, start in enumerate(range(0, len(picks), unit_size)):
            part = picks[start : start + unit_size]
            anchors = tuple(order.anchor(label, pick["anchor"]) for pick in part)
            chosen = tuple(pick_of(pick, self.pool) for pick in part)
            unit = unit_name(round_, order.classes.index(label), index)
            yield DrawJob(unit, label, index, round_, order.kin[label], anchors, chosen)

    def _picks(self, label: str, start: int, stop: int) -> Rows:
        """What the places ``start`` to ``stop`` of a class get, those left out that get nothing."""
        known = self._known.get(label, [])
        exhausted = bool(known) and not known[-1]
        if len(known) < stop and not exhausted:
            # Twice what is needed now: a refill round then need not ask again for all that went before.
            known = self._known[label] = self._ask(label, 2 * stop)
        return [pick for pick in known[start:stop] if pick]

    def _ask(self, label: str, count: int) -> list[dict[str, Any]]:
        """Facts of the pick of each of the first places of a class, {} where there is none."""
        anchors = self._latents(label, count)
        draw = self._method.sample(anchors, stream(self.room.plan.seed, "pick", label))
        assert draw.pick is not None
        found: list[dict[str, Any]] = []
        turns = self.order.turns(label)
        for place, refs in enumerate(draw.refs):
            parents = [(str(ref), float(w)) for ref, w in zip(refs, draw.label_weights[place], strict=True) if ref]
            row = next((ref for ref, _ in parents if ref.startswith("pool:")), "")
            given = draw.pick[place] != NO_PICK
            facts = {"id": row.removeprefix("pool:"), "parents": parents, "anchor": place % turns}
            found.append(facts if given else {})
        return found

    @cached_property
    def _method(self) -> Synthesizer:
        return load_synthesizer(self.room.plan, self.room.manifest.load("fit").arrays())

    def _latents(self, label: str, count: int) -> Latents:
        """The anchors of the first places of a class."""
        places, fit = self.order.places(label, 0, count), self.room.manifest.load("fit")
        units = {name: self.room.manifest.load(name).array("z") for name in {place.unit for place in places}}
        z = np.stack([units[place.unit][place.row] for place in places])
        classes = fit.rows[0]["classes"]
        y = np.zeros((count, len(classes)), np.float32)
        y[:, classes.index(label)] = 1.0
        ids = np.array([place.entry.id for place in places])
        return Latents(ids, z, y, tuple(classes), space=fit.rows[0]["space"])


def pick_of(facts: Mapping[str, Any], pool: Mapping[str, Anchor]) -> Pick:
    """A pick from what a unit says of it."""
    return Pick(pool[facts["id"]], tuple((ref, weight) for ref, weight in facts["parents"]))


@dataclass(frozen=True)
class MakePicker:
    """Builds the worker of draw units whose rows are picked; it needs no model unless picks go through something."""

    room: Room

    def __call__(self) -> PickWorker:
        """Load the gates once, and the judge where it has not seen yet what will be judged."""
        room = self.room
        fit = room.manifest.load("fit")
        then = load_then(room.plan, fit.arrays())
        judge = None if then is None else room.load_judge()
        bench = Bench.load(room.plan, room.manifest, room.load_gate_lms())
        return PickWorker(room, room.open_format("pool"), bench, then, judge)


Looked = tuple[list[tuple[bytes, str]], F32, Sequence[Sample]]
"""Bytes and ending of each row for the output, its features, and the row itself, which may be read when looked at."""


@dataclass(frozen=True)
class PickWorker:
    """Copies rows of the pool and judges them by the features they got when the pool was encoded.

    Where the plan has a ``then`` they are not copied but changed, and judged as what they are after it.
    """

    room: Room
    format: Format
    bench: Bench
    then: Rewriter | None = None
    judge: Encoder | None = None

    def __call__(self, job: DrawJob) -> tuple[str, int]:
        """Write the unit; returns its name and the number of rows that passed the row gates."""
        arrays, rows = self.draw(job)
        self.room.manifest.commit(job.unit, arrays, rows)
        return job.unit, sum(row.get("kept", False) for row in rows)

    def draw(self, job: DrawJob) -> tuple[Arrays, Rows]:
        """Arrays and rows of a unit, as :meth:`DrawWorker.draw` gives them; each place has one attempt."""
        ids = [child_id(self.room.plan.seed, job, 0, slot) for slot in range(len(job.picks))]
        rows = OnDisk(self.format, [pick.row for pick in job.picks])
        contents, features, children = (
            self._copied(rows) if self.judge is None else self._restyled(job, rows, self.judge)
        )
        verdicts = self.bench.judge(ids, features, [pick.parents for pick in job.picks], children)
        drawn = Drawn([job_row(job)])
        for slot, (pick, verdict) in enumerate(zip(job.picks, verdicts, strict=True)):
            data, suffix = contents[slot]
            fact = {"id": ids[slot], "sha256": sha256(data), "suffix": suffix, "attempt": 0, "slot": slot}
            drawn.rows.append(fact | verdict | provenance(pick.parents) | {"note": "", "group": ""})
            drawn.blobs.append(data)
        drawn.features.append(features[np.array([verdict["kept"] for verdict in verdicts], np.bool_)])
        return drawn.arrays(), drawn.rows

    def _copied(self, picked: OnDisk) -> Looked:
        """Bytes and ending of each pick, the judge's features, and the picks themselves."""
        rows = picked.rows
        units = {name: self.room.manifest.load(name).array("judge") for name in {row.unit for row in rows}}
        return [self._content(row) for row in rows], np.stack([units[row.unit][row.row] for row in rows]), picked

    def _restyled(self, job: DrawJob, rows: OnDisk, judge: Encoder) -> Looked:
        """The same of the picks after what all children go through."""
        address = (job.label, job.index, job.round, 0)
        children = restyled(self.then, self.room.plan.seed, list(rows), address, range(len(rows)))
        contents = [(self.format.dump(child), self.room.medium.suffix) for child in children]
        return contents, judge.encode(children), children

    def _content(self, row: Anchor) -> tuple[bytes, str]:
        """Bytes for the output and the ending of the file's name: as originals are written."""
        sample, suffix = unchanged(self.format, row), row.entry.source.suffix
        if sample.raw is None or not self.room.medium.suffix:
            return self.format.dump(sample), self.room.medium.suffix
        if self.room.plan.keep_metadata:
            return sample.raw, suffix
        try:
            return strip_metadata(sample.raw), suffix
        except SampleError:  # it can be decoded, but not taken apart: its pixels without what is around them
            return self.format.dump(sample), ".png"
