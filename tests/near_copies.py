"""Near copies to plant: what a generator that leaks might give."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

PLANTED = ("crop", "flip", "jpeg", "noise", "brightness", "size")


def plant(kind: str, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A near copy of a picture (H, W) or (H, W, 3), uint8."""
    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels)
    if kind == "crop":
        keep = rng.uniform(0.8, 0.95)
        h, w = round(height * keep), round(width * keep)
        y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        piece = Image.fromarray(np.ascontiguousarray(pixels[y : y + h, x : x + w]))
        return np.asarray(piece.resize((width, height), Image.Resampling.BICUBIC))
    if kind == "flip":
        return np.ascontiguousarray(pixels[:, ::-1])
    if kind == "jpeg":
        file = io.BytesIO()
        image.save(file, "JPEG", quality=int(rng.integers(30, 76)))
        return np.asarray(Image.open(file))
    if kind == "noise":
        noisy = pixels + rng.normal(0, rng.uniform(3, 12), pixels.shape)
        return np.clip(np.round(noisy), 0, 255).astype(np.uint8)
    if kind == "brightness":
        lit = pixels * rng.uniform(0.75, 1.25) + rng.uniform(-15, 15)
        return np.clip(np.round(lit), 0, 255).astype(np.uint8)
    assert kind == "size"
    side = rng.uniform(1.2, 2.5)
    return np.asarray(image.resize((round(width * side), round(height * side)), Image.Resampling.BICUBIC))
