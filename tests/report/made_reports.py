"""Reports made up for tests."""

from __future__ import annotations

import math

import numpy as np

from augmint.report.facts import (
    ArmResult,
    Cell,
    ClassRow,
    Effect,
    Film,
    LiftFacts,
    ModelFacts,
    Rejection,
    Report,
    ScoreFacts,
    ScoreRow,
    Shown,
    Strip,
    Transfer,
)
from augmint.report.plane import lay_out
from support import pattern

HOSTILE = "<img src=x onerror=alert(1)>\"'&{{ 7*7 }}\x00\x1b[31m$x_1$\udcff"


def effect(mean: float, reach: float) -> Effect:
    low, high = mean - reach, mean + reach
    verdict = "improves" if low > 0 else "harms" if high < 0 else "no detectable effect"
    return Effect(mean, low, high, verdict, f"{verdict}: {100 * mean:+.1f} points")


def arm(name: str, mean: float, reach: float = 0.01, recall: float = 0.5) -> ArmResult:
    effects = {} if name == "none" else {"accuracy": effect(mean, reach), "log_loss": effect(0.0, 0.1)}
    return ArmResult(
        name, {"accuracy": 0.5 + mean}, {"cat": recall, "dog": 0.5}, effects, 0.0 if name == "none" else 90
    )


def lift(word: str = "interpolation") -> LiftFacts:
    arms = (arm("none", 0.0), arm(word, 0.05), arm("noise", 0.001), arm("gan", -0.05, recall=0.25))
    cells = (
        Cell("probe", "5", "done", "disjoint", 20, 20, arms),
        Cell("probe", "all", "not run", "", 0, 20, ()),
        Cell("scratch", "5", "partial", "resampled", 8, 20, arms),
    )
    return LiftFacts("accuracy", "150 updates", cells, (Transfer("interpolation", "5", "40 % of the gap"),))


def strip(number: int, label: str, name: str = "", side: int = 8) -> Strip:
    parents = (
        (Shown(f"data:{name}{number}.png", pattern((side, side, 3), number)), 0.6),
        (Shown(f"base:{name}b"), 0.4),
    )
    child = Shown(f"syn-{name}{number}", pattern((side, side, 3), number + 1))
    return Strip(child, parents, label, "judge", {"realism": 1.25}, name)


def full(word: str = "", strips: int = 3, side: int = 8) -> Report:
    """A report with every section; ``word`` is in every text that comes from data."""
    rng = np.random.default_rng(0)
    rows = {"real": rng.normal(size=(40, 6)), "minted": rng.normal(size=(30, 6)), "held-out": rng.normal(size=(9, 6))}
    rows = {kind: part.astype(np.float32) for kind, part in rows.items()}
    made = tuple(strip(i, f"{word}{i % 4}", word, side) for i in range(strips))
    return Report(
        title=f"Report {word}",
        version="0",
        summary=(f"Made {word}",),
        alarms=(f"Wrong {word}",),
        classes=(ClassRow(f"cat{word}", 5, 10, 9, {f"novelty{word}": 2}), ClassRow("empty", 0, 0, 0)),
        strips=tuple(sorted(made, key=lambda one: one.label)),
        strips_total=1000,
        rejections=(Rejection(made[0], f"novelty{word}", 0.1, 0.3), Rejection(made[1], "diversity", math.nan)),
        rejections_total=77,
        films=(Film(f"cat{word}", made[0].child, Shown(f"data:{word}"), (pattern((8, 8), 3), pattern((8, 8), 4))),),
        map=lay_out(f"judge{word}", rows, {"real": 4000, "minted": 30, "held-out": 9}),
        scores=ScoreFacts(
            f"judge{word}",
            f"density {word}",
            (
                ScoreRow(f"density{word}", 0.9, "larger", 0.0, math.inf, 30, (0.8, 1.0), 0.95, 0.91, word),
                ScoreRow("membership", math.nan, "smaller", 0.0, 1.0, 9, note=f"not enough data {word}"),
            ),
        ),
        lift=lift(f"interpolation{word}"),
        models=(ModelFacts("judge", f"tiny{word}", "research", "0f" * 32, "embedded", word, (f"ImageNet{word}",)),),
        settings=((f"key{word}", word),),
        leak_check=f"none {word}",
        commands=(("Again:", f"augmint run {word}"),),
        missing=(("Sound", f"no ears {word}"),),
    )
