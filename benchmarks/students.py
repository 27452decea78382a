"""What the students cost and what they reach on real rows alone: seconds a fit, milliseconds an update, accuracy.

CIFAR-10 (2,000 test pictures), blood cells (whole slides apart) and handwritten digits of 8 x 8 px (797 test pictures),
5, 10 and 50 of each class, several draws; the budget's default of 150 updates of 32 rows, one trial. The probe stands
on tiny-judge at 64 px; it has its rows beforehand, so that its seconds are those of the fit alone. finetune trains
tiny-judge further for 60 updates at 64 px, 10 of each class. Times are CPU seconds of one thread.

Run: flock /tmp/cpu.lock python benchmarks/students.py        (writes benchmarks/results/students.json)
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

from augmint.core.protocols import Student
from augmint.core.types import Budget, Sample, TrainingSet
from augmint.models import load_encoder, load_network
from augmint.pipeline.encodings import Remembered
from augmint.students.finetune import Finetune
from augmint.students.probe import LinearProbe
from augmint.students.scratch import Scratch
from frozen import DATA, Array

OUT = Path(__file__).with_name("results") / "students.json"
SHOTS, TEST = (5, 10, 50), 2000

Pictures = tuple[Array, Array, Array, Array]
"""Pictures and classes to learn from, and to measure on."""


def cifar() -> Pictures:
    """CIFAR-10."""
    archive = dict(np.load(DATA / "images/cifar10_5k_2k.npz"))
    return archive["x_train"], archive["y_train"], archive["x_test"], archive["y_test"]


def cells() -> Pictures:
    """Blood cells."""
    archive = dict(np.load(DATA / "images/bccd_cells_64.npz"))
    x, y, train = archive["x"], archive["y"], archive["split"] == "train"
    return x[train], y[train], x[~train], y[~train]


def digits() -> Pictures:
    """Scikit-learn's handwritten digits, shuffled once."""
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    x, y = np.round(found.images[order] * (255 / 16)).astype(np.uint8), found.target[order]
    return x[:1000], y[:1000], x[1000:], y[1000:]


def draw(x: Array, y: Array, shots: int, seed: int) -> TrainingSet:
    """So many pictures of each class."""
    rng, classes = np.random.default_rng(seed), int(y.max()) + 1
    at = np.concatenate([rng.permutation(np.flatnonzero(y == c))[:shots] for c in range(classes)])
    samples = tuple(Sample(f"train {i}", x[i]) for i in at)
    one, names = np.eye(classes, dtype=np.float32)[y[at].astype(int)], tuple(map(str, range(classes)))
    return TrainingSet(samples, one, np.ones(len(at), np.float32), np.zeros(len(at), np.bool_), names)


def measured(make: Callable[[], Student], data: Pictures, shots: int, budget: Budget, draws: int) -> dict[str, float]:
    """Means over draws."""
    x, y, x_test, y_test = data
    test = [Sample(f"test {i}", picture) for i, picture in enumerate(x_test[:TEST])]
    fit, ask, right = [], [], []
    for seed in range(draws):
        train = draw(x, y, shots, seed)
        start = time.process_time()
        student = make().fit(train, budget, np.random.default_rng(seed))
        middle = time.process_time()
        right.append(np.mean(student.predict_proba(test).argmax(axis=1) == y_test[: len(test)]))
        fit.append(middle - start)
        ask.append(time.process_time() - middle)
    # The quickest fit is the one that other programs disturbed least.
    return {
        "accuracy": round(float(np.mean(right)), 4),
        "accuracy_sd": round(float(np.std(right)), 4),
        "fit_s": round(float(np.min(fit)), 3),
        "ms_per_update": round(1e3 * float(np.min(fit)) / budget.updates, 2),
        "predict_s": round(float(np.min(ask)), 3),
        "test_rows": len(test),
    }


def main() -> None:
    """Measure and write."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--draws", type=int, default=5)
    arguments.add_argument("--out", type=Path, default=OUT)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    network, _ = load_network("tiny-judge")
    table: dict[str, dict[str, dict[str, float]]] = {}
    for name, make in (("cifar10", cifar), ("blood_cells", cells), ("digits", digits)):
        data, judge = make(), Remembered(load_encoder("tiny-judge"))
        judge.encode([Sample("", x) for x in (*data[0], *data[2][:TEST])])
        found = table[name] = {}
        for shots in SHOTS:
            found[f"probe {shots}"] = measured(partial(LinearProbe, judge), data, shots, Budget(trials=3), given.draws)
            found[f"scratch {shots}"] = measured(Scratch, data, shots, Budget(), given.draws)
            print(name, shots, found[f"probe {shots}"], found[f"scratch {shots}"], flush=True)
        tuned = partial(Finetune, partial(copy.deepcopy, network))
        found["finetune 10"] = measured(tuned, data, 10, Budget(60), min(3, given.draws))
        print(name, found["finetune 10"], flush=True)
    given.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
