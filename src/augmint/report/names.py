"""Names come from the data: none of their control characters reaches a page or a picture."""

from __future__ import annotations

_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Without these, Persian and Hindi are misspelt and families of emoji fall apart."""


def printable(name: str) -> str:
    """The name with a mark where a character cannot be shown (control characters, broken encodings)."""
    if name.isprintable():
        return name
    return "".join(
        letter if letter.isprintable() or letter in _JOINERS else "\N{REPLACEMENT CHARACTER}" for letter in name
    )
