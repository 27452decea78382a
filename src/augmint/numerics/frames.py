"""Pictures of any size and depth as one tensor: RGB in 0..1, the whole frame squashed to one working size, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from augmint.core.types import F32, Sample
from augmint.numerics.pixels import colour_channels, planes_of

if TYPE_CHECKING:
    from torch import Tensor

# torch is imported by the functions: the command line, which may never come to a picture, must not wait for it.

MAP = 32
"""Side of a small map, pixels."""


def to_frames(samples: Sequence[Sample], size: int) -> Tensor:
    """(n, 3, size, size) float32 RGB 0..1: alpha dropped, grey repeated, whole frame squashed."""
    import torch

    frames = torch.empty(len(samples), 3, size, size)
    for frame, sample in zip(frames, samples, strict=True):
        # One at a time, since sizes differ; the codec was trained on pictures that were fitted by this function.
        frame.copy_(fit(torch.from_numpy(to_rgb(sample))[None], size, size)[0])
    return frames


def small_maps(samples: Sequence[Sample]) -> npt.NDArray[np.uint8]:
    """(n, 3, MAP, MAP) RGB, for comparing pictures of any size with each other."""
    levels: npt.NDArray[np.uint8] = np.rint(to_frames(samples, MAP).numpy() * 255).astype(np.uint8)
    return levels


def to_rgb(sample: Sample) -> F32:
    """(3, H, W) float32 in 0..1 of a grey, LA, RGB or RGBA image; raises DataError for anything else."""
    planes = planes_of(sample)
    colours = colour_channels(planes.shape[2])
    rgb = np.broadcast_to(planes[:, :, :colours], (*planes.shape[:2], 3))
    return np.ascontiguousarray(rgb.transpose(2, 0, 1), dtype=np.float32) / np.float32(np.iinfo(planes.dtype).max)


def fit(x: Tensor, height: int, width: int) -> Tensor:
    """Images (n, 3, h, w) at the working size: bicubic, antialiased where that is smaller."""
    from torch.nn import functional as F

    if x.shape[-2:] == (height, width):
        return x.clamp(0, 1)
    smaller = height < x.shape[-2] or width < x.shape[-1]
    out = F.interpolate(x, size=(height, width), mode="bicubic", antialias=smaller, align_corners=False)
    return out.clamp(0, 1)


def unfit(x: Tensor, height: int, width: int) -> Tensor:
    """Undo `fit`: images (n, 3, H, W) at the size they had.

    Never antialiased: sampling at the old pixel centres gives back what `fit` spread (42 dB on 28 px digits at 64 px,
    where an antialiased shrink gives 24 to 30 dB).
    """
    from torch.nn import functional as F

    out = F.interpolate(x, size=(height, width), mode="bicubic", antialias=False, align_corners=False)
    return out.clamp(0, 1)
