"""Names in a Markdown table are read as they are."""

from __future__ import annotations

import pytest

from augmint.pipeline.markdown import in_cell


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("red_cell 2", "red_cell 2"),
        ("a|b", "a\\|b"),
        ("\\|", "\\\\\\|"),
        ("<!-- x", "&lt;!-- x"),
        ("R&D &lt;", "R&amp;D &amp;lt;"),
        ("[x](y) `z` *w*", "\\[x\\](y) \\`z\\` \\*w\\*"),
        ("__init__", "\\_\\_init\\_\\_"),
        ("two\nlines\r\nand more", "two lines and more"),
        ("\u732b", "\u732b"),
    ],
)
def test_by_hand(name: str, cell: str) -> None:
    assert in_cell(name) == cell
