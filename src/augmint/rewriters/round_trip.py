"""A text is translated into another language and back.

    child = back(there(text)),  each way drawn or by beam search

Sennrich et al. (2016), Improving Neural Machine Translation Models with Monolingual Data; as augmentation: Yu et al.
(2018), QANet; Edunov et al. (2018), Understanding Back-Translation at Scale (draws are more varied than beams).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from augmint.core.errors import UsageError
from augmint.numerics.decoding import Decoding
from augmint.rewriters.generating import Piece, Proposal, Rewording, check_model
from augmint.rewriters.paraphrase import answered


@dataclass
class RoundTrip(Rewording):
    """Translate each text there and back with two models (Marian and the like).

    Attributes:
        back: folder or card of the model that translates back; ``--model`` is the one that translates there.
        prefix: what stands before a text on its way there (">>fra<<" and a space for Marian models of several
            languages, "translate English to German: " for T5); ``back_prefix``: on its way back.
        beams: width of a beam search; 1 draws.
        temperature: of the draw, 0 for the likeliest translation.
        top_k: tokens that may be drawn, 0 for all.
        top_p: share of the probability that may be drawn from.
        lm: translates there.
        back_lm: translates back.
    """

    model_kinds: ClassVar[frozenset[str]] = frozenset({"translation", "seq2seq"})
    further_models: ClassVar[Mapping[str, str]] = {"back": "back_lm"}

    back: str = ""
    prefix: str = ""
    back_prefix: str = ""
    beams: int = 1
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 0.95
    lm: Any = field(default=None, repr=False)
    back_lm: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._decoding = Decoding(self.beams, self.temperature, self.top_k, self.top_p)

    @property
    def varies(self) -> bool:
        """Whether a second try can differ from the first."""
        return self._decoding.draws

    def check(self) -> None:
        """Raises UsageError unless there is a model for each way."""
        super().check()
        if self.back_lm is None:
            raise UsageError(
                "no model that translates back",
                expected="a second model, from the other language into that of the texts",
                do="name its folder: --set method_options.back=FOLDER",
                code="no-back-model",
            )
        check_model(self, self.back_lm)

    def propose(self, pieces: Sequence[Piece], rngs: Sequence[np.random.Generator]) -> list[Proposal]:
        """Each text after its round trip."""
        abroad = answered(self.lm, [self.prefix + piece.text for piece in pieces], rngs, self._decoding)
        there = [i for i, proposal in enumerate(abroad) if proposal.text]
        texts = [self.back_prefix + abroad[i].text for i in there]
        home = iter(answered(self.back_lm, texts, [rngs[i] for i in there], self._decoding))
        return [next(home) if proposal.text else proposal for proposal in abroad]
