"""Small multilayer perceptrons whose initial weights come from a given generator, never from a global one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Perceptron(nn.Module):
    """Leaky-ReLU layers of one width: (n, inputs) -> (n, outputs).

    Args:
        inputs: numbers in a row.
        width: units of each hidden layer.
        depth: hidden layers, >= 1.
        outputs: numbers out.
        generator: where the initial weights come from.
        gain: scale of the initial weights; 1 keeps the variance of the signal (He et al. 2015, arXiv:1502.01852).
    """

    def __init__(
        self, inputs: int, width: int, depth: int, outputs: int, generator: torch.Generator, gain: float = 1.0
    ) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth, outputs]
        self.layers = nn.ModuleList(bare_linear(a, b) for a, b in itertools.pairwise(sizes))
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            std = gain * math.sqrt(2.0 / layer.in_features)
            nn.init.normal_(layer.weight, 0.0, std, generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n, outputs)."""
        for layer in self.layers[:-1]:
            x = nn.functional.leaky_relu(layer(x), 0.2)
        out: Tensor = self.layers[-1](x)
        return out


def bare_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with unset weights: the usual constructor would draw from torch's global generator."""
    return nn.utils.skip_init(nn.Linear, inputs, outputs)  # type: ignore[no-any-return, no-untyped-call]


@torch.no_grad()
def blend(average: Iterable[Tensor], current: Iterable[Tensor], keep: float) -> None:
    """Exponential moving average in place: average = keep * average + (1 - keep) * current."""
    for a, b in zip(average, current, strict=True):
        a.lerp_(b, 1.0 - keep)
