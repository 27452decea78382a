"""Names from the data in a Markdown file: as they are read, never as markup."""

from __future__ import annotations

import re

_MARKS = re.compile(r"[\\|`*\[\]~]|(?<![^\W_])_|_(?![^\W_])")
_ENTITIES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


def in_cell(name: str) -> str:
    """A name in a cell of a table: one line, in which nothing is a link, a tag, a comment or the end of the cell."""
    return _MARKS.sub(r"\\\g<0>", " ".join(name.splitlines())).translate(_ENTITIES)
