"""From the files of pairs to lifts: paired differences of every arm to ``none``, corrected in each cell (Holm)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.core.units import unit_of
from augmint.evaluation.intervals import Lift, by_unit, family, paired, paired_rows
from augmint.evaluation.metrics import METRICS, balancing
from augmint.evaluation.transfer import transfer_fraction
from augmint.pipeline.arms import NONE
from augmint.pipeline.lift_data import LiftData
from augmint.pipeline.lift_pairs import finite, pair_path
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
        units: (n,) their groups.
        classes: names.
    """

    student: str
    shots: int
    pairs: Pairs
    done: tuple[int, ...]
    found: tuple[Facts, ...]
    labels: npt.NDArray[np.int64] | None
    units: npt.NDArray[np.str_] | None
    classes: tuple[str, ...]

    @property
    def status(self) -> str:
        """ "done", "partial" or "not run"."""
        if not self.done:
            return "not run"
        return "done" if len(self.done) == len(self.pairs.pairs) else "partial"

    def only(self, pairs: Sequence[int]) -> Cell:
        """The same with these pairs alone."""
        found = tuple(facts for i, facts in zip(self.done, self.found, strict=True) if i in pairs)
        return replace(self, done=tuple(pairs), found=found)


def read_cell(manifest: Manifest, data: LiftData, student: str, shots: int, pairs: Pairs) -> Cell:
    """What there is of a cell."""
    files = {i: pair_path(manifest, student, shots, i) for i in range(len(pairs.pairs))}
    found = {i: json.loads(path.read_bytes())["arms"] for i, path in files.items() if path.exists()}
    shared = pairs.scheme == "shared test"
    test = pairs.pairs[0].test
    labels, units = (data.rows.labels[test], data.rows.units[test]) if shared else (None, None)
    return Cell(student, shots, pairs, tuple(found), tuple(found.values()), labels, units, data.classes)


def lifts_of(cell: Cell, arms: Sequence[str], metric: str) -> dict[str, Lift]:
    """The lift of each arm over ``none``, corrected for how many there are; arms without a number are left out."""
    lifts = {name: lift for name in arms if name != NONE.name and (lift := lift_of(cell, name, metric)) is not None}
    return family(lifts)


def lift_of(cell: Cell, arm: str, metric: str) -> Lift | None:
    """The lift of one arm; larger is better, so that a smaller loss is a positive lift."""
    delta = numbers_of(cell, arm, metric) - numbers_of(cell, NONE.name, metric)
    known = delta[_finite(delta)]
    return interval_of(cell)(known) if len(known) else None


def numbers_of(cell: Cell, arm: str, metric: str) -> F64:
    """(J,) scores of the pairs, or (J, U) of each group of test rows where all pairs met the same; larger is better.

    (1,) where the test rows are of one group: pairs tell nothing of the next one.
    """
    if _by_row(cell, metric):
        assert cell.units is not None
        found = by_unit(np.stack([row_values(pair[arm], metric, cell) for pair in cell.found]), cell.units)
        return found if found.shape[1] > 1 else np.asarray(found.mean(axis=0))
    own = "own" if cell.labels is not None and not METRICS[metric].by_row else "scores"
    values = np.array([pair[arm][own][metric] for pair in cell.found], np.float64)
    return values if METRICS[metric].larger else -values


def interval_of(cell: Cell) -> Callable[[F64], Lift]:
    """The interval of paired differences, `numbers_of` a cell: of pairs alone, or of pairs and test rows."""
    return lambda delta: (paired_rows if delta.ndim == 2 else paired)(delta, ratio=cell.pairs.ratio)


def _by_row(cell: Cell, metric: str) -> bool:
    """Whether every pair met the same test rows, which are a sample, too."""
    return cell.labels is not None and METRICS[metric].by_row and len(cell.found) > 1


def _finite(values: F64) -> npt.NDArray[np.bool_]:
    """(J,) pairs whose numbers all are."""
    return np.asarray(np.isfinite(values.reshape(len(values), -1)).all(axis=1))


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
            own[name]["lift"] = {
                metric: lift_facts(found[name], metric) for metric, found in lifts.items() if name in found
            }
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


def lift_facts(lift: Lift, metric: str) -> dict[str, Any]:
    """A lift as it stands in lift.json: shares, not points; None for what is not a number."""
    numbers = {key: value if not isinstance(value, float) else finite(value) for key, value in asdict(lift).items()}
    return {**numbers, "verdict": lift.verdict, "headline": lift.headline(unit_of(metric))}


def transfers(cells: Sequence[Cell], arms: Sequence[str], metric: str) -> list[dict[str, Any]]:
    """How much of the gap between the scratch student and the probe each arm closes, where both were run."""
    by_name = {(cell.student, cell.shots): cell for cell in cells if cell.done}
    found = []
    for (student, shots), cell in by_name.items():
        probe = by_name.get(("probe", shots))
        if student != "scratch" or probe is None:
            continue
        both = sorted({*cell.done} & {*probe.done})
        scratch, probe = (one.only(both) for one in (cell, probe))
        for name in arms:
            facts = transfer_of(scratch, probe, name, metric) if both and name != NONE.name else None
            if facts is not None:
                found.append({"shots": shots_name(shots), "arm": name, **facts})
    return found


def transfer_of(scratch: Cell, probe: Cell, arm: str, metric: str) -> dict[str, Any] | None:
    """The share of the gap as it stands in lift.json; None where no pair has all three numbers."""
    own = [(scratch, NONE.name), (scratch, arm), (probe, NONE.name)]
    values = [numbers_of(cell, name, metric) for cell, name in own]
    known = np.logical_and.reduce([_finite(numbers) for numbers in values])
    if not known.any():
        return None
    plain, minted, most = (numbers[known] for numbers in values)
    transfer = transfer_fraction(plain, minted, most, interval_of(scratch))
    ends = {name: finite(getattr(transfer, name)) for name in ("fraction", "low", "high", "gap")}
    return {**ends, "pairs": transfer.pairs, "note": transfer.note, "headline": transfer.headline()}


def mean(values: Sequence[float | None]) -> float | None:
    """Of what is there."""
    known = [value for value in values if value is not None]
    return finite(float(np.mean(known))) if known else None


def conclusion(cell: Cell, lifts: Mapping[str, Lift], metric: str) -> str:
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
    verb = "helps most" if len(good) > 1 else "helps"
    said = f"{name} {verb}: " if good else f"no arm is found to help; the best is {name}, "
    harm = f"; harm by {', '.join(bad)}" if bad else ""
    part = f" ({len(cell.done)} of {len(cell.pairs.pairs)} pairs so far)" if cell.status == "partial" else ""
    return f"{where}: {said}{best.headline(unit_of(metric))}{harm}{part}"
