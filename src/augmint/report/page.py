"""One HTML file that needs nothing beside it: no address outside, no script."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from augmint.core.units import POINTS, unit_of
from augmint.report.charts import lift_chart, map_chart
from augmint.report.differences import compared, excerpt
from augmint.report.facts import Cell, Effect, LiftFacts, Report, Shown, SpaceMap, Strip
from augmint.report.harm import fallen_classes, harmful_arms, suspected_arms
from augmint.report.names import printable
from augmint.report.thumbnails import thumbnail

FALLS = 20
"""Classes of the harm list that are shown."""


def render(report: Report) -> str:
    """The page, the same text for the same facts."""
    page = _environment().get_template("page.html")
    lift = report.lift
    return page.render(
        report=report,
        sections=_sections(report),
        strips=_by_label(report.strips),
        texts=any(strip.child.texts for strip in (*report.strips, *(row.strip for row in report.rejections))),
        rejections=[(gate, list(rows)) for gate, rows in groupby(report.rejections, key=lambda row: row.gate)],
        map_svg=Markup(map_chart(report.map)) if report.map else "",
        map_words=_map_words(report.map) if report.map else "",
        students=_students(lift) if lift else [],
        metrics=_metrics(lift) if lift else [],
        harmful=harmful_arms(lift) if lift else [],
        suspected=suspected_arms(lift) if lift else [],
        measured=lift is not None and any(arm.effects for cell in lift.cells for arm in cell.arms),
        falls=fallen_classes(lift)[:FALLS] if lift else [],
        falls_total=len(fallen_classes(lift)) if lift else 0,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("augmint.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_finalize,
    )
    environment.filters |= {
        "points": POINTS.change,
        "change": _change,
        "unit": unit_of,
        "number": _number,
        "thumbnail": thumbnail,
        "compared": compared,
        "excerpt": excerpt,
        "share": lambda value: f"{value:.0%}",
        "words": lambda name: name.replace("_", " "),
        "short": _short,
    }
    return environment


def _finalize(value: Any) -> Any:
    """Every text that a template prints goes through here; what is our own markup is left as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _sections(report: Report) -> list[tuple[str, str]]:
    """(id, title) of the sections that this report has."""
    present: Mapping[tuple[str, str], Any] = {
        ("lift", "Does it help?"): report.lift,
        ("harm", "Harm list"): report.lift,
        ("scores", "Scores of the minted set"): report.scores,
        ("classes", "Classes before and after"): report.classes,
        ("strips", "Parents and children"): report.strips,
        ("films", "From one sample to another"): report.films,
        ("map", "Map"): report.map,
        ("gates", "What the gates rejected"): report.rejections,
        ("leaks", "Leak check"): report.leak_check,
        ("models", "Models and licences"): report.models,
        ("again", "Make it again"): report.commands,
        ("missing", "What is not here"): report.missing,
    }
    return [section for section, facts in present.items() if facts]


def _by_label(strips: tuple[Strip, ...]) -> list[tuple[str, list[Strip]]]:
    return [(label, list(rows)) for label, rows in groupby(strips, key=lambda strip: strip.label)]


def _students(lift: LiftFacts) -> list[dict[str, Any]]:
    """The cells of each student that were measured, and their chart."""
    found: dict[str, list[Cell]] = {}
    for cell in lift.cells:
        found.setdefault(cell.student, []).append(cell)
    students = []
    for name, cells in found.items():
        drawn = [cell for cell in cells if any(lift.metric in arm.effects for arm in cell.arms)]
        chart = Markup(lift_chart(drawn, lift.metric)) if drawn else ""
        students.append({"name": name, "cells": cells, "chart": chart})
    return students


def _metrics(lift: LiftFacts) -> list[str]:
    """Metrics beside the first one that any arm was measured in."""
    names = {metric: None for cell in lift.cells for arm in cell.arms for metric in arm.effects}
    return [name for name in names if name != lift.metric]


def _map_words(space: SpaceMap) -> str:
    shown = ", ".join(f"{len(cloud.at):,} of {cloud.total:,} {cloud.kind}" for cloud in space.clouds)
    return f"Scatter plot: {shown} samples in the space of {space.space}."


def _change(effect: Effect, metric: str) -> str:
    """Mean and interval, in the unit of the metric."""
    unit = unit_of(metric)
    return unit.change(effect.mean) + unit.interval(effect.low, effect.high)


def _number(value: float) -> str:
    if math.isnan(value):
        return "\N{EM DASH}"
    return "any" if math.isinf(value) else f"{value:.4g}"


def _short(shown: Shown) -> str:
    """A sample's name without what it is: the page says that beside it."""
    return shown.name.removeprefix("data:")
