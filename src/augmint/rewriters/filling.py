"""Hide some cells of a few texts, ask a masked language model once, and put what it says into the cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from augmint.core.types import F32, Bool
from augmint.numerics.function_words import FUNCTION_WORDS
from augmint.numerics.texts import script_of
from augmint.rewriters.choosing import Chance
from augmint.rewriters.slots import Slots, long_enough, same_stem, starts_like

SPARE = 8
"""Proposals beyond ``top_k`` and the words of the text, from which those that do not fit are taken."""


@dataclass
class Draft:
    """A text on the way.

    Attributes:
        slots: its cells.
        rng: the only source of random numbers.
        hidden: cells that the model is asked for, and the tokens that it sees in their place.
        any_word: function words may come, too.
        same: a cell may get the word that it had.
        meaning: how much a word is preferred that means what stood in the cell: times the cosine of their vectors.
        label: number of its label vector, for a model that has such.
    """

    slots: Slots
    rng: np.random.Generator
    hidden: dict[int, list[int]] = field(default_factory=dict)
    any_word: bool = False
    same: bool = False
    meaning: float = 0.0
    label: int | None = None


def fill(lm: Any, drafts: Sequence[Draft], chance: Chance) -> None:
    """Put a word into every hidden cell of every draft, likely in its place; a cell for which none fits stays."""
    for any_word in (False, True):
        some = [draft for draft in drafts if draft.hidden and draft.any_word == any_word]
        shown = [draft.slots.tokens(draft.hidden) for draft in some]
        counts = [chance.top_k + SPARE + len(draft.slots.words) for draft in some]
        answers = lm.best(
            [row for row, _ in shown],
            [list(places.values()) for _, places in shown],
            max(counts, default=0),
            allowed=allowed(lm.words, any_word, spaceless=True),
            labels=[draft.label for draft in some] if some and some[0].label is not None else None,
            near=_near(lm, some) if some and some[0].meaning else None,
        )
        for draft, (_, places), (tokens, log_p), count in zip(some, shown, answers, counts, strict=True):
            for row, cell in enumerate(places):  # of a longer neighbour's proposals, as many as it has alone
                _choose(lm, draft, cell, tokens[row, :count], log_p[row, :count], chance)
    for draft in drafts:
        draft.hidden = {}


def _near(lm: Any, drafts: Sequence[Draft]) -> list[F32]:
    """(k, d) of each draft: what pulls the answers towards the words that stood in the hidden cells."""
    return [np.stack([draft.meaning * lm.vector(draft.slots.old[cell]) for cell in draft.hidden]) for draft in drafts]


def _choose(lm: Any, draft: Draft, cell: int, tokens: Any, log_p: Any, chance: Chance) -> None:
    slots, number = draft.slots, float(draft.rng.random())
    # A word of the text, as it was or is now, is no change, or a repetition.
    taken = {slots[other].casefold() for other in (*slots.words, *slots.before)} | slots.vocabulary
    old = slots[cell].casefold()
    at = slots.order.index(cell)
    article = slots[slots.order[at - 1]] if at else ""
    script = script_of(slots[slots.before.get(cell, cell)])  # a new word is of its neighbour's
    folded = lm.folded

    def fits(token: int) -> bool:
        word = folded[token]
        if draft.same and word == old:
            return True
        if word in taken or script_of(word) not in ("", script):
            return False
        return starts_like(word, article) and not same_stem(word, old)

    token = chance.draw(tokens, log_p, fits, number)
    if token is not None and lm.words[token].casefold() != old:
        slots.put(cell, lm.words[token], token)


@lru_cache(maxsize=8)
def allowed(words: tuple[str, ...], any_word: bool, *, spaceless: bool = False) -> Bool:
    """(v,) True at the tokens that may be put into a text: whole words of two letters or more.

    ``spaceless``: single characters of scripts without spaces between words, too.
    """
    enough = long_enough if spaceless else lambda word: len(word) > 1
    return np.array([enough(word) and (any_word or word.lower() not in FUNCTION_WORDS) for word in words])
