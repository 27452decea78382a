"""How the next token of a text is chosen: the likeliest, a search, or a draw.

    p = softmax(s / temperature),  of it the ``top_k`` largest,  of these the fewest that hold ``top_p`` of the mass
    next = first token where cumsum(p) > u,  u uniform on [0, 1)

One number u is used up for each token, whatever is drawn, so that a text depends on its own stream alone.
Holtzman et al. (2020), The Curious Case of Neural Text Degeneration (nucleus sampling).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Decoding:
    """Settings of a generation.

    Attributes:
        beams: width of a beam search; 1 for none. More than 1 leaves nothing to chance.
        temperature: 0 takes the likeliest token; 1 draws by the model's own probabilities.
        top_k: tokens that may be drawn, the likeliest ones; 0 for all.
        top_p: share of the probability that may be drawn from, the likeliest tokens first.
        least: fewest new tokens; ``most``: most new tokens, 0 for twice as many as were read and 8 more.
        repetition: what the odds of a token are divided by that was there before (Keskar et al. 2019); 1 for nothing.
        no_repeat: length of runs of tokens that may not come twice; 0 for no limit.
        length_penalty: of a beam search, to what power of its length the log-probability of a text is divided.
        stop: a text ends where this is written ("" for the model's own end mark only).
    """

    beams: int = 1
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    least: int = 0
    most: int = 0
    repetition: float = 1.0
    no_repeat: int = 0
    length_penalty: float = 1.0
    stop: str = ""

    def __post_init__(self) -> None:
        if self.beams < 1 or self.temperature < 0 or not 0 < self.top_p <= 1 or self.repetition <= 0:
            raise ValueError(f"got: {self}; expected: beams >= 1, temperature >= 0, 0 < top_p <= 1, repetition > 0")
        if min(self.top_k, self.least, self.most, self.no_repeat) < 0:
            raise ValueError(f"got: {self}; expected: top_k, least, most and no_repeat from 0 on")

    @property
    def draws(self) -> bool:
        """Whether chance has a part."""
        return self.beams == 1 and self.temperature > 0

    def limit(self, width: int) -> int:
        """Most new tokens for an input of this width."""
        return self.most or 2 * width + 8


def probabilities(scores: Tensor, decoding: Decoding) -> Tensor:
    """(n, v) float64 probabilities of the next token; scores (n, v) of any float type. Rows do not mix."""
    warped = scores.double() / decoding.temperature
    if decoding.top_k:
        least = warped.topk(min(decoding.top_k, warped.shape[1]), dim=1).values[:, -1:]
        warped = warped.masked_fill(warped < least, -torch.inf)
    p = warped.softmax(1)
    if decoding.top_p < 1:
        ordered, order = p.sort(dim=1, descending=True, stable=True)
        before = ordered.cumsum(1) - ordered  # the first token always stays
        ordered = ordered.masked_fill(before >= decoding.top_p, 0)
        p = torch.zeros_like(p).scatter_(1, order, ordered)
        p = p / p.sum(1, keepdim=True)
    return p


def drawn(p: Tensor, uniforms: Tensor) -> Tensor:
    """(n,) token of each row: where the cumulated probability first exceeds the row's number (n,) in [0, 1)."""
    # Rounding may leave the sum of a row below its number: then the last token with any probability is meant.
    below = (p.cumsum(1) <= uniforms[:, None]).sum(1)
    last = p.shape[1] - 1 - (p.flip(1) > 0).int().argmax(1)
    return torch.minimum(below, last)
