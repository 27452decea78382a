"""Long-tail tables: 200 rows of each head class, 2, 5 or 10 of each tail class; what helps a logistic regression?

CIFAR-10 as pooled SqueezeNet features, TREC and SNIPS as MiniLM features. 20 draws a cell, balanced accuracy and
macro-F1 on held-out rows; differences are paired by draw. Tail classes are filled up to 200 rows by the method of the
arm. Settings are chosen once for each data set on 3 episodes of 5 tail rows in which other classes are the tail,
measured on train rows that are not learned from: 12 candidates for every arm (method times student's C, or C alone).

Run: flock /tmp/cpu.lock python benchmarks/longtail.py       (writes benchmarks/results/longtail.json)
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE
from sklearn.metrics import f1_score, recall_score

from arms import Arm, Array, Options, Rows, both, children, grid, latents, mean_interval, student
from augmint.core.types import Latents
from frozen import Frozen, cifar, pooled, texts

OUT = Path(__file__).with_name("results") / "longtail.json"
HEAD, TAILS, TUNED_AT, DRAWS, EPISODES, VALID = 200, (2, 5, 10), 5, 20, 3, 100
MANY, FEW = grid(0.03, 3_000, 12), grid(0.3, 3_000, 4)

SETS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "cifar10": ((1, 3, 5, 7, 9), (0, 2, 4, 6, 8)),
    "trec": ((0, 2, 4), (0, 1, 3)),
    "snips": ((1, 3, 5), (0, 2, 4)),
}
"""Tail classes when measured, and when settings are chosen. TREC's class 0 has too few rows to be a head."""

PEERS = ("class weights", "random oversampling", "SMOTE", "ADASYN")
ARMS = [
    Arm("none"),
    Arm("class weights"),
    Arm("random oversampling"),
    Arm("SMOTE", "", [{"k": k} for k in (1, 3, 5)]),
    Arm("ADASYN", "", [{"k": k} for k in (1, 3, 5)]),
    Arm("interpolation", "interpolation", [{"neighbors": k} for k in (1, 3, 5)]),
    Arm("noise", "noise", [{"strength": s} for s in (0.2, 0.5, 1.0)]),
    Arm("isda", "isda", [{"strength": s} for s in (0.2, 0.5, 1.0)]),
    Arm("mixup", "mixup", [{"alpha": a} for a in (0.2, 0.5, 1.0)]),
    Arm("density", "density", [{"strength": s, "min_rows": 2} for s in (0.3, 0.6, 1.0)]),
    Arm("delta", "delta", [{"strength": s} for s in (0.3, 0.6, 1.0)]),
    Arm("calibration", "calibration", [{"neighbors": k, "dispersion": 0.2} for k in (1, 2, 3)]),
    Arm("tail", "tail", [{"pull": p} for p in (2.0, 5.0, 10.0)]),
]


@dataclass(frozen=True)
class Split:
    """An uneven training set, and rows to measure on."""

    real: Latents
    x_test: Array
    y_test: Array
    seed: int


def split(data: Frozen, tail: tuple[int, ...], count: int, seed: int, tuning: bool) -> Split:
    """``count`` rows of each tail class and HEAD of each other."""
    rng = np.random.default_rng([seed, count, tuning])
    order = [rng.permutation(np.flatnonzero(data.y == c)) for c in range(len(data.classes))]
    rows = np.concatenate([own[: count if c in tail else HEAD] for c, own in enumerate(order)])
    real = latents(data.x[rows], data.y[rows], len(order))
    if not tuning:
        return Split(real, data.x_test, data.y_test, seed)
    out = np.concatenate([own[HEAD if c not in tail else count :][:VALID] for c, own in enumerate(order)])
    return Split(real, data.x[out], data.y[out], seed)


def oversampled(arm: Arm, options: Options, part: Split) -> Rows | None:
    """Real rows and what imbalanced-learn adds; None where it refuses (ADASYN does at times)."""
    labels = part.real.labels
    k = min(int(options["k"]), int(np.bincount(labels).min()) - 1)
    maker = {"SMOTE": lambda: SMOTE(k_neighbors=k, random_state=part.seed),
             "ADASYN": lambda: ADASYN(n_neighbors=k, random_state=part.seed)}[arm.name]()  # fmt: skip
    try:
        x, y = maker.fit_resample(part.real.flat, labels)
    except (ValueError, RuntimeError):
        return None
    return Rows(x, np.eye(part.real.y.shape[1])[y])


def training_rows(arm: Arm, options: Options, part: Split) -> Rows | None:
    """What the student of an arm learns from."""
    labels, rng = part.real.labels, np.random.default_rng([part.seed, 3])
    if arm.name in ("none", "class weights"):
        return both(part.real, None)
    if arm.name in ("SMOTE", "ADASYN"):
        return oversampled(arm, options, part)
    count = np.bincount(labels)
    anchors = np.concatenate([rng.permutation(np.resize(np.flatnonzero(labels == c), HEAD - n))
                              for c, n in enumerate(count)])  # fmt: skip
    if arm.name == "random oversampling":
        return both(part.real, Rows(part.real.flat[anchors], part.real.y[anchors]))
    return both(part.real, children(arm, options, part.real, anchors, None, part.seed))


