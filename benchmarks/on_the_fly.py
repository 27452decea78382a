"""Does on-the-fly augmentation help a small network on few rows? scikit-learn's digits, every batch form, paired draws.

64 pixels, standardised; 5 or 20 rows a class; a perceptron of 128 hidden units, Adam, the same steps, batches and
first weights for every method; default options. Accuracy on all other digits; the gain over no augmentation with its
95 % interval over draws (Student's t). One small data set: it says which methods do harm, not which are best.

    python benchmarks/on_the_fly.py       # about 2 minutes on one core; writes benchmarks/results/on_the_fly.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student
from sklearn.datasets import load_digits
from torch import Tensor, nn

from augmint.torch import FeatureAugment
from augmint.torch.feature_augment import batch_methods

RESULTS = Path(__file__).parent / "results" / "on_the_fly.json"
CLASSES, BATCH = 10, 50


def split(shots: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training rows and labels, all others and theirs."""
    pixels, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    few = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:shots] for c in range(CLASSES)])
    rest = np.setdiff1d(np.arange(len(labels)), few)
    mean, scale = pixels[few].mean(axis=0), pixels[few].std() + 1e-6
    z = torch.from_numpy(((pixels - mean) / scale).astype(np.float32))
    y = torch.from_numpy(labels)
    return z[few], y[few], z[rest], y[rest]


def accuracy(data: tuple[Tensor, Tensor, Tensor, Tensor], method: str, steps: int, seed: int) -> float:
    """Accuracy in per cent of one training."""
    z, y, z_rest, y_rest = data
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, CLASSES))
    augment = None if method == "none" else FeatureAugment(method, seed=seed).fit(z, y)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    order = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randperm(len(z), generator=order)[:BATCH]
        x, target = z[rows], y[rows]
        if augment is not None:
            x, target = augment(x, target)
        loss = nn.functional.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        return 100.0 * float((model(z_rest).argmax(1) == y_rest).float().mean())


def interval(gains: np.ndarray) -> list[float]:
    """Mean and half width of its 95 % interval."""
    half = student.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / len(gains) ** 0.5
    return [float(gains.mean()), float(half)]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    methods = ["none", *batch_methods()]
    facts: dict[str, Any] = {"draws": args.draws, "steps": args.steps}
    for shots in (5, 20):
        found = np.zeros((args.draws, len(methods)))
        for seed in range(args.draws):
            data = split(shots, seed)
            found[seed] = [accuracy(data, method, args.steps, seed) for method in methods]
        table = {method: interval(found[:, i] - found[:, 0]) for i, method in enumerate(methods) if i}
        facts[f"{shots} a class"] = {"none": float(found[:, 0].mean()), "gain": table}
        print(f"{shots} a class: none {found[:, 0].mean():.1f} %")
        for method, (mean, half) in table.items():
            print(f"  {method:14} {mean:+5.2f} +- {half:.2f}")
    args.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
