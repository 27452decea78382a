"""Where the words of a text are, and edits that leave everything else, spaces and spans among it, as it was.

A word is what stands between two spaces, without the punctuation around it: ``"(Don't!)"`` holds ``Don't``. What is
between two words is a gap. Edits are pieces of the text to replace; they never reach into a span, so that a span is
carried along by shifting it.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from augmint.core.errors import DataError

Spans = tuple[tuple[Any, ...], ...]
"""(start, end, ...) of each, in characters; they may overlap."""

_CHUNK = re.compile(r"\S+")
_CLOSING, _WEAK = ",;:.!?", ",;:"
_PAIRS = {
    "(": ")",
    "[": "]",
    "{": "}",
    '"': '"',
    "'": "'",
    "\u201c": "\u201d",
    "\u2018": "\u2019",
    "\xab": "\xbb",
    "`": "'",
}

_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_SIGILS = "@#$\xa3\u20ac"
_INITIALS = re.compile(r"(?:[^\W\d_]\.){2,}")

_CLITICS = frozenset({"s", "t", "d", "m", "re", "ve", "ll", "em"})
"""What keeps its apostrophe where texts were cut into tokens: it 's, they 're."""


@dataclass(frozen=True)
class Edit:
    """``new`` in place of the characters from ``start`` to ``end``."""

    start: int
    end: int
    new: str


@dataclass(frozen=True)
class Words:
    """A text and where its words are.

    Attributes:
        text: the text.
        at: (start, end) of each word.
        spans: parts of it that carry labels, which must stay as they are.
    """

    text: str
    at: tuple[tuple[int, int], ...]
    spans: Spans = ()

    @classmethod
    def of(cls, text: str, spans: Spans = ()) -> Words:
        """Find the words."""
        chunks = (_core(text, *match.span()) for match in _CHUNK.finditer(text))
        return cls(text, tuple(at for at in chunks if any(map(str.isalnum, text[slice(*at)]))), spans)

    def __len__(self) -> int:
        return len(self.at)

    def __iter__(self) -> Iterator[str]:
        return (self[word] for word in range(len(self)))

    def __getitem__(self, word: int) -> str:
        start, end = self.at[word]
        return self.text[start:end]

    @cached_property
    def free(self) -> tuple[int, ...]:
        """Words that no span touches."""
        return tuple(word for word, (start, end) in enumerate(self.at) if not self.touched(start, end))

    @cached_property
    def runs(self) -> tuple[tuple[int, ...], ...]:
        """The free words, cut where a span begins or ends: a word may change places inside one run."""
        edges = sorted({edge for span in self.spans for edge in span[:2]})
        found: dict[int, list[int]] = {}
        for word in self.free:
            found.setdefault(bisect_right(edges, self.at[word][0]), []).append(word)
        return tuple(tuple(words) for words in found.values())

    def touched(self, start: int, end: int) -> bool:
        """Whether characters from ``start`` to ``end`` belong to a span."""
        return any(start < span[1] and span[0] < end for span in self.spans)

    def gap(self, word: int) -> tuple[int, int]:
        """What stands before a word; that of ``len(self)`` is what stands after the last."""
        start = self.at[word - 1][1] if word else 0
        return start, self.at[word][0] if word < len(self) else len(self.text)

    def replaced(self, words: Iterable[tuple[int, str]]) -> list[Edit]:
        """Edits that put others in the places of words."""
        return [Edit(*self.at[word], new) for word, new in words if new != self[word]]

    def inserted(self, places: Sequence[tuple[int, str]]) -> list[Edit]:
        """Edits that put each new word before the one that is at its place."""
        edits = []
        for place in sorted({place for place, _ in places}):
            start = self.at[place][0]
            edits.append(Edit(start, start, "".join(f"{word} " for at, word in places if at == place)))
        return edits

    def places(self) -> list[int]:
        """Words before which another can be put: not inside a span."""
        return [word for word, (at, _) in enumerate(self.at) if not any(s[0] < at < s[1] for s in self.spans)]

    def removable(self) -> list[int]:
        """Free words with gaps on both sides that no span touches, since what is left of these is joined."""
        return [word for word in self.free if not (self.touched(*self.gap(word)) or self.touched(*self.gap(word + 1)))]

    def removed(self, words: Iterable[int]) -> list[Edit]:
        """Edits that take words out and leave punctuation, and one space where two would meet."""
        edits: list[Edit] = []
        for word in sorted(words):
            (start, stop), (after, end) = self.gap(word), self.gap(word + 1)
            before = self.text[start:stop]
            if edits and edits[-1].end == stop:  # the word before goes, too
                last = edits.pop()
                start, before = last.start, last.new
            edits.append(Edit(start, end, _joined(before, self.text[after:end], start == 0, end == len(self.text))))
        return edits

    def apply(self, edits: Sequence[Edit]) -> Words:
        """The text with the edits made, its words, and the spans where their text is now."""
        parts, at, moved = [], 0, []
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
            parts += [self.text[at : edit.start], edit.new]
            at = edit.end
            moved.append((edit.end, len(edit.new) - (edit.end - edit.start)))
        text = "".join([*parts, self.text[at:]])
        return Words.of(text, tuple(_shifted(span, moved) for span in self.spans))


def spans_of(spans: Sequence[Any], text: str, sample: str) -> Spans:
    """The spans of one text, checked; raises DataError for one that is not (start, end, ...) inside the text."""
    for span in spans:
        ends = span[:2] if isinstance(span, (tuple, list)) else ()
        whole = len(ends) == 2 and all(isinstance(end, int) and not isinstance(end, bool) for end in ends)
        if not whole or not 0 <= ends[0] <= ends[1] <= len(text):
            raise DataError(
                f"span {span!r} of sample {sample!r}",
                expected=f"(start, end, label) in characters of its text, which has {len(text)}",
                do="correct the span",
                code="span",
            )
    return tuple(tuple(span) for span in spans)


def _core(text: str, start: int, end: int) -> tuple[int, int]:
    """A chunk without the punctuation and symbols around it; brackets inside a word and the last dot of U.S. stay."""
    last = end  # behind the last letter or digit
    while start < last and _is_mark(text[last - 1]):
        last -= 1
    start = _front(text, start, last, end)
    end = _back(text, start, last, end)
    if start and text[start - 1] in "'\u2019" and text[start:end].lower() in _CLITICS:
        start -= 1
    return start, end


def _front(text: str, start: int, last: int, end: int) -> int:
    """Where the word begins: ``(s)he``, ``@user``, ``#tag`` and ``$5`` with their first mark."""
    if not _is_mark(text[start]):
        return start
    partners = {opener: text.rfind(closer, start, last) for opener, closer in _BRACKETS.items()}
    while start < end and _is_mark(text[start]):
        sigil = text[start] in _SIGILS and text[start + 1 : min(start + 2, end)].isalnum()
        if sigil or partners.get(text[start], -1) > start:
            break
        start += 1
    return start


