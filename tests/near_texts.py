"""Texts to plant copies of, and the copies."""

from __future__ import annotations

import numpy as np

THINGS = [
    "river",
    "mountain",
    "engine",
    "violin",
    "harbour",
    "castle",
    "desert",
    "planet",
    "bridge",
    "museum",
    "parrot",
    "senator",
    "glacier",
    "novel",
]
MAKERS = [
    "painted",
    "founded",
    "discovered",
    "measured",
    "described",
    "abandoned",
    "repaired",
    "financed",
    "translated",
    "photographed",
]
PEOPLE = [
    "nurse",
    "pilot",
    "emperor",
    "baker",
    "chemist",
    "sculptor",
    "farmer",
    "judge",
    "sailor",
    "poet",
    "miner",
    "botanist",
    "clerk",
    "dancer",
]
PLACES = [
    "Lisbon",
    "Kyoto",
    "Nairobi",
    "Quito",
    "Oslo",
    "Havana",
    "Dublin",
    "Lima",
    "Cairo",
    "Perth",
    "Seoul",
    "Tunis",
    "Riga",
    "Accra",
    "Turin",
    "Osaka",
]
FRAMES = (
    "Which {p} {m} the {t} near {c} in {y}?",
    "In {y} a {p} from {c} {m} an old {t}.",
    "How did the {t} of {c}, {m} by a {p}, survive until {y}?",
    "The {p} who {m} this {t} moved to {c} before {y}.",
)
PLANTED = ("case", "punctuation", "spaces", "word changed", "word left out", "word put in", "two words swapped")


def sentences(count: int, seed: int = 0) -> list[str]:
    """Different sentences of a few forms, as the questions of a data set are."""
    rng = np.random.default_rng(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        words = {k: rng.choice(v) for k, v in zip("tmpc", (THINGS, MAKERS, PEOPLE, PLACES), strict=True)}
        found[str(rng.choice(FRAMES)).format(y=rng.integers(1500, 1990), **words)] = None
    return list(found)


def plant(kind: str, text: str, rng: np.random.Generator) -> str:
    """A near copy of a text."""
    words = text.split()
    i, j = rng.choice(len(words), 2, replace=False)
    if kind == "case":
        return text.upper() if rng.random() < 0.5 else text.lower()
    if kind == "punctuation":
        return ", ".join(word.strip(".,?!;:") for word in words) + " !!"
    if kind == "spaces":
        return "  " + "\t ".join(words) + "\n"
    if kind == "word changed":
        words[i] = "otherwise"
    if kind == "word left out":
        del words[i]
    if kind == "word put in":
        words.insert(i, "otherwise")
    if kind == "two words swapped":
        words[i], words[j] = words[j], words[i]
    return " ".join(words)
