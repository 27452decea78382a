"""Combining marks: characters that belong to the letter before them (accents in NFD, vowels of Hindi and Arabic)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator


def _runs() -> Iterator[tuple[int, int]]:
    """First and last of each run of characters of category M; there are none between the planes that are looked at."""
    first = last = -1
    for code in (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0)):
        if unicodedata.category(chr(code))[0] != "M":
            continue
        if code != last + 1:
            if last >= 0:
                yield first, last
            first = code
        last = code
    yield first, last


MARKS = "".join(f"{chr(first)}-{chr(last)}" for first, last in _runs())
"""All of them, for use inside the brackets of a regular expression."""
