"""What one worker does with one unit: read and encode, or draw, decode and judge.

Both workers are pure functions of the plan, the data and their unit's address. They write their unit themselves, so
that the parent holds no pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

import numpy as np

from augmint.core.errors import DataError, SampleError
from augmint.core.protocols import Encoder, Format
from augmint.core.registry import lookup
from augmint.core.seeds import stream_key
from augmint.core.types import F32, Bool, Entry, Latents, Sample
from augmint.formats import TABLE as FORMATS
from augmint.models import load_encoder, load_judge, load_lm
from augmint.pipeline.fitting import usable_rows
from augmint.pipeline.judging import Bench, Blind, Parents
from augmint.pipeline.making import Maker, Places
from augmint.pipeline.manifest import Manifest, Rows, blobs_of, dump_json, sha256
from augmint.pipeline.modality import MEDIA, Medium, is_judged, kind_of, kind_of_gate
from augmint.pipeline.plan import Plan

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class EncodeJob:
    """Some entries of one class, read and encoded together; ``source`` is "data", "pool", "base" or "held-out"."""

    unit: str
    entries: tuple[Entry, ...]
    source: str = "data"


@dataclass(frozen=True)
class Anchor:
    """A real row to make something like: where its file and its latents are."""

    entry: Entry
    sha256: str
    unit: str
    row: int


@dataclass(frozen=True)
class Pick:
    """A row of the pool to be copied, and the (ref, label weight) of each of its parents."""

    row: Anchor
    parents: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class DrawJob:
    """Children of one class: one for each anchor. ``kin`` is a digest of the class's real rows.

    ``picks`` are the rows of a pool that the anchors get; none where children are drawn and decoded.
    """

    unit: str
    label: str
    index: int
    round: int
    kin: str
    anchors: tuple[Anchor, ...]
    picks: tuple[Pick, ...] = ()


@dataclass(frozen=True)
class Room:
    """What every worker of a run needs to build itself; picklable. ``asks``: whether anybody outside may be asked."""

    manifest: Manifest
    plan: Plan
    formats: Mapping[str, str]
    device: str = "cpu"
    asks: bool = True
    classes: tuple[str, ...] = ()

    def open_format(self, source: str = "data") -> Format:
        """The reader of the data set, or of the ``pool`` or ``base``."""
        built = lookup("formats", "format", FORMATS, self.formats[source])()
        assert isinstance(built, Format)
        return built

    @property
    def medium(self) -> Medium:
        """What the samples of the run are."""
        return MEDIA[self.open_format().modality]

    def load_codec(self) -> Encoder | None:
        """The model that encodes, and decodes where it is a codec; None where the method works on samples."""
        if self.plan.rewrites:
            return None
        return load_encoder(self.plan.model, size=self.plan.size, device=self.device)

    def load_lm(self) -> Any:
        """The model that a method on samples is handed; None where it needs none."""
        if not (self.plan.rewrites and self.plan.uses_model):
            return None
        lm = load_lm(self.plan.model, kind=kind_of(self.plan), size=self.plan.size, device=self.device)
        further = {name: load_lm(model, device=self.device) for name, model in self.plan.further_models.items()}
        return {"lm": lm, **further} if further else lm

    def load_gate_lms(self) -> dict[str, Any]:
        """The models of gates that read through one of their own, by the gate's name."""
        kinds = {name: kind_of_gate(self.plan, name) for name in self.plan.gate_models}
        models = self.plan.gate_models.items()
        return {name: load_lm(model, kind=kinds[name], device=self.device) for name, model in models}

    def load_judge(self) -> Encoder:
        """The encoder in whose space children are judged."""
        if not is_judged(self.plan, self.medium):
            return Blind()
        return load_judge(self.plan.judge, self.classes, device=self.device)


@dataclass(frozen=True)
class MakeEncoder:
    """Builds the worker of encode units."""

    room: Room

    def __call__(self) -> EncodeWorker:
        """Load the models once."""
        room = self.room
        readers = {source: room.open_format(source) for source in room.formats}
        return EncodeWorker(room, readers, room.load_codec(), room.load_judge())


