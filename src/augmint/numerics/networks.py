r"""Small multilayer perceptrons with explicit passes, and Adam on all their weights at once.

.. math:: h_0 = x \quad a_l = W_l h_{l-1} + b_l \quad h_l = \phi(a_l) \quad f(x) = a_L
          \qquad \phi(a) = \max(a, a / 5)

For weights c of the outputs, :math:`\delta_L = c`, :math:`\delta_{l-1} = \phi'(a_{l-1}) \odot W_l^\top \delta_l`
pulls them down to the input: :math:`\nabla_x\, c^\top f(x) = W_1^\top \delta_1`. A step v of the input pushes up:
:math:`t_0 = v`, :math:`t_l = \phi'(a_l) \odot W_l t_{l-1}`. As the derivative of :math:`\phi` is flat almost
everywhere, both the score and a penalty on its slope have their gradients in one product a layer,

.. math:: \nabla_{W_l} \bigl( s\, c^\top f(x) + v^\top \nabla_x\, c^\top f(x) \bigr)
          = \delta_l \, (s\, h_{l-1} + t_{l-1})^\top

so that a gradient penalty costs one more pass instead of a second differentiation of the first (torch's
``create_graph``), and nothing has to be recorded. Initial weights come from a given generator, never from a global one.

Shapes: x (n, inputs), f(x) (n, outputs), c (n, outputs), s (n,), v (n, q): a step of the first q <= inputs numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

LEAK = 0.2


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
        for layer in self.linear:
            std = gain * math.sqrt(2.0 / layer.in_features)
            nn.init.normal_(layer.weight, 0.0, std, generator=generator)
            nn.init.zeros_(layer.bias)

    @property
    def linear(self) -> list[nn.Linear]:
        """The layers, from the input up."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n, outputs)."""
        return self.trace(x)[-1]

    def trace(self, x: Tensor) -> list[Tensor]:
        """The input, what each hidden layer gives, and the output."""
        out = [x]
        for layer in self.layers[:-1]:
            out.append(nn.functional.leaky_relu(layer(out[-1]), LEAK))
        out.append(self.layers[-1](out[-1]))
        return out


class Passes:
    """The passes of a perceptron over its weights, outside autograd.

    Args:
        net: its parameters become views of one vector, ``weights``; they stop asking for gradients.
    """

    def __init__(self, net: Perceptron) -> None:
        linear = net.requires_grad_(False).linear
        self.sizes = [(layer.out_features, layer.in_features) for layer in linear]
        self.weights = torch.cat([p.detach().reshape(-1) for p in net.parameters()])
        self.slopes = torch.zeros_like(self.weights)
        self.layers, self.gradients = self.views(self.weights), self.views(self.slopes)
        for layer, (weight, bias) in zip(linear, self.layers, strict=True):
            layer.weight.data, layer.bias.data = weight, bias

    def views(self, vector: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The weight (outputs, inputs) and bias (outputs,) of each layer in a vector of all of them."""
        out, start = [], 0
        for outputs, inputs in self.sizes:
            middle, end = start + outputs * inputs, start + outputs * (inputs + 1)
            out.append((vector[start:middle].view(outputs, inputs), vector[middle:end]))
            start = end
        return out

    def forward(self, x: Tensor) -> list[Tensor]:
        """h_0, ..., h_{L-1} and the output."""
        out = [x]
        for weight, bias in self.layers[:-1]:
            out.append(nn.functional.leaky_relu_(torch.addmm(bias, out[-1], weight.t()), LEAK))
        weight, bias = self.layers[-1]
        return [*out, torch.addmm(bias, out[-1], weight.t())]

    def pull(self, trace: Sequence[Tensor], c: Tensor) -> list[Tensor]:
        """delta_1, ..., delta_L for the weights c (n, outputs)."""
        out = [c]
        for (weight, _), h in zip(reversed(self.layers[1:]), reversed(trace[1:-1]), strict=True):
            out.append(_bend(torch.mm(out[-1], weight), h))
        return out[::-1]

    def push(self, trace: Sequence[Tensor], v: Tensor) -> list[Tensor]:
        """t_0, ..., t_{L-1} for steps v (n, q) of the first q numbers of the input."""
        out = [v]
        for (weight, _), h in zip(self.layers[:-1], trace[1:-1], strict=True):
            out.append(_bend(torch.mm(out[-1], weight[:, : out[-1].shape[1]].t()), h))
        return out

    def input_slope(self, deltas: Sequence[Tensor], q: int) -> Tensor:
        """(n, q) gradient of c f(x) to the first q numbers of x."""
        return torch.mm(deltas[0], self.layers[0][0][:, :q])

    def collect(self, deltas: Sequence[Tensor], below: Sequence[Tensor], s: Tensor | None = None) -> None:
        """Set ``slopes``: of W_l to delta_l^T below_{l-1}, of b_l to delta_l^T s (s = 1 when not given)."""
        for (weight, bias), delta, h in zip(self.gradients, deltas, below, strict=True):
            torch.mm(delta.t(), h, out=weight)
            if s is None:
                torch.sum(delta, 0, out=bias)
            else:
                torch.mv(delta.t(), s, out=bias)


def _bend(slope: Tensor, h: Tensor) -> Tensor:
    """slope * phi'(a), where h = phi(a) has the sign of a."""
    out: Tensor = torch.ops.aten.leaky_relu_backward(slope, h, LEAK, True)
    return out


class Descent:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980) on all weights as one vector.

    Args:
        weights: (m,) what is moved.
        slopes: (m,) their gradients, wherever they are set.
        betas: Adam's two decays.
    """

    def __init__(self, weights: Tensor, slopes: Tensor, betas: tuple[float, float]) -> None:
        weights.grad = slopes
        self.adam = torch.optim.Adam([weights], betas=betas, fused=True)

    def step(self, rate: float) -> None:
        """Move once."""
        self.adam.param_groups[0]["lr"] = rate
        self.adam.step()


def bare_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with unset weights: the usual constructor would draw from torch's global generator."""
    return nn.utils.skip_init(nn.Linear, inputs, outputs)  # type: ignore[no-any-return, no-untyped-call]


def cosine(rate: float, done: float) -> float:
    """A learning rate that falls to a hundredth along a cosine as ``done`` goes from 0 to 1."""
    return rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done))))


def memory(step: int) -> float:
    """How much of itself an average of weights keeps after this many steps: short at first, then 0.998."""
    return min(0.998, (step + 1) / (step + 10))
