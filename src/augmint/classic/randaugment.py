"""RandAugment: a few operations out of fourteen, one magnitude for all; the pixel operations are
those of Pillow, most of them as kornia has them.

Each picture has its own operations. Those that move pixels are folded into the one resampling of its moves, the
others are done in their order, on all pictures of a batch at once that have the same one at the same place.

Paper: Cubuk, Zoph, Shlens and Le 2020, arXiv:1909.13719; operations with replacement and the ranges of its table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from kornia import enhance
from torch import Tensor

from augmint.classic.colours import adjust
from augmint.classic.moves import F64, Moves, shears, turns

Operation = Callable[[Tensor, Tensor], Tensor]
"""(n, C, H, W) and (n,) levels, -1..1 -> (n, C, H, W)."""

MOST = 30.0
"""The largest magnitude."""

DEGREES, SHEAR, SHIFT, BLEND = 30.0, 0.3, 0.3, 0.9
"""What an operation does at the largest magnitude; blends (brightness and the like) go from 1 to 1 +- BLEND."""

MOVES = ("rotate", "shear_x", "shear_y", "shift_x", "shift_y")
BLENDS = ("brightness", "contrast", "saturation")


def stretch(x: Tensor, level: Tensor) -> Tensor:
    """Autocontrast: each channel from 0 to 1, unless it is of one value."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp_min(1e-12), x)


def sharpen(x: Tensor, level: Tensor) -> Tensor:
    """Sharpness; its 3 x 3 kernel has no place in a smaller picture."""
    sharp: Tensor = x if min(x.shape[-2:]) < 3 else enhance.sharpness(x, 1 + BLEND * level)
    return sharp


PIXELS: Mapping[str, Operation] = {
    "autocontrast": stretch,
    "equalize": lambda x, level: enhance.equalize(x),
    "solarize": lambda x, level: enhance.solarize(x, 1 - level.abs()),
    "posterize": lambda x, level: enhance.posterize(x, 8 - torch.round(4 * level.abs()).int()),
    "sharpness": sharpen,
}
NAMES = ("identity", *MOVES, *BLENDS, *PIXELS)


@dataclass(frozen=True)
class Policy:
    """The operations of each of n pictures.

    Attributes:
        names: (n, k) which, as a position in :data:`NAMES`, in their order.
        levels: (n, k) how strong, -1..1; what has no direction looks at the size only.
    """

    names: npt.NDArray[np.int64]
    levels: F64

    @classmethod
    def draw(cls, n: int, operations: int, magnitude: float, rng: np.random.Generator) -> Policy:
        """``operations`` for each picture, with replacement; each to either side."""
        names = rng.integers(len(NAMES), size=(n, operations))
        return cls(names, rng.choice([-1.0, 1.0], size=names.shape) * (magnitude / MOST))

    def move(self, moves: Moves) -> Moves:
        """These moves and after them those of the policy."""
        for step in range(self.names.shape[1]):
            rotate, shear_x, shear_y, shift_x, shift_y = (self._levels(step, name) for name in MOVES)
            linear = turns(DEGREES * rotate, np.ones(len(rotate))) @ shears(SHEAR * shear_x, SHEAR * shear_y)
            moves = moves.then(linear, SHIFT * np.stack([shift_x, shift_y], axis=1))
        return moves

    def paint(self, batch: Tensor) -> Tensor:
        """The pixel operations on (n, C, H, W) in 0..1."""
        batch = batch.clone()
        for step in range(self.names.shape[1]):
            factors = 1 + BLEND * np.stack([self._levels(step, name) for name in BLENDS])
            rows = np.flatnonzero((factors != 1).any(axis=0))
            if len(rows):
                batch[rows] = adjust(batch[rows], *torch.from_numpy(factors[:, rows, None, None]).to(batch))
            for name, operation in PIXELS.items():
                level = self._levels(step, name)
                rows = np.flatnonzero(level)
                if len(rows):
                    batch[rows] = operation(batch[rows], torch.from_numpy(level[rows]).to(batch))
        return batch

    def _levels(self, step: int, name: str) -> F64:
        """(n,) the levels of the pictures whose operation at this step is ``name``, 0 for the others."""
        return np.where(self.names[:, step] == NAMES.index(name), self.levels[:, step], 0.0)
