"""Two texts of a class are mixed between encoder and decoder, and the mixture is written out.

    l ~ Beta(alpha, alpha),  l <- max(l, 1 - l)          the parent has the larger share
    h_t = l h_t(parent) + (1 - l) h_t(other)             where both have a token
    h_t = the longer one's own                           after the end of the shorter
    child = decode(h)

TMix interpolates hidden states for training (Chen et al. 2020, MixText, arXiv:2004.12239); here the mixture becomes a
text. The label is the same in both parents, and each has its share in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from augmint.core.protocols import State
from augmint.core.types import F32, Sample
from augmint.numerics.decoding import Decoding
from augmint.rewriters.examples import Examples, from_state, kept_examples, others, to_state
from augmint.rewriters.generating import TOO_LONG, Generating, Piece, Proposal

ALONE = "fallback: its parent's text, no other text in its class"


@dataclass
class HiddenMix(Generating):
    """Interpolate the encoder's states of two texts of a class and decode the mixture.

    Attributes:
        alpha: of the Beta distribution of the shares; small: one of the two nearly alone; large: halves.
        prefix: what stands before a text; the model's own word for copying or paraphrasing, if it has one.
        keep: texts of a class that partners are drawn from.
        beams: width of a beam search; 1 draws.
        temperature: of the draw, 0 for the likeliest text.
        top_k: tokens that may be drawn, 0 for all.
        top_p: share of the probability that may be drawn from.
        lm: an encoder-decoder that writes its input again: BART, or a paraphrase model.
        examples_: texts by class.
    """

    model_kinds: ClassVar[frozenset[str]] = frozenset({"seq2seq"})

    alpha: float = 2.0
    prefix: str = ""
    keep: int = 1000
    beams: int = 1
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 0.95
    lm: Any = field(default=None, repr=False)
    examples_: Examples = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha <= 0 or self.keep < 1:
            raise ValueError(f"alpha = {self.alpha}, keep = {self.keep}; alpha > 0 and keep >= 1")
        self._decoding = Decoding(self.beams, self.temperature, self.top_k, self.top_p)

    def fit(self, samples: Sequence[Sample], rng: np.random.Generator) -> Self:
        """Keep texts of each class as partners."""
        self.check()
        self.examples_ = kept_examples(map(self.taken, samples), self.keep, rng)
        return self

    def propose(self, pieces: Sequence[Piece], rngs: Sequence[np.random.Generator]) -> list[Proposal]:
        """What is decoded between each piece and another text of its class."""
        found = [Proposal("", fault=ALONE)] * len(pieces)
        pairs = []
        for i, (piece, rng) in enumerate(zip(pieces, rngs, strict=True)):
            pool = others(self.examples_, piece.sample)
            if pool:
                share = float(rng.beta(self.alpha, self.alpha))
                pairs.append((i, pool[int(rng.integers(len(pool)))], max(share, 1 - share)))
        texts = [self.prefix + text for i, other, _ in pairs for text in (pieces[i].text, other.text)]
        fits = [size <= self.lm.size for size in self.lm.lengths(texts)]
        todo = [k for k in range(len(pairs)) if fits[2 * k] and fits[2 * k + 1]]
        states = self.lm.encode([texts[2 * k + side] for k in todo for side in (0, 1)])
        mixed = [blend(states[2 * at], states[2 * at + 1], pairs[k][2]) for at, k in enumerate(todo)]
        written = self.lm.decode(mixed, [rngs[pairs[k][0]] for k in todo], self._decoding)
        for k, (i, _, _) in enumerate(pairs):
            found[i] = Proposal("", fault=TOO_LONG) if k not in todo else found[i]
        for k, text in zip(todo, written, strict=True):
            i, other, share = pairs[k]
            found[i] = Proposal(text, ((pieces[i].sample.id, share), (other.id, 1 - share)))
        return found

    def state(self) -> State:
        """The texts kept."""
        return to_state(self.examples_)

    def load(self, state: State) -> Self:
        """Take a state made by :meth:`state`."""
        self.examples_ = from_state(state)
        return self


def blend(a: F32, b: F32, share: float) -> F32:
    """(max(T_a, T_b), d): ``share`` of a and the rest of b at each place; the longer one's own where it is alone."""
    out = (a if len(a) >= len(b) else b).copy()
    both = min(len(a), len(b))
    out[:both] = share * a[:both] + (1 - share) * b[:both]
    return out
