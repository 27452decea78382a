"""A generator that copies a known share of its training set, on real images: is that share measured?

Each data set is encoded by tiny-judge and shuffled into training, unseen and held-out images. The "generator" hands
out unseen images, and this share of images of the training set in their place: as they are, saved as JPEG at quality
90, or with noise of 0.5, 1 or 2 % of the range of a pixel. Only their features are looked at. Shares are measured by
``evaluation.memorization.copying``, who was in the training set is guessed by ``membership``.

Bounds, on all kinds but the two stronger noises, which show where copies begin to be missed: every mean share is
within 2 points of the truth; without copies the 95 % interval of the membership area holds 0.5 in at least 85 % of the
repeats, and with nothing but copies the area is above 0.8.

    python benchmarks/copies.py      # needs ../shared/data or $AUGMINT_DATA; writes benchmarks/results/copies.json
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from augmint.core.types import F32
from augmint.evaluation.memorization import copying, membership
from augmint.models import load_encoder
from augmint.pipeline.machine import machine_facts
from frozen import cached

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "copies.json"
DATA = Path(os.environ.get("AUGMINT_DATA", HERE.parents[1] / "shared" / "data"))
SHARES = (0.0, 0.05, 0.2, 1.0)
TRAINING, UNSEEN = 0.35, 0.35
"""Parts of the images; the rest is held out."""
NEAR, EXACT, EXPOSED = "near copies of training rows", "exact copies of training rows", "training rows copied"

Images = npt.NDArray[np.uint8]


def cifar() -> Images:
    """The 7,000 photographs, 32 px."""
    with np.load(DATA / "images/cifar10_5k_2k.npz") as data:
        found: Images = np.concatenate([data["x_train"], data["x_test"]])
    return found


def cells() -> Images:
    """The 1,133 crops of blood cells, 64 px."""
    with np.load(DATA / "images/bccd_cells_64.npz") as data:
        found: Images = data["x"]
    return found


def digits() -> Images:
    """scikit-learn's 1,797 digits, 8 px, grey."""
    from sklearn.datasets import load_digits

    found: Images = np.round(load_digits().images * (255 / 16)).astype(np.uint8)
    return found


def noisy(images: Images, strength: float) -> Images:
    """Each pixel moved a little."""
    moved = images + np.random.default_rng(1).normal(0.0, strength * 255, images.shape)
    return np.clip(np.round(moved), 0, 255).astype(np.uint8)


def jpeg(images: Images) -> Images:
    """Saved with loss and opened again."""
    out = np.empty_like(images)
    for i, image in enumerate(images):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=90)
        out[i] = np.asarray(Image.open(file))
    return out


SETS: Mapping[str, Callable[[], Images]] = {"CIFAR-10": cifar, "blood cells": cells, "digits": digits}
KINDS: Mapping[str, Callable[[Images], Images]] = {
    "exact": np.copy,
    "jpeg": jpeg,
    "noise 0.5 %": partial(noisy, strength=0.005),
    "noise 1 %": partial(noisy, strength=0.01),
    "noise 2 %": partial(noisy, strength=0.02),
}
UNBOUND = ("noise 1 %", "noise 2 %")


def features(name: str, limit: int) -> dict[str, F32]:
    """Rows of the images, and of each kind of copy of them."""
    judge = load_encoder("tiny-judge")
    images = SETS[name]()[:limit]
    return {
        kind: cached(f"copies-{name}-{kind}-{len(images)}-{judge.space}", change(images), judge.encode)
        for kind, change in KINDS.items()
    }


def one_repeat(rows: F32, copies: F32, seed: int) -> list[dict[str, float]]:
    """What is measured at each share, with one shuffle of the images."""
    order = np.random.default_rng(seed).permutation(len(rows))
    train, unseen, out = np.split(order, np.cumsum([int(part * len(rows)) for part in (TRAINING, UNSEEN)]))
    found = []
    for share in SHARES:
        count = round(share * len(unseen))
        minted = np.concatenate([copies[train[:count]], rows[unseen[count:]]])
        scores = copying(rows[train], minted, rows[out])
        guess = membership(rows[train], rows[out], minted, splits=0)
        assert guess.interval is not None, guess.note
        facts = {"share": share, "near": scores[NEAR].value, "exact": scores[EXACT].value}
        facts |= {"exposed": scores[EXPOSED].value, "reference": scores[NEAR].reference}
        found.append(facts | {"membership": guess.value, "low": guess.interval[0], "high": guess.interval[1]})
    return found


def summary(repeats: list[list[dict[str, float]]], kind: str) -> list[dict[str, float]]:
    """For each share: means, the largest error of one repeat, and how often the interval holds 0.5."""
    table = []
    for i, share in enumerate(SHARES):
        at = [repeat[i] for repeat in repeats]
        mean = {key: float(np.mean([facts[key] for facts in at])) for key in at[0]}
        exact = share if kind == "exact" else 0.0
        mean["error"] = abs(mean["near"] - share)
        mean["worst_error"] = max(abs(facts["near"] - share) for facts in at)
        mean["worst_exact_error"] = max(abs(facts["exact"] - exact) for facts in at)
        mean["holds_half"] = float(np.mean([facts["low"] <= 0.5 <= facts["high"] for facts in at]))
        mean["least_membership"] = min(facts["membership"] for facts in at)
        table.append({key: round(value, 4) for key, value in mean.items()})
    return table


def missed(table: list[dict[str, float]]) -> list[str]:
    """Bounds that a table breaks."""
    wrong = [f"share {row['share']}: off by {row['error']}" for row in table if row["error"] > 0.02]
    if table[0]["holds_half"] < 0.85:
        wrong.append(f"no copies: the interval holds 0.5 in {table[0]['holds_half']:.0%}")
    if table[-1]["least_membership"] <= 0.8:
        wrong.append(f"all copies: membership {table[-1]['least_membership']}")
    return wrong


def main() -> int:
    """Measure and write; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--limit", type=int, default=2000, help="images of a data set")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    facts: dict[str, Any] = {"repeats": args.repeats, "sets": {}}
    wrong = []
    for name in SETS:
        rows = features(name, args.limit)
        facts["sets"][name] = {"images": len(rows["exact"])}
        for kind, copies in rows.items():
            table = summary([one_repeat(rows["exact"], copies, seed) for seed in range(args.repeats)], kind)
            facts["sets"][name][kind] = table
            wrong += [f"{name}, {kind}, {why}" for why in missed(table) if kind not in UNBOUND]
            print(name, kind, *table, sep="\n  ", flush=True)
    args.out.write_text(json.dumps({**facts, "missed": wrong, "machine": machine_facts()}, indent=1) + "\n")
    print("missed:", *(wrong or ["nothing"]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
