r"""Layers divided by their largest singular value, so that a network is no steeper than its activations.

.. math:: \bar W = W / \sigma \qquad \sigma = u^\top W v \qquad
          \nabla_W L = \bigl(\nabla_{\bar W} L - \langle \nabla_{\bar W} L, \bar W \rangle\, u v^\top\bigr) / \sigma

u and v come from one turn of the power iteration after each update.

Shapes: W (a, b), u (a,), v (b,).
Paper: Miyato et al. 2018, "Spectral normalization for generative adversarial networks", arXiv:1802.05957.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from augmint.numerics.networks import Passes

FIRST_TURNS = 20
"""Turns of the power iteration before training, from a random start."""


class Spectral:
    """The weights before they are divided.

    Attributes:
        weights: (m,) of all layers, to be trained; biases are not divided.

    Args:
        passes: the network that reads the divided weights; divided at once.
        random: where the first u come from.
    """

    def __init__(self, passes: Passes, random: torch.Generator) -> None:
        self.weights = passes.weights.clone()
        self.layers = passes.views(self.weights)
        self.u = [torch.randn(len(bias), generator=random) for _, bias in self.layers]
        self.v: list[Tensor] = []
        self.size: list[Tensor] = []
        for _ in range(FIRST_TURNS):
            self.divide(passes)

    def divide(self, passes: Passes) -> None:
        """Write the divided weights into ``passes``."""
        self.v = [normalize(w.t() @ u, dim=0) for (w, _), u in zip(self.layers, self.u, strict=True)]
        steep = [w @ v for (w, _), v in zip(self.layers, self.v, strict=True)]
        self.u = [normalize(own, dim=0) for own in steep]
        self.size = [torch.dot(u, own) for u, own in zip(self.u, steep, strict=True)]
        for (own, bias), (w, b), size in zip(passes.layers, self.layers, self.size, strict=True):
            torch.div(w, size, out=own)
            bias.copy_(b)

    def correct(self, passes: Passes) -> None:
        """Turn the gradients of the divided weights in ``passes`` into those of ``weights``."""
        for (slope, _), (own, _), u, v, size in zip(
            passes.gradients, passes.layers, self.u, self.v, self.size, strict=True
        ):
            slope.addr_(u, v, alpha=-float((slope * own).sum())).div_(size)
