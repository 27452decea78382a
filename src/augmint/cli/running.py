"""Commands that make something: ``quickstart`` and ``run``."""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

from augmint.cli.show import Console, console_of, show_page
from augmint.cli.tuning import SEARCH_FLAGS, tuning_of
from augmint.core.errors import UsageError
from augmint.formats import detect
from augmint.pipeline.augment import Execution, Result
from augmint.pipeline.augment import run as run_plan
from augmint.pipeline.auto import QUICK
from augmint.pipeline.config import plan_from
from augmint.pipeline.estimate import Estimate, estimate
from augmint.pipeline.guard import leak_words
from augmint.pipeline.modality import MEDIA
from augmint.pipeline.neutral import pool_path
from augmint.pipeline.plan import AUTO, Plan
from augmint.pipeline.quickstart import quickstart as run_quickstart
from augmint.pipeline.reporting import PAGE
from augmint.pipeline.sources import Inputs

_COLUMNS = ("label", "group", "text", "spans")
_PLAN_FLAGS = (*_COLUMNS, "model", "method", "then", "factor", "strategy", "judge", "seed", "size", "label_by")
_PLAN_SWITCHES = ("synthetic_only", "keep_metadata")


def quickstart(args: argparse.Namespace) -> int:
    """``augmint quickstart``."""
    console = console_of(args)
    begin = time.monotonic()
    with console.progress() as progress:
        demo = run_quickstart(args.out, workers=args.workers, seed=args.seed, progress=progress)
    seconds, conclusions = time.monotonic() - begin, list(demo.lift.conclusions)
    _show_result(console, demo.result, seconds, conclusions=conclusions, report=str(demo.page))
    for line in conclusions:
        console.text(f"does it help?  {line}")
    console.text(f"report:  {demo.page}")
    console.text(f"\nnext:  augmint verify {demo.result.out}\n       augmint run YOUR_PHOTOS/ -o more/ --factor 3")
    if args.open:
        show_page(demo.page, console)
    return demo.result.exit_code


def run(args: argparse.Namespace) -> int:
    """``augmint run``."""
    console = console_of(args)
    values = {name: getattr(args, name) for name in (*_PLAN_FLAGS, *_PLAN_SWITCHES) if getattr(args, name) is not None}
    if args.gate is not None:
        values["gates"] = args.gate
    if args.space == "rows":
        values["decode"] = "rows"
    modality = detect(Path(args.data)).modality
    plan = plan_from(Path(args.config) if args.config else None, values, args.set, modality=modality)
    base, heldout = (Path(path) if path is not None else None for path in (args.base, args.heldout))
    inputs = Inputs(Path(args.data), pool_path(args.pool) if args.pool is not None else None, base, heldout)
    _check_auto(args, plan)
    if args.dry_run:
        forecast = estimate(plan, inputs, Path(args.out), args.workers, args.device)
        _show_estimate(console, forecast)
        return 0
    execution = Execution(args.workers, args.device, args.max_skipped, args.fresh)
    begin = time.monotonic()
    with console.progress() as progress:
        result = run_plan(plan, inputs, Path(args.out), execution, progress, tuning_of(args, QUICK))
    _show_result(console, result, time.monotonic() - begin)
    return result.exit_code


def _check_auto(args: argparse.Namespace, plan: Plan) -> None:
    """Flags that have no place beside a search, or without one."""
    searching = [f"--{name}" for name in SEARCH_FLAGS if getattr(args, name) not in (None, "")]
    if plan.method != AUTO and searching:
        raise UsageError(
            f"{', '.join(searching)} with method {plan.method!r}",
            expected="--method auto, which searches",
            do="leave them out, or use --method auto",
            code="auto",
        )
    if plan.method == AUTO and args.dry_run:
        raise UsageError(
            "--dry-run with --method auto",
            expected="a method whose run can be forecast",
            do="name a method, or search first: augmint tune",
            code="auto",
        )


def _show_result(console: Console, result: Result, seconds: float, **more: Any) -> None:
    facts = {**dataclasses.asdict(result), "exit_code": result.exit_code, "seconds": round(seconds, 1)}
    console.json({**facts, **more})
    rows = []
    for name, before in result.before.items():
        rejected = ", ".join(f"{gate} {count}" for gate, count in result.rejected.get(name, {}).items())
        rows.append([name, before, result.asked[name], result.made[name], before + result.made[name], rejected])
    console.table(["class", "real", "asked", "made", "now", "draws rejected"], rows)
    for note, count in result.fallbacks.items():
        console.text(f"{count} samples: {note}")
    if isinstance(result.leak_check, dict):
        console.text(f"leak check: {leak_words(result.leak_check, MEDIA[result.modality].noun)}")
    if result.skipped:
        console.text(f"skipped {len(result.skipped)} of {result.total} inputs: see {result.out / 'skipped.jsonl'}")
    for problem in result.problems:
        console.warn(f"failed: {problem}")
    if result.abstained:
        why = f" ({result.tuned})" if result.tuned else ", as the config says (abstained: true)"
        console.warn(f"abstained: nothing was added, the originals are written as they are{why}")
    page = result.out / PAGE
    console.text(f"wrote {result.out} in {seconds:.1f} s" + (f"; look at {page}" if page.exists() else ""))


def _show_estimate(console: Console, forecast: Estimate) -> None:
    facts: dict[str, Any] = dataclasses.asdict(forecast)
    console.json(facts)
    console.text(f"{forecast.layout}; nothing was written")
    rows = [
        [name, count, forecast.asked[name], count + forecast.asked[name]] for name, count in forecast.before.items()
    ]
    console.table(["class", "real", "to make", "after"], rows)
    for name, count in forecast.second.items():
        console.text(f"{name}: {count} samples")
    for model in forecast.models:
        console.text(f"model {model['name']}: {model['bytes'] / 1e6:.1f} MB, licence {model['licence']}")
    for warning in forecast.warnings:
        console.warn(f"warning: {warning}")
    console.text(
        f"about {forecast.seconds:.0f} s, {forecast.disk_bytes / 1e6:.1f} MB of disk "
        f"({forecast.disk_free / 1e9:.1f} GB free), {forecast.memory_bytes / 1e9:.1f} GB of memory"
    )
