"""What a picture's array is made of: planes of colour and of alpha."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.core.errors import DataError
from augmint.core.types import Sample


def planes_of(sample: Sample) -> npt.NDArray[Any]:
    """(H, W, C) view of a grey, LA, RGB or RGBA image; raises DataError for anything else."""
    pixels = sample.content
    fits = isinstance(pixels, np.ndarray) and pixels.dtype in (np.uint8, np.uint16) and pixels.ndim in (2, 3)
    if not fits or pixels.size == 0 or (pixels.ndim == 3 and pixels.shape[2] > 4):
        shape = f"{pixels.dtype} array of shape {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels)
        raise DataError(
            f"{shape} as content of sample {sample.id!r}",
            expected="an image (H, W) or (H, W, C) of 1 to 4 channels, uint8 or uint16",
            do="convert it, or leave it out",
        )
    planes: npt.NDArray[Any] = pixels if pixels.ndim == 3 else pixels[:, :, None]
    return planes


def colour_channels(channels: int) -> int:
    """How many of the channels are colour: 1 of grey and LA, 3 of RGB and RGBA."""
    return 1 if channels <= 2 else 3
