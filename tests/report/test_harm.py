"""The harm list: harmful arms in any metric, and the classes that fall, deepest first."""

from __future__ import annotations

import dataclasses

from made_reports import arm, lift

from augmint.report.harm import fallen_classes, harmful_arms


def test_harmful_arms_are_found_in_every_metric():
    found = harmful_arms(lift())
    assert [(row.cell.student, row.arm, list(row.effects)) for row in found] == [
        ("probe", "gan", ["accuracy"]), ("scratch", "gan", ["accuracy"]),
    ]  # fmt: skip


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
