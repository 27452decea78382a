"""The four operations of Wei and Zou 2019 on lists of words, written down from the paper, to compare counts with."""

from __future__ import annotations

import random
from collections.abc import Callable

Synonyms = Callable[[str], list[str]]


def amount(words: list[str], alpha: float) -> int:
    return max(1, int(alpha * len(words)))


def replace(words: list[str], alpha: float, synonyms: Synonyms, dice: random.Random) -> list[str]:
    """n distinct words that have synonyms and are no stop words (these have none here), each wherever it stands."""
    able = sorted({word for word in words if synonyms(word)})
    dice.shuffle(able)
    for old in able[: amount(words, alpha)]:
        new = dice.choice(synonyms(old))
        words = [new if word == old else word for word in words]
    return words


def insert(words: list[str], alpha: float, synonyms: Synonyms, dice: random.Random) -> list[str]:
    """n times a synonym of a random word that has any, before a random word."""
    words = list(words)
    for _ in range(amount(words, alpha)):
        able = [word for word in words if synonyms(word)]
        if able:
            words.insert(dice.randrange(len(words)), dice.choice(synonyms(dice.choice(able))))
    return words


def swap(words: list[str], alpha: float, dice: random.Random) -> list[str]:
    """n times two words change places."""
    words = list(words)
    for _ in range(amount(words, alpha)):
        a, b = dice.sample(range(len(words)), 2)
        words[a], words[b] = words[b], words[a]
    return words


def delete(words: list[str], p: float, dice: random.Random) -> list[str]:
    """Each word with probability p; one stays."""
    if len(words) == 1:
        return words
    left = [word for word in words if dice.random() > p]
    return left or [dice.choice(words)]
