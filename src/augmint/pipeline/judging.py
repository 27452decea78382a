"""What a child is judged by: its parents' labels, the row gates, and the judge's own word where it gives the labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from augmint.core.protocols import ContentGate, Encoder, RowGate
from augmint.core.types import F32, Latents, Sample
from augmint.numerics.probe import Probe
from augmint.pipeline.fitting import load_gates, load_label_probe, usable_rows
from augmint.pipeline.groups import join_groups
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.plan import Plan

Parents = Sequence[tuple[str, float]]
"""(ref, label weight) of each parent."""


@dataclass(frozen=True)
class Blind(Encoder):
    """In the judge's place where nothing is judged: every row is zero, and no model is loaded."""

    @property
    def space(self) -> str:
        """No space."""
        return ""

    def encode(self, samples: Sequence[Sample]) -> F32:
        """(n, 1) zeros."""
        return np.zeros((len(samples), 1), np.float32)


@dataclass(frozen=True)
class Bench:
    """The judge's bench.

    Attributes:
        classes: in class order.
        labels: (k,) label weights of each real row that can be a parent, by ``data:ID``.
        gates: fitted gates on single children.
        probe: gives the labels where the plan says ``label_by: judge``.
        space: of the judge.
        groups: of each real row, by ``data:ID``.
    """

    classes: tuple[str, ...]
    labels: Mapping[str, F32]
    gates: Mapping[str, RowGate | ContentGate]
    probe: Probe | None
    space: str
    groups: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, plan: Plan, manifest: Manifest, gate_lms: Mapping[str, Any]) -> Bench:
        """The bench out of the fit artifact and the encode units; a method on samples is told of its anchors later.

        ``gate_lms``: the models of gates that read through one of their own.
        """
        fit = manifest.load("fit")
        header, arrays = fit.rows[0], fit.arrays()
        bench = cls(
            tuple(header["classes"]),
            {},
            load_gates(plan, arrays, gate_lms),
            load_label_probe(plan, arrays),
            header["judge"],
        )
        return bench if plan.rewrites else bench.knowing(usable_rows(manifest))

    def knowing(self, real: Iterable[Mapping[str, Any]]) -> Bench:
        """The same bench with the classes and groups of these real rows: id, target, group."""
        one_hot = dict(zip(self.classes, np.eye(len(self.classes), dtype=np.float32), strict=True))
        labels, groups = dict[str, F32](), dict[str, str]()
        for row in real:
            ref = f"data:{row['id']}"
            labels[ref], groups[ref] = one_hot[row["target"]], row["group"]
        return replace(self, labels=labels, groups=groups)

    def group(self, parents: Parents) -> str:
        """The group of a child: all its parents' groups."""
        return join_groups(self.groups.get(ref, "") for ref, _ in parents)

    @property
    def reads(self) -> bool:
        """Whether a gate looks at the children themselves."""
        return any(isinstance(gate, ContentGate) for gate in self.gates.values())

    def judge(
        self, ids: Sequence[str], features: F32, parents: Sequence[Parents], children: Sequence[Sample] = ()
    ) -> list[dict[str, Any]]:
        """The verdict on each child: ``kept``, ``label``, ``label_by``, ``scores``, and what it failed at.

        ``children`` are looked at where the bench :attr:`reads` them.
        """
        # The label of a child is the weighted mean of its parents' labels: no method invents one.
        y = np.zeros((len(ids), len(self.classes)), np.float32)
        for i, used in enumerate(parents):
            for ref, weight in used:
                if weight:
                    y[i] += weight * self.labels[ref]
        judged = Latents(np.array(ids, np.str_), features, y, self.classes, space=self.space)
        verdicts = self._gate(judged, [[ref for ref, _ in own] for own in parents], children)
        own = y if self.probe is None else self.probe.predict_proba(features)
        for verdict, row, label in zip(verdicts, own, judged.labels, strict=True):
            verdict["label_by"] = "parents" if self.probe is None else "judge"
            if self.probe is not None or np.count_nonzero(row) > 1:
                verdict["label_probs"] = [round(float(p), 6) for p in row]
            if self.probe is not None and verdict["kept"] and row.argmax() != label:
                score, best = round(float(row[label]), 6), round(float(row.max()), 6)
                verdict |= {"kept": False, "gate": "label", "score": score, "threshold": best}
        return verdicts

    def _gate(self, judged: Latents, refs: Sequence[Sequence[str]], children: Sequence[Sample]) -> list[dict[str, Any]]:
        scores = {
            name: gate.score(children, judged, refs) if isinstance(gate, ContentGate) else gate.score(judged)
            for name, gate in self.gates.items()
        }
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
