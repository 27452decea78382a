"""Which of a masked language model's proposals becomes the word: a likely one, at random, and none that is silly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from augmint.core.types import F32, I64


@dataclass(frozen=True)
class Chance:
    """How a word is drawn from what a model proposes.

    Attributes:
        top_k: among the likeliest so many.
        top_p: of these, the likeliest that hold this share of their probability (Holtzman et al. 2020).
        temperature: p^(1 / temperature); 0 takes the likeliest.
    """

    top_k: int
    top_p: float
    temperature: float

    def __post_init__(self) -> None:
        if self.top_k < 1 or not 0 < self.top_p <= 1 or self.temperature < 0:
            raise ValueError(
                f"top_k = {self.top_k}, top_p = {self.top_p}, temperature = {self.temperature}; "
                "top_k >= 1, 0 < top_p <= 1, temperature >= 0"
            )

    def draw(self, tokens: I64, log_p: F32, fits: Callable[[int], bool], number: float) -> int | None:
        """One of the tokens that fit, with ``number`` uniform in 0..1; None when none does.

        ``tokens`` (c,) with their log-probabilities, the likeliest first.
        """
        able = list(islice((i for i, token in enumerate(tokens.tolist()) if fits(token)), self.top_k))
        if not able:
            return None
        if self.temperature == 0:
            return int(tokens[able[0]])
        p = np.exp((log_p[able].astype(np.float64) - log_p[able[0]]) / self.temperature)
        p /= p.sum()
        if self.top_p < 1:
            kept = np.cumsum(p) - p < self.top_p
            p = p[kept] / p[kept].sum()
        at = int(np.searchsorted(np.cumsum(p), number, side="right"))
        return int(tokens[able[min(at, len(p) - 1)]])