def _back(text: str, start: int, last: int, end: int) -> int:
    """Where the word ends: ``film(s)``, ``f(x)`` and ``U.S.`` with their last mark."""
    if last == end:
        return end
    partners = {closer: text.find(opener, start, end) for opener, closer in _BRACKETS.items()}
    while start < end and _is_mark(text[end - 1]):
        initials = end == last + 1 and _INITIALS.fullmatch(text, start, end)
        if initials or start <= partners.get(text[end - 1], -1) < end:
            break
        end -= 1
    return end


def _is_mark(character: str) -> bool:
    return not character.isalnum() and unicodedata.category(character)[0] in "PSC"


def _joined(before: str, after: str, first: bool, last: bool) -> str:
    """What is left of the gaps on both sides of a word that was taken out."""
    if before and after and _PAIRS.get(before[-1]) == after[0]:  # nothing is left in the brackets
        before, after = before[:-1], after[1:]
    if first and not before.strip():
        return before + after.lstrip().lstrip(_CLOSING).lstrip()
    if last and not after.strip():
        return before.rstrip().rstrip(_WEAK).rstrip() + after
    if after[:1].isspace():
        return before + after.lstrip() if before.strip() or before[-1:].isspace() else after
    before = before.rstrip()
    return (before.rstrip(_WEAK) if after[:1] in _CLOSING else before) + after


def _shifted(span: tuple[Any, ...], moved: list[tuple[int, int]]) -> tuple[Any, ...]:
    by = sum(change for end, change in moved if end <= span[0])
    return (span[0] + by, span[1] + by, *span[2:])
