"""The photographs that the image recipes may train on, and how they are cropped, warped, tinted and blurred.

Allowed are tiny-ImageNet's train rows and photos 0-899 of the ImageNet sample; 900-999 stay held out.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from drawings import chance, uniform

HELD_OUT_FROM = 900
"""First photo of the ImageNet sample that no recipe may see."""


def data_root() -> Path:
    """$AUGMINT_DATA, or ../shared/data beside the repository."""
    return Path(os.environ.get("AUGMINT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def unpack(archive: dict[str, np.ndarray], prefix: str, size: int, rows: slice) -> Tensor:
    """JPEG blobs of an archive as uint8 (n, 3, size, size)."""
    blob, off = archive[f"{prefix}bytes"], archive[f"{prefix}off"]
    images = []
    for start, stop in list(pairwise(off))[rows]:
        image = Image.open(io.BytesIO(blob[start:stop].tobytes())).convert("RGB")
        images.append(np.asarray(image.resize((size, size), Image.Resampling.BICUBIC)))
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def tiny_imagenet(size: int = 64) -> tuple[Tensor, Tensor]:
    """Train rows: uint8 (10000, 3, size, size) and labels (10000,)."""
    archive = dict(np.load(data_root() / "images/tiny_imagenet200_10k_4k.npz"))
    return unpack(archive, "train_", size, slice(None)), torch.from_numpy(archive["y_train"]).long()


def photos(size: int, held_out: bool = False) -> Tensor:
    """Photos 0-899, or the held-out 900-999: uint8 (n, 3, size, size)."""
    archive = dict(np.load(data_root() / "images/imagenet_sample_1000_224.npz"))
    return unpack(archive, "", size, slice(HELD_OUT_FROM, None) if held_out else slice(HELD_OUT_FROM))


@dataclass(frozen=True)
class View:
    """How to look at an image: matrix (n, 2, 3) of the sampling grid, gain (n, 3) and shift (n, 3) of the colours."""

    matrix: Tensor
    gain: Tensor
    shift: Tensor


def random_view(g: torch.Generator, n: int, zoom: tuple[float, float], turn: float, tint: float) -> View:
    """A crop of the given share of the side, turned by up to `turn` radians, mirrored half the time, tinted."""
    scale, angle = uniform(g, *zoom, n), uniform(g, -turn, turn, n)
    sx, sy = scale * uniform(g, 0.87, 1.0, n), scale * uniform(g, 0.87, 1.0, n)
    mirror = torch.where(chance(g, 0.5, n), -1.0, 1.0)
    at = uniform(g, -1, 1, n, 2) * (1 - torch.stack([sx, sy], 1))
    top = torch.stack([angle.cos() * sx * mirror, -angle.sin() * sy, at[:, 0]], 1)
    bottom = torch.stack([angle.sin() * sx * mirror, angle.cos() * sy, at[:, 1]], 1)
    gain = 1 + (torch.randn(n, 1, generator=g) + 0.4 * torch.randn(n, 3, generator=g)) * tint
    shift = (torch.randn(n, 1, generator=g) + 0.4 * torch.randn(n, 3, generator=g)) * tint / 2
    return View(torch.stack([top, bottom], 1), gain, shift)


def near_view(g: torch.Generator, view: View, strength: float) -> View:
    """A view a little to the side of another: moved, stretched, turned, tinted."""
    noise = torch.randn(view.matrix.shape, generator=g) * torch.tensor([0.5, 0.5, 1.0]) * strength
    tint = torch.randn(view.gain.shape, generator=g) * strength / 2
    return View(view.matrix + noise, view.gain + tint, view.shift + tint.flip(0) / 2)


def middle_view(a: View, b: View, t: Tensor) -> View:
    """The view at t (n,) between two."""
    return View(
        torch.lerp(a.matrix, b.matrix, t.view(-1, 1, 1)),
        torch.lerp(a.gain, b.gain, t.view(-1, 1)),
        torch.lerp(a.shift, b.shift, t.view(-1, 1)),
    )


def look(images: Tensor, view: View, size: int) -> Tensor:
    """uint8 images (n, 3, h, w) through a view: floats (n, 3, size, size) in 0..1."""
    at = F.affine_grid(view.matrix, [len(images), 3, size, size], align_corners=False)
    x = F.grid_sample(images.float() / 255, at, padding_mode="reflection", align_corners=False)
    return ((x - 0.5) * view.gain[..., None, None] + 0.5 + view.shift[..., None, None]).clamp(0, 1)


def grow(x: Tensor, size: int, sharp: bool) -> Tensor:
    """Up to size px a side, bicubic (sharp) or bilinear, clamped to 0..1."""
    mode = "bicubic" if sharp else "bilinear"
    return F.interpolate(x, size=(size, size), mode=mode, align_corners=False).clamp(0, 1)


def soften(x: Tensor, small: int, sharp: bool = False) -> Tensor:
    """Down to `small` pixels a side and back up, as a small picture looks at a larger working size."""
    down = F.interpolate(x, size=(small, small), mode="bilinear", antialias=True, align_corners=False)
    return grow(down, x.shape[-1], sharp)


def photo_triples(
    g: torch.Generator, images: Tensor, t: Tensor, size: int, strength: float = 0.12
) -> tuple[Tensor, Tensor, Tensor]:
    """Two views of each image and the view at t between them: three of (n, 3, size, size)."""
    n = len(images)
    a = random_view(g, n, (0.55, 0.9), 0.2, 0.12)
    b = near_view(g, a, strength)
    return look(images, a, size), look(images, b, size), look(images, middle_view(a, b, t), size)
