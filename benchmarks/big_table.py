"""A million rows of jsonl: peak memory and time of ``inspect`` and of ``run`` with a cheap rewriter, each in a process.

Rows are made up (words drawn by a seed, two classes) and written to a folder of their own. Memory is the peak of the
process that does the work, and how much of it is above a process that only imports what a run imports.

    python benchmarks/big_table.py                  # 1,000,000 rows; writes benchmarks/results/big_table.json
    python benchmarks/big_table.py --rows 100000 --keep /tmp/big
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from augmint.core.seeds import stream
from augmint.pipeline.machine import machine_facts
from process_memory import memory

RESULTS = Path(__file__).parent / "results" / "big_table.json"
WORDS = (
    "the a of it was and but very rather film plot actor scene music story ending camera dialogue director theatre "
    "good bad dull bright long short quiet loud funny sad slow quick old new strange familiar warm cold clever empty"
)
CLASSES = ("neg", "pos")
BLOCK = 10_000
IMPORTS = {
    "inspect": "import augmint.cli.looking",
    "run": "import torch, augmint.cli.running, augmint.report.page",
}
PEAK = f"""import atexit
from pathlib import Path
{inspect.getsource(memory)}
atexit.register(lambda: print(memory("VmHWM")))
"""
MAIN = "import sys; from augmint.cli import main; sys.exit(main())"
LIMIT_MB = 500


def write_rows(path: Path, count: int) -> None:
    """So many rows of 6 to 16 words and their number, half of each class."""
    vocabulary = WORDS.split()
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, count, BLOCK):
            rng = stream(0, "big table", start)
            lengths = rng.integers(6, 17, BLOCK)
            words = iter(rng.integers(0, len(vocabulary), int(lengths.sum())).tolist())
            for i in range(start, min(start + BLOCK, count)):
                text = " ".join(vocabulary[next(words)] for _ in range(lengths[i - start]))
                file.write(json.dumps({"text": f"{text} {i}", "label": CLASSES[i % 2]}) + "\n")


def measured(code: str, *words: str) -> dict[str, Any]:
    """Seconds, processor seconds and peak MB of a process of its own; RuntimeError when it fails."""
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="ascii") as said:
        process = subprocess.Popen([sys.executable, "-c", PEAK + code, *words], stdout=said)
        _, status, used = os.wait4(process.pid, 0)
        said.seek(0)
        *_, peak = said
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"{words} ended with status {status}")
    return {
        "seconds": round(time.monotonic() - begin, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(int(peak) / 2**20, 1),
    }


def measure(folder: Path, rows: int) -> dict[str, Any]:
    """Inspect and run on so many rows."""
    data, out = folder / "reviews.jsonl", folder / "out"
    write_rows(data, rows)
    found: dict[str, Any] = {"rows": rows, "input_mb": round(data.stat().st_size / 1e6, 1)}
    run = ["run", str(data), "-o", str(out), "--method", "classic", "--gate", "none", "--fresh", "-q"]
    for name, words in (("inspect", ["inspect", str(data), "-q"]), ("run", run)):
        base, own = measured(IMPORTS[name]), measured(MAIN, *words)
        above = round(own["peak_mb"] - base["peak_mb"], 1)
        per_row = round(own["cpu_seconds"] * 1e5 / rows, 1)
        more = {"imports_mb": base["peak_mb"], "above_imports_mb": above, "cpu_seconds_per_100000_rows": per_row}
        found[name] = own | more
        print(f"{name}: {own['seconds']} s, {above} MB above the imports (limit {LIMIT_MB})")
    lines = sum(1 for _ in (out / "train.jsonl").open("rb"))
    found["rows_after"] = lines
    return found


def main() -> int:
    """Measure, print, write; 1 where a peak is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="folder for the rows and the run (default: a temporary one)")
    parser.add_argument("--save", type=Path, default=RESULTS)
    args = parser.parse_args()
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        found = measure(args.keep, args.rows)
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(Path(folder), args.rows)
    args.save.write_text(json.dumps({**machine_facts(), **found}, indent=1) + "\n", encoding="utf-8")
    return int(any(found[name]["above_imports_mb"] > LIMIT_MB for name in ("inspect", "run")))


if __name__ == "__main__":
    sys.exit(main())
