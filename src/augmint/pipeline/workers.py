"""What one worker does with one unit: read and encode, or draw, decode and judge.

Both workers are pure functions of the plan, the data and their unit's address. They write their unit themselves, so
that the parent holds no pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from augmint.core.errors import DataError, SampleError
from augmint.core.protocols import Codec, Encoder, Format, RowGate, Synthesizer
from augmint.core.registry import lookup
from augmint.core.seeds import stream, stream_key
from augmint.core.types import F32, Bool, Draw, Entry, Latents, Sample
from augmint.formats import TABLE as FORMATS
from augmint.models import load_encoder
from augmint.pipeline.fitting import load_gates, load_synthesizer
from augmint.pipeline.manifest import Manifest, Rows, sha256
from augmint.pipeline.plan import Plan

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class EncodeJob:
    """Some entries of one class, read and encoded together."""

    unit: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Anchor:
    """A real row to make something like: where its file and its latents are."""

    entry: Entry
    sha256: str
    unit: str
    row: int


@dataclass(frozen=True)
class DrawJob:
    """Children of one class: one for each anchor. ``kin`` is a digest of the class's real rows."""

    unit: str
    label: str
    index: int
    round: int
    kin: str
    anchors: tuple[Anchor, ...]


@dataclass(frozen=True)
class Room:
    """What every worker of a run needs to build itself; picklable."""

    manifest: Manifest
    plan: Plan
    format: str
    device: str = "cpu"

    def open_format(self) -> Format:
        """The reader of the data set."""
        built = lookup("formats", "format", FORMATS, self.format)()
        assert isinstance(built, Format)
        return built

    def load_codec(self) -> Codec:
        """The model that encodes and decodes."""
        model = load_encoder(self.plan.model, size=self.plan.size, device=self.device)
        assert isinstance(model, Codec)
        return model

    def load_judge(self) -> Encoder:
        """The encoder in whose space children are judged."""
        return load_encoder(self.plan.judge, device=self.device)


@dataclass(frozen=True)
class MakeEncoder:
    """Builds the worker of encode units."""

    room: Room

    def __call__(self) -> EncodeWorker:
        """Load the models once."""
        room = self.room
        return EncodeWorker(room, room.open_format(), room.load_codec(), room.load_judge())


@dataclass(frozen=True)
class EncodeWorker:
    """Reads each entry once; what cannot be used becomes a row that says why."""

    room: Room
    format: Format
    codec: Codec
    judge: Encoder

    def __call__(self, job: EncodeJob) -> tuple[str, int]:
        """Write the unit; returns its name and its number of entries."""
        samples, rows = [], []
        for entry in job.entries:
            sample, row = read_entry(self.format, entry)
            rows.append(row)
            if sample is not None:
                samples.append(sample)
        arrays: Arrays = {"z": np.zeros((0, 1), np.float32), "judge": np.zeros((0, 1), np.float32)}
        if samples:
            arrays = {"z": self.codec.encode(samples), "judge": self.judge.encode(samples)}
        self.room.manifest.commit(job.unit, arrays, rows)
        return job.unit, len(job.entries)


def read_entry(reader: Format, entry: Entry) -> tuple[Sample | None, dict[str, Any]]:
    """A sample and its row of facts; the sample is None when it is to be skipped."""
    row: dict[str, Any] = {"id": entry.id, "target": entry.target, "group": entry.group}
    try:
        sample = reader.load(entry)
    except SampleError as error:
        return None, row | {"skipped": error.reason, "detail": error.detail, "sha256": _hash_of(entry)}
    shape = list(np.shape(sample.content))
    return sample, row | {"sha256": content_hash(sample), "shape": shape}


def _hash_of(entry: Entry) -> str:
    if entry.row >= 0:
        return ""
    try:
        return sha256(entry.source.read_bytes())
    except OSError:
        return ""


def content_hash(sample: Sample) -> str:
    """sha256 of the stored bytes, or of the array where there is no file of its own."""
    if sample.raw is not None:
        return sha256(sample.raw)
    content = np.ascontiguousarray(sample.content)
    return sha256(f"{content.dtype.str}{content.shape}".encode() + content.tobytes())


@dataclass(frozen=True)
class MakeDrawer:
    """Builds the worker of draw units from the fit artifact."""

    room: Room

    def __call__(self) -> DrawWorker:
        """Load models and fits once."""
        room = self.room
        fit = room.manifest.load("fit")
        arrays = fit.arrays()
        header, *real = fit.rows
        return DrawWorker(
            room=room,
            format=room.open_format(),
            codec=room.load_codec(),
            judge=room.load_judge(),
            method=load_synthesizer(room.plan, arrays),
            gates=load_gates(room.plan, arrays),
            classes=tuple(header["classes"]),
            labels={f"data:{row['id']}": y for row, y in zip(real, arrays["y"], strict=True)},
        )


