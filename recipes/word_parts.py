"""How often a word is a noun, verb, adjective or adverb, from what stands beside it, without labelled text.

Words of one part of speech in WordNet show what its neighbours look like (naive Bayes on the word before and the word
after); for each other word, EM finds the mixture of its parts that explains its neighbours best. Its senses, counted as
two uses, are the prior: play has more senses as a verb than as a noun.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from augmint.classic.inflections import forms_of

Lemmas = Mapping[str, Mapping[str, list[int]]]
"""Senses of each lemma by part of speech."""

PARTS = "nvar"
COMMON, SEEN, STEPS, PRIOR = 600, 200, 30, 2.0
"""Neighbours that are told apart, uses of a word that are looked at, steps of EM, uses that the prior counts for."""


class Parts:
    """Shares of the parts of speech of words in running text."""

    def __init__(self, senses: Lemmas, sentences: Iterable[list[str]]) -> None:
        self.senses = senses
        lines = [["<s>", *line, "</s>"] for line in sentences]
        counts = Counter(word for line in lines for word in line)
        place = {word: at for at, (word, _) in enumerate(counts.most_common(COMMON))}
        self.beside: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for line in lines:
            for before, word, after in zip(line, line[1:], line[2:], strict=False):
                if word.isalpha():
                    self.beside[word].append((place.get(before, COMMON), place.get(after, COMMON)))
        self.share_of = cache(self._shares)
        self.lemmas = cache(lambda word: {lemma for lemma, _, _ in forms_of(word)})

    def share(self, word: str, part: str) -> float:
        """Share of a part of speech among the uses of a word."""
        return self.share_of(word).get(part, 0.0)

    def counted(self, word: str) -> dict[str, int]:
        """Senses of a word by part of speech, as a form of each of its lemmas."""
        found: Counter[str] = Counter()
        for lemma, able, _ in forms_of(word):
            found.update({part: len(at) for part, at in self.senses.get(lemma, {}).items() if part in able})
        return dict(sorted(found.items()))

    @cached_property
    def log_beside(self) -> npt.NDArray[np.float64]:
        """(parts, 2, COMMON + 1) log probability of the word before and of the word after."""
        seen = np.full((len(PARTS), 2, COMMON + 1), 0.5)
        for word, places in self.beside.items():
            parts = list(self.counted(word))
            if len(parts) == 1:
                before, after = np.array(places).T
                np.add.at(seen[PARTS.index(parts[0]), 0], before, 1)
                np.add.at(seen[PARTS.index(parts[0]), 1], after, 1)
        logs: npt.NDArray[np.float64] = np.log(seen / seen.sum(axis=2, keepdims=True))
        return logs

    def _shares(self, word: str) -> dict[str, float]:
        counted = self.counted(word)
        if len(counted) < 2:
            return dict.fromkeys(counted, 1.0)
        share = np.array(list(counted.values()), dtype=np.float64)
        share /= share.sum()
        prior = PRIOR * share
        rows = [PARTS.index(part) for part in counted]
        places = np.array(self.beside.get(word, [])[:SEEN], dtype=np.int64).reshape(-1, 2)
        log = (self.log_beside[rows, 0][:, places[:, 0]] + self.log_beside[rows, 1][:, places[:, 1]]).T
        likely = np.exp(log - log.max(axis=1, keepdims=True, initial=-np.inf))
        for _ in range(STEPS):
            weights = likely * share
            weights /= weights.sum(axis=1, keepdims=True)
            share = (prior + weights.sum(axis=0)) / (PRIOR + len(places))
        return dict(zip(counted, share.tolist(), strict=True))
