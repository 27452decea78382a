"""A text as a row of cells, which a masked language model can be shown with some of them hidden.

A word is a run of letters and digits with their accents, apostrophes inside it among them but for that of "'s", and
each character of a script without spaces (Chinese, Japanese, Thai); its tokens are one cell, and every other token is
a cell of its own. Words that the model did not read to their end, whose
tokens reach beyond them, and those of addresses, file names and tags cannot be hidden. What is put into a cell replaces
characters of the original text; all others stay as they are, spaces and case among them.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import ceil
from typing import Any

from augmint.numerics.function_words import FUNCTION_WORDS
from augmint.numerics.marks import MARKS
from augmint.numerics.texts import SPACELESS

CURLY = "\N{RIGHT SINGLE QUOTATION MARK}"
_RUN = rf"(?:[^\W_{SPACELESS}][{MARKS}]*)+"
WORD = re.compile(rf"[{SPACELESS}][{MARKS}]*|{_RUN}(?:['{CURLY}](?!s\b){_RUN})*")
ALONE = re.compile(rf"[{SPACELESS}]")
ADDRESS = re.compile(r"://|@|^\W?[wW]{3}\.|[^\W\d]\.[^\W\d]|\w_\w|&\w+;|^\W?[#/~]\w")
"""In what stands between two spaces: an address, a tag, or the name of a file or a variable. It stays as it is."""

CHUNK, TAG = re.compile(r"\S+"), re.compile(r"</?\w[^<>]*>")
NO_LETTERS = re.compile(rf"['{CURLY}{MARKS}]")
ENDING = re.compile(r"(ing|ied|ies|ed|en|es|ly|er|est|e|s|y)$")


@dataclass
class Slots:
    """A text, its cells, and what was put into them.

    Attributes:
        text: the text.
        cells: token numbers of each cell now.
        old: token numbers of each cell as it was.
        at: (start, end) of each cell in the text; (0, 0) for marks.
        words: the cells that are words, in the order of the text.
        order: cells from left to right.
        new: what stands in a cell now: a word in place of another, or a new one before the cell ``before[cell]``.
        before: for cells that were inserted, the cell that they stand before.
    """

    text: str
    cells: list[list[int]]
    old: list[list[int]]
    at: list[tuple[int, int]]
    words: tuple[int, ...]
    order: list[int]
    new: dict[int, str] = field(default_factory=dict)
    before: dict[int, int] = field(default_factory=dict)

    def __getitem__(self, cell: int) -> str:
        """What stands in a cell."""
        start, end = self.at[cell]
        return self.new.get(cell, self.text[start:end])

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Words of the text as it was, without case."""
        return frozenset(self.text[start:end].casefold() for start, end in (self.at[cell] for cell in self.words))

    @property
    def plain(self) -> list[int]:
        """Words that may be replaced: as ``wordy``, and no function words."""
        return [cell for cell in self.wordy if self[cell].lower().replace(CURLY, "'") not in FUNCTION_WORDS]

    @property
    def wordy(self) -> list[int]:
        """Words of two letters or more (or one of a script without spaces), function words among them."""
        return [cell for cell in self.words if long_enough(self[cell]) and NO_LETTERS.sub("", self[cell]).isalpha()]

    def tokens(self, hidden: dict[int, list[int]] | None = None) -> tuple[list[int], dict[int, int]]:
        """Token numbers from left to right and the position of each hidden cell.

        ``hidden``: what to show in place of a cell.
        """
        hidden = hidden or {}
        row: list[int] = []
        places = {}
        for cell in self.order:
            if cell in hidden:
                places[cell] = len(row)
            row += hidden.get(cell, self.cells[cell])
        return row, places

    def insert(self, cell: int) -> int:
        """A new, empty cell before a word; its number."""
        new = len(self.cells)
        self.cells.append([])
        self.old.append([])
        self.at.append((self.at[cell][0], self.at[cell][0]))
        self.before[new] = cell
        self.order.insert(self.order.index(cell), new)
        return new

    def put(self, cell: int, word: str, token: int) -> None:
        """A word into a cell, in the manner of the one that it replaces."""
        self.cells[cell] = [token]
        self.new[cell] = word if cell in self.before else cased(word, self.text[slice(*self.at[cell])])

    def rebuilt(self) -> str:
        """The text with what was put into the cells."""
        parts, at = [], 0
        for cell in self.order:
            if cell in self.new:
                start, end = self.at[cell]
                parts += [self.text[at:start], self.new[cell], " " if cell in self.before else ""]
                at = end
        return "".join([*parts, self.text[at:]])


