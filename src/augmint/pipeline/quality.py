"""What a finished run is worth as a set, in the judge's space: like real rows, varied, copied? ``report/scores.json``.

Everything is read from the run's units: no model is loaded and no picture opened. The sets that are compared have the
same share of each class, because a run may add to rare classes alone, and then every distance would only tell that.
Caps, drawn by the plan's seed, keep this to about two seconds; each score states the rows that it saw.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augmint.core.seeds import stream
from augmint.core.types import F32, I64
from augmint.evaluation.diversity import diversity
from augmint.evaluation.fidelity import fidelity, label_agreement
from augmint.evaluation.memorization import LEAST_NON_MEMBERS, copying, membership
from augmint.evaluation.score import NOT_ENOUGH, Score
from augmint.evaluation.second_judge import SecondJudge
from augmint.pipeline.judged import Judged, heldout_rows, minted_rows, parents_of, real_rows
from augmint.pipeline.manifest import Manifest

SCORES = Path("report") / "scores.json"

COMPARED = 1000
"""Most rows of each side that are compared as sets."""

SEARCHED = 5000
"""Most rows of each side that are searched for copies, or labelled."""

SHARED = "the judge shares its weights with the codec: how real the samples look to it is no evidence"
_HEADLINE = ("precision", "coverage", "near copies of training rows", "label agreement")


@dataclass(frozen=True)
class Quality:
    """Scores of a run, and how they were taken.

    Attributes:
        space: of the judge.
        judge: "independent", or "shared" with the codec.
        compared_with: "held-out rows" or "training rows", the real ones that fidelity was measured against.
        rows: how many real, minted and held-out rows there are.
        scores: by name.
    """

    space: str
    judge: str
    compared_with: str
    rows: Mapping[str, int]
    scores: Mapping[str, Score]

    @property
    def is_shared(self) -> bool:
        """Whether the judge shares its weights with the codec."""
        return self.judge == "shared"

    @property
    def headline(self) -> str:
        """One sentence, or why there is none."""
        if self.is_shared:
            return f"no fidelity headline: {SHARED}"
        words = [
            f"{score.name} {score.matched:.3g} (real rows {score.reference:.3g})"
            for name in _HEADLINE
            if (score := self.scores.get(name)) is not None and math.isfinite(score.reference)
        ]
        return ", ".join(words) or f"no fidelity headline: {NOT_ENOUGH}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values: numbers of six digits, null where there is none."""
        scores = {name: _plain(score) for name, score in self.scores.items()}
        facts = {"space": self.space, "judge": self.judge, "compared_with": self.compared_with}
        return {"version": 1, **facts, "rows": dict(self.rows), "headline": self.headline, "scores": scores}


