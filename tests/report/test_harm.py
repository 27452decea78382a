"""The harm list: harmful arms in any metric, and the classes that fall, deepest first."""

from __future__ import annotations

import dataclasses

from made_reports import arm, full, lift

from augmint.report.facts import Effect
from augmint.report.harm import fallen_classes, harmful_arms, suspected_arms
from augmint.report.page import render


def test_harmful_arms_are_found_in_every_metric():
    found = harmful_arms(lift())
    assert [(row.cell.student, row.arm, list(row.effects)) for row in found] == [
        ("probe", "gan", ["accuracy"]), ("scratch", "gan", ["accuracy"]),
    ]  # fmt: skip


def test_arms_that_only_the_corrected_test_spares_are_suspected():
    bad = Effect(-0.085, -0.143, -0.028, "no detectable effect", "")
    spared = dataclasses.replace(lift().cells[0].arms[1], name="spared", effects={"accuracy": bad})
    cell = dataclasses.replace(lift().cells[0], arms=(*lift().cells[0].arms, spared))
    facts = dataclasses.replace(lift(), cells=(cell,))
    assert [row.arm for row in harmful_arms(facts)] == ["gan"]
    assert [row.arm for row in suspected_arms(facts)] == ["spared"]
    text = render(dataclasses.replace(full(), lift=facts))
    assert "Arms that may harm" in text and "-8.5 [-14.3, -2.8]" in text


def test_nothing_measured_is_not_no_harm():
    idle = tuple(dataclasses.replace(cell, status="not run", pairs=0, arms=()) for cell in lift().cells)
    text = render(dataclasses.replace(full(), lift=dataclasses.replace(lift(), cells=idle)))
    assert "no comparison is finished" in text
    assert "No arm was found to harm" not in text and "No class is recognised less" not in text


def test_falls_are_against_the_arm_without_anything_minted():
    cell = dataclasses.replace(
        lift().cells[0], arms=(arm("none", 0, recall=0.5), arm("a", 0, recall=0.3), arm("b", 0, recall=0.495))
    )
    found = fallen_classes(dataclasses.replace(lift(), cells=(cell,)))
    assert [(row.arm, row.name, round(row.fall, 3)) for row in found] == [("a", "cat", 0.2)]
    without = dataclasses.replace(cell, arms=cell.arms[1:])
    assert fallen_classes(dataclasses.replace(lift(), cells=(without,))) == []


def test_deepest_first():
    falls = [row.fall for row in fallen_classes(lift())]
    assert falls == sorted(falls, reverse=True) and len(falls) == 2
