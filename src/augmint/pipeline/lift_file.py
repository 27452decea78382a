"""lift.json and scores.json, as a report takes them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from augmint.core.errors import DataError
from augmint.pipeline.plan import recipe_of
from augmint.report.facts import ArmResult, Cell, Effect, LiftFacts, ScoreFacts, ScoreRow, Transfer

VERSION = 1
LIFT = Path("report") / "lift.json"
"""Where a run keeps the lift that a report took in."""

_VERDICTS = {"improves": "improve", "harms": "harm", "no detectable effect": "show no detectable effect"}


def read_lift(path: Path) -> LiftFacts:
    """What ``augmint evaluate`` measured.

    Raises:
        DataError: not such a file, or of another version.
    """
    facts = read_object(path)
    try:
        if facts["version"] != VERSION:
            raise ValueError(f"version {facts['version']}")
        cells = tuple(_cell(row) for row in facts["cells"])
        transfer = tuple(Transfer(row["arm"], str(row["shots"]), row["headline"]) for row in facts.get("transfer", ()))
        lists = [facts[name] for name in ("arms", "students", "shots")]
        if not all(isinstance(found, list) for found in lists):
            raise TypeError("arms, students or shots that are no list")
        if not all(isinstance(arm["name"], str) for arm in facts["arms"]):
            raise TypeError("an arm whose name is no text")
        made = [recipe_of(arm["method"], arm.get("then", "")) for arm in facts["arms"] if arm.get("method")]
        budget, data = _budget(facts["budget"]), str(facts.get("data", ""))
        return LiftFacts(facts["metric"], budget, cells, transfer, tuple(dict.fromkeys(made)), data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _not_ours(path, f"{type(error).__name__}: {error}", f"a lift.json of version {VERSION}") from error


def lift_of(out: Path) -> LiftFacts | None:
    """The lift that lies in a folder: of its own evaluation, or taken in by a report."""
    found = next((path for path in (out / "lift.json", out / LIFT) if path.is_file()), None)
    return read_lift(found) if found else None


def verdicts(lift: LiftFacts) -> str:
    """How many comparisons came out how, so that the best of many is not taken for the whole."""
    counts = Counter(
        arm.effects[lift.metric].verdict for cell in lift.cells for arm in cell.arms if lift.metric in arm.effects
    )
    if not counts:
        return "A lift was to be measured, but no comparison is finished."
    words = [f"{counts[verdict]} {word}" for verdict, word in _VERDICTS.items() if counts[verdict]]
    total, metric = counts.total(), lift.metric.replace("_", " ")
    many = f"{total} comparisons" if total > 1 else "one comparison"
    return f"Of {many} with real rows alone, in {metric}: {', '.join(words)}."


def read_scores(path: Path) -> ScoreFacts:
    """``report/scores.json``."""
    facts = read_object(path)
    try:
        rows = tuple(_score(name, row) for name, row in facts["scores"].items())
        return ScoreFacts(facts["space"], facts.get("headline", ""), rows)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _not_ours(path, f"{type(error).__name__}: {error}", "scores of a run") from error


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object of a file."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _not_ours(path, str(error), "a JSON object") from error
    if not isinstance(found, dict):
        raise _not_ours(path, f"a {type(found).__name__}", "a JSON object")
    return found


def _not_ours(path: Path, got: str, expected: str) -> DataError:
    do = "make it again with the command that wrote it"
    return DataError(f"{path}: {got}", expected=expected, do=do, code="not-a-report")


def _cell(row: Mapping[str, Any]) -> Cell:
    arms = tuple(_arm(name, arm) for name, arm in row.get("arms", {}).items())
    pairs = int(row.get("pairs") or 0)
    planned = int(row.get("planned") or pairs)
    return Cell(row["student"], str(row["shots"]), row["status"], row.get("scheme") or "", pairs, planned, arms)


def _arm(name: str, row: Mapping[str, Any]) -> ArmResult:
    effects = {metric: _effect(lift) for metric, lift in row.get("lift", {}).items()}
    scores = {metric: _number(value) for metric, value in row.get("scores", {}).items()}
    recall = {label: _number(value) for label, value in row.get("recall", {}).items()}
    return ArmResult(name, scores, recall, effects, _number(row.get("minted", 0.0)))


def _effect(row: Mapping[str, Any]) -> Effect:
    if row["verdict"] not in _VERDICTS:
        raise ValueError(f"verdict {row['verdict']!r}")
    return Effect(_number(row["mean"]), _number(row["low"]), _number(row["high"]), row["verdict"], row["headline"])


def _score(name: str, row: Mapping[str, Any]) -> ScoreRow:
    interval = row.get("interval")
    return ScoreRow(
        name,
        _number(row["value"]),
        row["better"],
        _number(row["low"], -math.inf),
        _number(row["high"], math.inf),
        int(row["n"]),
        (_number(interval[0]), _number(interval[1])) if interval else None,
        _number(row.get("reference")),
        _number(row.get("matched")),
        row.get("note") or "",
    )


def _number(value: float | None, missing: float = math.nan) -> float:
    """JSON has no word for what is not a number."""
    return missing if value is None else float(value)


def _budget(row: Mapping[str, Any]) -> str:
    words = {"updates": "updates", "batch": "rows an update", "trials": "trial settings"}
    return ", ".join(f"{row[key]} {word}" for key, word in words.items() if key in row) or "not told"
