"""Where the samples of a run come from: models and licences, the plan, and the commands that make them again."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

from augmint.core.errors import UsageError
from augmint.models import get_card
from augmint.pipeline.finished import Finished
from augmint.pipeline.lift_file import LIFT, read_object
from augmint.pipeline.manifest import dump_json
from augmint.pipeline.plan import Plan, make_plan
from augmint.report.facts import ModelFacts

_ROLES = {"model": "encodes and decodes the samples", "judge": "the gates look through it"}
_REWRITES = "rewrites the samples"


def models_of(run: Finished) -> tuple[ModelFacts, ...]:
    """The method's model and the judge, with the hashes of the weights that the run used."""
    roles = {**_ROLES, **({"model": _REWRITES} if run.rewrites else {})}
    used = [key for key in roles if run.plan[f"{key}_sha256"] and (key != "model" or run.uses_model)]
    own = [_model(run.plan[key], roles[key], run.plan[f"{key}_sha256"]) for key in used]
    further = {name: sha256 for name, sha256 in run.plan.get("further_sha256", {}).items() if name.startswith("gate ")}
    gates = make_plan({key: run.plan[key] for key in ("gates", "gate_options")}).gate_models
    own += [_model(model, f"gate {name} reads through it", further[f"gate {name}"]) for name, model in gates.items()]
    return tuple(own)


def _model(name: str, role: str, sha256: str) -> ModelFacts:
    try:
        card = get_card(name)
    except UsageError:
        return ModelFacts(role, name, "unknown", sha256, "unknown", "No card of this name is installed here.", ())
    return ModelFacts(role, name, card.licence, sha256, card.source, card.summary, card.trained_on)


def settings_of(run: Finished) -> tuple[tuple[str, str], ...]:
    """The keys of the plan and their values."""
    return tuple((field.name, _value(run.plan[field.name])) for field in fields(Plan) if field.name in run.plan)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else dump_json(value)


def run_commands(run: Finished) -> tuple[tuple[str, str], ...]:
    """(what for, command); DATA and OUT stand for folders, whose names are no part of the result."""
    second = "".join(f" --{name} {name.upper()}" for name in ("pool", "base") if name in run.plan)
    commands = [
        (
            "OUT is the folder of this run, DATA the data set (run.json says where it was). Check every byte:",
            "augmint verify OUT",
        ),
        ("The same run again, to the same bytes:", f"augmint run DATA -o AGAIN --config OUT/config.yaml{second}"),
    ]
    if run.tally.first:
        commands.append(("One sample again, from its parents:", f"augmint replay OUT {run.tally.first}"))
    return tuple(commands)


def evaluate_commands(out: Path) -> tuple[tuple[str, str], ...]:
    """(what for, command) of the lift in a folder."""
    path = next(path for path in (out / "lift.json", out / LIFT) if path.is_file())
    facts = read_object(path)
    arms = [arm["name"] for arm in facts["arms"] if arm["name"] != "none"]
    flags = {
        "method": ",".join(arms),
        "student": ",".join(facts["students"]),
        "shots": ",".join(map(str, facts["shots"])),
        "pairs": str(max((cell.get("planned") or cell["pairs"] for cell in facts["cells"]), default=0)),
        "factor": next((f"{arm['factor']:g}" for arm in facts["arms"] if arm.get("method")), ""),
        "metric": facts["metric"],
        **facts["budget"],
        **facts.get("settings", {}),
    }
    listed = {key: value if isinstance(value, list) else [value] for key, value in flags.items() if value}
    words = [word for key, values in listed.items() for value in values for word in (f"--{key}", str(value))]
    pool = " --pool POOL" if facts.get("pool") else ""
    return (("The lift again:", f"augmint evaluate DATA -o LIFT{pool} {shlex.join(words)}"),)
