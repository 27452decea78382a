"""The set gates: after each round, in unit order, because they look at rows of other units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from augmint.core.protocols import SetGate
from augmint.core.types import F32, Bool, Latents
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
    """Collects the children of finished rounds and lets the set gates choose among them."""

    manifest: Manifest
    chooser: Chooser
    children: list[Child] = field(default_factory=list)

    def close(self, round_: int, jobs: Sequence[DrawJob], leaks: Mapping[str, Mapping[str, Any]]) -> None:
        """Take in the finished units of a round, in order, and write the round's verdicts as a unit.

        ``leaks`` holds the verdicts on children that are near copies of held-out pictures, by id: no gate sees these.
        """
        unit = f"barrier-{round_:02d}"
        verdicts: Rows = []
        for job in jobs:
            done = self.manifest.load(job.unit)
            children = [Child(job.unit, i, row) for i, row in enumerate(done.rows[1:])]
            passed = [child.facts["id"] for child in children if child.accepted]
            clean = np.array([id_ not in leaks for id_ in passed], np.bool_)
            ids = [id_ for id_ in passed if id_ not in leaks]
            verdict = self.chooser.choose(job.label, ids, done.array("judge")[clean])
            verdicts += [dict(leaks[id_]) for id_ in passed if id_ in leaks]
            verdicts += [row for row in verdict.values() if not row["kept"]]
            for child in children:
                id_ = child.facts["id"]
                facts = {**child.facts, **leaks.get(id_, {}), **verdict.get(id_, {})}
                self.children.append(Child(child.unit, child.position, facts))
        if not self.manifest.finished(unit):
            self.manifest.commit(unit, {"rejected": np.array([len(verdicts)])}, verdicts)

    def made(self, label: str) -> int:
        """Accepted children of a class so far."""
        return sum(child.accepted for child in self.children if child.facts["label"] == label)

    def accepted(self) -> Iterator[Child]:
        """Accepted children in unit order."""
        return (child for child in self.children if child.accepted)

    def rejects(self) -> Iterator[Child]:
        """Rejected children in unit order; their facts name the gate, the score and the threshold."""
        return (child for child in self.children if not child.accepted)

    def rejected(self) -> dict[str, dict[str, int]]:
        """Number of rejected children: class -> gate -> count."""
        counts: dict[str, Counter[str]] = {}
        for child in self.rejects():
            counts.setdefault(child.facts["label"], Counter())[child.facts["gate"]] += 1
        return {name: dict(sorted(counter.items())) for name, counter in counts.items()}

    def notes(self) -> dict[str, int]:
        """Number of accepted children by note."""
        return dict(sorted(Counter(c.facts["note"] for c in self.accepted() if c.facts["note"]).items()))
