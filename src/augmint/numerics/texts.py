"""The strings of a text sample: one, or a few by name (premise and hypothesis); and a sample with others instead.

Words are what two rooms count: students by TF-IDF, the leak guard by overlap. Runs of letters and digits, in Unicode's
compatible form (NFKC) and without case, marks with the letter before them; each character is a word of its own in
scripts that put no space between words.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from augmint.core.errors import DataError
from augmint.core.types import Sample
from augmint.numerics.marks import MARKS

SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
"""Thai, Lao, Burmese, Khmer, kana and Chinese characters."""

_WORD = re.compile(rf"[{SPACELESS}][{MARKS}]*|(?:[^\W_{SPACELESS}][{MARKS}]*)+")


def words_of(text: str) -> list[str]:
    """The words of a text, in order."""
    return _WORD.findall(plain(text))


@lru_cache(maxsize=2**16)
def script_of(word: str) -> str:
    """Script of a word's first letter ("LATIN", "CYRILLIC", "CJK"...), as Unicode names it; "" for no letter."""
    letter = next((character for character in word if character.isalpha()), "")
    return unicodedata.name(letter, "").partition(" ")[0].partition("-")[0] if letter else ""


def plain(text: str) -> str:
    """The text in Unicode's compatible form, without case, with one blank for any white space and none at its ends."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def texts_of(sample: Sample) -> tuple[str, ...]:
    """The strings in the order of their columns; raises DataError for content that is neither string nor strings."""
    content = sample.content
    parts = tuple(content.values()) if isinstance(content, dict) else (content,)
    if not parts or not all(isinstance(part, str) for part in parts):
        raise DataError(
            f"{type(content).__name__} as content of sample {sample.id!r}",
            expected="a string, or strings by name",
            do="choose a method and a model of the data's modality (augmint methods list, augmint models list)",
            code="not-text",
        )
    return parts


def with_texts(sample: Sample, texts: Sequence[str], spans: tuple[Any, ...] = ()) -> Sample:
    """A child: the sample with these strings, without id and stored bytes; ``spans`` are those of the new content."""
    content = sample.content
    new = dict(zip(content, texts, strict=True)) if isinstance(content, dict) else texts[0]
    return dataclasses.replace(sample, id="", content=new, raw=None, spans=spans)
