"""Names come from the data: none of their control characters reaches a page or a picture."""

from __future__ import annotations


def printable(name: str) -> str:
    """The name with a mark where a character cannot be shown (control characters, broken encodings)."""
    if name.isprintable():
        return name
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
