"""From the files of pairs to lifts: paired differences of every arm to ``none``, corrected in each cell (Holm)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.evaluation.intervals import Lift, family, paired, paired_rows
from augmint.evaluation.metrics import METRICS, balancing
from augmint.pipeline.arms import NONE
from augmint.pipeline.lift_data import LiftData
from augmint.pipeline.lift_pairs import pair_path
from augmint.pipeline.lift_plan import shots_name
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.splits import Pairs

F64 = npt.NDArray[np.float64]
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """A student, a number of shots, and what its pairs found.

    Attributes:
        student, shots: name the cell.
        pairs: as they were made.
        done: positions of the pairs that have a result.
        found: for each of these the facts of every arm.
        labels: (n,) classes of the test rows where all pairs have the same, else None.
        classes: names.
    """

    student: str
    shots: int
    pairs: Pairs
    done: tuple[int, ...]
    found: tuple[Facts, ...]
    labels: npt.NDArray[np.int64] | None
    classes: tuple[str, ...]

    @property
    def status(self) -> str:
        """ "done", "partial" or "not run"."""
        if not self.done:
            return "not run"
        return "done" if len(self.done) == len(self.pairs.pairs) else "partial"


def read_cell(manifest: Manifest, data: LiftData, student: str, shots: int, pairs: Pairs) -> Cell:
    """What there is of a cell."""
    files = {i: pair_path(manifest, student, shots, i) for i in range(len(pairs.pairs))}
    found = {i: json.loads(path.read_bytes())["arms"] for i, path in files.items() if path.exists()}
    shared = pairs.scheme == "shared test"
    labels = data.rows.labels[pairs.pairs[0].test] if shared else None
    return Cell(student, shots, pairs, tuple(found), tuple(found.values()), labels, data.classes)


def lifts_of(cell: Cell, arms: Sequence[str], metric: str) -> dict[str, Lift]:
    """The lift of each arm over ``none``, corrected for how many there are; arms without a number are left out."""
    lifts = {name: lift for name in arms if name != NONE.name and (lift := lift_of(cell, name, metric)) is not None}
    return family(lifts)


def lift_of(cell: Cell, arm: str, metric: str) -> Lift | None:
    """The lift of one arm; larger is better, so that a smaller loss is a positive lift."""
    facts = METRICS[metric]
    if cell.labels is not None and facts.by_row and len(cell.found) > 1:
        # Every pair met the same test rows, which are a sample, too.
        table = [row_values(pair[arm], metric, cell) - row_values(pair[NONE.name], metric, cell) for pair in cell.found]
        return paired_rows(np.stack(table), ratio=cell.pairs.ratio)
    own = "own" if cell.labels is not None and not facts.by_row else "scores"
    both = [(pair[arm][own][metric], pair[NONE.name][own][metric]) for pair in cell.found]
    known = [(minted, without) for minted, without in both if minted is not None and without is not None]
    if not known:
        return None
    minted, without = np.array(known, np.float64).T
    delta = minted - without if facts.larger else without - minted
    return paired(delta, ratio=cell.pairs.ratio)


def row_values(facts: Facts, metric: str, cell: Cell) -> F64:
    """(n,) numbers of the test rows whose mean is the score, larger is better."""
    assert cell.labels is not None
    if metric == "log_loss":
        return np.array(facts["log_likelihood"], np.float64)
    hits = np.array([hit == "1" for hit in facts["hits"]], np.float64)
    return hits if metric == "accuracy" else np.asarray(hits * balancing(cell.labels, len(cell.classes)))


def cell_facts(cell: Cell, arms: Sequence[str]) -> dict[str, Any]:
    """A cell as it stands in lift.json."""
    facts: dict[str, Any] = {"student": cell.student, "shots": shots_name(cell.shots), "status": cell.status}
    facts |= {"scheme": cell.pairs.scheme, "pairs": len(cell.done), "planned": len(cell.pairs.pairs)}
    if not cell.done:
        return {**facts, "arms": {}}
    lifts = {metric: lifts_of(cell, arms, metric) for metric in METRICS}
    own = {name: arm_facts(cell, name) for name in arms}
    for name in arms:
        if name != NONE.name:
            own[name]["lift"] = {metric: lift_facts(found[name]) for metric, found in lifts.items() if name in found}
    return {**facts, "arms": own}


def arm_facts(cell: Cell, name: str) -> dict[str, Any]:
    """Means over pairs, and the scores of each pair."""
    found = [pair[name] for pair in cell.found]
    values = {metric: [facts["scores"][metric] for facts in found] for metric in METRICS}
    recall = [mean([facts["recall"][c] for facts in found]) for c in range(len(cell.classes))]
    return {
        "scores": {metric: mean(own) for metric, own in values.items()},
        "recall": dict(zip(cell.classes, recall, strict=True)),
        "values": values,
        "minted": mean([facts["minted"] for facts in found]),
        "rejected": mean([facts["rejected"] for facts in found]),
    }


def lift_facts(lift: Lift) -> dict[str, Any]:
    """A lift as it stands in lift.json: shares, not points; None for what is not a number."""
    numbers = {key: value if not isinstance(value, float) else finite(value) for key, value in asdict(lift).items()}
    return {**numbers, "verdict": lift.verdict, "headline": lift.headline()}


def mean(values: Sequence[float | None]) -> float | None:
    """Of what is there."""
    known = [value for value in values if value is not None]
    return finite(float(np.mean(known))) if known else None


def finite(value: float) -> float | None:
    """JSON has no word for what is not a number."""
    return round(value, 9) if np.isfinite(value) else None


def conclusion(cell: Cell, lifts: Mapping[str, Lift]) -> str:
    """One sentence about a cell."""
    where = f"{cell.student}, {shots_name(cell.shots)} shots" if cell.shots else f"{cell.student}, all samples"
    if cell.status == "not run":
        return f"{where}: not run"
    if not lifts:
        return f"{where}: nothing to compare"
    by_mean = sorted(lifts.items(), key=lambda item: -item[1].mean)
    good = [(name, lift) for name, lift in by_mean if lift.verdict == "improves"]
    bad = [name for name, lift in by_mean if lift.verdict == "harms"]
    name, best = good[0] if good else by_mean[0]
    said = (
        f"{name} helps most: "
        if len(good) > 1
        else f"{name} helps: "
        if good
        else f"nothing helps; nearest is {name}, "
    )
    harm = f"; harm by {', '.join(bad)}" if bad else ""
    part = f" ({len(cell.done)} of {len(cell.pairs.pairs)} pairs so far)" if cell.status == "partial" else ""
    return f"{where}: {said}{best.headline()}{harm}{part}"
