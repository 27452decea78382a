"""Does `auto` abstain where nothing helps, and ship where something does? Part of false_alarms.py.

`pipeline.tune.choose`, as `--method auto` and the big table use it, on the same rows of SqueezeNet with a linear probe:
the training rows are all it sees. Each case offers three candidates and counts how often one ships.

- relabelled: noisy copies with random labels; the reference holds such copies too, only with other labels.
- duplicates: each real row two, three and six times.
- harmful: five copies of each row, of which 40 % have another class's label, three times with other random numbers.
- good: 50 further true rows a class, beside duplicates and the harmful copies.
- better: as many further true rows as there are, beside the same two.

    python benchmarks/auto_alarms.py --null 20 --real 5      # a taste; false_alarms.py writes the figures
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from augmint.core.protocols import Student
from augmint.core.types import F32, Budget, Sample, TrainingSet
from augmint.pipeline.arms import NONE, Arm
from augmint.pipeline.minting import Children, Fold, training_set
from augmint.pipeline.tune import Scheme, choose

CLASSES = tuple("0123456789")
BUDGET = Budget(updates=150, batch=32)
Array = npt.NDArray[Any]


class Probe(Student):
    """Multinomial regression by gradient steps with momentum, the one of false_alarms.py for one training set."""

    def fit(self, train: TrainingSet, budget: Budget, rng: np.random.Generator) -> Self:
        """Learn within the budget."""
        x, y = _rows(train.samples), train.y
        weight = np.zeros((x.shape[1], y.shape[1]), np.float32)
        speed = np.zeros_like(weight)
        for step, pick in enumerate(rng.integers(len(x), size=(budget.updates, budget.batch))):
            error = _softmax(x[pick] @ weight) - y[pick]
            speed = 0.9 * speed - (x[pick].T @ error / budget.batch + 1e-3 * weight)
            weight = weight + (1.0 if step < budget.updates // 2 else 0.3) * speed
        self.weight = weight
        return self

    def predict_proba(self, samples: Sequence[Sample]) -> F32:
        """(n, k) probabilities."""
        return _softmax(_rows(samples) @ self.weight)


def _rows(samples: Sequence[Sample]) -> F32:
    rows = np.stack([sample.content for sample in samples])
    return np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)


def _softmax(logits: F32) -> F32:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


class Case(NamedTuple):
    """What is offered, and to how many rows of a class."""

    shots: int
    candidates: tuple[str, ...]
    reference: str = "none"


CASES = {
    "relabelled, 5": Case(5, ("relabelled a", "relabelled b", "relabelled c"), "relabelled z"),
    "relabelled, 10": Case(10, ("relabelled a", "relabelled b", "relabelled c"), "relabelled z"),
    "duplicates, 5": Case(5, ("copies 1", "copies 2", "copies 5")),
    "duplicates, 50": Case(50, ("copies 1", "copies 2", "copies 5")),
    "harmful, 5": Case(5, ("harm a", "harm b", "harm c")),
    "harmful, 50": Case(50, ("harm a", "harm b", "harm c")),
    "good, 5 to 55": Case(5, ("copies 2", "true 50", "harm a")),
    "better, 5 to 10": Case(5, ("copies 2", "true 5", "harm a")),
    "better, 10 to 20": Case(10, ("copies 2", "true 10", "harm a")),
}


class Source(NamedTuple):
    """The rows of one repeat: a training fold, and further true rows of each class."""

    fold: Fold
    further: dict[str, Array]

    def mint(self, arm: Arm, fold: Fold, rng: np.random.Generator) -> TrainingSet:
        """The training set that the arm's name stands for; arms of other names have other random numbers."""
        kind, _, word = arm.name.partition(" ")
        dice = np.random.default_rng([int(rng.integers(2**31)), zlib.crc32(arm.name.encode())])
        x, y = np.stack([s.content for s in fold.real]), np.array([int(s.target) for s in fold.real])
        made = {"none": (x[:0], y[:0]), "true": self._true(word), "copies": _copies(x, y, word)}.get(kind)
        more, labels = made or {"relabelled": _relabelled, "harm": _harmful}[kind](x, y, dice)
        children = tuple(Sample("", row, str(label)) for row, label in zip(more, labels, strict=True))
        parents = tuple([("pool:", 1.0)] for _ in children)
        return training_set(arm, fold, Children(children, np.eye(10, dtype=np.float32)[labels], parents), rng)

    def _true(self, word: str) -> tuple[Array, Array]:
        count = int(word) if word.isdecimal() else 0
        rows = np.concatenate([self.further[name][:count] for name in CLASSES])
        return rows, np.repeat(np.arange(10), count)


