"""One picture or a batch of them, changed: the steps in their order.

Shapes: batch (n, C, H, W) in 0..1 -> (n, C, H, W) in 0..1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from augmint.classic.colours import grain, tint
from augmint.classic.moves import Moves, flips, turns
from augmint.classic.strengths import Strengths
from augmint.core.types import Sample
from augmint.numerics.pixels import colour_channels, planes_of

if TYPE_CHECKING:
    from augmint.classic.randaugment import Policy


def change(batch: Tensor, rng: np.random.Generator, strengths: Strengths, mode: str = "bilinear") -> Tensor:
    """Change each picture in its own way; pixel operations leave alpha (the last of 2 or 4 channels) alone.

    Args:
        batch: (n, C, H, W) in 0..1.
        rng: the only source of random numbers.
        strengths: of each step; what is zero is left out, so that no strength at all gives the same numbers.
        mode: of interpolation, "bilinear" or "bicubic".
    """
    policy = _policy(len(batch), strengths, rng)
    if policy or strengths.moves:
        batch = _moves(len(batch), strengths, policy, rng)(batch, mode)
    colours = batch[:, : colour_channels(batch.shape[1])]
    if policy:
        colours = policy.paint(colours)
    if strengths.colour:
        colours = tint(colours, strengths.colour, rng)
    if strengths.noise:
        colours = grain(colours, strengths.noise, rng)
    alpha = batch[:, colours.shape[1] :]
    return torch.cat([colours, alpha], dim=1) if alpha.shape[1] else colours


def _policy(n: int, strengths: Strengths, rng: np.random.Generator) -> Policy | None:
    if not (strengths.operations and strengths.magnitude):
        return None
    from augmint.classic.randaugment import Policy  # the only part that needs kornia

    return Policy.draw(n, strengths.operations, strengths.magnitude, rng)


def _moves(n: int, strengths: Strengths, policy: Policy | None, rng: np.random.Generator) -> Moves:
    """Flip, then the policy's moves, then turn and zoom, then crop."""
    sides = np.where(rng.random((2, n)) < 0.5, -1.0, 1.0)
    across = sides[0] if strengths.flip in ("horizontal", "both") else np.ones(n)
    down = sides[1] if strengths.flip in ("vertical", "both") else np.ones(n)
    turn = turns(rng.uniform(-1, 1, n) * strengths.rotate, 1 + rng.uniform(-1, 1, n) * strengths.scale)
    crop = rng.uniform(-1, 1, (n, 2)) * strengths.crop
    moves = Moves(flips(across, down), np.zeros((n, 2)))
    return (policy.move(moves) if policy else moves).then(turn, crop)


def child_of(sample: Sample, rng: np.random.Generator, strengths: Strengths) -> Sample:
    """A changed picture, of the size, channels and depth of ``sample``, with its target, group and split."""
    planes = planes_of(sample)
    top = np.iinfo(planes.dtype).max
    # What is between two of 65,536 levels is lost in 24 bits.
    wide = np.float64 if planes.dtype == np.uint16 else np.float32
    batch = torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1)[None]).astype(wide)) / top
    changed = change(batch, rng, strengths, "bicubic")[0].numpy().transpose(1, 2, 0)
    pixels = np.rint(changed * top).astype(planes.dtype).reshape(sample.content.shape)
    return Sample("", np.ascontiguousarray(pixels), target=sample.target, group=sample.group, split=sample.split)
