"""Does a lift say what is true? False alarms where nothing helps, effects found where something does.

CIFAR-10 rows of SqueezeNet on 64 components; the student is a linear probe, trained with the same number of updates in
every arm. Each repeat draws new pairs and asks `augmint.evaluation.intervals` for a verdict.

- relabelled: both arms hold the real rows and as many noisy copies with random labels; only which labels differs.
- duplicates: each real row six times against once; batches are drawn with replacement, so the training is the same.
- good: 55 true rows a class against 5.
- harmful: 50 rows a class, and five copies of each, of which 40 % have another class's label.

The first two have no effect by construction: "improves" may be said in 5 % of 400 repeats at most. The others must be
found in 80 % of 40. How pairs are made: `disjoint`, training draws and test rows both apart; `shared test`, draws apart
and all test rows in every pair, by `paired_rows`; `resampled`, splits of one set of 300 rows, corrected.

auto_alarms.py adds how often `auto` abstains: in 95 % at least where nothing helps.

    python benchmarks/false_alarms.py      # needs ../shared/data or $AUGMINT_DATA; writes benchmarks/results/
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import auto_alarms
from augmint.evaluation.intervals import Lift, paired, paired_rows
from augmint.pipeline.machine import machine_facts
from frozen import cifar, pooled

RESULTS = Path(__file__).parent / "results" / "false_alarms.json"
CLASSES, COMPONENTS, STEPS, BATCH = 10, 64, 150, 32
NONE = ("relabelled", "duplicates")
BAD = (*NONE, "harmful")
Rows = tuple[Tensor, Tensor]
"""Rows (n, d) and labels (n,)."""


class Data(NamedTuple):
    """All rows: to train on and to test on, classes in equal numbers."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


def load() -> Data:
    """Components of the training rows, scaled to unit spread together."""
    rows = pooled(cifar("squeezenet1_1"))
    center = rows.x.mean(axis=0)
    _, _, basis = np.linalg.svd(rows.x - center, full_matrices=False)
    x, x_test = ((part - center) @ basis[:COMPONENTS].T for part in (rows.x, rows.x_test))
    scale = np.sqrt(np.square(x).sum(axis=1).mean())
    parts = (x / scale, rows.y, x_test / scale, rows.y_test)
    return Data(*(torch.as_tensor(part) for part in parts))


def by_class(y: Tensor, dice: torch.Generator) -> Tensor:
    """(CLASSES, least) row numbers of each class, shuffled."""
    order = torch.randperm(len(y), generator=dice)
    groups = [order[y[order] == c] for c in range(CLASSES)]
    least = min(len(group) for group in groups)
    return torch.stack([group[:least] for group in groups])