def write_scores(manifest: Manifest, *, shared: bool) -> Quality | None:
    """Measure a run and write ``OUT/report/scores.json``; None, and no file, where nothing was minted."""
    quality = measure(manifest, shared=shared)
    if quality is not None:
        text = json.dumps(quality.as_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        manifest.write(manifest.out / SCORES, text.encode(), durable=False)
    return quality


def measure(manifest: Manifest, *, shared: bool) -> Quality | None:
    """The scores of a run whose children are all drawn; None where nothing was minted.

    Args:
        manifest: of the run.
        shared: whether the judge shares its weights with the codec.
    """
    if not manifest.finished("fit"):
        return None
    plan = json.loads((manifest.home / "plan.json").read_bytes())
    real, minted, apart = real_rows(manifest), minted_rows(manifest), heldout_rows(manifest)
    if not len(minted):
        return None
    unseen = len(apart) >= LEAST_NON_MEMBERS
    scores = {
        **_as_sets(apart if unseen else real, minted, plan["seed"], unseen),
        **_labels(real, minted, plan),
        **_copies(real, minted, apart, plan["seed"]),
    }
    judge = "shared" if shared else "independent"
    counts = {"real": len(real), "minted": len(minted), "held-out": len(apart)}
    space = manifest.load("fit").rows[0]["judge"]
    return Quality(space, judge, "held-out rows" if unseen else "training rows", counts, scores)


def _as_sets(real: Judged, minted: Judged, seed: int, unseen: bool) -> dict[str, Score]:
    """Fidelity and diversity of sets with the same share of each class."""
    here, there = same_shares(real.y, minted.y, COMPARED, seed)
    a, b = real.x[here], minted.x[there]
    if not len(b):
        return {}
    scores = {**fidelity(a, b), "vendi": diversity(b, a)}
    note = f"{len(b)} minted against {len(a)} {'held-out' if unseen else 'training'} rows, as many of each class"
    if not unseen:
        note += "; the method has seen these, which flatters"
    return {name: dataclasses.replace(score, note=score.note or note) for name, score in scores.items()}


def same_shares(real: I64, minted: I64, most: int, seed: int) -> tuple[I64, I64]:
    """Positions of real and of minted rows, at most so many each, in which every class has the same share.

    A class that is missing on one side is left out on both. Of each other class as many rows are taken as the side
    that has fewer of it has, and then of each side so many times that as it can give of all classes.
    """
    rng = stream(seed, "quality", "shares")
    classes = np.intersect1d(real[real >= 0], minted[minted >= 0])
    count = [np.array([(y == c).sum() for c in classes]) for y in (real, minted)]
    few = np.minimum(*count)
    if few.sum() > most:
        few = np.maximum(1, few * most // few.sum())
    out = []
    for y, own in zip((real, minted), count, strict=True):
        times = min([int((own // few).min()), max(1, most // int(few.sum()))]) if len(classes) else 0
        parts = [rng.permutation(np.flatnonzero(y == c))[: times * n] for c, n in zip(classes, few, strict=True)]
        out.append(np.sort(np.concatenate(parts)) if parts else np.zeros(0, np.int64))
    return out[0], out[1]


def _some(rows: Judged, seed: int, what: str) -> Judged:
    """At most SEARCHED of the rows."""
    if len(rows) <= SEARCHED:
        return rows
    return rows.take(np.sort(stream(seed, "quality", what).permutation(len(rows))[:SEARCHED]))


def _labels(real: Judged, minted: Judged, plan: Mapping[str, Any]) -> dict[str, Score]:
    """Does a judge that has not seen a child's parents read its label, too?"""
    real, minted = _some(real, plan["seed"], "real"), _some(minted, plan["seed"], "minted")
    classes = int(max(real.y.max(), minted.y.max())) + 1
    judge = SecondJudge().fit(real.x, real.y, classes, real.words("group"))
    of_real, real_fair = _fair(judge, real.x, real.y, [[i] for i in range(len(real))])
    parents = parents_of(minted, real)
    of_minted, fair = _fair(judge, minted.x, minted.y, parents)
    families = np.array([own[0] if own else -1 - i for i, own in enumerate(parents)])
    score = label_agreement(
        of_minted[fair], minted.y[fair], groups=families[fair], real=(of_real[real_fair], real.y[real_fair])
    )
    note = score.note or _who_judged(plan, int((~fair).sum()))
    return {score.name: dataclasses.replace(score, note=note)}


def _fair(judge: SecondJudge, x: F32, y: I64, parents: list[list[int]]) -> tuple[F32, np.ndarray]:
    """Scores of rows without their parents' folds, and which rows' own class is still known then."""
    scores, known = judge.judge(x, judge.without(parents))
    return scores, known[np.arange(len(y)), y] & (known.sum(axis=1) > 1)


def _who_judged(plan: Mapping[str, Any], unfair: int) -> str:
    chose = [name for name in plan["gates"] if name == "consistency"]
    chose += ["the judge's labels"] if plan["label_by"] == "judge" else []
    note = "by a second judge in the same space that has seen no parent of the row"
    if chose:
        note += f"; {' and '.join(chose)} chose the rows in this space, which flatters"
    return note + (f"; {unfair} rows left out, their class is unknown without their parents" if unfair else "")


def _copies(real: Judged, minted: Judged, apart: Judged, seed: int) -> dict[str, Score]:
    """Copies of training and of held-out rows, and what the children tell of who was in the training set."""
    real, minted, apart = _some(real, seed, "real"), _some(minted, seed, "minted"), _some(apart, seed, "held-out")
    out = apart.x if len(apart) else np.zeros((0, real.x.shape[1]), np.float32)
    return {**copying(real.x, minted.x, out), "membership": membership(real.x, out, minted.x)}


def _plain(score: Score) -> dict[str, Any]:
    interval = None if score.interval is None else [_number(end) for end in score.interval]
    numbers = {key: _number(getattr(score, key)) for key in ("value", "low", "high", "reference", "matched")}
    return {**numbers, "better": score.better, "n": score.n, "interval": interval, "note": score.note}


def _number(value: float) -> float | None:
    """Six digits: the last bits of a sum depend on the processor."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
