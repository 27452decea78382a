"""Names and texts come from the data: none of their control characters reaches a page or a picture.

Spaces of all kinds, joiners, direction marks and letters newer than this Python are shown as they are; what could turn
the order of the letters around it (overrides, isolates) is not.
"""

from __future__ import annotations

import re

_UNSHOWN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters
    "\ud800-\udfff"  # halves of a character: a broken encoding
    "\u2028\u2029"  # ends of lines and paragraphs
    "\u202a-\u202e\u2066-\u2069]"  # embeddings, overrides and isolates of a direction
)


def printable(name: str) -> str:
    """The name with a mark where a character cannot be shown (control characters, broken encodings)."""
    return _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", name)
