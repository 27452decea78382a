"""Spelling errors as people make them: a neighbouring key, two letters changed over, one left out, one twice.

The first letter stays, as it mostly does (Yannakoudakis and Fawthrop 1983, Inf. Process. Manage. 19(2)). Only letters
are touched, and none that carries a combining mark.
"""

from __future__ import annotations

import unicodedata

import numpy as np

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
"""Letters of an English keyboard."""


def _neighbours() -> dict[str, str]:
    """Of each letter, the keys to its left and right, and those that touch it in the rows above and below."""
    at = {letter: (x + 0.5 * y, y) for y, row in enumerate(ROWS) for x, letter in enumerate(row)}
    near = {a: [b for b in at if b != a and _touch(at[a], at[b])] for a in at}
    return {letter: "".join(others) for letter, others in near.items()}


def _touch(a: tuple[float, int], b: tuple[float, int]) -> bool:
    return abs(a[0] - b[0]) <= 1 and abs(a[1] - b[1]) <= 1


NEIGHBOURS = _neighbours()


def misspelt(word: str, rng: np.random.Generator) -> str:
    """The word with one error; as it is where none of the letters can be wrong."""
    at = _open(word)
    slips = [slip(word, at, rng) for slip in (_other_key, _changed_over, _left_out, _twice)]
    wrong = [slip for slip in slips if slip != word]
    return wrong[int(rng.integers(len(wrong)))] if wrong else word


def _open(word: str) -> list[int]:
    """Letters after the first, without a combining mark behind them."""
    marks = [unicodedata.category(character)[0] == "M" for character in word] + [False]
    return [i for i in range(1, len(word)) if word[i].isalpha() and not marks[i + 1]]


def _other_key(word: str, at: list[int], rng: np.random.Generator) -> str:
    found = [i for i in at if word[i].lower() in NEIGHBOURS]
    if not found:
        return word
    i = found[int(rng.integers(len(found)))]
    keys = NEIGHBOURS[word[i].lower()]
    key = keys[int(rng.integers(len(keys)))]
    return word[:i] + (key.upper() if word[i].isupper() else key) + word[i + 1 :]


def _changed_over(word: str, at: list[int], rng: np.random.Generator) -> str:
    found = [i for i in at if i + 1 in at and word[i] != word[i + 1]]
    if not found:
        return word
    i = found[int(rng.integers(len(found)))]
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]


def _left_out(word: str, at: list[int], rng: np.random.Generator) -> str:
    if len(at) < 2:
        return word
    i = at[int(rng.integers(len(at)))]
    return word[:i] + word[i + 1 :]


def _twice(word: str, at: list[int], rng: np.random.Generator) -> str:
    if not at:
        return word
    i = at[int(rng.integers(len(at)))]
    return word[: i + 1] + word[i:]
