"""Pictures made small enough to be written into a page, as data: addresses."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Picture = npt.NDArray[np.generic]
"""(H, W) or (H, W, C) of uint8 or uint16; C is 1 to 4, the last of 2 or 4 being opacity."""

SIDE = 96
"""Longer side on the page, CSS pixels."""

_FINE, _PAPER = 144, (255, 255, 255)


@dataclass(frozen=True)
class Thumbnail:
    """A picture on the page: its address and its size there; ``sharp`` where single pixels are meant to be seen."""

    address: str
    width: int
    height: int
    sharp: bool


def eight_bits(picture: Picture) -> Image.Image:
    """A grey or RGB picture of 8 bits, what is see-through laid on white."""
    array = np.asarray(picture)
    if array.dtype == np.uint16:
        array = array // 257
    array = array.astype(np.uint8)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3 and array.shape[2] == 2:
        array = np.concatenate([array[:, :, :1]] * 3 + [array[:, :, 1:]], axis=2)
    image = Image.fromarray(array)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*_PAPER, 255)), image).convert("RGB")
    return image


def thumbnail(picture: Picture) -> Thumbnail:
    """Small pictures keep every pixel (PNG); large ones are scaled down (WebP)."""
    image = eight_bits(picture)
    small = max(image.size) <= SIDE
    scale = SIDE / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    buffer = io.BytesIO()
    if small:
        image.save(buffer, "PNG", optimize=True)
    else:
        image.thumbnail((_FINE, _FINE), Image.Resampling.LANCZOS)
        image.convert("RGB").save(buffer, "WEBP", quality=80, method=4)
    kind = "png" if small else "webp"
    address = f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Thumbnail(address, width, height, max(picture.shape[:2]) <= SIDE // 2)
