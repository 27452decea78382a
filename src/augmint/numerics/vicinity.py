r"""Real rows, blurred along the steps to their nearest rows of the same class.

.. math:: \tilde x = x + v\,k^{-1/2} \sum_{j=1}^{k} \epsilon_j\,(b_j - o) \qquad \epsilon_j \sim N(0, 1)

With few rows a network would know them by heart; it cannot know the cloud around them. The steps lie in the
directions in which the class really varies. b are the k nearest rows of the class of x, repeated where there are
fewer, and o = x. A row that is alone in its class borrows o and b from the nearest row that is not; where all are
alone, the step is nothing.

Shapes: rows (n, q), labels (n,); a draw at positions (m,) is (m, q).
Paper: Vincent and Bengio 2002, "Manifold Parzen windows", NeurIPS.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from augmint.core.types import F32, I64
from augmint.numerics.neighbors import nearest_rows


class Vicinity:
    """The blurred rows.

    Args:
        rows: (n, q).
        labels: (n,) class of each row.
        k: near rows to blur along.
        size: v.
    """

    def __init__(self, rows: F32, labels: I64, k: int, size: float) -> None:
        origin, near = class_neighbors(rows, labels, k)
        self.rows = torch.from_numpy(rows)
        self.origin, self.near = torch.from_numpy(origin), torch.from_numpy(near)
        self.scale = size / k**0.5

    def draw(self, at: Tensor, random: torch.Generator) -> Tensor:
        """(m, q) one blurred copy of each row at these positions."""
        k = self.near.shape[1]
        ball = torch.randn((len(at), 1, k), generator=random)
        x = self.rows.index_select(0, at)
        if self.scale == 0.0:
            return x
        near = self.rows.index_select(0, self.near.index_select(0, at).view(-1)).view(len(at), k, -1)
        steps = near - self.rows.index_select(0, self.origin.index_select(0, at))[:, None]
        out: Tensor = x + self.scale * torch.bmm(ball, steps)[:, 0]
        return out


def class_neighbors(rows: F32, labels: I64, k: int) -> tuple[I64, I64]:
    """Origins (n,) and near rows of the same class (n, k)."""
    origin = np.arange(len(rows))
    near = np.tile(origin[:, None], (1, k))
    alone = np.bincount(labels)[labels] < 2
    for c in np.unique(labels[~alone]):
        members = np.flatnonzero(labels == c)
        found = members[nearest_rows(rows[members], rows[members], k, same=True)]
        near[members] = found[:, np.arange(k) % found.shape[1]]
    if alone.any() and not alone.all():
        lender = np.flatnonzero(~alone)[nearest_rows(rows[alone], rows[~alone], 1)[:, 0]]
        origin[alone], near[alone] = lender, near[lender]
    return origin, near
