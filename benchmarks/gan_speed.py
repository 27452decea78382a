"""GAN training in updates a second against plain PyTorch, and the held-out kernel distance that both reach.

The reference is what one writes by hand: tensors in memory, no DataLoader, autograd with ``create_graph`` for the
penalty, real and generated rows in one pass of the critic, Adam with ``foreach``, a ``foreach`` average of the weights,
no ``.item()`` in the loop. Architecture, loss, batch, rates, precision, threads and vicinal rows are the same. A second
reference has torch's fused Adam. All take turns, 100 updates each, in one process; the median turn counts.

    python benchmarks/gan_speed.py   # about four minutes of one core; writes results/gan_speed.json
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import one_hot, softplus

import gan_grid
from augmint.core.types import F32, Latents
from augmint.numerics.fidelity import kernel_distance, median_distance
from augmint.numerics.networks import bare_linear, cosine, memory
from augmint.numerics.projection import fit_whitening
from augmint.numerics.rows import text_array
from augmint.numerics.vicinity import Vicinity
from augmint.pipeline.machine import machine_facts
from augmint.synthesizers.gan import Gan
from augmint.synthesizers.gan_training import BETAS, LOUD, Duel

RESULTS = Path(__file__).parent / "results" / "gan_speed.json"
TURN = 100


class Reference:
    """The same GAN in plain PyTorch, relativistic, label beside the row."""

    def __init__(self, gan: Gan, w: F32, y: F32, labels: Any, seed: int, adam: dict[str, bool]) -> None:
        self.gan, self.random, self.step = gan, torch.Generator().manual_seed(seed), 0
        self.vicinity = Vicinity(w, labels, gan.neighbors, gan.vicinity)
        self.y = torch.from_numpy(y)
        k = y.shape[1] * gan.conditional
        self.maker = self.network(gan.noise_size + gan.codes + k, w.shape[1])
        self.critic = self.network(w.shape[1] + k, 1)
        self.average = copy.deepcopy(self.maker).requires_grad_(False)
        self.averaged = tuple(self.average.parameters())
        self.current = tuple(self.maker.parameters())
        self.make_step = torch.optim.Adam(self.maker.parameters(), gan.rate, betas=BETAS, **adam)
        self.judge_step = torch.optim.Adam(self.critic.parameters(), gan.rate, betas=BETAS, **adam)

    def network(self, inputs: int, outputs: int) -> nn.Sequential:
        """Leaky-ReLU layers, weights as in the method."""
        sizes = [inputs, *[self.gan.width] * self.gan.depth, outputs]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            layer = bare_linear(a, b)
            nn.init.normal_(layer.weight, 0.0, self.gan.gain * (2.0 / a) ** 0.5, generator=self.random)
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.LeakyReLU(0.2)]
        return nn.Sequential(*layers[:-1])

    def real(self) -> tuple[Tensor, Tensor]:
        """A batch of vicinal rows and labels."""
        at = torch.randint(len(self.y), (self.gan.batch,), generator=self.random)
        return self.vicinity.draw(at, self.random), self.y[at]

    def fake(self, y: Tensor) -> Tensor:
        """Generated rows of these labels."""
        noise = torch.randn((len(y), self.gan.noise_size), generator=self.random)
        code = torch.randint(self.gan.codes, (len(y),), generator=self.random)
        parts = [noise, LOUD * one_hot(code, self.gan.codes)]
        out: Tensor = self.maker(torch.cat([*parts, LOUD * y] if self.gan.conditional else parts, dim=1))
        return out

    def read(self, x: Tensor, y: Tensor) -> Tensor:
        """What the critic reads."""
        return torch.cat([x, y], dim=1) if self.gan.conditional else x

    def run(self, steps: int) -> None:
        """Train."""
        for _ in range(steps):
            rate = cosine(self.gan.rate, self.step / self.gan.steps)
            for optimizer in (self.judge_step, self.make_step):
                optimizer.param_groups[0]["lr"] = rate
            self.judge()
            self.make()
            with torch.no_grad():
                torch._foreach_lerp_(self.averaged, self.current, 1.0 - memory(self.step))
            self.step += 1

    def judge(self) -> None:
        """One update of the critic."""
        x, y = self.real()
        with torch.no_grad():
            fake = self.fake(y)
        both = torch.cat([x, fake]).requires_grad_(True)
        score = self.critic(self.read(both, torch.cat([y, y])))
        (slope,) = torch.autograd.grad(score.sum(), both, create_graph=True)
        real, made = score.chunk(2)
        loss = softplus(made - real).mean() + self.gan.penalty * slope.square().sum(dim=1).mean()
        self.judge_step.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.judge_step.step()

    def make(self) -> None:
        """One update of the generator."""
        x, y = self.real()
        self.critic.requires_grad_(False)
        made, real = self.critic(self.read(torch.cat([self.fake(y), x]), torch.cat([y, y]))).chunk(2)
        self.make_step.zero_grad(set_to_none=True)
        softplus(real - made).mean().backward()  # type: ignore[no-untyped-call]
        self.make_step.step()
        self.critic.requires_grad_(True)


def digits(seed: int) -> tuple[Latents, Latents]:
    """20 handwritten digits of each class, and 1,000 others."""
    pixels, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    few = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:20] for c in range(10)])
    rest = rng.permutation(np.setdiff1d(np.arange(len(labels)), few))[:1000]
    rows = Latents(text_array([f"{i:04d}" for i in range(len(labels))]), pixels.astype(np.float32), np.eye(10)[labels])
    return rows.take(few), rows.take(rest)


def grid(seed: int) -> tuple[Latents, Latents]:
    """The 25 Gaussians of gan_grid.py, and 1,000 other rows of them."""
    return gan_grid.grid(seed)[0], gan_grid.grid(seed + 1000, 1000)[0]


CASES: dict[str, tuple[Callable[[int], tuple[Latents, Latents]], dict[str, Any]]] = {
    "digits, 20 a class, default options": (digits, {}),
    "25 Gaussians, options of gan_grid.py": (grid, gan_grid.OPTIONS),
}


def arms(gan: Gan, w: F32, real: Latents, seed: int) -> dict[str, Duel | Reference]:
    """The contestants, untrained."""
    y = real.y.astype(np.float32)
    return {
        "augmint": gan.duel(real, w, seed),
        "plain": Reference(gan, w, y, real.labels, seed, {"foreach": True}),
        "plain, fused Adam": Reference(gan, w, y, real.labels, seed, {"fused": True}),
    }


def contest(case: str, seed: int, steps: int) -> dict[str, Any]:
    """Train all for so many updates, in turns; updates a second and the kernel distance to held-out rows."""
    make, options = CASES[case]
    real, other = make(seed)
    gan = Gan(**{**options, "steps": steps})
    gan.space_, gan.count_ = fit_whitening(real.flat, gan.components), np.bincount(real.labels)
    w, held = (gan.space_.forward(rows.flat) for rows in (real, other))
    trainers = arms(gan, w, real, seed)
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for turn in range(steps // TURN):
        # Each is first, second and third in turn.
        for name in np.roll(list(trainers), turn):
            begin = time.perf_counter()
            trainers[name].run(TURN)
            seconds[name].append(time.perf_counter() - begin)
    return {
        "seed": seed,
        "steps_per_s": {name: round(TURN / statistics.median(own), 1) for name, own in seconds.items()},
        "distance": {name: round(distance(gan, t.average, held, other), 5) for name, t in trainers.items()},
    }


@torch.no_grad()
def distance(gan: Gan, average: nn.Module, held: F32, other: Latents) -> float:
    """Kernel distance between held-out rows and generated rows of their labels, labels beside the rows."""
    inputs = gan.inputs(other.y.astype(np.float32), np.random.default_rng(7))
    made, width = average(torch.from_numpy(inputs)).numpy(), median_distance(held)
    label = (width * other.y * gan.conditional).astype(np.float32)
    return kernel_distance(np.hstack([held, label]), np.hstack([made, label]), width)


def summary(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Medians over seeds, and the ratios to both references."""
    rows = list(rows)
    speed = {name: statistics.median(row["steps_per_s"][name] for row in rows) for name in rows[0]["steps_per_s"]}
    apart = {name: statistics.median(row["distance"][name] for row in rows) for name in speed}
    ratio = {name: round(speed["augmint"] / own, 3) for name, own in speed.items() if name != "augmint"}
    return {"steps_per_s": speed, "ratio": ratio, "distance": apart, "seeds": rows}


def main() -> int:
    """Measure and write; 1 when the plain loop is faster."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for case in CASES:
        found[case] = summary(contest(case, seed, args.steps) for seed in args.seeds)
        print(case, {k: v for k, v in found[case].items() if k != "seeds"}, flush=True)
    facts = {"steps": args.steps, "turn": TURN, "cases": found, "machine": machine_facts()}
    args.out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return int(min(case["ratio"]["plain"] for case in found.values()) < 1.0)


if __name__ == "__main__":
    sys.exit(main())
