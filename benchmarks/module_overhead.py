"""What on-the-fly augmentation costs: `FeatureAugment` inside two training steps, for every method with a batch form.

A ResNet-18 step (64 images of 64 px, the layer on the 512 pooled features before the head) and the step of a two-layer
perceptron on 512 features, batch 256. Each turn times, for each method, the bare step and the step with it one after
the other, in either order in turns, so that drifts of the machine fall on both; the cost is the median over turns of
(with - bare) / bare. Beside it, `alone`: the layer by itself, forward and, in the ResNet, backward, over the bare step.
Plain SGD with momentum, float32; on CUDA where there is one.

    python benchmarks/module_overhead.py       # under 3 minutes on two cores; writes benchmarks/results/
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from augmint.pipeline.machine import machine_facts
from augmint.torch import FeatureAugment
from augmint.torch.feature_augment import batch_methods

RESULTS = Path(__file__).parent / "results" / "module_overhead.json"
CLASSES, WIDTH = 10, 512
BOUNDS = {"resnet18": 0.05, "mlp": 0.50}
"""Most that a method may cost, as a share of the bare step."""

Augment = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016, arXiv:1512.03385)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h / stride, w / stride)."""
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet18() -> nn.Sequential:
    """ResNet-18 without its head: (n, 3, h, w) -> (n, 512)."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    for inputs, outputs, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        layers += [Residual(inputs, outputs, stride), Residual(outputs, outputs, 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Training:
    """A model that is trained on one batch again and again.

    Args:
        backbone: what makes the features; None when the inputs are the features.
        head: features to class scores.
        x: the batch.
    """

    def __init__(self, backbone: nn.Module | None, head: nn.Module, x: Tensor) -> None:
        self.backbone, self.head, self.x = backbone, head, x
        self.y = torch.arange(len(x), device=x.device) % CLASSES
        modules = [head] if backbone is None else [backbone, head]
        for module in modules:
            module.to(x.device).train()
        parameters = [p for module in modules for p in module.parameters()]
        self.optimizer = torch.optim.SGD(parameters, lr=1e-3, momentum=0.9)

    def features(self) -> Tensor:
        """(n, 512)."""
        return self.x if self.backbone is None else self.backbone(self.x)

    def step(self, augment: Augment | None) -> None:
        """One update."""
        z, y = self.features(), self.y
        if augment is not None:
            z, y = augment(z, y)
        loss = nn.functional.cross_entropy(self.head(z), y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def alone(self, augment: Augment) -> None:
        """The layer by itself, with its part of the backward pass where there is a backbone."""
        shape = (len(self.x), WIDTH)
        z = torch.ones(shape, device=self.x.device, requires_grad=self.backbone is not None)
        new, _ = augment(z, self.y)
        if self.backbone is not None:
            new.backward(torch.ones_like(new))  # type: ignore[no-untyped-call]


def make_training(name: str, device: str) -> Training:
    """The two steps of the claim."""
    head: nn.Module = nn.Linear(WIDTH, CLASSES)
    if name == "resnet18":
        return Training(resnet18(), head, torch.randn(64, 3, 64, 64, device=device))
    head = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), head)
    return Training(None, head, torch.randn(256, WIDTH, device=device))


def seconds(work: Callable[[], None], device: str) -> float:
    """Wall time of one call, the device's work included."""
    begin = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def layers(names: list[str], device: str) -> dict[str, FeatureAugment]:
    """A fitted layer for each method, on 5,000 rows of 512 features."""
    z, y = torch.randn(5000, WIDTH, device=device), torch.arange(5000, device=device) % CLASSES
    return {name: FeatureAugment(name).fit(z, y) for name in names}


def measure(name: str, methods: list[str], device: str, turns: int) -> dict[str, Any]:
    """The bare step and each method's cost as a share of it."""
    training, augment = make_training(name, device), layers(methods, device)
    bare: list[float] = []
    whole: dict[str, list[float]] = {method: [] for method in methods}
    alone: dict[str, list[float]] = {method: [] for method in methods}
    for turn in range(turns + 1):  # one turn to warm up
        for method, layer in augment.items():
            pair = {}
            for used in (None, layer) if turn % 2 else (layer, None):
                pair[used is None] = seconds(lambda used=used: training.step(used), device)  # type: ignore[misc]
            own = seconds(lambda layer=layer: training.alone(layer), device)  # type: ignore[misc]
            if turn:
                whole[method].append((pair[False] - pair[True]) / pair[True])
                alone[method].append(own)
                bare.append(pair[True])
    step = statistics.median(bare)
    return {
        "step_ms": 1e3 * step,
        "bound": BOUNDS[name],
        "turns": turns,
        "cost": {method: statistics.median(shares) for method, shares in whole.items()},
        "alone": {method: statistics.median(times) / step for method, times in alone.items()},
    }


def main() -> int:
    """Measure, print, write; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--resnet-turns", type=int, default=8)
    parser.add_argument("--mlp-turns", type=int, default=401)
    parser.add_argument(
        "--threads", type=int, default=1, help="of torch; with more, waking them is most of an MLP step"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    methods = batch_methods()
    facts: dict[str, Any] = {"device": args.device, "threads": torch.get_num_threads(), "machine": machine_facts()}
    if args.device == "cuda":
        facts["gpu"] = torch.cuda.get_device_name()
    missed = 0
    for name, turns in (("resnet18", args.resnet_turns), ("mlp", args.mlp_turns)):
        found = facts[name] = measure(name, methods, args.device, turns)
        print(f"{name}: bare step {found['step_ms']:.2f} ms, at most {found['bound']:.0%}")
        for method in methods:
            over = found["cost"][method] > found["bound"]
            missed, word = missed + over, "  MISSED" if over else ""
            print(f"  {method:14} {found['cost'][method]:7.1%}   alone {found['alone'][method]:6.1%}{word}")
    args.out.write_text(json.dumps(facts, indent=1) + "\n")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
