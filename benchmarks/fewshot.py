"""Few-shot table: does a method help a logistic regression on frozen features of 1, 2 or 5 rows a class?

CIFAR-10; classes 0, 2, 4, 6, 8 are the base (500 rows each), 1, 3, 5, 7, 9 are novel. 20 draws of novel rows from the
train split, measured on all novel test rows; differences to the arm "none" are paired by draw. Each arm chooses among
24 settings (its own times the student's C; arms without settings of their own have 24 values of C) by its mean accuracy
on 12 episodes of classes that are not novel, and keeps them for all draws. Two kinds of episodes, two tables:

* "cifar": three of the five base classes play the novel ones, the other two the base;
* "tiny-imagenet": five of 40 classes of tiny-ImageNet play the novel ones, five others the base, as many as measured.

Features: SqueezeNet 1.1 (ImageNet), pooled, 512 numbers; tiny-image latents, mean over the cells, 64 numbers. The
arms named "embedded base" borrow from the statistics that ship with tiny-image, not from CIFAR's base classes (where
settings are chosen on tiny-ImageNet, without those of the classes that play the novel ones).

Run: flock /tmp/cpu.lock python benchmarks/fewshot.py       (writes benchmarks/results/fewshot.json)
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arms import Arm, Array, Rows, both, children, grid, latents, mean_interval, student
from augmint.core.types import Latents
from augmint.models.base_statistics import base_statistics
from frozen import IMAGE_PX, Frozen, cifar, pooled, tiny_imagenet

OUT = Path(__file__).with_name("results") / "fewshot.json"
BASE, NOVEL = [0, 2, 4, 6, 8], [1, 3, 5, 7, 9]
SHOTS, DRAWS, EPISODES, MADE = (1, 2, 5), 20, 12, 50
MANY, FEW = grid(0.01, 1_000, 24), grid(0.03, 300, 4)

ARMS = [
    Arm("none"),
    Arm("noise", "noise", [{"strength": s} for s in (0.1, 0.2, 0.35, 0.5, 0.7, 1.0)]),
    Arm("dropout", "dropout", [{"share": s, "fill": f} for s in (0.1, 0.3, 0.5) for f in ("mean", "zero")]),
    Arm("interpolation", "interpolation", [{"neighbors": k, "high": h} for k in (1, 4) for h in (0.5, 1.0, 1.5)]),
    Arm("extrapolation", "extrapolation", [{"neighbors": k, "strength": s} for k in (1, 4) for s in (0.2, 0.5, 1.0)]),
    Arm("isda", "isda", [{"strength": s, "prior": p} for s in (0.1, 0.5, 1.0) for p in (5.0, 20.0)]),
    Arm("mixup", "mixup", [{"alpha": a, "across": x} for a in (0.2, 0.5, 1.0) for x in (True, False)]),
    Arm("moex", "moex", [{"share": s, "across": x} for s in (0.7, 0.9, 1.0) for x in (True, False)]),
    Arm("density", "density", [{"strength": s, "min_rows": m} for s in (0.3, 0.6, 1.0) for m in (2, 10)]),
    Arm("delta", "delta", [{"strength": s, "pairs": p} for s in (0.3, 0.6, 1.0) for p in ("near", "random")], "base"),
    Arm("tail", "tail", [{"strength": s, "pull": p} for s in (0.3, 0.6, 1.0) for p in (0.0, 5.0)], "base"),
    Arm("calibration", "calibration", [{"neighbors": k, "dispersion": a} for k in (1, 2) for a in (0.0, 0.3, 1.0)],
        "base"),
]  # fmt: skip


@dataclass(frozen=True)
class Episode:
    """Few rows of some classes, many of others, and rows to measure on."""

    real: Latents
    base: Latents
    embedded: Latents | None
    x_test: Array
    y_test: Array
    seed: int


class Table:
    """The episodes of one encoder, and what settings are chosen on: CIFAR's base classes, or other data."""

    def __init__(self, data: Frozen, other: Frozen | None, embedded: Latents | None) -> None:
        self.data, self.other, self.embedded = data, other, embedded
        rows = data.x[np.isin(data.y, BASE)].astype(np.float64)
        self.shift = rows.mean(axis=0)
        self.scale = float(np.sqrt(np.square(rows - self.shift).sum(axis=1).mean()))

    def episode(self, shots: int, seed: int) -> Episode:
        """The novel classes against the base, on CIFAR's test rows."""
        known = np.isin(self.data.y_test, NOVEL)
        test = self.data.x_test[known], self.data.y_test[known]
        return self.of(self.data, np.array(NOVEL), np.array(BASE), shots, seed, test)

    def rehearsal(self, shots: int, seed: int) -> Episode:
        """Classes that are not novel against others, on rows that are not learned from."""
        rng = np.random.default_rng([seed, 7])
        if self.other is None:
            novel, base = np.split(rng.permutation(BASE), [3])
            return self.of(self.data, novel, base, shots, seed, None)
        novel, base = np.split(rng.permutation(len(self.other.classes))[:10], [5])
        return self.of(self.other, novel, base, shots, seed, None)

    def of(
        self, data: Frozen, novel: Array, base: Array, shots: int, seed: int, test: tuple[Array, Array] | None
    ) -> Episode:
        """Few rows of ``novel``, all rows of ``base``; where no test is given, up to 100 other rows of each class."""
        rng = np.random.default_rng([seed, shots])
        picks = [rng.permutation(np.flatnonzero(data.y == c)) for c in novel]
        few = np.concatenate([own[:shots] for own in picks])
        real = latents(data.x[few], np.repeat(np.arange(len(novel)), shots), len(novel))
        lent = np.flatnonzero(np.isin(data.y, base))
        lenders = latents(data.x[lent], np.searchsorted(np.sort(base), data.y[lent]), len(base), prefix="b")
        out = np.concatenate([own[shots : shots + 100] for own in picks])
        x, y = test or (data.x[out], data.y[out])
        embedded = self.embedded
        if embedded is not None and data is self.other:
            embedded = embedded.take(~np.isin(embedded.labels, [int(data.classes[c]) for c in novel]))
        place = {int(c): i for i, c in enumerate(novel)}
        return Episode(real, lenders, embedded, x, np.array([place[int(c)] for c in y]), seed)

    def accuracies(self, arm: Arm, options: dict[str, Any], strengths: list[float], episode: Episode) -> list[float]:
        """Share of right answers for each C."""
        made = None
        if arm.method:
            base = {"": None, "base": episode.base, "embedded": episode.embedded}[arm.base]
            anchors = np.repeat(np.arange(len(episode.real)), MADE * episode.real.y.shape[1] // len(episode.real))
            made = children(arm, options, episode.real, anchors, base, episode.seed)
        rows = both(episode.real, made)
        models = student(Rows(self.seen(rows.x), rows.y), strengths)
        test = self.seen(episode.x_test)
        return [float((model.predict(test) == episode.y_test).mean()) for model in models]

    def seen(self, x: Array) -> Array:
        """Rows as the student gets them: moved and scaled by two constants of the base classes."""
        return np.asarray((x - self.shift) / self.scale)

    def choose(self, arm: Arm, shots: int) -> tuple[dict[str, Any], float, float]:
        """The best of 24 settings on episodes of classes that are not novel, and its accuracy there."""
        strengths = FEW if arm.method else MANY
        episodes = [self.rehearsal(shots, 1000 + e) for e in range(EPISODES)]
        found = [
            (np.mean([self.accuracies(arm, dict(options), strengths, e) for e in episodes], axis=0), dict(options))
            for options in arm.settings
        ]
        best = max(range(len(found)), key=lambda i: float(found[i][0].max()))
        scores, options = found[best]
        return options, strengths[int(np.argmax(scores))], float(scores.max())

    def run(self, arms: list[Arm], draws: int) -> dict[str, Any]:
        """Every cell: arms by shots."""
        cells: dict[str, Any] = {}
        for shots in SHOTS:
            episodes = [self.episode(shots, draw) for draw in range(draws)]
            plain: Array = np.zeros(draws)
            for arm in arms:
                options, c, tuned = self.choose(arm, shots)
                right = np.array([self.accuracies(arm, options, [c], episode)[0] for episode in episodes])
                plain = right if arm.name == "none" else plain
                cell = {"accuracy": mean_interval(right), "gain": mean_interval(right - plain)}
                chosen = {**options, "C": c, "accuracy_there": round(100 * tuned, 2)}
                cells.setdefault(arm.name, {})[str(shots)] = {**cell, "chosen": chosen}
                print(f"{shots} {arm.name:28s} {cell['accuracy']['mean']:6.2f} {cell['gain']} {chosen}", flush=True)
        return cells


def embedded_base(data: Frozen) -> Latents:
    """Rows made of the statistics that ship with tiny-image, pooled like the features."""
    found = base_statistics("tiny-image", IMAGE_PX)
    assert found is not None and found.space == data.space
    rows = found.rows()
    return dataclasses.replace(rows, z=rows.z.mean(axis=(2, 3)), space="benchmark")


def main() -> None:
    """Both encoders, all cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--only", default="", help="squeezenet1_1 or tiny-image")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    start = time.perf_counter()
    tables: dict[str, Any] = {}
    for name in [arguments.only] if arguments.only else ["squeezenet1_1", "tiny-image"]:
        data = pooled(cifar(name))
        embedded = embedded_base(data) if name == "tiny-image" else None
        more = [dataclasses.replace(a, name=f"{a.name}, embedded base", base="embedded") for a in ARMS if a.base]
        for kind, other in (("cifar", None), ("tiny-imagenet", pooled(tiny_imagenet(name)))):
            print(name, data.x.shape, data.space, kind, flush=True)
            cells = Table(data, other, embedded).run(ARMS + (more if embedded else []), arguments.draws)
            facts = {"encoder": name, "chosen_on": kind, "space": data.space, "numbers": data.x.shape[1]}
            tables[f"{name}, settings chosen on {kind}"] = {**facts, "cells": cells}
    facts = {"draws": arguments.draws, "episodes": EPISODES, "made_per_class": MADE, "settings_per_arm": len(MANY)}
    facts |= {"base": BASE, "novel": NOVEL, "seconds": round(time.perf_counter() - start)}
    arguments.out.write_text(json.dumps({**facts, "tables": tables}, indent=2) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
