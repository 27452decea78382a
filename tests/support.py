"""Small tools of the tests: data sets to make, folders to compare, the command line to call."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from augmint.pipeline.augment import Result

PLAIN: dict[str, Any] = {"gates": [], "unit_size": 4, "size": 64}
"""Small, and no gate: as many children as asked, whatever the weights are worth."""

MIXED: dict[str, Any] = {
    "gates": ["novelty", "diversity"],
    "gate_options": {"diversity": {"closest": 0.5}, "novelty": {"floor": 0.3, "closest": 0.3}},
    "unit_size": 7,
    "size": 64,
    "max_tries": 2,
    "max_rounds": 2,
}
"""A row gate, and a set gate strict enough to reject some of any model's children and keep others."""

VOLATILE = {"run.json", ".augmint/events.jsonl", ".augmint/lock", ".augmint/run.sha256"}
"""Files that hold times or process ids; all others are the same for the same plan and data."""

CLI = [sys.executable, "-c", "import sys; from augmint.cli import main; sys.exit(main())"]


@dataclass(frozen=True)
class Run:
    """A finished run."""

    data: Path
    out: Path
    result: Result


def digit_images(label: int, count: int) -> list[np.ndarray]:
    pixels, labels = load_digits(return_X_y=True)
    rows = np.flatnonzero(labels == label)[:count]
    return [np.round(pixels[row].reshape(8, 8) * (255 / 16)).astype(np.uint8) for row in rows]


def write_digits(root: Path, counts: Mapping[str, int]) -> Path:
    """Class folders named after digits, with so many images each."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for i, image in enumerate(digit_images(int(name), count)):
            save(root / name / f"{i:04d}.png", image)
    return root


def save(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def pattern(shape: tuple[int, ...], seed: int = 0, dtype: type = np.uint8) -> np.ndarray:
    """A smooth picture with a little noise, different for each seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    wave = np.sin(x / 3 + rng.uniform(0, 6)) + np.cos(y / (2 + rng.uniform(0, 3)))
    if len(shape) == 3:
        wave = np.stack([np.roll(wave, c, axis=1) for c in range(shape[2])], axis=2)
    top = np.iinfo(dtype).max
    return np.clip((wave + 2) / 4 * top * 0.9 + rng.uniform(0, top * 0.05, shape), 0, top).astype(dtype)


def snapshot(folder: Path, skip: set[str] = VOLATILE) -> dict[str, str]:
    """Hash of every file of a folder, by relative path."""
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (name := path.relative_to(folder).as_posix()) not in skip
    }


def sums(out: Path) -> str:
    return (out / "SHA256SUMS").read_text(encoding="utf-8")


def jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def metadata(out: Path, split: str = "train") -> list[dict[str, Any]]:
    return jsonl(out / split / "metadata.jsonl")


def children(out: Path) -> list[dict[str, Any]]:
    return [row for row in metadata(out) if row["is_synthetic"]]


def child_bytes(out: Path) -> dict[str, bytes]:
    """Bytes of every synthetic file by its name."""
    return {row["file_name"]: (out / "train" / row["file_name"]).read_bytes() for row in children(out)}


def memory(name: str) -> int:
    """Bytes of one line of the kernel's account of this process: ``VmRSS``, ``VmHWM`` (the peak).

    Not ``ru_maxrss``: a process that was started by another begins with the other's, so behind a large test session it
    tells the session's peak, and its growth is always 0.
    """
    with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123 (pasted into code without pathlib)
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(f"{name}:"))


MEMORY = inspect.getsource(memory)
"""For the code of a process that tells its own peak."""


def peak_growth(work: Callable[[], object]) -> int:
    """Bytes by which this process grew at most while it did ``work``."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak counts from here
    except OSError as error:
        pytest.skip(f"this system does not tell a process its peak of memory: {error}")
    before = memory("VmRSS")
    work()
    return memory("VmHWM") - before


def cli(*words: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return subprocess.run(
        [*CLI, *words], capture_output=True, text=True, timeout=timeout, check=False, env={**os.environ, **environment}
    )
