"""The harm list: arms that make a student worse, and classes that are recognised less often with minted rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from augmint.report.facts import ArmResult, Cell, Effect, LiftFacts

REFERENCE = "none"
"""The arm without anything minted."""

LEAST = 0.01
"""Falls of recall below this are not listed: one row of a hundred."""


@dataclass(frozen=True)
class HarmfulArm:
    """An arm that harms a student, or may: the effects, by metric, that say so."""

    cell: Cell
    arm: str
    effects: Mapping[str, Effect]


@dataclass(frozen=True)
class FallenClass:
    """A class that is found less often with an arm than without; means over pairs, without an interval."""

    cell: Cell
    arm: str
    name: str
    before: float
    after: float

    @property
    def fall(self) -> float:
        """Points of recall lost, 0 to 1."""
        return self.before - self.after


def harmful_arms(lift: LiftFacts) -> list[HarmfulArm]:
    """In the order of the cells."""
    return _arms(lift, lambda effect: effect.verdict == "harms")


def suspected_arms(lift: LiftFacts) -> list[HarmfulArm]:
    """Arms with an interval below zero that the corrected test does not confirm, in the order of the cells."""
    return _arms(lift, lambda effect: effect.high < 0 and effect.verdict != "harms")


def _arms(lift: LiftFacts, is_bad: Callable[[Effect], bool]) -> list[HarmfulArm]:
    found = []
    for cell in lift.cells:
        for arm in cell.arms:
            bad = {metric: effect for metric, effect in arm.effects.items() if is_bad(effect)}
            found += [HarmfulArm(cell, arm.name, bad)] if bad else []
    return found


def fallen_classes(lift: LiftFacts) -> list[FallenClass]:
    """Deepest fall first."""
    found = []
    for cell in lift.cells:
        reference = next((arm for arm in cell.arms if arm.name == REFERENCE), None)
        if reference is not None:
            found += [fall for arm in cell.arms if arm is not reference for fall in _falls(cell, reference, arm)]
    return sorted(found, key=lambda item: (-item.fall, item.cell.student, item.cell.shots, item.arm, item.name))


def _falls(cell: Cell, reference: ArmResult, arm: ArmResult) -> list[FallenClass]:
    pairs = [(name, before, arm.recall[name]) for name, before in reference.recall.items() if name in arm.recall]
    return [FallenClass(cell, arm.name, *pair) for pair in pairs if pair[1] - pair[2] >= LEAST]
