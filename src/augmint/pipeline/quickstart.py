"""The first minute: real handwritten digits that ship with scikit-learn, few of each, made into more."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from augmint.core.errors import UsageError
from augmint.core.seeds import stream
from augmint.core.types import Sample
from augmint.formats.folders import Folders
from augmint.pipeline.augment import Execution, Result, run
from augmint.pipeline.plan import make_plan
from augmint.pipeline.progress import Progress
from augmint.pipeline.sources import Inputs

SHOTS = 20


def quickstart(out: str | Path, *, workers: int = 1, seed: int = 0, progress: Progress | None = None) -> Result:
    """Write ``OUT/digits`` (20 real digits of each class, 8 x 8) and make ``OUT/minted`` from it."""
    root, watcher = Path(out), progress or Progress()
    if root.exists() and not root.is_dir():
        raise UsageError(f"-o {root} is a file", expected="a folder", do="change -o", code="not-writable")
    watcher.say(f"data: {SHOTS} handwritten digits of each class (scikit-learn's, 8 x 8 pixels) -> {root / 'digits'}")
    write_digits(root / "digits", SHOTS, seed)
    plan = make_plan({"factor": 3.0, "seed": seed})
    return run(plan, Inputs(root / "digits"), root / "minted", Execution(workers=workers), watcher)


def write_digits(folder: Path, shots: int, seed: int) -> None:
    """Class folders with ``shots`` digits of each class, chosen by the seed."""
    from sklearn.datasets import load_digits  # not at the top: slow to load, and every command would pay

    pixels, labels = load_digits(return_X_y=True)
    images = np.round(pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    writer = Folders()
    for label in range(10):
        rows = stream(seed, "quickstart", label).permutation(np.flatnonzero(labels == label))[:shots]
        for row in rows:
            path = folder / str(label) / f"{row:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            data = writer.dump(Sample(path.name, images[row]))
            if not (path.exists() and path.read_bytes() == data):
                path.write_bytes(data)
