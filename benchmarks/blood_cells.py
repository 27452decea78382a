"""The main job on real medical images: balance 200 red cells, 40 white cells and 15 platelets, by each method.

The training slides of the blood-cell crops, thinned by seed 0 and written out as class folders; the test slides are
kept aside. Each run must balance the classes, verify, and read alike through independent readers.

    python benchmarks/blood_cells.py      # needs ../shared/data or $AUGMINT_DATA; contact sheets go to docs/images/
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import augmint
from augmint.core.types import Sample
from augmint.formats.folders import Folders
from augmint.pipeline.machine import machine_facts
from augmint.pipeline.replay import replay
from augmint.pipeline.verify import verify

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "blood_cells.json"
DATA = Path(os.environ.get("AUGMINT_DATA", HERE.parents[1] / "shared" / "data"))
KEEP = {"RBC": 200, "WBC": 40, "Platelets": 15}


def write_cells(folder: Path, seed: int = 0) -> None:
    """Class folders of the training slides, thinned to :data:`KEEP`."""
    with np.load(DATA / "images" / "bccd_cells_64.npz") as data:
        x, y, names, split = data["x"], data["y"], [str(name) for name in data["classes"]], data["split"]
    rng = np.random.default_rng(seed)
    for label, name in enumerate(names):
        rows = rng.permutation(np.flatnonzero((y == label) & (split == "train")))[: KEEP[name]]
        for row in sorted(rows):
            path = folder / name / f"{row:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(Folders().dump(Sample(path.name, x[row])))


def folder_reader(root: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """Class names and (file, class index) as torchvision's ImageFolder finds them, written anew from its docs."""
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    rows = []
    for index, name in enumerate(classes):
        for folder, _, files in sorted(os.walk(root / name)):
            rows += [(os.path.join(folder, file), index) for file in sorted(files)]  # noqa: PTH118
    return classes, rows


def run_method(cells: Path, out: Path, method: str) -> dict[str, Any]:
    """One run and its checks."""
    shutil.rmtree(out, ignore_errors=True)
    begin = time.perf_counter()
    result = augmint.augment(cells, out, method=method, strategy="auto", workers=2)
    seconds = time.perf_counter() - begin
    children = [row["id"] for row in metadata(out) if row["is_synthetic"]]
    picks = np.random.default_rng(0).permutation(children)[:20]
    classes, rows = folder_reader(out / "train")
    counts = {name: sum(index == i for _, index in rows) for i, name in enumerate(classes)}
    return {
        "method": method,
        "exit_code": result.exit_code,
        "problems": result.problems,
        "before": result.before,
        "after": counts,
        "rejected": result.rejected,
        "verify": verify(out).exit_code,
        "replayed_identical": sum(replay(out, str(pick)).identical for pick in picks),
        "replayed": len(picks),
        "seconds": round(seconds, 1),
    }


def metadata(out: Path) -> list[dict[str, Any]]:
    """Rows of train/metadata.jsonl."""
    return [json.loads(line) for line in (out / "train" / "metadata.jsonl").read_text("utf-8").splitlines()]


def main() -> int:
    """Run every method; 1 when a class is not balanced or a check fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("/tmp/augmint-cells"))
    parser.add_argument("--method", action="append")
    args = parser.parse_args()
    shutil.rmtree(args.home / "cells", ignore_errors=True)
    write_cells(args.home / "cells")
    rows = []
    for method in args.method or ["interpolation", "gan", "noise"]:
        rows.append(run_method(args.home / "cells", args.home / method, method))
        print(json.dumps(rows[-1], indent=1), flush=True)
        sheet = HERE.parent / "docs" / "images" / f"blood_cells_{method}.png"
        sheet.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(args.home / method / "report" / "contact_sheet.png", sheet)
    RESULTS.write_text(json.dumps({"runs": rows, "machine": machine_facts()}, indent=1) + "\n")
    good = [row for row in rows if not row["exit_code"] and not row["verify"] and set(row["after"].values()) == {200}]
    return int(len(good) < len(rows) or any(row["replayed_identical"] < row["replayed"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
