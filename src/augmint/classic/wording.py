"""The operations on words: synonyms, insertion, swap, deletion (Wei and Zou 2019), spelling, case, punctuation.

Each is given a text's words and how much, and answers with edits; none where it has nothing to work on. n words of a
text at a share s are max(1, int(s * n)) words; deletion takes each word with probability s.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from augmint.classic.spelling import misspelt
from augmint.classic.thesaurus import Thesaurus
from augmint.classic.words import Edit, Words

Item = TypeVar("Item")

_STOP_WORDS = """
i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its
itself they them their theirs themselves what which who whom this that these those am is are was were be been being
have has had having do does did doing a an the and but if or because as until while of at by for with about against
between into through during before after above below to from up down in out on off over under again further then once
here there when where why how all any both each few more most other some such no nor not only own same so than too
very s t can will just don should now
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words without a synonym, as in Wei and Zou's code."""

REDRAWS = 1000
_LEAST = 3
"""Letters of a word that is misspelt."""


def count(n: int, share: float) -> int:
    """How many of ``n`` words at a share: at least one."""
    return max(1, int(share * n))


def synonyms(words: Words, share: float, rng: np.random.Generator, thesaurus: Thesaurus | None) -> list[Edit]:
    """Other words of the same meaning for some; one that stands in several places is replaced in all of them."""
    if thesaurus is None:
        return []
    places: dict[str, list[int]] = {}
    for word in words.free:
        places.setdefault(words[word].lower(), []).append(word)
    new: dict[int, str] = {}
    left = count(len(words), share)
    for old in _shuffled(sorted(places), rng):
        others = _others(old, thesaurus)
        if others and left:
            left -= 1
            other = _one(others, rng)
            new |= {word: _in_case_of(words[word], other) for word in places[old]}
    return words.replaced((new | _articles(words, new)).items())


def insert(words: Words, share: float, rng: np.random.Generator, thesaurus: Thesaurus | None) -> list[Edit]:
    """Synonyms of some words at random places."""
    known = [others for word in words if (others := _others(word.lower(), thesaurus))] if thesaurus else []
    places = words.places()
    if not known or not places:
        return []
    return words.inserted([(_one(places, rng), _one(_one(known, rng), rng)) for _ in range(count(len(words), share))])


def swap(words: Words, share: float, rng: np.random.Generator) -> list[Edit]:
    """Words change places, two at a time; never over the edge of a span."""
    runs = [run for run in words.runs if len(run) > 1]
    at = [(run, word) for run in runs for word in range(len(run))]
    order = {word: word for run in runs for word in run}
    for _ in range(count(len(words), share) if at else 0):
        run, first = _one(at, rng)
        second = (first + 1 + int(rng.integers(len(run) - 1))) % len(run)
        a, b = run[first], run[second]
        order[a], order[b] = order[b], order[a]
    return words.replaced((place, words[word]) for place, word in order.items())


def delete(words: Words, share: float, rng: np.random.Generator) -> list[Edit]:
    """Each word goes with probability ``share``; drawn again until one goes, and one of the text always stays.

    At a share so small that none goes in REDRAWS draws, any one goes: what the last of very many draws would be.
    """
    able = np.array(words.removable(), dtype=np.int64)
    if len(words) < 2 or not len(able):
        return []
    gone = np.zeros(len(able), dtype=np.bool_)
    for _ in range(REDRAWS):
        gone = rng.random(len(able)) < share
        if gone.any():
            break
    else:
        gone[rng.integers(len(able))] = True
    if gone.sum() == len(words):
        gone[rng.integers(len(able))] = False
    return words.removed(able[gone].tolist())


def spelling(words: Words, share: float, rng: np.random.Generator) -> list[Edit]:
    """One error in some words."""
    able = [word for word in words.free if sum(map(str.isalpha, words[word])) >= _LEAST]
    chosen = _some(able, count(len(words), share), rng)
    return words.replaced((word, misspelt(words[word], rng)) for word in chosen)


def case(words: Words, share: float, rng: np.random.Generator) -> list[Edit]:
    """Some words in small letters, in capitals or with a capital at the start, whichever they are not."""
    forms = {word: [form for form in _cases(words[word]) if form != words[word]] for word in words.free}
    able = [word for word, others in forms.items() if others]
    chosen = _some(able, count(len(words), share), rng)
    return words.replaced((word, _one(forms[word], rng)) for word in chosen)


def punctuation(words: Words, share: float, rng: np.random.Generator) -> list[Edit]:
    """Some of the marks between words are left out."""
    text = words.text
    gaps = (range(*words.gap(word)) for word in range(len(words) + 1))
    marks = [at for gap in gaps for at in gap if unicodedata.category(text[at])[0] == "P"]
    able = [at for at in marks if not words.touched(at, at + 1)]
    out = sorted(_some(able, count(len(able), share), rng))
    alone = len(out) == len("".join(text.split()))  # a text of marks alone would be empty
    return [] if alone else [Edit(at, at + 1, "") for at in out]


def share_known(texts: Sequence[str], thesaurus: Thesaurus | None) -> float:
    """Of the words of texts that could have a synonym, the share that has one; 0 where there are none."""
    found = {word.lower() for text in texts for word in Words.of(text)} - STOP_WORDS
    able = [word for word in found if word.isalpha()]
    return sum(bool(_others(word, thesaurus)) for word in able) / max(1, len(able)) if thesaurus else 0.0


def _others(word: str, thesaurus: Thesaurus) -> tuple[str, ...]:
    return () if word in STOP_WORDS else thesaurus.synonyms(word)


def _articles(words: Words, new: dict[int, str]) -> dict[int, str]:
    """``an`` before a new vowel and ``a`` before a new consonant, where the article stands free."""
    found, free = {}, frozenset(words.free)
    for word, other in new.items():
        before = word - 1
        if before in free and words[before].lower() == ("a" if _vowel(other) else "an"):
            found[before] = _in_case_of(words[before], "an" if _vowel(other) else "a")
    return found


def _vowel(word: str) -> bool:
    return word[:1].lower() in "aeiou"


def _in_case_of(old: str, new: str) -> str:
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new


def _cases(word: str) -> list[str]:
    forms = (word.lower(), word.upper(), word[:1].upper() + word[1:].lower())
    return sorted({form for form in forms if len(form) == len(word)})  # "ß" has no capital of its own


def _one(items: Sequence[Item], rng: np.random.Generator) -> Item:
    return items[int(rng.integers(len(items)))]


def _some(items: Sequence[Item], n: int, rng: np.random.Generator) -> list[Item]:
    return [items[i] for i in rng.permutation(len(items))[:n]]


def _shuffled(items: Sequence[Item], rng: np.random.Generator) -> list[Item]:
    return _some(items, len(items), rng)