@dataclass(frozen=True)
class EncodeWorker:
    """Reads each entry once; what cannot be used becomes a row that says why."""

    room: Room
    readers: Mapping[str, Format]
    codec: Encoder | None
    judge: Encoder

    def __call__(self, job: EncodeJob) -> tuple[str, int]:
        """Write the unit; returns its name and its number of entries."""
        samples, rows = [], []
        for entry in job.entries:
            sample, row = read_entry(self.readers[job.source], entry)
            rows.append(row)
            if sample is not None:
                samples.append(sample)
        self.room.manifest.commit(job.unit, self._encoded(job.source, samples), rows)
        return job.unit, len(job.entries)

    def _encoded(self, source: str, samples: Sequence[Sample]) -> Arrays:
        """Rows of the codec and of the judge; what nobody will look at is zero."""
        none = np.zeros((len(samples), 1), np.float32)
        if not samples:
            return {"z": none, "judge": none}
        # Nothing of a base is ever judged, and nothing learns from held-out rows.
        judged = none if source == "base" else self.judge.encode(samples)
        if self.codec is None or source == "held-out":
            return {"z": none, "judge": judged}
        shared = source != "base" and self.codec.space == self.judge.space
        return {"z": judged if shared else self.codec.encode(samples), "judge": judged}


def read_entry(reader: Format, entry: Entry) -> tuple[Sample | None, dict[str, Any]]:
    """A sample and its row of facts; the sample is None when it is to be skipped."""
    row: dict[str, Any] = {"id": entry.id, "target": entry.target, "group": entry.group}
    try:
        sample = reader.load(entry)
    except SampleError as error:
        return None, row | {"skipped": error.reason, "detail": error.detail, "sha256": _hash_of(entry)}
    row |= {"sha256": content_hash(sample), "pixels": pixel_hash(sample)}
    return sample, row if is_text(sample) else row | {"shape": list(np.shape(sample.content))}


def _hash_of(entry: Entry) -> str:
    if entry.row >= 0:
        return ""
    try:
        return sha256(entry.source.read_bytes())
    except OSError:
        return ""


def content_hash(sample: Sample) -> str:
    """sha256 of the stored bytes, or of the array where there is no file of its own."""
    return pixel_hash(sample) if sample.raw is None else sha256(sample.raw)


def pixel_hash(sample: Sample) -> str:
    """sha256 of the content: the same picture saved in two ways is the same sample, and so is the same text."""
    if is_text(sample):
        return sha256(dump_json([sample.content, sample.spans]).encode("utf-8", "surrogatepass"))
    content = np.ascontiguousarray(sample.content)
    return sha256(f"{content.dtype.str}{content.shape}".encode() + content.tobytes())


def is_text(sample: Sample) -> bool:
    """Whether the content is a string, or strings by name."""
    return isinstance(sample.content, str | dict)


@dataclass(frozen=True)
class MakeDrawer:
    """Builds the worker of draw units from the fit artifact."""

    room: Room

    def __call__(self) -> DrawWorker:
        """Load models and fits once."""
        room = self.room
        fit = room.manifest.load("fit")
        maker = Maker.load(room.plan, fit.arrays(), room.load_codec(), room.load_lm())
        maker = maker.remembering(room.manifest.home / "answers", ask=room.asks)
        bench, space = Bench.load(room.plan, room.manifest, room.load_gate_lms()), fit.rows[0]["space"]
        return DrawWorker(room, room.open_format(), room.load_judge(), maker, bench, space)


@dataclass
class Drawn:
    """What a unit has collected so far: rows, the children's bytes, and the judge's features of those kept."""

    rows: Rows
    blobs: list[bytes] = field(default_factory=list)
    features: list[F32] = field(default_factory=list)

    def arrays(self) -> Arrays:
        """The unit's arrays: the children's bytes and the features of the kept."""
        return {**blobs_of(self.blobs), "judge": np.concatenate(self.features)}


