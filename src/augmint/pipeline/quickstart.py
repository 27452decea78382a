"""The first minute: real handwritten digits that ship with scikit-learn, few of each, made into more. Does it help?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from augmint.core.errors import UsageError
from augmint.core.seeds import stream
from augmint.core.types import I64, Sample
from augmint.formats.folders import Folders
from augmint.pipeline.augment import Execution, Result, run
from augmint.pipeline.evaluate import LiftResult, evaluate
from augmint.pipeline.plan import make_plan
from augmint.pipeline.progress import Progress
from augmint.pipeline.reporting import report
from augmint.pipeline.sources import Inputs

SHOTS, OTHERS = 20, 100
"""Digits of each class that are made into more, and other ones that the lift is measured on."""


DIGITS = {"digits": slice(SHOTS), "other-digits": slice(SHOTS, SHOTS + OTHERS)}


@dataclass(frozen=True)
class Demo:
    """What the first minute came to: the run, the lift of its method on other digits, the page about both."""

    result: Result
    lift: LiftResult
    page: Path


def quickstart(out: str | Path, *, workers: int = 1, seed: int = 0, progress: Progress | None = None) -> Demo:
    """Make ``OUT/minted`` from ``OUT/digits``, measure the lift on ``OUT/other-digits``, and write a report."""
    root, watcher = Path(out), progress or Progress()
    if root.exists() and not root.is_dir():
        raise UsageError(f"-o {root} is a file", expected="a folder", do="change -o", code="not-writable")
    _refuse_other_digits(root, seed)
    watcher.say(f"data: {SHOTS} handwritten digits of each class (scikit-learn's, 8 x 8 pixels) -> {root / 'digits'}")
    write_digits(root / "digits", DIGITS["digits"], seed)
    plan = make_plan({"factor": 3.0, "seed": seed})
    result = run(plan, Inputs(root / "digits"), root / "minted", Execution(workers=workers), watcher)
    watcher.say(f"does it help? measured on {OTHERS} other digits of each class -> {root / 'lift'}")
    write_digits(root / "other-digits", DIGITS["other-digits"], seed)
    lift = evaluate(
        root / "other-digits",
        root / "lift",
        methods=f"{plan.method},classic",
        shots=5,
        pairs=8,
        factor=2.0,
        seed=seed,
        workers=workers,
        progress=watcher,
    )
    return Demo(result, lift, report(root / "minted", root / "lift").path)


def write_digits(folder: Path, which: slice, seed: int) -> None:
    """Class folders with some digits of each class, in an order that the seed chooses."""
    images, writer = _digits()[0], Folders()
    for name, row in _files(which, seed).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = writer.dump(Sample(path.name, images[row]))
        if not (path.exists() and path.read_bytes() == data):
            path.write_bytes(data)


@cache
def _digits() -> tuple[npt.NDArray[np.uint8], I64]:
    """All digits and their classes."""
    from sklearn.datasets import load_digits  # not at the top: slow to load, and every command would pay

    pixels, labels = load_digits(return_X_y=True)
    return np.round(pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8), labels


def _files(which: slice, seed: int) -> dict[str, int]:
    """Some digits of each class by the name of their file, in an order that the seed chooses."""
    labels = _digits()[1]
    own = {c: stream(seed, "quickstart", c).permutation(np.flatnonzero(labels == c))[which] for c in range(10)}
    return {f"{c}/{row:04d}.png": int(row) for c, rows in own.items() for row in rows}


def _refuse_other_digits(root: Path, seed: int) -> None:
    """Digits that another seed chose would mix with this one's."""
    for name, which in DIGITS.items():
        strange = {path.relative_to(root / name).as_posix() for path in (root / name).glob("*/*.png")}
        if strange and (strange := strange - set(_files(which, seed))):
            raise UsageError(
                f"{root / name} has other digits, such as {min(strange)}",
                expected=f"a new folder, or one that quickstart made with --seed {seed}",
                do="change -o, or give the seed of before",
                code="other-digits",
            )
