"""The hand-made transforms: what a batch costs beside kornia and Albumentations, and whether `flip: auto` is right.

Cost: CPU milliseconds of one thread for 32 pictures of 32 x 32 x 3, the best of several turns. kornia's and
Albumentations' own classes do the same things with the same strengths: flip, shift, zoom, turn, brightness, contrast,
saturation, noise; RandAugment with two operations of magnitude 9 (Albumentations has none).

Mirroring: draws of a few pictures a class; how often `flip: auto` mirrors, and how often a mirror image is farther from
the nearest other picture of its class than the picture is. Photos and cells should be mirrored, digits and letters not.

    AUGMINT_DATA=../shared/data python benchmarks/classic.py        # writes benchmarks/results/classic.json
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

from augmint.classic.image import ClassicImage
from augmint.classic.mirror import compare, may_mirror, thumbnail
from augmint.classic.strengths import PRESETS
from augmint.core.types import Sample
from augmint.pipeline.machine import machine_facts

RESULTS = Path(__file__).parent / "results" / "classic.json"
BATCH, SIDE = 32, 32
SHOTS = (2, 3, 5, 10, 50)
MIRRORS = {"cifar10": True, "blood cells": True, "mnist": False, "digits": False, "omniglot, 20 characters": False}

Change = Callable[[], Any]


def milliseconds(change: Change, turns: int, calls: int = 40) -> float:
    """CPU time of one call, the best of the turns."""
    change()
    best = np.inf
    for _ in range(turns):
        begin = time.process_time()
        for _ in range(calls):
            change()
        best = min(best, (time.process_time() - begin) / calls)
    return round(1000 * float(best), 3)


def ours(preset: str) -> Change:
    """Our transform of a batch."""
    rng, batch = np.random.default_rng(0), torch.rand(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    change = ClassicImage(preset, flip="horizontal").transform()
    return lambda: change(batch, rng)


def kornias() -> dict[str, Change]:
    """kornia's own augmentation classes."""
    import kornia.augmentation as kornia
    from kornia.augmentation.auto import RandAugment

    batch = torch.rand(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    standard = kornia.AugmentationSequential(
        kornia.RandomHorizontalFlip(),
        kornia.RandomAffine(10.0, (0.125, 0.125), (0.9, 1.1), padding_mode="reflection", p=1.0),
        kornia.ColorJitter(0.2, 0.2, 0.2, 0.0, p=1.0),
        kornia.RandomGaussianNoise(0.0, 0.01, p=1.0),
    )
    policy = RandAugment(2, 9)  # one choice of operations for the whole batch
    return {"standard": lambda: standard(batch), "randaugment": lambda: policy(batch)}


def albumentations() -> dict[str, Change]:
    """Albumentations, picture by picture."""
    import albumentations as alb

    pictures = np.random.default_rng(0).integers(0, 256, (BATCH, SIDE, SIDE, 3), dtype=np.uint8)
    chain = alb.Compose(
        [
            alb.HorizontalFlip(),
            alb.Affine(scale=(0.9, 1.1), translate_percent=(-0.125, 0.125), rotate=(-10, 10), border_mode=2, p=1.0),
            alb.ColorJitter((0.8, 1.2), (0.8, 1.2), (0.8, 1.2), (0.0, 0.0), p=1.0),
            alb.GaussNoise((0.0, 0.02), p=1.0),
        ],
        seed=0,
    )
    return {"standard": lambda: [chain(image=picture)["image"] for picture in pictures]}


def costs(turns: int) -> dict[str, dict[str, float]]:
    """Milliseconds of a batch, by library and preset."""
    table = {"augmint": {preset: milliseconds(ours(preset), turns) for preset in PRESETS}}
    for name, make in {"kornia": kornias, "albumentations": albumentations}.items():
        if find_spec(name):
            table[name] = {preset: milliseconds(change, turns) for preset, change in make().items()}
    return table


def pictures() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pictures and classes of each set."""
    root = Path(os.environ.get("AUGMINT_DATA", Path(__file__).resolve().parents[2] / "shared/data")) / "images"
    x, y = load_digits(return_X_y=True)
    found = {"digits": (np.round(x.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8), y)}
    for name, file in {"cifar10": "cifar10_5k_2k", "mnist": "mnist_5k_10k"}.items():
        with np.load(root / f"{file}.npz") as data:
            found[name] = data["x_train"], data["y_train"]
    with np.load(root / "bccd_cells_64.npz") as data:
        found["blood cells"] = data["x"], data["y"]
    with np.load(root / "omniglot_small_28.npz") as data:
        few = data["y"] < 20
        found["omniglot, 20 characters"] = data["x"][few], data["y"][few]
    return {name: found[name] for name in MIRRORS}


def mirroring(x: np.ndarray, y: np.ndarray, shots: int, draws: int) -> dict[str, float]:
    """Share of draws that are mirrored, and of mirror images that are farther."""
    said, farther, compared = [], 0, 0
    for seed in range(draws):
        order = np.random.default_rng(seed).permutation(len(x))
        samples = [Sample("", x[row], target=str(c)) for c in np.unique(y) for row in order[y[order] == c][:shots]]
        said.append(may_mirror(samples))
        labels = np.unique([sample.target for sample in samples], return_inverse=True)[1].astype(np.int64)
        far, near = compare(np.stack([thumbnail(sample) for sample in samples]), labels)
        farther, compared = farther + far, compared + far + near
    return {"mirrored": float(np.mean(said)), "farther": round(farther / compared, 3)}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cost = costs(args.turns)
    print(json.dumps(cost, indent=1), flush=True)
    table = {}
    for name, (x, y) in pictures().items():
        table[name] = {str(shots): mirroring(x, y, shots, args.draws) for shots in SHOTS}
        print(name, "should" if MIRRORS[name] else "should not", table[name], flush=True)
    facts = {"batch": [BATCH, 3, SIDE, SIDE], "threads": 1, **machine_facts()}
    args.out.write_text(json.dumps({"milliseconds": cost, "mirroring": table, "machine": facts}, indent=1) + "\n")


if __name__ == "__main__":
    main()