@dataclass(frozen=True)
class DrawWorker:
    """Makes and judges the children of a unit; ``space`` is the one that their anchors' rows are of."""

    room: Room
    format: Format
    judge: Encoder
    maker: Maker
    bench: Bench
    space: str

    def __call__(self, job: DrawJob) -> tuple[str, int]:
        """Write the unit; returns its name and the number of children that passed the row gates."""
        arrays, rows = self.draw(job)
        self.room.manifest.commit(job.unit, arrays, rows)
        return job.unit, sum(row.get("kept", False) for row in rows)

    def draw(self, job: DrawJob) -> tuple[Arrays, Rows]:
        """Arrays and rows of a unit: the first row is the job, the others are children in the order drawn."""
        samples = [unchanged(self.format, anchor) for anchor in job.anchors]
        latents = self._latents(job)
        slots = np.arange(len(samples))
        drawn = Drawn([job_row(job)])
        for attempt in range(self.room.plan.max_tries):
            if not len(slots):
                break
            kept = self._attempt(job, attempt, slots, latents.take(slots), samples, drawn)
            slots = slots[~kept]
        return drawn.arrays(), drawn.rows

    def _attempt(
        self,
        job: DrawJob,
        attempt: int,
        slots: np.ndarray,
        anchors: Latents,
        samples: Sequence[Sample],
        drawn: Drawn,
    ) -> Bool:
        """One child for each open slot; returns which of them passed the row gates."""
        seed, suffix, likes = self.room.plan.seed, self.room.medium.suffix, [samples[slot] for slot in slots]
        made = self.maker.make(Places(anchors, likes, (job.label, job.index, job.round, attempt), slots.tolist()))
        ids = [child_id(seed, job, attempt, int(slot)) for slot in slots]
        features = self.judge.encode(made.children)
        bench = self._bench(job, made.parents)
        verdicts = bench.judge(ids, features, made.parents, made.children)
        for i, child in enumerate(made.children):
            data = self.format.dump(child)
            fact = {"id": ids[i], "sha256": sha256(data), "suffix": suffix, "attempt": attempt, "slot": int(slots[i])}
            told = {"note": made.notes[i], "group": bench.group(made.parents[i])}
            drawn.rows.append(fact | verdicts[i] | provenance(made.parents[i]) | told)
            drawn.blobs.append(data)
        kept = np.array([verdict["kept"] for verdict in verdicts])
        drawn.features.append(features[kept])
        return kept

    def _bench(self, job: DrawJob, parents: Sequence[Parents]) -> Bench:
        """The bench with the labels of these parents: those of a unit's anchors are at hand, others are read."""
        if not self.room.plan.rewrites:
            return self.bench
        facts = ({"id": a.entry.id, "target": job.label, "group": a.entry.group} for a in job.anchors)
        bench = self.bench.knowing(facts)
        return bench if all(ref in bench.labels for own in parents for ref, _ in own) else self._knowing_all

    @cached_property
    def _knowing_all(self) -> Bench:
        return self.bench.knowing(usable_rows(self.room.manifest))

    def _latents(self, job: DrawJob) -> Latents:
        """Rows of the anchors; zeros where the method works on samples."""
        ids = np.array([anchor.entry.id for anchor in job.anchors])
        classes = self.bench.classes
        y = np.repeat([[float(name == job.label) for name in classes]], len(ids), axis=0).astype(np.float32)
        if self.room.plan.rewrites:
            return Latents(ids, np.zeros((len(ids), 1), np.float32), y, classes=classes)
        units = {name: self.room.manifest.load(name).array("z") for name in {a.unit for a in job.anchors}}
        z = np.stack([units[anchor.unit][anchor.row] for anchor in job.anchors])
        return Latents(ids, z, y, classes=classes, space=self.space)


def unchanged(reader: Format, row: Anchor) -> Sample:
    """The sample of a row; raises DataError when it is not what it was when it was encoded."""
    try:
        sample = reader.load(row.entry)
    except SampleError as error:
        raise changed_input(row.entry) from error
    if content_hash(sample) != row.sha256:
        raise changed_input(row.entry)
    return sample


@dataclass(frozen=True)
class OnDisk(Sequence[Sample]):
    """Real samples that are read when they are looked at; one that has changed since it was encoded is a DataError."""

    reader: Format
    rows: Sequence[Anchor]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Sample: ...
    @overload
    def __getitem__(self, at: slice) -> list[Sample]: ...
    def __getitem__(self, at: int | slice) -> Sample | list[Sample]:
        if isinstance(at, slice):
            return [unchanged(self.reader, row) for row in self.rows[at]]
        return unchanged(self.reader, self.rows[at])


def changed_input(entry: Entry) -> DataError:
    """The error for a file that is not what it was when the run began."""
    return DataError(
        f"{entry.id} is not what it was when this run began",
        expected="inputs that stay unchanged while a run is made, resumed or replayed",
        do="restore the file, or start over with --fresh",
        code="input-changed",
    )


def child_id(seed: int, job: DrawJob, attempt: int, slot: int) -> str:
    """The name of a child: a hash of its address, so it says nothing and clashes with nothing.

    The kin is in it because the real rows may be the output of an earlier run, with children at the same addresses.
    """
    return "syn-" + stream_key(seed, "id", job.label, job.kin, job.index, job.round, attempt, slot).hex()[:16]


def job_row(job: DrawJob) -> dict[str, Any]:
    """What a unit must know of its job to be made again."""
    anchors = [anchor.entry.id for anchor in job.anchors]
    facts = {"job": job.unit, "label": job.label, "index": job.index, "round": job.round, "kin": job.kin}
    picks = [{"id": pick.row.entry.id, "parents": list(pick.parents)} for pick in job.picks]
    return {**facts, "anchors": anchors, **({"picks": picks} if picks else {})}


def provenance(parents: Parents) -> dict[str, Any]:
    """The columns that name a child's parents."""
    return {
        "refs": [ref for ref, _ in parents],
        "label_weights": [round(weight, 6) for _, weight in parents],
    }
