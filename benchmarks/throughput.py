"""What the house costs: a run's unit work against a bare loop that makes the same model calls and PNG files.

2,000 CIFAR-10 images, factor 2, interpolation, default gates, one worker. `ratio` is loop seconds / run seconds, from
the first to the last unit receipt (1.0: reading, gates, receipts and fsync cost nothing); in turns, the median counts.
Beside it: seconds of the whole command outside that window, and the start of the command line against a bare python.

    python benchmarks/throughput.py       # needs ../shared/data or $AUGMINT_DATA; writes benchmarks/results/
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from augmint.core.protocols import Codec
from augmint.core.types import Sample
from augmint.engine import intra_op_threads
from augmint.formats.folders import Folders
from augmint.models import load_encoder
from augmint.pipeline.machine import machine_facts
from augmint.pipeline.manifest import Manifest

RESULTS = Path(__file__).parent / "results" / "throughput.json"
DATA = Path(os.environ.get("AUGMINT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
CLI = [sys.executable, "-c", "import sys; from augmint.cli import main; sys.exit(main())"]


def write_images(folder: Path, count: int) -> list[Sample]:
    """The first ``count`` training images, balanced over the ten classes, as class folders."""
    with np.load(DATA / "images" / "cifar10_5k_2k.npz") as data:
        x, y, names = data["x_train"], data["y_train"], data["classes"]
    rows = np.sort(np.concatenate([np.flatnonzero(y == label)[: count // 10] for label in range(10)]))
    samples = [Sample(f"{row:05d}.png", x[row], target=str(names[y[row]])) for row in rows]
    for sample in samples:
        path = folder / str(sample.target) / sample.id
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Folders().dump(sample))
    return samples


def timed_run(data: Path, out: Path) -> dict[str, Any]:
    """One run of the command: seconds of its unit window, of the whole, and the draws it made."""
    shutil.rmtree(out, ignore_errors=True)
    begin = time.perf_counter()
    subprocess.run([*CLI, "run", str(data), "-o", str(out), "-q"], check=False)
    whole = time.perf_counter() - begin
    lines = (out / ".augmint" / "events.jsonl").read_text().splitlines()
    units = [event for event in map(json.loads, lines) if event["event"] == "unit"]
    manifest = Manifest(out)
    drawn = draw_sizes(manifest, [unit["unit"] for unit in units if unit["unit"].startswith("draw")])
    made = sum(row["kept"] for u in units if u["unit"].startswith("draw") for row in manifest.load(u["unit"]).rows[1:])
    window = units[-1]["time"] - units[0]["time"]
    first = units[0]["rows"]
    return {"window": window, "whole": whole, "drawn": drawn, "kept": made, "before_window": first}


def draw_sizes(manifest: Manifest, units: list[str]) -> list[int]:
    """Children of every call of the decoder: a unit calls it once, and again for the places a gate left open."""
    calls = Counter((unit, row["attempt"]) for unit in units for row in manifest.load(unit).rows[1:])
    return list(calls.values())


def bare_loop(samples: list[Sample], drawn: list[int], skip: int) -> float:
    """Seconds of the same model calls and PNG files: encode and judge the rest, decode, judge and write the drawn."""
    codec, judge = load_encoder("tiny-image", size=128), load_encoder("tiny-judge")
    assert isinstance(codec, Codec)
    judge.encode(samples[:8])
    codec.decode(codec.encode(samples[:8]), samples[:8])
    writer = Folders()
    begin = time.perf_counter()
    rows = []
    for start in range(0, len(samples), 64):
        batch = samples[start : start + 64]
        if start >= skip:
            rows.append(codec.encode(batch))
            judge.encode(batch)
    z = np.concatenate(rows)
    for number, size in enumerate(drawn):
        picked = [(number * 32 + i) % len(z) for i in range(size)]
        children = codec.decode(z[picked], [samples[i] for i in picked])
        judge.encode(children)
        for child in children:
            writer.dump(child)
    return time.perf_counter() - begin


def start_seconds(command: list[str], repeats: int) -> float:
    """Median seconds of a command, one untimed run first."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def start_up(repeats: int = 21) -> dict[str, float]:
    """Command line and import against a bare python, as ratios."""
    script = str(Path(sys.executable).with_name("augmint"))
    bare = start_seconds([sys.executable, "-c", "pass"], repeats)
    help_ = start_seconds([script, "--help"], repeats)
    import_ = start_seconds([sys.executable, "-c", "import augmint"], repeats)
    return {"bare_python_s": bare, "help_over_bare": help_ / bare, "import_over_bare": import_ / bare}


def main() -> int:
    """Measure and write; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("/tmp/augmint-throughput"))
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=3)
    args = parser.parse_args()
    samples = write_images(args.home / "cifar", args.count)
    pairs: list[dict[str, Any]] = []
    for _ in range(args.pairs):
        run = timed_run(args.home / "cifar", args.home / "out")
        with intra_op_threads(1):
            loop = bare_loop(samples, run["drawn"], int(run["before_window"]))
        pairs.append(
            {
                **run,
                "drawn": sum(run["drawn"]),
                "calls": len(run["drawn"]),
                "loop": loop,
                "ratio": loop / run["window"],
                "overhead_s": run["whole"] - run["window"],
            }
        )
        print(pairs[-1], flush=True)
    ratio = statistics.median(pair["ratio"] for pair in pairs)
    overhead = statistics.median(pair["overhead_s"] for pair in pairs)
    start = start_up()
    facts = {"ratio": ratio, "command_overhead_s": overhead, **start, "pairs": pairs, "machine": machine_facts()}
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n")
    print(f"ratio {ratio:.2f} (>= 0.8), overhead {overhead:.1f} s, {start}")
    return int(ratio < 0.8 or start["help_over_bare"] > 12 or start["import_over_bare"] > 3)


if __name__ == "__main__":
    sys.exit(main())
