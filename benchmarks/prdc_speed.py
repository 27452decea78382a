"""Precision, recall, density and coverage against the `prdc` package: seconds, peak memory, and equal numbers.

10,000 x 512 float32 on each side, k = 5; each side in a process of its own, in turns, best of the turns. `peak_mib` is
the whole process, `added_mib` what the call added to libraries and rows. Then all our scores at 10,000 and 50,000 rows,
128 wide: what they add must not grow but by copies of the rows.

    pip install prdc; python benchmarks/prdc_speed.py        # writes benchmarks/results/prdc_speed.json
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from augmint.pipeline.machine import machine_facts

RESULTS = Path(__file__).parent / "results" / "prdc_speed.json"
NEIGHBORS = 5
NAMES = ("precision", "recall", "density", "coverage")
OTHERS = ("frechet", "kernel", "vendi", "copies")
WIDTH = 128
"""Numbers in a row of the runs that look at memory."""
MEBI = 1 << 20


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


def peak() -> int:
    """Largest resident size of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def child(name: str, n: int, d: int) -> None:
    """One measurement, printed as JSON."""
    measure = side(name)
    measure(rows(64, d, 3), rows(64, d, 4))
    real, minted = rows(n, d, 1), rows(n, d, 2) * np.float32(1.02)
    before, begin = peak(), time.perf_counter()
    found = measure(real, minted)
    seconds = time.perf_counter() - begin
    values = {key: float(value) for key, value in found.items()}
    print(json.dumps({"seconds": seconds, "peak_mib": peak() / MEBI, "added_mib": (peak() - before) / MEBI, **values}))


def run(name: str, n: int, d: int) -> dict[str, float]:
    """The measurement in a process of its own."""
    command = [sys.executable, __file__, "--side", name, "--rows", str(n), "--width", str(d)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(name, n, {key: round(value, 4) for key, value in found.items()}, flush=True)
    return found


def growth(name: str, small: int, large: int) -> dict[str, float]:
    """Memory a score adds at two sizes, and what it adds for a further row, in sizes of a row (3: three copies)."""
    added = {n: run(name, n, WIDTH) for n in (small, large)}
    more = added[large]["added_mib"] - added[small]["added_mib"]
    seconds = {f"seconds_{n}": found["seconds"] for n, found in added.items()}
    sizes = {f"added_mib_{n}": found["added_mib"] for n, found in added.items()}
    return {**sizes, "copies_of_rows": more * MEBI / (large - small) / (4 * WIDTH), **seconds}


def main() -> int:
    """Measure and write; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=["augmint", "prdc", *OTHERS])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--large", type=int, default=50_000, help="0 to leave it out")
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
    if args.large:
        facts["memory"] = {name: growth(name, args.rows, args.large) for name in ("augmint", *OTHERS)}
        bad = bad or max(found["copies_of_rows"] for found in facts["memory"].values()) > 3
    RESULTS.write_text(json.dumps({**facts, "turns": turns, "machine": machine_facts()}, indent=1) + "\n")
    print({key: value for key, value in facts.items() if key not in ("best")})
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
