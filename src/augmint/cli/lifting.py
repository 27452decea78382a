"""The command that measures: ``evaluate``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

from augmint.cli.show import Console, console_of
from augmint.pipeline.evaluate import LiftResult
from augmint.pipeline.evaluate import evaluate as measure

_KEYS = (
    "pairs",
    "metric",
    "seed",
    "judge",
    "encoder",
    "size",
    "space",
    "factor",
    "model",
    "updates",
    "batch",
    "trials",
)


def evaluate(args: argparse.Namespace) -> int:
    """``augmint evaluate``."""
    console = console_of(args)
    keys: dict[str, Any] = {name: getattr(args, name) for name in _KEYS if getattr(args, name) is not None}
    if args.gate is not None:
        keys["gates"] = args.gate
    begin = time.monotonic()
    with console.progress() as progress:
        result = measure(
            args.data,
            args.out,
            methods=args.method or (),
            student=args.student,
            shots=args.shots or (),
            pool=args.pool,
            label=args.label,
            group=args.group,
            text=args.text,
            spans=args.spans,
            budget=args.budget,
            workers=args.workers,
            device=args.device,
            fresh=args.fresh,
            progress=progress,
            **keys,
        )
    _show(console, result, time.monotonic() - begin)
    return result.exit_code


def _show(console: Console, result: LiftResult, seconds: float) -> None:
    said = {"conclusions": list(result.conclusions), "problems": list(result.problems)}
    console.json({**result.facts, **said, "out": str(result.out), "exit_code": result.exit_code})
    metric = result.facts["metric"]
    rows = [row for cell in result.facts["cells"] for row in _rows(cell, metric)]
    console.table(["student", "shots", "arm", metric.replace("_", " "), "minted", "lift over none"], rows)
    for line in result.conclusions:
        console.text(line)
    for row in result.facts["transfer"]:
        console.text(f"transfer to scratch, {row['shots']} shots, {row['arm']}: {row['headline']}")
    for problem in result.problems:
        console.warn(f"stopped: {problem}")
    console.text(f"wrote {result.out}/lift.json in {seconds:.1f} s; to look at it: augmint report {result.out} --open")


def _rows(cell: Mapping[str, Any], metric: str) -> list[list[str]]:
    """A row for each arm of a cell; one for a cell that was not run."""
    where = [cell["student"], cell["shots"]]
    if cell["status"] == "not run":
        return [[*where, "", "", "", "not run"]]
    return [[*where, name, *_arm(arm, metric)] for name, arm in cell["arms"].items()]


def _arm(arm: Mapping[str, Any], metric: str) -> list[str]:
    score, minted = arm["scores"][metric], arm["minted"]
    lift = arm.get("lift", {}).get(metric)
    return ["-" if score is None else f"{score:.3f}", f"{minted:.0f}", lift["headline"] if lift else ""]
