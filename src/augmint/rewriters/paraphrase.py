"""A sequence-to-sequence model that was trained to paraphrase says each text again.

    child = answer of the model to  prefix + text,  drawn or searched for

What is put before a text is the model's own convention: "paraphrase: " for many T5s, nothing for BART and Pegasus. With
{label} in the prefix the model is told the label. Kumar et al. (2020), Data Augmentation using Pre-trained Transformer
Models, arXiv:2003.02245.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from augmint.numerics.decoding import Decoding
from augmint.rewriters.generating import TOO_LONG, Piece, Proposal, Rewording


@dataclass
class Paraphrase(Rewording):
    """Let a paraphrase model (T5, BART, Pegasus) say each text in other words.

    Attributes:
        prefix: what stands before the text; {label} is replaced by the label.
        beams: width of a beam search; 1 draws.
        temperature: of the draw, 0 for the likeliest answer.
        top_k: tokens that may be drawn, 0 for all.
        top_p: share of the probability that may be drawn from.
        no_repeat: length of runs of tokens that may not come twice in an answer; 0 for no limit.
        lm: the paraphrase model.
    """

    model_kinds: ClassVar[frozenset[str]] = frozenset({"seq2seq"})

    prefix: str = "paraphrase: "
    beams: int = 1
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 0.95
    no_repeat: int = 0
    lm: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._decoding = Decoding(self.beams, self.temperature, self.top_k, self.top_p, no_repeat=self.no_repeat)

    @property
    def varies(self) -> bool:
        """Whether a second try can differ from the first."""
        return self._decoding.draws

    def propose(self, pieces: Sequence[Piece], rngs: Sequence[np.random.Generator]) -> list[Proposal]:
        """The model's answer to each text."""
        inputs = [self.prefix.replace("{label}", str(piece.sample.target)) + piece.text for piece in pieces]
        return answered(self.lm, inputs, rngs, self._decoding)


def answered(lm: Any, inputs: Sequence[str], rngs: Sequence[np.random.Generator], decoding: Decoding) -> list[Proposal]:
    """What a sequence-to-sequence model answers; a fault for an input that it cannot read to its end."""
    proposals = [Proposal("", fault=TOO_LONG)] * len(inputs)
    todo = [i for i, length in enumerate(lm.lengths(inputs)) if length <= lm.size and inputs[i].strip()]
    answers = lm.generate([inputs[i] for i in todo], [rngs[i] for i in todo], decoding)
    for i, answer in zip(todo, answers, strict=True):
        proposals[i] = Proposal(answer)
    return proposals
