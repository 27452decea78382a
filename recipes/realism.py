"""What makes a midpoint look real: a critic, and moments, both over a frozen SqueezeNet's shallow features."""

from __future__ import annotations

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from augmint.models.squeezenet import SqueezeNet, to_bgr
from pictures import data_root

LEVELS = {0: 64, 4: 128, 7: 256}
"""Layer of SqueezeNet -> its channels; at 64 px the maps are 31, 15 and 7 cells wide."""


def pretrained() -> SqueezeNet:
    """The frozen SqueezeNet."""
    net = SqueezeNet().eval().requires_grad_(False)
    weights = load_file(data_root() / "weights/squeezenet1_1_imagenet_fp16.safetensors")
    net.load_state_dict({k: v.float() for k, v in weights.items()})
    return net


class Shallow(nn.Module):
    """Standardised maps at LEVELS of images (n, 3, H, W) in 0..1."""

    def __init__(self, sample: Tensor) -> None:
        super().__init__()
        self.layers = nn.ModuleList(list(pretrained().features)[: max(LEVELS) + 1])
        self.centers: list[Tensor] = []
        self.scales: list[Tensor] = []
        with torch.no_grad():
            for maps in self.raw(sample):
                self.centers.append(maps.mean((0, 2, 3), keepdim=True))
                self.scales.append(maps.std((0, 2, 3), keepdim=True) + 0.1 * maps.std())

    def raw(self, x: Tensor) -> list[Tensor]:
        """Maps as the network makes them."""
        found, x = [], to_bgr(x)
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in LEVELS:
                found.append(x)
        return found

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps (n, channels, h, w), one for each level."""
        return [(m - c) / s for m, c, s in zip(self.raw(x), self.centers, self.scales, strict=True)]


def moments(maps: list[Tensor]) -> Tensor:
    """Mean and spread of every channel over positions, all levels side by side: (n, 2 * channels)."""
    parts = [torch.cat([m.mean((2, 3)), (m.var((2, 3)) + 1e-4).sqrt()], 1) for m in maps]
    return torch.cat(parts, 1)


def energy(x: Tensor) -> Tensor:
    """Log contrast of images (n, 3, H, W): of the whole, and between neighbours at four scales: (n, 5)."""
    x = x.clamp(0, 1)
    found = [(x.var((1, 2, 3)) + 1e-5).sqrt()]
    for _ in range(4):
        across, down = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
        found.append(across.abs().mean((1, 2, 3)) + down.abs().mean((1, 2, 3)))
        x = F.avg_pool2d(x, 2)
    return torch.log(torch.stack(found, 1) + 1e-3)


class Critic(nn.Module):
    """Patch scores (n, patches) from the shallow maps; large is real (hinge)."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(channels, 64, 3, stride=2)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(64, 64, 3)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(64, 1, 1)),
            )
            for channels in list(LEVELS.values())[:2]
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Scores (n, patches) of the two shallowest levels."""
        return torch.cat([head(m).flatten(1) * 4 for head, m in zip(self.heads, maps, strict=False)], 1)


def critic_loss(critic: Critic, real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """Hinge: real above 1, fake below -1."""
    return F.relu(1 - critic(real)).mean() + F.relu(1 + critic(fake)).mean()
