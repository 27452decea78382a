"""Texts as sets of hashed words: what the leak guard compares, without keeping a held-out text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from augmint.core.types import I64, Sample
from augmint.numerics.texts import plain, texts_of, words_of

U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class WordPrints:
    """The different words of n texts.

    Attributes:
        words: (sum of the lengths,) hashes, ascending within each text.
        ends: (n,) where each text's end.
    """

    words: U64
    ends: I64

    def __iter__(self) -> Iterator[U64]:
        return iter(np.split(self.words, self.ends[:-1]) if len(self.ends) else ())

    def __len__(self) -> int:
        return len(self.ends)


def word_prints(samples: Sequence[Sample]) -> WordPrints:
    """Prints of texts, or of pairs, whose columns are told apart.

    Case, punctuation, white space and Unicode's compatible forms do not count, nor do order and number of the words.
    A text without a word (signs only) counts as one; an empty one has none.
    """
    known: dict[str, int] = {}
    parts = [_print(sample, known) for sample in samples]
    return WordPrints(
        np.concatenate([np.zeros(0, np.uint64), *parts]), np.cumsum([len(p) for p in parts], dtype=np.int64)
    )


def joined(parts: Sequence[WordPrints]) -> WordPrints:
    """The texts of all parts, in order."""
    words = np.concatenate([np.zeros(0, np.uint64), *(part.words for part in parts)])
    lengths = [np.diff(part.ends, prepend=0) for part in parts]
    return WordPrints(words, np.cumsum(np.concatenate([np.zeros(0, np.int64), *lengths]), dtype=np.int64))


def _print(sample: Sample, known: dict[str, int]) -> U64:
    texts = texts_of(sample)
    words: set[str] = set()
    for column, text in enumerate(texts):
        mark = f"{column}:" if len(texts) > 1 else ""
        words.update(mark + word for word in words_of(text) or [plain(text)] if word)
    for word in words - known.keys():
        digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        known[word] = int.from_bytes(digest, "little")
    return np.sort(np.array([known[word] for word in words], np.uint64))
