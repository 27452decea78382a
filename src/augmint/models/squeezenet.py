"""SqueezeNet 1.1 with torchvision's parameter names (Iandola et al. 2016), as a frozen feature extractor."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BGR_MEAN = (104.0, 117.0, 123.0)
"""What the embedded weights subtract from each of blue, green and red, 0..255."""


class Fire(nn.Module):
    """Squeeze to few channels, expand by 1x1 and 3x3: (n, inputs, h, w) -> (n, 2 * expand, h, w)."""

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, 2 * expand, h, w)."""
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


def make_features() -> nn.Sequential:
    """The thirteen layers before the classifier; the indices are torchvision's."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    )


def to_bgr(x: Tensor) -> Tensor:
    """RGB 0..1 (n, 3, H, W) to the BGR 0..255 minus mean that the weights were trained on."""
    return x.flip(1) * 255 - x.new_tensor(BGR_MEAN).view(1, 3, 1, 1)


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1 over RGB images in 0..1, any size of at least 32 px."""

    def __init__(self) -> None:
        super().__init__()
        self.features = make_features()
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(512, 1000, 1))

    def maps(self, x: Tensor) -> Tensor:
        """Last feature maps (n, 512, about H/16, about W/16) of images (n, 3, H, W), RGB 0..1."""
        out: Tensor = self.features(to_bgr(x))
        return out

    def pooled(self, x: Tensor) -> Tensor:
        """Mean of `maps` over positions: (n, 512)."""
        return self.maps(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 1000) over the ImageNet classes."""
        return F.relu(self.classifier(self.maps(x))).mean((2, 3))
