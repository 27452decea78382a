"""tiny-judge: a small residual network whose features judge what tiny-image made. It shares no weights with it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (32, 64, 128, 256)
"""Channels at 1/2, 1/4, 1/8 and 1/16 of the image's size."""

MIN_SIDE = 32
"""Smallest side of an image, pixels."""

FEATURES = WIDTHS[3] + 4 * WIDTHS[2]
"""Length of a feature vector: what is there, and roughly where."""


def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """Convolution and batch norm (running statistics in eval mode, so rows do not see each other)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Residual(nn.Module):
    """Basic residual block: (n, inputs, h, w) -> (n, outputs, h / stride, w / stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = conv(inputs, outputs, 3, stride)
        self.second = conv(outputs, outputs, 3)
        self.skip = conv(inputs, outputs, 1, stride) if stride != 1 or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h / stride, w / stride)."""
        return F.relu(self.skip(x) + self.second(F.relu(self.first(x))))


class TinyJudge(nn.Module):
    """Feature extractor over RGB images in 0..1, any size of at least 32 px; trained at 64 px."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse, last = WIDTHS
        self.stem = conv(3, fine, 3, 2)
        self.middle = Residual(fine, middle, 2)
        self.coarse = nn.Sequential(Residual(middle, coarse, 2), Residual(coarse, coarse))
        self.last = Residual(coarse, last, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, 3, H, W), RGB 0..1, to features (n, 768): 256 over the whole, 128 in each quarter."""
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[-2:]) < MIN_SIDE:
            raise ValueError(
                f"x: expected (n, 3, H, W) of at least {MIN_SIDE} px a side, got {tuple(x.shape)}; resize it"
            )
        places = self.coarse(self.middle(F.relu(self.stem(x * 4 - 2))))
        whole = self.last(places).mean((2, 3))
        quarters = F.adaptive_avg_pool2d(places, 2).flatten(1)
        return torch.cat([whole, quarters], 1)
