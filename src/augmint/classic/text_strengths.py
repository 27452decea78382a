"""How much of each change of words, and the presets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TextStrengths:
    """How much of each change, as a share of a text's words; what is not 0 touches one word at least. 0..1.

    Attributes:
        synonyms: replaced by another of the same meaning.
        insert: as many synonyms put in at random places.
        swap: as many times two change places.
        delete: probability of each to be left out.
        spelling: given one error.
        case: with other capitals.
        punctuation: share of the marks between words that is left out.
        one: a child goes through one of these, drawn at random, and not through all.
    """

    synonyms: float = 0.0
    insert: float = 0.0
    swap: float = 0.0
    delete: float = 0.0
    spelling: float = 0.0
    case: float = 0.0
    punctuation: float = 0.0
    one: bool = True


TEXT_PRESETS = {
    "eda": TextStrengths(synonyms=0.1, insert=0.1, swap=0.1, delete=0.1),
    "light": TextStrengths(synonyms=0.1),
    "heavy": TextStrengths(synonyms=0.2, insert=0.1, swap=0.1, delete=0.1, spelling=0.05, one=False),
    "spelling": TextStrengths(spelling=0.1),
}
