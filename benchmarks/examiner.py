"""An independent examiner: a small CNN trained from scratch on a data set's own train rows, and scores in its features.

It shares nothing with any model of ours. Precision and density as in Naeem et al. 2020, arXiv:2002.09797, with k = 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

NEIGHBOURS, RESAMPLES = 5, 2000

Array = np.ndarray[Any, Any]
Encode = Callable[[Tensor], Tensor]


def batched(function: Encode, x: Tensor, size: int = 100) -> Tensor:
    """Apply without gradients, `size` rows at a time."""
    with torch.inference_mode():
        return torch.cat([function(part) for part in x.split(size)])


@dataclass
class Labelled:
    """A labelled image set: pixels (n, 3, h, w) in 0..1 and classes, for training and held out."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


class Examiner(nn.Module):
    """Small CNN of the data set's own: (n, 3, h, w) to features (n, 128) and class logits."""

    def __init__(self, classes: int, blocks: int) -> None:
        super().__init__()
        widths = [3, 32, 64, 128, 128][: blocks + 1]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU())
        self.head = nn.Linear(128, classes)

    def features(self, x: Tensor) -> Tensor:
        """Mean of the last maps over positions: (n, 128)."""
        out: Tensor = self.body(x * 2 - 1).mean((2, 3))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Class logits."""
        out: Tensor = self.head(self.features(x))
        return out


def examiner(data: Labelled, seed: int, epochs: int, mirror: bool) -> Examiner:
    """Train on the train rows with shifts of up to 2 px (and mirroring)."""
    torch.manual_seed(seed)
    net = Examiner(int(data.y.max()) + 1, 3 if data.x.shape[-1] <= 32 else 4)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    steps = epochs * (len(data.x) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(steps):
        pick = torch.randint(len(data.x), (64,))
        dx, dy = (int(v) for v in torch.randint(-2, 3, (2,)))
        x = data.x[pick].roll((dy, dx), (2, 3))
        x = x.flip(3) if mirror and torch.rand(()) < 0.5 else x
        optimizer.zero_grad()
        F.cross_entropy(net(x), data.y[pick]).backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def examiners(name: str, data: Labelled, seeds: int, epochs: int, mirror: bool, cache: Path | None) -> list[Examiner]:
    """`seeds` examiners of one data set, kept in `cache` between runs."""
    nets = []
    for seed in range(seeds):
        path = cache / f"{name}_{seed}.pt" if cache else None
        if path and path.exists():
            net = Examiner(int(data.y.max()) + 1, 3 if data.x.shape[-1] <= 32 else 4).eval()
            net.load_state_dict(torch.load(path))
        else:
            net = examiner(data, seed, epochs, mirror)
            if path:
                torch.save(net.state_dict(), path)
        nets.append(net)
    return nets


def nearest_radii(real: Tensor) -> Tensor:
    """Distance of each real row to its k-th nearest other real row: (n,)."""
    return torch.cdist(real, real).kthvalue(NEIGHBOURS + 1, dim=1).values


def precision_density(real: Tensor, fake: Tensor) -> tuple[Array, Array]:
    """Per fake row: is it in any real row's k-ball, and in how many over k (Naeem et al. 2020)."""
    inside = torch.cdist(fake, real) <= nearest_radii(real)
    return inside.any(1).float().numpy(), (inside.float().sum(1) / NEIGHBOURS).numpy()


def paired_interval(difference: Array) -> dict[str, float]:
    """Mean of (seeds, n) and its 95 % bootstrap interval over pairs and examiner seeds."""
    rng = np.random.default_rng(0)
    seeds, n = difference.shape
    means = [difference[rng.integers(seeds, size=seeds)][:, rng.integers(n, size=n)].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(difference.mean()), "low": float(low), "high": float(high)}
