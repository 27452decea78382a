"""tiny-text-judge: latent semantic analysis, embedded; rows of texts without transformers and without MiniLM.

A text's row is its TF-IDF vector times a matrix, brought to unit length (Deerwester et al. 1990):

    row = sum over words w of (1 + ln count(w)) * idf(w) * vector(w)

Beside it, of equal length, stand SKETCH columns that tell the words themselves apart: the same TF-IDF vector, each word
in a column and with a sign that its hash gives (count sketch; Weinberger et al. 2009, feature hashing).

The vectors are singular vectors of two matrices side by side: which words stand near which in running text, and which
words lie below which nodes of WordNet's tree. `recipes/tiny_text_judge.py` made them. A word that is not in the list
gets the mean of the vectors of its pieces of three to five letters, whose numbers are hashes. Nothing is learned or
kept at run time, so a row depends on its own text alone.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from augmint.core.errors import DataError
from augmint.core.protocols import Encoder
from augmint.core.types import F32
from augmint.models import hub
from augmint.models.cards import Card
from augmint.models.inputs import Items, as_samples
from augmint.numerics.marks import MARKS
from augmint.numerics.texts import texts_of

_LETTERS = rf"(?:[^\W\d_][{MARKS}]*)+"
WORD = re.compile(rf"{_LETTERS}(?:['\u2019]{_LETTERS})?|\d+|[?!]")
LONGEST = 24
"""Letters of a word whose pieces are looked at."""

SKETCH = 320
"""Columns of words by their hashes."""


def words_of(text: str) -> list[str]:
    """Lower-case words, runs of digits as zeros, and the marks ? and !"""
    return ["0" * min(len(word), 4) if word[0].isdigit() else word for word in WORD.findall(text.lower())]


def pieces_of(word: str, count: int) -> list[int]:
    """Numbers below ``count`` of a word's runs of three to five letters, its ends marked."""
    marked = f"<{word[:LONGEST]}>"
    runs = (marked[i : i + n] for n in (3, 4, 5) for i in range(max(1, len(marked) - n + 1)))
    return [zlib.crc32(run.encode()) % count for run in dict.fromkeys(runs)]


@dataclass(frozen=True, eq=False)
class TinyTextJudge(Encoder):
    """Texts, or pairs of texts, to rows of unit length.

    Attributes:
        name: name of the model and first digits of its weights' hash.
        size: most words of a text that are read.
        places: number of each word of the list.
        idf: (v + 1,) weight of each word, that of words not in the list last.
        vectors: (v, d).
        pieces: (p, d) for pieces of words not in the list.
    """

    name: str
    size: int
    places: Mapping[str, int] = field(repr=False)
    idf: F32 = field(repr=False)
    vectors: F32 = field(repr=False)
    pieces: F32 = field(repr=False)

    @property
    def space(self) -> str:
        """``name@hash/size``."""
        return f"{self.name}/{self.size}"

    def encode(self, samples: Items) -> F32:
        """(n, d) float32 rows of unit length; of a pair, the first text's and the second's turned by half the width.

        Raises DataError for content that is neither a string nor two strings by name.
        """
        rows = np.empty((len(samples), self.vectors.shape[1] + SKETCH), np.float32)
        for row, sample in zip(rows, as_samples(samples), strict=True):
            texts = texts_of(sample)
            if len(texts) > 2:
                raise DataError(
                    f"{len(texts)} texts in a sample",
                    expected="one text or a pair",
                    do="name two columns: --text A,B",
                    code="not-text",
                )
            parts = [self._row(text) for text in texts]
            row[:] = parts[0] if len(parts) == 1 else parts[0] + np.roll(parts[1], len(parts[1]) // 2)
            row /= np.linalg.norm(row)
        return rows

    def _row(self, text: str) -> F32:
        """(d + SKETCH,) of unit length."""
        counts = Counter(words_of(text)[: self.size])
        found = [self.places.get(word, -1) for word in counts]
        vectors = [self.vectors[at] if at >= 0 else self._pieced(word) for at, word in zip(found, counts, strict=True)]
        weights = (1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))) * self.idf[found]
        meaning, sketch = np.zeros(self.vectors.shape[1], np.float32), np.zeros(SKETCH, np.float32)
        for word, vector, weight in zip(counts, vectors, weights, strict=True):
            meaning += weight * vector
            number = zlib.crc32(word.encode())
            sketch[number // 2 % SKETCH] += weight if number % 2 else -weight
        return np.concatenate([_unit(meaning), _unit(sketch)]) * np.float32(0.5**0.5)

    def _pieced(self, word: str) -> F32:
        mean: F32 = self.pieces[pieces_of(word, len(self.pieces))].mean(0)
        return mean


def _unit(row: F32) -> F32:
    """The row at unit length; where it is zero, the same number everywhere."""
    length = float(np.linalg.norm(row))
    return np.asarray(row / length if length > 0 else np.full(len(row), len(row) ** -0.5), np.float32)


def load_tiny_text_judge(card: Card, size: int, *, path: str | None) -> TinyTextJudge:
    """The encoder from its verified file; raises what `load_encoder` does."""
    return TinyTextJudge(card.tag, size, *_arrays(hub.find(card, path)[card.weights.name]))


@functools.lru_cache(maxsize=1)
def _arrays(path: Path) -> tuple[dict[str, int], F32, F32, F32]:
    from safetensors.numpy import load_file

    stored = load_file(path)
    words = stored.pop("words").tobytes().decode().split("\n")
    idf, vectors, pieces = (stored[name].astype(np.float32) for name in ("idf", "vectors", "pieces"))
    return {word: number for number, word in enumerate(words)}, idf, vectors, pieces
