"""tiny-image: a small convolutional image codec whose latent space is made to be moved in.

Every latent cell is a point on a sphere. The mean of two latents is shorter than its parents: the decoder paints its
direction, and restores the contrast that the shortness says was lost. No layer looks at other rows of a batch.
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
        with torch.no_grad():
            self.second.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, h, w)."""
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


def shortness(z: Tensor) -> Tensor:
    """How much shorter than the sphere's radius each cell of (n, c, h, w) is, 0..1: (n, 1, h, w).

    0 for an encoded image; a mean of latents that disagree is short, and would decode with too little contrast.
    """
    return (1 - z.square().mean(1, keepdim=True).sqrt()).clamp(0, 1)


def enlarge(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear to the height and width of `like`."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def amplify(x: Tensor, short: Tensor, gains: Tensor) -> Tensor:
    """Raise the contrast of images (n, 3, H, W) where their latents were short: details, shapes, the whole.

    x + short * (gains[0] (x - b4) + gains[1] (b4 - b16) + gains[2] (b16 - mean)), b4 and b16 being blurred over
    4 and 16 px.
    """
    fine, coarse = (enlarge(F.avg_pool2d(x, side), x) for side in (4, 16))
    whole = x.mean((2, 3), keepdim=True)
    lost = gains[0] * (x - fine) + gains[1] * (fine - coarse) + gains[2] * (coarse - whole)
    return x + enlarge(short, x) * lost


class TinyImage(nn.Module):
    """Codec between pixels in 0..1 and latents of about unit scale, 16 pixels to a cell, 64 channels.

    Fully convolutional: any height and width that are multiples of 16. `mean` and `std` are the channel moments
    of the sphere's latents over the training photos, so that `encode` returns about zero mean, unit variance.
    `gains` say how much contrast to give back where latents are short, see `amplify`.
    """

    gains: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.encoder = make_encoder()
        self.decoder = make_decoder()
        self.register_buffer("gains", torch.zeros(3))
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
        z = z * self.std + self.mean
        out: Tensor = self.decoder(on_sphere(z)) * 0.5 + 0.5
        return amplify(out, shortness(z), self.gains)