def _copies(x: Array, y: Array, word: str) -> tuple[Array, Array]:
    times = int(word) if word.isdecimal() else 0
    return np.tile(x, (times, 1)), np.tile(y, times)


def _relabelled(x: Array, y: Array, dice: np.random.Generator) -> tuple[Array, Array]:
    noisy = x + 0.1 * dice.standard_normal(x.shape).astype(np.float32)
    return noisy, dice.integers(10, size=len(y))


def _harmful(x: Array, y: Array, dice: np.random.Generator) -> tuple[Array, Array]:
    again = np.tile(y, 5)
    other = (again + dice.integers(1, 10, len(again))) % 10
    return np.tile(x, (5, 1)), np.where(dice.random(len(again)) < 0.4, other, again)


def source(x: Array, y: Array, shots: int, rng: np.random.Generator) -> Source:
    """A draw of training rows."""
    own = {name: rng.permutation(np.flatnonzero(y == int(name))) for name in CLASSES}
    real = tuple(Sample(f"{name}/{i}", x[i], name) for name, rows in own.items() for i in rows[:shots])
    return Source(Fold(real, CLASSES), {name: x[rows[shots : shots + 50]] for name, rows in own.items()})


def count(x: Array, y: Array, name: str, repeats: int, scheme: Scheme, say: Callable[[str], None]) -> dict[str, Any]:
    """How often each candidate of a case ships."""
    case, shipped, fits = CASES[name], dict.fromkeys(CASES[name].candidates, 0), 0
    for repeat in range(repeats):
        rng = np.random.default_rng([zlib.crc32(name.encode()), repeat])
        own = source(x, y, case.shots, rng)
        reference = NONE if case.reference == "none" else Arm(case.reference)
        arms = [Arm(word) for word in case.candidates]
        found = choose(arms, own.fold, Probe, BUDGET, own.mint, rng, reference=reference, scheme=scheme)
        fits += found.fits
        if found.arm:
            shipped[found.arm.name] += 1
    share = sum(shipped.values()) / repeats
    say(f"auto: {name}: ships in {share:.1%} of {repeats}, {fits / repeats:.1f} trainings")
    facts = {"repeats": repeats, "ships": share, "abstains": 1 - share, "trainings": round(fits / repeats, 1)}
    return {**facts, "shipped": shipped}


def rates(x: Array, y: Array, null: int, real: int, scheme: Scheme | None = None) -> dict[str, Any]:
    """All cases; ``null`` repeats where nothing helps or harms, ``real`` for the others."""
    kinds = {name: null if name.split(",")[0] in ("relabelled", "duplicates") else real for name in CASES}
    say: Callable[[str], None] = lambda line: print(line, flush=True)  # noqa: E731
    return {name: count(x, y, name, repeats, scheme or Scheme(), say) for name, repeats in kinds.items()}


def main() -> None:
    """A taste of the rates, printed."""
    from false_alarms import load

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--null", type=int, default=20)
    parser.add_argument("--real", type=int, default=5)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args()
    data = load()
    x, y = data.x.numpy().astype(np.float32), data.y.numpy()
    print(json.dumps(rates(x, y, args.null, args.real, Scheme(args.folds, args.repeats)), indent=1))


if __name__ == "__main__":
    main()
