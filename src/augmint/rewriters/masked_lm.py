"""Some words of a text are hidden, and a masked language model puts others there, or new words between them.

    for each of share x n words, in random order:  w ~ top-k of p(w | text with this word hidden),  w not in the text

The score of a word is log p(w | ...) + meaning x cos(w, old word), the cosine of the model's own word vectors without
their mean, so that "terrible" becomes "horrible" rather than what stands there more often. Drawn is one of the
``top_k`` best (after ``top_p`` and ``temperature``), one word at a time, so that each is chosen in sight of those
before it, or with ``at_once`` all in one pass of the model, which is quicker. Words of the text and other forms of
the old word do not come, "a" and "an" stay right, function words and numbers stay unless there is nothing else. No
label is kept by this: filter with a judge, or tell the model the label (``condition``, see `rewriters.conditions`).

Wu et al. 2019 (arXiv:1812.06705), Kumar et al. 2020 (arXiv:2003.02245); one at a time as nlpaug does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from augmint.core.protocols import State
from augmint.core.types import Sample
from augmint.numerics.texts import texts_of
from augmint.rewriters import conditions
from augmint.rewriters.choosing import Chance
from augmint.rewriters.filling import Draft, fill
from augmint.rewriters.generating import Piece, Proposal, Rewording
from augmint.rewriters.slots import WORD, slots_of

KNOWN = "known"
"""Key of the state: share of the data's words that the model has whole."""

FEW = 0.45
"""Of the distinct words of English data sets tiny-text has 63 to 92 %, of German prose 41, of Hindi none."""


@dataclass
class MaskedWords(Rewording):
    """Words of a text replaced by what a masked language model finds likely in their place.

    Attributes:
        share: of the words that are replaced, at least one; 0 for none.
        insert: new words, as a share of the words; at least one unless it is 0.
        top_k: likeliest words among which one is drawn.
        top_p: of these, those that hold this share of their probability.
        temperature: above 1 bolder, below 1 safer, 0 always the likeliest.
        meaning: how much words are preferred that mean what the replaced one did; 0 for what the model finds likely.
        at_once: all words in one pass of the model.
        function_words: function words may be replaced, and come in place of others.
        same: a word may come back in its own place.
        condition: "none", "prepend" or "cbert": how the model is told the label.
        steps: updates that a conditioned model is fitted with.
        rate: their step size.
        lm: the masked language model.
    """

    model_kinds: ClassVar[frozenset[str]] = frozenset({"masked-lm"})

    share: float = 0.2
    insert: float = 0.0
    top_k: int = 20
    top_p: float = 1.0
    temperature: float = 1.0
    meaning: float = 10.0
    at_once: bool = False
    function_words: bool = False
    same: bool = False
    condition: str = "none"
    steps: int = 100
    rate: float = 2e-3
    lm: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._chance = Chance(self.top_k, self.top_p, self.temperature)
        if not 0 <= self.share <= 1 or not 0 <= self.insert <= 1 or not self.share + self.insert:
            raise ValueError(f"share = {self.share}, insert = {self.insert}; both 0 to 1, and not both 0")
        if self.condition not in conditions.NAMES:
            raise ValueError(f"condition = {self.condition!r}; one of: {', '.join(conditions.NAMES)}")
        if self.meaning < 0:
            raise ValueError(f"meaning = {self.meaning}; 0 or more")
        if self.steps < 0 or self.rate <= 0:
            raise ValueError(f"steps = {self.steps}, rate = {self.rate}; steps >= 0, rate > 0")

    def fit(self, samples: Sequence[Sample], rng: np.random.Generator) -> Self:
        """Fit a conditioned model to texts and labels; see whether the model knows the words."""
        self.check()
        self.known_ = np.array([share_known(self.lm, [texts_of(sample)[0] for sample in samples[: conditions.MOST]])])
        if self.condition != "none":
            texts = [(texts_of(sample)[i], sample) for sample in samples for i in self.places(sample)]
            learned = conditions.learn(self.lm, self.condition, texts, rng, self.steps, self.rate)
            self.load({**learned, KNOWN: self.known_})
        return self

    def state(self) -> State:
        """What a conditioned model learned, and how many of the words it knows."""
        return {KNOWN: self.known_, **(self.learned_ if self.condition != "none" else {})}

    def load(self, state: State) -> Self:
        """Take a state."""
        self.learned_ = {name: value for name, value in state.items() if name != KNOWN}
        self.known_ = np.asarray(state.get(KNOWN, np.ones(1)), np.float64)
        self.__dict__.pop("_model", None)
        return self

    def told(self) -> list[str]:
        """That the model knows few of the words: it is of another language than the data."""
        share = float(self.known_[0])
        if share >= FEW:
            return []
        return [f"warning: the model has {100 * share:.0f} % of the words; one of the data's own language fits better"]

    @cached_property
    def _model(self) -> Any:
        """The model with what was learned."""
        return self.lm if self.condition == "none" else self.lm.with_learned(conditions.network_of(self.learned_))

    def tidied(self, text: str, parent: str) -> str:
        """All of it: only words were changed, and the spaces are the parent's."""
        return text

    def propose(self, pieces: Sequence[Piece], rngs: Sequence[np.random.Generator]) -> list[Proposal]:
        """One proposal for each piece."""
        samples = [piece.sample for piece in pieces]
        classes = conditions.classes_of(self.learned_) if self.condition != "none" else []
        heads = conditions.heads(self.lm, self.condition, samples)
        slots = slots_of(self._model, [piece.text for piece in pieces], heads, self.insert)
        labels = conditions.numbers(self.condition, classes, samples)
        drafts = [
            Draft(own, rng, same=self.same, meaning=self.meaning, label=label)
            for own, rng, label in zip(slots, rngs, labels, strict=True)
        ]
        queues = [self._cells(draft) for draft in drafts]
        while any(queues):
            for draft, queue in zip(drafts, queues, strict=True):
                now = len(queue) if self.at_once else 1
                draft.hidden = {cell: [self.lm.mask] for cell in queue[:now]}
                del queue[:now]
            fill(self._model, drafts, self._chance)
        return [Proposal(draft.slots.rebuilt()) for draft in drafts]

    def _cells(self, draft: Draft) -> list[int]:
        """The cells to fill, in random order: words that are replaced, and new ones."""
        slots = draft.slots
        plain = [] if self.function_words else slots.plain
        able = plain or slots.wordy
        draft.any_word = not plain
        order = draft.rng.permutation(len(able)).tolist()
        chosen = [able[i] for i in order[: count(self.share, len(slots.words))]]
        gaps = [cell for cell in able if slots.text[: slots.at[cell][0]][-1:].isspace()]
        places = draft.rng.permutation(len(gaps)).tolist()[: count(self.insert, len(slots.words))]
        new = [slots.insert(cell) for cell in sorted(gaps[i] for i in places)]
        order = draft.rng.permutation(len(chosen) + len(new)).tolist()
        return [[*chosen, *new][i] for i in order]


def share_known(lm: Any, texts: Sequence[str]) -> float:
    """Of the words of texts, each once, the share that are tokens of the model; 1 where there are none."""
    found = {word.casefold() for text in texts for word in WORD.findall(text) if word.isalpha()}
    return len(found & set(lm.folded)) / len(found) if found else 1.0


def count(share: float, words: int) -> int:
    """How many of so many words at a share: at least one unless the share is 0."""
    return max(1, round(share * words)) if share else 0