@dataclass
class _Drawn:
    """What a unit has collected so far: rows, the children's bytes, and the judge's features of those kept."""

    rows: Rows
    blobs: list[bytes] = field(default_factory=list)
    features: list[F32] = field(default_factory=list)

    def arrays(self) -> Arrays:
        """The unit's arrays: all bytes end to end, where each child's begin and end, features of the kept."""
        ends = np.cumsum([0, *map(len, self.blobs)], dtype=np.int64)
        blob = np.frombuffer(b"".join(self.blobs), np.uint8)
        return {"blob": blob, "offsets": ends, "judge": np.concatenate(self.features)}


@dataclass(frozen=True)
class DrawWorker:
    """Draws, decodes and judges the children of a unit."""

    room: Room
    format: Format
    codec: Codec
    judge: Encoder
    method: Synthesizer
    gates: dict[str, RowGate]
    classes: tuple[str, ...]
    labels: dict[str, F32]

    def __call__(self, job: DrawJob) -> tuple[str, int]:
        """Write the unit; returns its name and the number of children that passed the row gates."""
        arrays, rows = self.draw(job)
        self.room.manifest.commit(job.unit, arrays, rows)
        return job.unit, sum(row.get("kept", False) for row in rows)

    def draw(self, job: DrawJob) -> tuple[Arrays, Rows]:
        """Arrays and rows of a unit: the first row is the job, the others are children in the order drawn."""
        samples = [self._anchor(anchor) for anchor in job.anchors]
        latents = self._latents(job, samples)
        slots = np.arange(len(samples))
        drawn = _Drawn([_job_row(job)])
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
        drawn: _Drawn,
    ) -> Bool:
        """One child for each open slot; returns which of them passed the row gates."""
        seed = self.room.plan.seed
        draw = self.method.sample(anchors, stream(seed, "draw", job.label, job.index, job.round, attempt))
        likes = [samples[slot] for slot in slots]
        children = self.codec.decode(draw.z, likes)
        ids = [child_id(seed, job, attempt, int(slot)) for slot in slots]
        judged = self._judged(ids, children, draw)
        verdicts = self._verdicts(judged)
        for i, child in enumerate(children):
            data = self.format.dump(child)
            fact = {"id": ids[i], "sha256": sha256(data), "attempt": attempt, "slot": int(slots[i])}
            drawn.rows.append(fact | verdicts[i] | _provenance(draw, i) | {"group": likes[i].group})
            drawn.blobs.append(data)
        kept = np.array([verdict["kept"] for verdict in verdicts])
        drawn.features.append(judged.z[kept])
        return kept

    def _anchor(self, anchor: Anchor) -> Sample:
        try:
            sample = self.format.load(anchor.entry)
        except SampleError as error:
            raise changed_input(anchor.entry) from error
        if content_hash(sample) != anchor.sha256:
            raise changed_input(anchor.entry)
        return sample

    def _latents(self, job: DrawJob, samples: Sequence[Sample]) -> Latents:
        units = {name: self.room.manifest.load(name).array("z") for name in {a.unit for a in job.anchors}}
        z = np.stack([units[anchor.unit][anchor.row] for anchor in job.anchors])
        ids = np.array([sample.id for sample in samples])
        y = np.stack([self.labels[f"data:{sample.id}"] for sample in samples])
        return Latents(ids, z, y, classes=self.classes, space=self.codec.space)

    def _judged(self, ids: list[str], children: Sequence[Sample], draw: Draw) -> Latents:
        # The label of a child is the weighted mean of its parents' labels: no method invents one.
        y = np.zeros((len(ids), len(self.classes)), np.float32)
        for i, refs in enumerate(draw.refs):
            for ref, weight in zip(refs, draw.label_weights[i], strict=True):
                if ref:
                    y[i] += weight * self.labels[str(ref)]
        return Latents(np.array(ids), self.judge.encode(children), y, self.classes, space=self.judge.space)

    def _verdicts(self, judged: Latents) -> list[dict[str, Any]]:
        scores = {name: gate.score(judged) for name, gate in self.gates.items()}
        verdicts = []
        for i, label in enumerate(judged.labels):
            verdict: dict[str, Any] = {"kept": True, "label": self.classes[label]}
            verdict["scores"] = {name: round(float(score[i]), 6) for name, score in scores.items()}
            for name, gate in self.gates.items():
                if scores[name][i] < gate.threshold_[label]:
                    verdict |= {"kept": False, "gate": name, "threshold": round(float(gate.threshold_[label]), 6)}
                    break
            verdicts.append(verdict)
        return verdicts


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


def _job_row(job: DrawJob) -> dict[str, Any]:
    anchors = [anchor.entry.id for anchor in job.anchors]
    facts = {"job": job.unit, "label": job.label, "index": job.index, "round": job.round, "kin": job.kin}
    return {**facts, "anchors": anchors}


def _provenance(draw: Draw, i: int) -> dict[str, Any]:
    used = [(str(ref), float(weight)) for ref, weight in zip(draw.refs[i], draw.label_weights[i], strict=True) if ref]
    return {
        "refs": [ref for ref, _ in used],
        "label_weights": [round(weight, 6) for _, weight in used],
        "note": "" if draw.note is None else str(draw.note[i]),
    }
