"""SSMBA: corrupt a text and let a masked language model rebuild it, a step along the manifold of texts.

    corrupt:  share of the words; of these 80 % hidden, 10 % another word, 10 % as they are
    rebuild:  every corrupted place anew, w ~ top-k of p(w | corrupted text), all at once

Ng, Cho and Ghassemi 2020 (arXiv:2009.10195). Theirs works on word pieces, ours on whole words: pieces put together at
random make words that are none. The label is the parent's; the paper relabels by a model: ``--label-by judge``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from augmint.core.types import I64
from augmint.rewriters.choosing import Chance
from augmint.rewriters.filling import Draft, allowed, fill
from augmint.rewriters.generating import Piece, Proposal, Rewording
from augmint.rewriters.masked_lm import count
from augmint.rewriters.slots import slots_of


@dataclass
class Ssmba(Rewording):
    """Texts corrupted and rebuilt by a masked language model (SSMBA).

    Attributes:
        share: of the words that are corrupted, at least one.
        random: of the corrupted words, the share that another word takes the place of.
        keep: of the corrupted words, the share that is shown as it is.
        rounds: how often in a row.
        top_k: likeliest words among which one is drawn.
        top_p: of these, those that hold this share of their probability.
        temperature: above 1 bolder, below 1 safer, 0 always the likeliest.
        function_words: function words may be corrupted, and come in place of others.
        lm: the masked language model.
    """

    model_kinds: ClassVar[frozenset[str]] = frozenset({"masked-lm"})

    share: float = 0.3
    random: float = 0.1
    keep: float = 0.1
    rounds: int = 1
    top_k: int = 20
    top_p: float = 1.0
    temperature: float = 1.0
    function_words: bool = False
    lm: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._chance = Chance(self.top_k, self.top_p, self.temperature)
        if not 0 < self.share <= 1 or self.rounds < 1:
            raise ValueError(f"share = {self.share}, rounds = {self.rounds}; 0 < share <= 1, rounds >= 1")
        if min(self.random, self.keep) < 0 or self.random + self.keep > 1:
            raise ValueError(f"random = {self.random}, keep = {self.keep}; both >= 0, together at most 1")

    def tidied(self, text: str, parent: str) -> str:
        """All of it: only words were changed, and the spaces are the parent's."""
        return text

    def propose(self, pieces: Sequence[Piece], rngs: Sequence[np.random.Generator]) -> list[Proposal]:
        """One proposal for each piece."""
        texts = [piece.text for piece in pieces]
        for _ in range(self.rounds):
            slots = slots_of(self.lm, texts, [[] for _ in texts])
            drafts = [Draft(own, rng, same=True) for own, rng in zip(slots, rngs, strict=True)]
            for draft in drafts:
                self._corrupt(draft)
            fill(self.lm, drafts, self._chance)
            texts = [draft.slots.rebuilt() for draft in drafts]
        return [Proposal(text) for text in texts]

    def _corrupt(self, draft: Draft) -> None:
        slots, rng = draft.slots, draft.rng
        able = slots.wordy if self.function_words else slots.plain or slots.wordy
        draft.any_word = self.function_words or not slots.plain
        others = self._others(draft.any_word)
        for i in rng.permutation(len(able))[: count(self.share, len(slots.words))].tolist():
            kind, other = float(rng.random()), int(others[rng.integers(len(others))])
            shown = slots.cells[able[i]] if kind < self.keep else [other]
            draft.hidden[able[i]] = shown if kind < self.keep + self.random else [self.lm.mask]

    def _others(self, any_word: bool) -> I64:
        """Tokens that may stand for another word; of models without words characters, else the mask."""
        for spaceless in (False, True):
            found = np.flatnonzero(allowed(self.lm.words, any_word, spaceless=spaceless))
            if len(found):
                return found
        return np.array([self.lm.mask])
