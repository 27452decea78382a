"""SMOTE of frozen features: augmint's estimator against imbalanced-learn's, in turns in one run.

Both are called as a user calls them, ``fit_resample(X, y)``, on the same rows and with the same number of threads
(``--threads``, for BLAS and for OpenMP). One untimed call of each, then turns of one call of each; the ratio of a turn
is imbalanced-learn's seconds / augmint's, and the median of the turns counts, with the smallest and the largest.

- ``three classes``: 20,000 / 10,000 / 10,000 rows of 512 float32 -> 20,000 each. Must 1.5, aim 2; peak memory at most
  imbalanced-learn's.
- ``ten classes``: 5,000 rows and nine times 500, 9,500 rows in all -> 5,000 each. Must 3.
- ``two classes``: 9,000 / 500 rows -> 25,000 each; the same size with the neighbours of one large class to find.
- ``growth``: seconds against rows, two classes of n rows each, one of them doubled; the exponent of a fitted power.

Beside each stands its floor, the bare float32 products of the classes that grow, all rows against all: what a search
that looks at each pair costs at least. augmint can be below it, because rows among themselves need half of that.

Peak memory is what the process grew to above its size before the call, each side in a process of its own.
``gan_speed.py`` and ``module_overhead.py`` hold the speed of GAN training and of the torch module.

    python benchmarks/methods.py            # writes benchmarks/results/methods.json; quick: --scale 0.05
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from imblearn.over_sampling import SMOTE

from augmint.adapters import FeatureAugmenter
from augmint.core.types import F32, I64
from augmint.engine import intra_op_threads
from augmint.pipeline.machine import machine_facts
from process_memory import forget_peak, memory

RESULTS = Path(__file__).parent / "results" / "methods.json"
SIDES = ("augmint", "imbalanced-learn")
BLOCK_ROWS = 400


@dataclass(frozen=True)
class Case:
    """Rows of each class before and after; the least ratio that will do."""

    name: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    must: float
    memory: bool = False


CASES = (
    Case("three classes", (20_000, 10_000, 10_000), (20_000,) * 3, 1.5, memory=True),
    Case("ten classes", (5_000, *(500,) * 9), (5_000,) * 10, 3.0),
    Case("two classes", (9_000, 500), (25_000,) * 2, 3.0),
)


def rows_of(case: Case, scale: float, width: int) -> tuple[F32, I64, dict[int, int]]:
    """Gaussian classes in a shuffled order, and how many rows each is to have."""
    rng = np.random.default_rng(0)
    before = [max(8, int(n * scale)) for n in case.before]
    y = rng.permutation(np.repeat(np.arange(len(before)), before))
    X = rng.standard_normal((len(y), width), dtype=np.float32)
    for c, center in enumerate(rng.standard_normal((len(before), width), dtype=np.float32)):
        X[y == c] += center
    return X, y, {c: max(before[c], int(n * scale)) for c, n in enumerate(case.after)}


def resampler(side: str, after: dict[int, int]) -> Any:
    """The estimator of a side; both take five neighbours."""
    kind = FeatureAugmenter if side == "augmint" else SMOTE
    return kind(sampling_strategy=after, random_state=0)


def seconds(call: Callable[[], Any]) -> float:
    """Of one call; what it returns is freed outside."""
    begin = time.perf_counter()
    made = call()
    spent = time.perf_counter() - begin
    del made
    return spent


def bare_products(X: F32, y: I64, after: dict[int, int]) -> None:
    """All products of the rows of each class that grows, in blocks, nothing else."""
    for c, n in after.items():
        rows = X[y == c]
        for start in range(0, len(rows) if n > len(rows) else 0, BLOCK_ROWS):
            rows[start : start + BLOCK_ROWS] @ rows.T


def in_turns(case: Case, scale: float, width: int, repeats: int) -> dict[str, Any]:
    """Warm seconds of both sides and of the bare products, and the ratios of the turns."""
    X, y, after = rows_of(case, scale, width)
    calls: dict[str, Callable[[], Any]] = {
        side: lambda side=side: resampler(side, after).fit_resample(X, y)  # type: ignore[misc]
        for side in SIDES
    }
    calls["floor"] = lambda: bare_products(X, y, after)
    made = [len(calls[side]()[0]) for side in SIDES]
    assert made == [sum(after.values())] * 2
    turns = [{name: seconds(call) for name, call in calls.items()} for _ in range(repeats)]
    ratios = [turn["imbalanced-learn"] / turn["augmint"] for turn in turns]
    return {
        "rows": [len(X), made[0], width],
        "must": case.must,
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
        "seconds": {name: statistics.median(turn[name] for turn in turns) for name in calls},
        "turns": turns,
    }


def peak_here(case: Case, side: str, scale: float, width: int, threads: int) -> int:
    """Bytes this process grew by in its first full call."""
    X, y, after = rows_of(case, scale, width)
    few = slice(0, 200)
    with intra_op_threads(threads):
        resampler(side, {}).fit_resample(X[few], y[few])  # for what it imports
        before = forget_peak()
        resampler(side, after).fit_resample(X, y)
    return memory("VmHWM") - before


def peaks(case: Case, args: argparse.Namespace) -> dict[str, int]:
    """Peak of each side in a fresh process."""
    words = [sys.executable, __file__, "--peak", case.name, "--scale", str(args.scale), "--width", str(args.width)]
    return {
        side: int(
            subprocess.run(
                [*words, "--threads", str(args.threads), "--side", side], capture_output=True, text=True, check=True
            ).stdout
        )
        for side in SIDES
    }


def growth(sizes: Sequence[int], width: int, repeats: int) -> dict[str, Any]:
    """Seconds of both sides by rows, and the exponent of the power of n that fits them best."""
    found: dict[str, list[float]] = {side: [] for side in SIDES}
    for n in sizes:
        turns = in_turns(Case("", (n, n), (n, 2 * n), 0.0), 1.0, width, repeats)
        for side in SIDES:
            found[side].append(turns["seconds"][side])
    logs = {side: np.log(found[side]) for side in SIDES}
    exponent = {side: float(np.polyfit(np.log(sizes), logs[side], 1)[0]) for side in SIDES}
    return {"rows_of_the_class": list(sizes), "seconds": found, "exponent": exponent}


def shown(name: str, found: dict[str, Any]) -> str:
    """One line of the table."""
    low, high = found["ratio_range"]
    spent = ", ".join(f"{side} {value:.3f} s" for side, value in found["seconds"].items())
    n, after, width = found["rows"]
    ratio = f"{found['ratio']:.2f} x ({low:.2f} to {high:.2f}; must {found['must']})"
    return f"{name}: {n} -> {after} rows of {width}: {ratio}; {spent}"


def measured(args: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """All figures, and whether each bound is kept."""
    cases: dict[str, Any] = {}
    kept = True
    for case in CASES:
        cases[case.name] = found = in_turns(case, args.scale, args.width, args.repeats)
        print(shown(case.name, found), flush=True)
        kept &= found["ratio"] >= case.must
        if case.memory:
            found["peak_bytes"] = peak = peaks(case, args)
            print(*(f"peak of {side}: {value / 1e6:.0f} MB" for side, value in peak.items()), sep="; ", flush=True)
            kept &= peak["augmint"] <= peak["imbalanced-learn"]
    sizes = [max(50, int(n * args.scale)) for n in (1_000, 2_000, 4_000, 8_000, 16_000)]
    cases["growth"] = found = growth(sizes, args.width, max(1, args.repeats // 3))
    print("growth:", *(f"{side} n^{power:.2f}" for side, power in found["exponent"].items()), flush=True)
    return cases, bool(kept)


def main() -> int:
    """Measure and write; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="of BLAS and OpenMP, for both sides")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows; below 1 nothing is written")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--peak", choices=[case.name for case in CASES], help=argparse.SUPPRESS)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak:
        case = next(case for case in CASES if case.name == args.peak)
        print(peak_here(case, args.side, args.scale, args.width, args.threads))
        return 0
    with intra_op_threads(args.threads):
        found, kept = measured(args)
    if args.scale == 1.0:
        facts = {"threads": args.threads, "repeats": args.repeats, **found, "machine": machine_facts()}
        RESULTS.write_text(json.dumps(facts, indent=1) + "\n")
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
