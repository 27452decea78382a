"""tiny-image: a small convolutional image codec whose latent space is made to be moved in.

Every latent cell is a point on a sphere: the decoder looks only at its direction, so the mean of two latents,
which is shorter than its parents, decodes with their full contrast. No layer looks at other rows of a batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 16
"""Pixels of image per latent cell, on each side."""

CHANNELS = 64
"""Channels of the latent."""

WIDTHS = (64, 128, 224)
"""Channels at 1/4, 1/8 and 1/16 of the image's size."""


class Block(nn.Module):
    """Residual pair of 3x3 convolutions: (n, c, h, w) -> (n, c, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.second.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(F.relu(self.first(F.relu(x))))
        return out


def on_sphere(z: Tensor) -> Tensor:
    """Scale every cell of (n, c, h, w) to root mean square 1 over its channels."""
    return z * torch.rsqrt(z.float().square().mean(1, keepdim=True) + 1e-6).to(z.dtype)


def make_encoder() -> nn.Sequential:
    """Layers from pixels (n, 3, H, W) to unscaled latents (n, CHANNELS, H/16, W/16)."""
    fine, middle, coarse = WIDTHS
    return nn.Sequential(
        nn.PixelUnshuffle(4),
        nn.Conv2d(48, fine, 3, padding=1),
        Block(fine),
        nn.Conv2d(fine, middle, 3, stride=2, padding=1),
        Block(middle),
        nn.Conv2d(middle, coarse, 3, stride=2, padding=1),
        Block(coarse),
        Block(coarse),
        nn.ReLU(),
        nn.Conv2d(coarse, CHANNELS, 1),
    )


def make_decoder() -> nn.Sequential:
    """Layers from latents on the sphere (n, CHANNELS, h, w) to pixels (n, 3, 16 h, 16 w), about -1..1."""
    fine, middle, coarse = WIDTHS
    return nn.Sequential(
        nn.Conv2d(CHANNELS, coarse, 3, padding=1),
        Block(coarse),
        Block(coarse),
        nn.Conv2d(coarse, 4 * middle, 1),
        nn.PixelShuffle(2),
        Block(middle),
        nn.Conv2d(middle, 4 * fine, 1),
        nn.PixelShuffle(2),
        Block(fine),
        nn.ReLU(),
        nn.Conv2d(fine, 48, 3, padding=1),
        nn.PixelShuffle(4),
    )


def fit(x: Tensor, height: int, width: int) -> Tensor:
    """Images (n, 3, h, w) at the working size: bicubic, antialiased where that is smaller."""
    smaller = height < x.shape[-2] or width < x.shape[-1]
    out = F.interpolate(x, size=(height, width), mode="bicubic", antialias=smaller, align_corners=False)
    return out.clamp(0, 1)


def unfit(x: Tensor, height: int, width: int) -> Tensor:
    """Undo `fit`: images (n, 3, H, W) at the size they had.

    Never antialiased: sampling at the old pixel centres gives back what `fit` spread (42 dB on 28 px digits at 64 px,
    where an antialiased shrink gives 24 to 30 dB).
    """
    out = F.interpolate(x, size=(height, width), mode="bicubic", antialias=False, align_corners=False)
    return out.clamp(0, 1)


class TinyImage(nn.Module):
    """Codec between pixels in 0..1 and latents of about unit scale, 16 pixels to a cell, 64 channels.

    Fully convolutional: any height and width that are multiples of 16. `mean` and `std` are the channel moments
    of the sphere's latents over the training photos, so that `encode` returns about zero mean, unit variance.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.encoder = make_encoder()
        self.decoder = make_decoder()
        self.register_buffer("mean", torch.zeros(1, CHANNELS, 1, 1))
        self.register_buffer("std", torch.ones(1, CHANNELS, 1, 1))

    def encode(self, x: Tensor) -> Tensor:
        """Images (n, 3, H, W), RGB 0..1, to latents (n, 64, H/16, W/16). Raises ValueError on other sizes."""
        height, width = x.shape[-2:]
        if x.ndim != 4 or x.shape[1] != 3 or height % STRIDE or width % STRIDE or not height * width:
            raise ValueError(
                f"x: expected (n, 3, H, W) with H and W multiples of {STRIDE}, got {tuple(x.shape)}; resize or pad it"
            )
        return (on_sphere(self.encoder(x * 2 - 1)) - self.mean) / self.std

    def decode(self, z: Tensor) -> Tensor:
        """Latents (n, 64, h, w) to images (n, 3, 16 h, 16 w), RGB clamped to 0..1."""
        return self.paint(z).clamp(0, 1)

    def paint(self, z: Tensor) -> Tensor:
        """`decode` before its clamp, for training."""
        out: Tensor = self.decoder(on_sphere(z * self.std + self.mean)) * 0.5 + 0.5
        return out