def slots_of(lm: Any, texts: Sequence[str], heads: Sequence[Sequence[int]], insert: float = 0.0) -> list[Slots]:
    """The cells of each text.

    Args:
        lm: the masked language model.
        texts: strings.
        heads: tokens to show between the opening mark and each text, [] for none.
        insert: new words that will come, as a share of the words.
    """
    found = []
    rooms = [len(head) + _room(insert, text, lm.size) for text, head in zip(texts, heads, strict=True)]
    for text, head, (tokens, at) in zip(texts, heads, lm.cut(texts, rooms), strict=True):
        slots = _slots(text, tokens, at)
        if head:
            slots.cells.append(list(head))
            slots.old.append([])
            slots.at.append((0, 0))
            first = next((i for i, (start, end) in enumerate(slots.at) if end > start), len(slots.order))
            slots.order.insert(first, len(slots.cells) - 1)
        found.append(slots)
    return found


def _room(insert: float, text: str, size: int) -> int:
    """Tokens that new words need: of a text longer than the model reads, as many as the part that it then reads."""
    return ceil(insert * min(len(WORD.findall(text)), size / (1 + insert))) if insert else 0


def _slots(text: str, tokens: Sequence[int], at: Sequence[tuple[int, int]]) -> Slots:
    spans = [match.span() for match in WORD.finditer(text)]
    starts = [start for start, _ in spans]
    slots = Slots(text, [], [], [], (), [])
    broken, last = _fixed(text, starts), -1
    words: dict[int, int] = {}
    for token, (start, end) in zip(tokens, at, strict=True):
        start += len(text[start:end]) - len(text[start:end].lstrip())
        word = bisect_right(starts, start) - 1 if end > start else -1
        inside = word >= 0 and start < spans[word][1]
        if inside and end > spans[word][1]:
            broken.add(word)
        if inside and word == last:
            slots.cells[-1].append(token)
            continue
        last = word if inside else -1
        if inside:
            words[word] = len(slots.cells)
            broken |= {word} if start != spans[word][0] else set()
        slots.cells.append([token])
        slots.at.append(spans[word] if inside else (start, end))
    read = max((end for _, end in at), default=0)
    slots.words = tuple(cell for word, cell in words.items() if word not in broken and spans[word][1] <= read)
    slots.order = list(range(len(slots.cells)))
    slots.old = list(slots.cells)
    return slots


def _fixed(text: str, starts: Sequence[int]) -> set[int]:
    """The words of addresses, file names and tags."""
    fixed = [chunk.span() for chunk in CHUNK.finditer(text) if ADDRESS.search(chunk[0])]
    fixed += [tag.span() for tag in TAG.finditer(text)]
    return {word for start, end in fixed for word in range(bisect_left(starts, start), bisect_left(starts, end))}


def long_enough(word: str) -> bool:
    """Whether it may be a word: two letters or more, or one of a script without spaces."""
    return len(word) > 1 or ALONE.match(word) is not None


def cased(word: str, old: str) -> str:
    """A word with the capitals of the one it replaces: none, the first, or all."""
    if len(old) > 1 and old.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if old[:1].isupper() else word


def starts_like(word: str, article: str) -> bool:
    """Whether a word may follow "a" or "an"; any word may follow anything else."""
    article = article.lower()
    return article not in ("a", "an") or (word[:1].lower() in "aeiou") == (article == "an")


def same_stem(word: str, other: str) -> bool:
    """Whether two words look like forms of one ("take" and "taken", "cat" and "cats"), which rarely fit alike."""
    short, long = (word, other) if len(word) <= len(other) else (other, word)
    if len(short) >= 3 and long.startswith(short):
        return True
    stem = _stem(short)
    return len(stem) >= 3 and stem == _stem(long)


@lru_cache(maxsize=2**16)
def _stem(word: str) -> str:
    return ENDING.sub("", word)
