"""``augmint tune``: search, prove, ship or abstain; and the flags of a search that ``run --method auto`` shares."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from augmint.cli.show import Console, console_of
from augmint.core.errors import UsageError
from augmint.core.units import NATS, POINTS
from augmint.formats import detect
from augmint.pipeline.config import plan_from
from augmint.pipeline.evaluate import seconds_of
from augmint.pipeline.neutral import pool_path
from augmint.pipeline.plan import AUTO
from augmint.pipeline.tuning import Tuned, Tuning
from augmint.pipeline.tuning import tune as search

_PLAN_FLAGS = ("strategy", "judge", "label", "group", "text", "spans", "size", "seed")
_SHOWN = 10

SEARCH_FLAGS = ("trials", "time", "student", "margin", "updates")
"""Of the command line, those that `tuning_of` reads."""


def tune(args: argparse.Namespace) -> int:
    """``augmint tune``."""
    console = console_of(args)
    values = {name: getattr(args, name) for name in _PLAN_FLAGS if getattr(args, name) is not None}
    if args.gate is not None:
        values["gates"] = args.gate
    tuning = tuning_of(args, replace(Tuning(), methods=_words(args.method), models=_words(args.model)))
    pool = pool_path(args.pool) if args.pool is not None else None
    with console.progress() as progress:
        found = search(
            plan_from(None, {"method": AUTO, **values}, modality=detect(Path(args.data)).modality),
            Path(args.data),
            Path(args.out),
            tuning,
            pool=pool,
            device=args.device,
            fresh=args.fresh,
            progress=progress,
        )
    _show(console, found, Path(args.out), args.data, args.pool)
    return 0


def tuning_of(args: argparse.Namespace, usual: Tuning) -> Tuning:
    """The usual search, changed by the flags that were given."""
    given: dict[str, Any] = {
        name: value for name in ("trials", "student") if (value := getattr(args, name)) is not None
    }
    if args.margin is not None:
        if not 0.0 <= args.margin <= 100.0:
            raise UsageError(
                f"--margin {args.margin:g}", expected="points, 0 to 100", do="change --margin", code="range"
            )
        given["margin"] = args.margin / 100.0
    if args.updates is not None:
        given["budget"] = replace(usual.budget, updates=args.updates)
    return replace(usual, seconds=seconds_of(args.time), **given)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _show(console: Console, found: Tuned, out: Path, data: str, pool: str | None) -> None:
    console.json({**found.facts, "plan": found.plan.as_dict(), "exit_code": 0})
    best = sorted(found.facts["trials"], key=lambda row: -(row["information"] or float("-inf")))
    rows = [[row["number"], row["name"], _points(row["hits"]), _nats(row["information"])] for row in best[:_SHOWN]]
    console.table(["trial", "candidate", "points", "log-loss"], rows)
    for row in found.facts["proof"].get("controls", ()):
        console.text(
            f"{row['name']}: {_points(row['hits']['mean'])} points, log-loss {_nats(row['information']['mean'])}"
        )
    console.text(f"{'abstain' if found.plan.abstained else 'ship'}: {found.reason}")
    source = f" --pool {pool}" if pool and not found.plan.abstained else ""
    console.text(f"next:  augmint run {data} -o more/ --config {out / 'config.yaml'}{source}")


def _points(value: float | None) -> str:
    return "-" if value is None else POINTS.change(value)


def _nats(value: float | None) -> str:
    return "-" if value is None else NATS.change(value)
