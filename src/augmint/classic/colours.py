r"""Brightness, contrast, saturation and noise, different for each picture of a batch.

.. math:: y = b x \qquad y' = c y + (1 - c) \bar g(y) \qquad y'' = s y' + (1 - s) g(y')

with ``g`` the grey of a pixel (Rec. 601) and its mean over the picture: the adjustments of Pillow and kornia. They are
linear, so they are one matrix on the colours of a pixel and one clamp, which takes a third of the time of three steps.

Shapes: (n, C, H, W) -> (n, C, H, W) in 0..1, C = 1 or 3 colour channels (alpha is kept out of it).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from augmint.core.types import F32

GREY = (0.299, 0.587, 0.114)

_QUANTILES = ndtri((np.arange(256) + 0.5) / 256)
LEVELS: F32 = (_QUANTILES / _QUANTILES.std()).astype(np.float32)
"""The middles of 256 equal parts of a normal distribution of mean 0 and variance 1."""


def tint(batch: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Brightness, contrast and saturation, each times a factor of 1 - strength to 1 + strength."""
    return adjust(batch, *torch.from_numpy(1 + strength * rng.uniform(-1, 1, (3, len(batch), 1, 1))).to(batch))


def adjust(batch: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Times these factors, each (n, 1, 1); 1 leaves a picture as it is."""
    n, channels, height, width = batch.shape
    weights = batch.new_tensor(GREY if channels == 3 else (1.0,))[None, None]
    pixels = batch.flatten(2)
    same = torch.eye(channels, dtype=batch.dtype, device=batch.device)
    matrix = brightness * contrast * (saturation * same + (1 - saturation) * weights)
    offset = brightness * (1 - contrast) * (weights @ pixels.mean(2, keepdim=True))
    return torch.baddbmm(offset, matrix, pixels).clamp_(0, 1).view(n, channels, height, width)


def grain(batch: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Gaussian noise with a standard deviation of up to ``strength``."""
    deviation = torch.from_numpy(rng.uniform(0, strength, (len(batch), 1, 1, 1))).to(batch)
    # 256 levels, one byte each: half the time of torch's normal numbers, a sixth of numpy's.
    levels = np.frombuffer(rng.bytes(batch.numel()), np.uint8)
    noise = torch.from_numpy(LEVELS.take(levels)).view(batch.shape).to(batch)
    return torch.addcmul(batch, noise, deviation).clamp_(0, 1)