def scores(arm: Arm, options: Options, strengths: list[float], part: Split, scale: float) -> Array:
    """(C values, 2) balanced accuracy and macro-F1; an arm that refuses a draw learns from the real rows alone."""
    rows = training_rows(arm, options, part) or both(part.real, None)
    models = student(Rows(rows.x / scale, rows.y), strengths, class_weights=arm.name == "class weights")
    found = []
    for model in models:
        said = model.predict(part.x_test / scale)
        found.append((recall_score(part.y_test, said, average="macro"), f1_score(part.y_test, said, average="macro")))
    return np.array(found)


def choose(arm: Arm, data: Frozen, tail: tuple[int, ...], scale: float) -> tuple[Options, float]:
    """The best of 12 candidates by balanced accuracy, where other classes are the tail."""
    strengths = FEW if len(arm.settings) > 1 else MANY
    parts = [split(data, tail, TUNED_AT, 1000 + e, True) for e in range(EPISODES)]
    found = [np.mean([scores(arm, o, strengths, p, scale)[:, 0] for p in parts], axis=0) for o in arm.settings]
    best = max(range(len(found)), key=lambda i: float(found[i].max()))
    return arm.settings[best], strengths[int(np.argmax(found[best]))]


def measure(name: str, arms: list[Arm], draws: int) -> dict[str, Any]:
    """All cells of one data set: tail size, arm, metric."""
    data = pooled(cifar("squeezenet1_1")) if name == "cifar10" else texts(name)
    tail, other = SETS[name]
    scale = float(np.sqrt(np.square(data.x - data.x.mean(axis=0)).sum(axis=1).mean()))
    chosen = {arm.name: choose(arm, data, other, scale) for arm in arms}
    cells: dict[str, Any] = {}
    for count in TAILS:
        parts = [split(data, tail, count, draw, False) for draw in range(draws)]
        by_arm = {arm.name: np.array([scores(arm, chosen[arm.name][0], [chosen[arm.name][1]], p, scale)[0]
                                      for p in parts]) for arm in arms}  # fmt: skip
        cells[str(count)] = {arm.name: _cell(arm.name, by_arm) for arm in arms}
        for arm in arms:
            cell = cells[str(count)][arm.name]
            print(f"{name} {count:3d} {arm.name:20s} {cell['balanced_accuracy']['mean']:6.2f}", chosen[arm.name],
                  cell["against"].get("SMOTE", {}).get("balanced_accuracy"), flush=True)  # fmt: skip
    settings = {arm: {**options, "C": c} for arm, (options, c) in chosen.items()}
    return {"space": data.space, "tail": [data.classes[c] for c in tail], "chosen": settings, "cells": cells}


def _cell(name: str, by_arm: Mapping[str, Array]) -> dict[str, Any]:
    """Scores of an arm, and its paired differences to "none" and to the peers."""
    metrics = ("balanced_accuracy", "macro_f1")
    against = {
        peer: {metric: mean_interval(by_arm[name][:, m] - by_arm[peer][:, m]) for m, metric in enumerate(metrics)}
        for peer in ("none", *PEERS)
        if peer != name and peer in by_arm
    }
    return {**{metric: mean_interval(by_arm[name][:, m]) for m, metric in enumerate(metrics)}, "against": against}


def summary(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The aims: cells where tail is significantly below a peer, and its mean difference to SMOTE."""
    rows = [(f"{name}/{count}/{metric}", peer, cell["tail"]["against"][peer][metric])
            for name, table in tables.items() for count, cell in table["cells"].items()
            for peer in ("SMOTE", "class weights") for metric in ("balanced_accuracy", "macro_f1")]  # fmt: skip
    smote = [found["mean"] for _, peer, found in rows if peer == "SMOTE"]
    below = [f"{cell} {peer}" for cell, peer, found in rows if found["high"] < 0]
    return {"tail_significantly_below": below, "tail_minus_smote_mean": round(float(np.mean(smote)), 2)}


def main() -> None:
    """All data sets, all cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--only", default="", help=", ".join(SETS))
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    start = time.perf_counter()
    tables = {name: measure(name, ARMS, arguments.draws) for name in ([arguments.only] if arguments.only else SETS)}
    facts = {"draws": arguments.draws, "head": HEAD, "episodes": EPISODES, "settings_per_arm": len(MANY)}
    facts |= {"seconds": round(time.perf_counter() - start), "aims": summary(tables)}
    arguments.out.write_text(json.dumps({**facts, "tables": tables}, indent=2) + "\n", encoding="utf8")
    print(facts)


if __name__ == "__main__":
    main()
