"""What of a child's text is its parent's, word by word: kept, gone, new.

Longest matching runs of words and marks (Ratcliff and Obershelp, as in difflib); spaces belong to the word after them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from augmint.numerics.marks import MARKS
from augmint.report.facts import Shown, Strip

MOST = 4000
"""Characters of a text that are compared."""

AROUND = 12
"""Words that are shown on either side of a change, where what is kept is longer than that."""

ALIKE = 1 / 3
"""Share of words in common below which a comparison would be noise and the child is shown as it is."""

_LETTER = f"[\\w{MARKS}\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}]"
_TOKEN = re.compile(rf"\s*(?:{_LETTER}+(?:['\u2019-]{_LETTER}+)*|[^\w\s])|\s+$")
MUCH = 200_000
"""Pairs of equal words above which the words that are everywhere (a table of 0 and 1) match nothing by themselves."""

_LINES = re.compile(r"\s*[\r\n]+\s*")


@dataclass(frozen=True)
class Piece:
    """A stretch of text: kept, gone (the parent's alone) or new (the child's alone)."""

    kind: Literal["kept", "gone", "new"]
    text: str

    @property
    def words(self) -> str:
        """The text without the space before it."""
        return self.text.lstrip()

    @property
    def space(self) -> str:
        """The space before it."""
        return self.text[: len(self.text) - len(self.words)]


@dataclass(frozen=True)
class Compared:
    """A text of a child, by the name of its column ("" for the only one), beside that of a parent.

    Attributes:
        column: its name.
        pieces: in the order of the child's text; all new where it has little in common with the parents'.
        parent: name of the parent that it is compared with; "" where it is not.
    """

    column: str
    pieces: tuple[Piece, ...]
    parent: str = ""


def compared(strip: Strip) -> list[Compared]:
    """Each text of a child against that of the parent that has most words in common with it."""
    parents = [parent for parent, _ in strip.parents if parent.texts]
    return [_nearest(column, text, parents) for column, text in strip.child.texts]


def excerpt(text: str, most: int = 700) -> str:
    """A text in one line, its end left out where it is long."""
    line = one_line(text[: most + 1])
    return f"{line[:most].rstrip()} \N{HORIZONTAL ELLIPSIS}" if len(text) > most else line


def one_line(text: str) -> str:
    """The text with marks where lines end, and spaces for tabs."""
    return _LINES.sub(" \N{RETURN SYMBOL} ", text.strip()).replace("\t", " ")


class Match:
    """Two texts, and which of their words are the same ones."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = _TOKEN.findall(old), _TOKEN.findall(new)
        a, b = ([word.strip() for word in words] for words in (self.old, self.new))
        often = Counter(b)
        # Time goes with the pairs of equal words, and without a limit to minutes for a text.
        much = sum(count * often[word] for word, count in Counter(a).items()) > MUCH
        self.found = SequenceMatcher(None, a, b, autojunk=much)

    @property
    def share(self) -> float:
        """Of words and marks in common, in order: 1 for the same text, 0 for none."""
        return self.found.ratio()

    def pieces(self) -> list[Piece]:
        """What was kept, gone and new on the way to the new text; the kept and new pieces together are it."""
        pieces: list[Piece] = []
        for kind, i, j, k, m in self.found.get_opcodes():
            if kind == "equal":
                pieces.append(Piece("kept", "".join(self.new[k:m])))
            else:
                pieces += [Piece("gone", "".join(self.old[i:j]))] if j > i else []
                pieces += [Piece("new", "".join(self.new[k:m]))] if m > k else []
        return pieces


def _nearest(column: str, text: str, parents: Sequence[Shown]) -> Compared:
    child = one_line(text[:MOST])
    matches = [Match(one_line(dict(parent.texts).get(column, "")[:MOST]), child) for parent in parents]
    shares = [match.share for match in matches]
    best = max(range(len(parents)), key=shares.__getitem__, default=-1)
    if best < 0 or shares[best] < ALIKE:
        return Compared(column, (Piece("new", excerpt(text)),))
    pieces = matches[best].pieces()
    if len(text) > MOST:
        pieces.append(Piece("kept", " \N{HORIZONTAL ELLIPSIS}"))
    return Compared(column, tuple(_shortened(pieces)), parents[best].name)


def _shortened(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces with the middle of long kept ones left out."""
    found = []
    for number, piece in enumerate(pieces):
        words = _TOKEN.findall(piece.text)
        left = AROUND if number else 0
        right = AROUND if number < len(pieces) - 1 else 0
        if piece.kind == "kept" and len(words) > left + right + AROUND:
            shown = [*words[:left], " \N{HORIZONTAL ELLIPSIS}", *words[len(words) - right :]]
            piece = Piece("kept", "".join(shown))
        found.append(piece)
    return found