def train(arms: list[Rows], dice: torch.Generator) -> Tensor:
    """(arms, d + 1, CLASSES) probes, all trained side by side by gradient steps with momentum."""
    count = torch.tensor([len(y) for _, y in arms])
    x = torch.nn.utils.rnn.pad_sequence([x for x, _ in arms], batch_first=True)
    x = torch.cat([x, torch.ones(*x.shape[:2], 1)], dim=2)
    y = torch.nn.utils.rnn.pad_sequence([y for _, y in arms], batch_first=True)
    weight = torch.zeros(len(arms), x.shape[2], CLASSES)
    speed, at = torch.zeros_like(weight), torch.arange(len(arms))[:, None]
    for step in range(STEPS):
        pick = (torch.rand(len(arms), BATCH, generator=dice) * count[:, None]).long()
        rows = x[at, pick]
        error = torch.softmax(rows @ weight, dim=2)
        error -= torch.nn.functional.one_hot(y[at, pick], CLASSES)
        slope = rows.transpose(1, 2) @ error / BATCH + 1e-3 * weight
        speed = 0.9 * speed - slope
        weight = weight + (1.0 if step < STEPS // 2 else 0.3) * speed
    return weight


def right(weight: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(arms, n) 1 where the probe is right; ``x`` (n, d) or (arms, n, d)."""
    logits = torch.cat([x, torch.ones(*x.shape[:-1], 1)], dim=-1) @ weight
    return (logits.argmax(dim=-1) == y).double()


def arms_of(kind: str, real: Rows, more: Rows, dice: torch.Generator) -> tuple[Rows, Rows]:
    """What is trained on without and with; ``more`` are further true rows."""
    x, y = real
    if kind == "relabelled":
        noisy = torch.cat([x, x + 0.1 * torch.randn(x.shape, generator=dice)])
        drawn = torch.randint(CLASSES, (len(y),), generator=dice)
        again = drawn[torch.randperm(len(y), generator=dice)]
        return (noisy, torch.cat([y, drawn])), (noisy, torch.cat([y, again]))
    if kind == "duplicates":
        return real, (x.repeat(6, 1), y.repeat(6))
    if kind == "good":
        return real, (torch.cat([x, more[0]]), torch.cat([y, more[1]]))
    other = (y.repeat(5) + torch.randint(1, CLASSES, (5 * len(y),), generator=dice)) % CLASSES
    flipped = torch.rand(5 * len(y), generator=dice) < 0.4
    return real, (x.repeat(6, 1), torch.cat([y, torch.where(flipped, other, y.repeat(5))]))


SHOTS = {"relabelled": (5, 0, 20), "duplicates": (5, 0, 20), "good": (5, 50, 9), "harmful": (50, 0, 10)}
"""Rows of a class, further true rows of a class, pairs on disjoint draws."""


def disjoint(data: Data, kind: str, dice: torch.Generator) -> tuple[Lift, Lift]:
    """Verdicts with test rows apart, and with all test rows in every pair."""
    shots, further, pairs = SHOTS[kind]
    rows, width = by_class(data.y, dice), shots + further
    arms: list[Rows] = []
    for j in range(pairs):
        own = rows[:, j * width : (j + 1) * width]
        real, more = own[:, :shots].reshape(-1), own[:, shots:].reshape(-1)
        arms += arms_of(kind, (data.x[real], data.y[real]), (data.x[more], data.y[more]), dice)
    hit = right(train(arms, dice), data.x_test, data.y_test)
    table = (hit[1::2] - hit[0::2]).numpy()
    order = by_class(data.y_test, dice)
    order = order[:, : order.shape[1] // pairs * pairs].reshape(CLASSES, pairs, -1)
    apart = [table[j, order[:, j].reshape(-1).numpy()].mean() for j in range(pairs)]
    return paired(apart), paired_rows(table)


def resampled(data: Data, kind: str, dice: torch.Generator, pairs: int = 20) -> Lift:
    """Verdict from repeated splits, two thirds to train on, of one set: 30 rows of a class, 165 or 75 where needed."""
    shots, further, _ = SHOTS[kind]
    shots = 20 if kind in NONE else shots
    size = (shots + further) * 3 // 2
    pool = by_class(data.y, dice)[:, :size]
    arms: list[Rows] = []
    tests = []
    for _ in range(pairs):
        own = torch.stack([row[torch.randperm(size, generator=dice)] for row in pool])
        real, more = own[:, :shots].reshape(-1), own[:, shots : shots + further].reshape(-1)
        arms += arms_of(kind, (data.x[real], data.y[real]), (data.x[more], data.y[more]), dice)
        tests += [own[:, shots + further :].reshape(-1)] * 2
    at = torch.stack(tests)
    hit = right(train(arms, dice), data.x[at], data.y[at]).mean(dim=1)
    return paired((hit[1::2] - hit[0::2]).numpy(), ratio=(size - shots - further) / (shots + further))


def count(data: Data, kind: str, repeats: int, seed: int) -> dict[str, Any]:
    """Verdicts of each way to make pairs, and their mean effect and interval in points."""
    dice = torch.Generator().manual_seed(seed)
    found: dict[str, list[Lift]] = {"disjoint": [], "shared test": [], "resampled": []}
    for _ in range(repeats):
        apart, shared = disjoint(data, kind, dice)
        found["disjoint"].append(apart)
        found["shared test"].append(shared)
        found["resampled"].append(resampled(data, kind, dice))
    out: dict[str, Any] = {}
    for name, lifts in found.items():
        verdicts = Counter(lift.verdict for lift in lifts)
        points: Callable[[list[float]], float] = lambda numbers: round(100 * float(np.mean(numbers)), 3)  # noqa: E731
        out[name] = {
            **{verdict: verdicts[verdict] / repeats for verdict in ("improves", "harms", "no detectable effect")},
            "mean points": points([lift.mean for lift in lifts]),
            "interval width points": points([lift.high - lift.low for lift in lifts]),
            "an example": lifts[0].headline(),
        }
    return {"repeats": repeats, **out}


def lifts(data: Data, null: int, real: int) -> dict[str, Any]:
    """All kinds and ways, and which bounds are missed."""
    facts: dict[str, Any] = {}
    for seed, kind in enumerate(SHOTS):
        facts[kind] = count(data, kind, null if kind in NONE else real, seed)
        print(kind, json.dumps(facts[kind], indent=1), flush=True)
    bad = [
        kind for kind in NONE for how in ("disjoint", "shared test", "resampled") if facts[kind][how]["improves"] > 0.05
    ]
    bad += [kind for kind, word in (("good", "improves"), ("harmful", "harms")) if facts[kind]["disjoint"][word] < 0.8]
    return {**facts, "missed": bad}


def choices(data: Data, null: int, real: int) -> dict[str, Any]:
    """What `auto` does (auto_alarms.py), and where it abstains in less than 95 % though nothing helps."""
    found = auto_alarms.rates(data.x.numpy().astype(np.float32), data.y.numpy(), null, real)
    bad = [name for name, facts in found.items() if name.split(",")[0] in BAD and facts["abstains"] < 0.95]
    return {"auto": found, "auto missed": bad}


def main() -> int:
    """Count and write; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--null", type=int, default=400)
    parser.add_argument("--real", type=int, default=40)
    parser.add_argument("--only", choices=["lift", "auto"], help="count one part and keep the other's figures")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data, facts = load(), json.loads(RESULTS.read_text()) if args.only else {}
    for name, part in (("lift", lifts), ("auto", choices)):
        if args.only in (None, name):
            facts |= part(data, args.null, args.real)
    bad = facts["missed"] + facts["auto missed"]
    RESULTS.write_text(json.dumps({**facts, "machine": machine_facts()}, indent=1) + "\n")
    print("missed:", bad or "nothing")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
