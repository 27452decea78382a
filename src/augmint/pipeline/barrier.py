"""The set gates: after each round, in unit order, because they look at rows of other units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from augmint.core.protocols import SetGate
from augmint.core.types import F32, Bool, Latents
from augmint.pipeline.groups import JOINT
from augmint.pipeline.jobs import Jobs
from augmint.pipeline.manifest import Manifest, Rows
from augmint.pipeline.workers import DrawJob


@dataclass(frozen=True)
class Child:
    """A drawn row, where its bytes are, and what became of it."""

    unit: str
    position: int
    facts: Mapping[str, Any]

    @property
    def accepted(self) -> bool:
        """Whether it passed every gate."""
        return bool(self.facts["kept"])


@dataclass
class Chooser:
    """The set gates, and the judge's features of the children they have accepted of each class."""

    classes: tuple[str, ...]
    gates: Mapping[str, SetGate]
    _features: dict[str, list[F32]] = field(default_factory=dict)

    def choose(self, label: str, ids: Sequence[str], judge: F32) -> dict[str, dict[str, Any]]:
        """Verdict of the set gates on the children of one unit: id -> facts; remembers who was accepted."""
        verdict: dict[str, dict[str, Any]] = {id_: {"id": id_, "kept": True} for id_ in ids}
        alive = np.ones(len(ids), bool)
        for name, gate in self.gates.items():
            if not alive.any():
                break
            rows = np.flatnonzero(alive).tolist()
            fake = self._latents(label, [ids[i] for i in rows], judge[rows])
            keep, score = gate.select(fake, self._accepted_latents(label, judge.shape[1:]))
            self._record(verdict, fake, keep, score, name)
            alive[np.array(rows)[~keep]] = False
        if len(ids):
            self._features.setdefault(label, []).append(judge[alive])
        return verdict

    @staticmethod
    def _record(verdict: dict[str, dict[str, Any]], fake: Latents, keep: Bool, score: F32, gate: str) -> None:
        for id_, kept, value in zip(fake.ids, keep, score, strict=True):
            if not kept:
                verdict[str(id_)] = {"id": str(id_), "kept": False, "gate": gate, "score": round(float(value), 6)}

    def _accepted_latents(self, label: str, shape: tuple[int, ...]) -> Latents:
        parts = self._features.get(label, [])
        z = np.concatenate(parts) if parts else np.zeros((0, *shape), np.float32)
        return self._latents(label, [""] * len(z), z)

    def _latents(self, label: str, ids: Sequence[str], z: F32) -> Latents:
        y = np.zeros((len(z), len(self.classes)), np.float32)
        y[:, self.classes.index(label)] = 1.0
        return Latents(np.array(ids, dtype=np.str_), z, y, self.classes)


@dataclass
class Barrier:
    """Lets the set gates choose among the children of finished rounds; counts them, and reads them again when asked.

    Attributes:
        manifest: of the run.
        chooser: the set gates.
        soft: whether an accepted child has a label with weight in more than one class.
        joint: accepted children that have parents of several groups.
        closed: whether there was a round.
    """

    manifest: Manifest
    chooser: Chooser
    soft: bool = False
    joint: int = 0
    closed: bool = False
    _made: Counter[str] = field(default_factory=Counter)
    _notes: Counter[str] = field(default_factory=Counter)
    _rejected: dict[str, Counter[str]] = field(default_factory=dict)

    def close(self, round_: int, jobs: Jobs[DrawJob], leaks: Mapping[str, Mapping[str, Any]]) -> None:
        """Take in the finished units of a round, in order, and write the round's verdicts as a unit.

        ``leaks`` holds the verdicts on children that are near copies of held-out samples, by id: no gate sees these.
        """
        unit = f"barrier-{round_:02d}"
        verdicts: Rows = []
        for name, label in zip(jobs.units, jobs.labels, strict=True):
            done = self.manifest.load(name)
            passed = [row["id"] for row in done.rows[1:] if row["kept"]]
            clean = np.array([id_ not in leaks for id_ in passed], np.bool_)
            ids = [id_ for id_ in passed if id_ not in leaks]
            chosen = self.chooser.choose(label, ids, done.array("judge")[clean])
            found = [dict(leaks[id_]) for id_ in passed if id_ in leaks]
            found += [row for row in chosen.values() if not row["kept"]]
            verdicts += found
            for child in _children(name, done.rows, found):
                self._count(child)
        if not self.manifest.finished(unit):
            self.manifest.commit(unit, {"rejected": np.array([len(verdicts)])}, verdicts)
        self.closed = True

    def _count(self, child: Child) -> None:
        facts = child.facts
        if not child.accepted:
            self._rejected.setdefault(facts["label"], Counter())[facts["gate"]] += 1
            return
        self._made[facts["label"]] += 1
        self._notes[facts["note"]] += 1
        self.soft = self.soft or "label_probs" in facts
        self.joint += JOINT in facts["group"]

    def made(self, label: str) -> int:
        """Accepted children of a class so far."""
        return self._made[label]

    def children(self) -> Iterator[Child]:
        """All children in unit order."""
        return drawn_children(self.manifest) if self.closed else iter(())

    def accepted(self) -> Iterator[Child]:
        """Accepted children in unit order."""
        return (child for child in self.children() if child.accepted)

    def rejects(self) -> Iterator[Child]:
        """Rejected children in unit order; their facts name the gate, the score and the threshold."""
        return (child for child in self.children() if not child.accepted)

    def rejected(self) -> dict[str, dict[str, int]]:
        """Number of rejected children: class -> gate -> count."""
        return {name: dict(sorted(counter.items())) for name, counter in self._rejected.items()}

    def notes(self) -> dict[str, int]:
        """Number of accepted children by note."""
        return {note: count for note, count in sorted(self._notes.items()) if note}


def drawn_children(manifest: Manifest) -> Iterator[Child]:
    """All children of a finished run in unit order."""
    for barrier in manifest.units("barrier"):
        verdicts = manifest.load(barrier).rows
        for name in manifest.units(f"draw-{barrier.removeprefix('barrier-')}"):
            yield from _children(name, manifest.load(name).rows, verdicts)


def _children(unit: str, rows: Rows, verdicts: Rows) -> Iterator[Child]:
    """The children of a draw unit, with what the barrier says of those that it rejects."""
    said = {row["id"]: row for row in verdicts}
    for i, row in enumerate(rows[1:]):
        yield Child(unit, i, row | said[row["id"]] if row["id"] in said else row)


@dataclass
class ChildBytes:
    """The bytes of children, which are asked for unit by unit."""

    manifest: Manifest
    _unit: str = ""
    _blob: bytes = b""
    _offsets: list[int] = field(default_factory=list)

    def of(self, child: Child) -> bytes:
        """The stored form of a child."""
        if child.unit != self._unit:
            unit = self.manifest.load(child.unit)
            self._unit, self._blob = child.unit, unit.array("blob").tobytes()
            self._offsets = unit.array("offsets").tolist()
        return self._blob[self._offsets[child.position] : self._offsets[child.position + 1]]
