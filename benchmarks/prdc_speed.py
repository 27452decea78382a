"""Precision, recall, density and coverage against the `prdc` package: seconds, peak memory, and equal numbers.

10,000 x 512 float32 on each side, k = 5; each side in a process of its own, in turns, best of the turns. `peak_mib` is
the whole process, `added_mib` what the call added to libraries and rows. Bounds: half of prdc's seconds and half of its
peak, numbers equal to 1e-4.

Then each of our scores at 10,000, 25,000 and 50,000 rows on each side. What a score adds to the rows must be flat: from
one size to the next it may grow by half of what the rows themselves grow by (`growth`, in sizes of both sets of rows; a
matrix of all distances would grow by about 73 of them): some pairs are held for each row. Only the search for copies
takes a copy of the rows that it looks among, and may grow by 1.5.

    python benchmarks/prdc_speed.py        # writes benchmarks/results/prdc_speed.json; quick: --rows 2000 --turns 1
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augmint.pipeline.machine import machine_facts
from process_memory import forget_peak, memory

RESULTS = Path(__file__).parent / "results" / "prdc_speed.json"
NEIGHBORS = 5
NAMES = ("precision", "recall", "density", "coverage")
OTHERS = ("frechet", "kernel", "vendi", "copies")
MEBI = 1 << 20
MOST_GROWTH = {"copies": 1.5}
FLAT = 0.5


def rows(n: int, d: int, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(n, d) rows like an encoder's: ten clusters, variances that fall off, nothing below zero."""
    world, rng = np.random.default_rng(0), np.random.default_rng(seed)
    center, size = world.random((10, d), np.float32), world.gamma(0.5, 1.0, d).astype(np.float32)
    out = rng.standard_normal((n, d), np.float32)
    for start in range(0, n, 4096):  # in blocks, so that making the rows takes no more memory than they
        part = out[start : start + 4096]
        part *= size
        part += 2.0 * center[rng.integers(0, 10, len(part))] * size
        np.maximum(part, 0, out=part)
    return out


def side(name: str) -> Callable[[Any, Any], dict[str, float]]:
    """The function that is measured, its libraries loaded."""
    if name == "prdc":
        import prdc  # type: ignore[import-not-found, import-untyped, unused-ignore]

        def measure(real: Any, minted: Any) -> dict[str, float]:
            with contextlib.redirect_stdout(io.StringIO()):
                found: dict[str, float] = prdc.compute_prdc(real, minted, NEIGHBORS)
            return found

        return measure
    from augmint.evaluation.balls import ball_scores
    from augmint.evaluation.diversity import vendi_score
    from augmint.evaluation.frechet import frechet_distance
    from augmint.evaluation.kernel import kernel_distance
    from augmint.evaluation.memorization import CopyFinder

    return {
        "augmint": lambda real, minted: ball_scores(real, minted, NEIGHBORS)._asdict(),
        "frechet": lambda real, minted: {"frechet": frechet_distance(real, minted)},
        "kernel": lambda real, minted: {"kernel": kernel_distance(real, minted).value},
        "vendi": lambda real, minted: {"vendi": vendi_score(minted)},
        "copies": lambda real, minted: {"copies": float(CopyFinder(real).find(minted).near.mean())},
    }[name]


def child(name: str, n: int, d: int) -> None:
    """One measurement, printed as JSON."""
    measure = side(name)
    measure(rows(64, d, 3), rows(64, d, 4))
    real, minted = rows(n, d, 1), rows(n, d, 2) * np.float32(1.02)
    before, begin = forget_peak(), time.perf_counter()
    found = measure(real, minted)
    seconds, most = time.perf_counter() - begin, memory("VmHWM")
    values = {key: float(value) for key, value in found.items()}
    print(json.dumps({"seconds": seconds, "peak_mib": most / MEBI, "added_mib": (most - before) / MEBI, **values}))


def run(name: str, n: int, d: int) -> dict[str, float]:
    """The measurement in a process of its own."""
    command = [sys.executable, __file__, "--side", name, "--rows", str(n), "--width", str(d)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(name, n, {key: round(value, 4) for key, value in found.items()}, flush=True)
    return found


def growth(name: str, sizes: Sequence[int], width: int) -> dict[str, Any]:
    """Memory that a score adds at each size, and how it grows from size to size, in sizes of both sets of rows."""
    found = [run(name, n, width) for n in sizes]
    more = [
        (after["added_mib"] - before["added_mib"]) * MEBI / (2 * 4 * width * (large - small))
        for (small, before), (large, after) in itertools.pairwise(zip(sizes, found, strict=True))
    ]
    table = [
        {"rows": n, **{key: one[key] for key in ("added_mib", "seconds")}} for n, one in zip(sizes, found, strict=True)
    ]
    return {"sizes": table, "growth": more}


def main() -> int:
    """Measure and write; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=["augmint", "prdc", *OTHERS])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 25_000, 50_000], help="of the memory runs")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    if args.side:
        child(args.side, args.rows, args.width)
        return 0
    turns = [{name: run(name, args.rows, args.width) for name in ("augmint", "prdc")} for _ in range(args.turns)]
    best = {
        name: {key: min(turn[name][key] for turn in turns) for key in ("seconds", "peak_mib", "added_mib")}
        for name in ("augmint", "prdc")
    }
    ratio = {f"{key}_ratio": best["augmint"][key] / best["prdc"][key] for key in best["prdc"]}
    apart = max(abs(turns[0]["augmint"][name] - turns[0]["prdc"][name]) for name in NAMES)
    facts: dict[str, Any] = {"rows": args.rows, "width": args.width, **ratio, "largest_difference": apart, "best": best}
    bad = ratio["seconds_ratio"] > 0.5 or ratio["peak_mib_ratio"] > 0.5 or apart > 1e-4
    if len(args.sizes) > 1:
        facts["memory"] = {name: growth(name, args.sizes, args.width) for name in ("augmint", *OTHERS)}
        bad = bad or any(max(found["growth"]) > MOST_GROWTH.get(name, FLAT) for name, found in facts["memory"].items())
    args.out.write_text(json.dumps({**facts, "turns": turns, "machine": machine_facts()}, indent=1) + "\n")
    print({key: value for key, value in facts.items() if key != "best"})
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
