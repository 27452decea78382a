r"""Flip, turn, zoom, shear and shift as one resampling, so that a picture is interpolated once and not five times.

.. math:: p' = A p + t \qquad A = R(\theta)\, s\, S\, F

in pixels from the picture's centre, x to the right and y down: ``F`` flips, ``S`` shears, ``s`` zooms (above 1:
larger), ``R`` turns counter-clockwise as one looks at it. ``t`` is rounded to whole pixels, so a picture that is only
flipped and shifted is not interpolated at all. What comes in from outside is the picture mirrored at its edge.

Shapes: batch (n, C, H, W) -> (n, C, H, W); A (n, 2, 2); t (n, 2), as a share of width and height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moves:
    """What is done to each of n pictures.

    Attributes:
        linear: A, (n, 2, 2).
        shift: t, (n, 2), as a share of width and height, positive to the right and down.
    """

    linear: F64
    shift: F64

    def then(self, linear: F64, shift: F64) -> Moves:
        """These moves and after them others; shifts are not turned, they add up and come last."""
        return Moves(linear @ self.linear, self.shift + shift)

    def __call__(self, batch: Tensor, mode: str) -> Tensor:
        """The moved pictures; ``mode`` of interpolation is "bilinear" or "bicubic"."""
        height, width = batch.shape[-2:]
        sides = np.array([width, height], np.float64)
        inverse = np.linalg.inv(self.linear)
        pixels = np.rint(self.shift * sides)
        # grid_sample asks where each pixel of the result comes from, in units of half a side.
        origin = -np.einsum("nij,nj->ni", inverse, pixels) * (2 / sides)
        theta = np.concatenate([inverse * (sides[None, :] / sides[:, None]), origin[:, :, None]], axis=2)
        grid = F.affine_grid(torch.from_numpy(theta).to(batch), list(batch.shape), align_corners=False)
        moved = F.grid_sample(batch, grid, mode=mode, padding_mode="reflection", align_corners=False)
        return moved.clamp_(0, 1) if mode == "bicubic" else moved  # bicubic swings over


def flips(across: F64, down: F64) -> F64:
    """(n, 2, 2): mirrored left to right where ``across`` is -1, top to bottom where ``down`` is -1."""
    return _matrices(across, np.zeros_like(across), np.zeros_like(across), down)


def turns(degrees: F64, zoom: F64) -> F64:
    """(n, 2, 2): turned counter-clockwise and made larger by ``zoom``."""
    angle = np.deg2rad(degrees)
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    return _matrices(cos, sin, -sin, cos)


def shears(x: F64, y: F64) -> F64:
    """(n, 2, 2): what lies below the centre goes to the right by ``x``, what lies right of it down by ``y``."""
    return _matrices(np.ones_like(x), x, y, np.ones_like(x))


def _matrices(a: F64, b: F64, c: F64, d: F64) -> F64:
    return np.stack([np.stack([a, b], axis=1), np.stack([c, d], axis=1)], axis=1)
