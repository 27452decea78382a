"""The text files of an output set, metadata rows and the class list, written so that all readers agree on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from augmint.core.errors import DataError
from augmint.formats.names import check_class_names as check_class_names

CLASS_LIST = "classes.txt"
"""Name of the file with the order of the classes."""

# Columns of metadata.jsonl that come first, in this order; all others follow by name.
COLUMNS = ("file_name", "label", "is_synthetic", "refs")
LINE_BREAKS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""JSON leaves these raw, but str.splitlines (and readers built on it) would break a row there."""


def dump_row(row: Mapping[str, Any]) -> str:
    """One line of ``metadata.jsonl`` with its newline; the same text for the same row.

    Raises:
        ValueError: a value is NaN or infinite, or no JSON type.
    """
    keys = [key for key in COLUMNS if key in row] + sorted(set(row) - set(COLUMNS))
    text = json.dumps({key: row[key] for key in keys}, ensure_ascii=False, allow_nan=False)
    return text.translate(LINE_BREAKS) + "\n"


def dump_classes(classes: Sequence[str]) -> str:
    """Text of ``classes.txt``: one name a line, in class order; names a plain line cannot hold are JSON strings."""
    return "".join(_class_line(name) + "\n" for name in classes)


def read_classes(path: Path) -> list[str]:
    """Names from a file that :func:`dump_classes` wrote.

    Raises:
        DataError: code ``bad-encoding``, and those of :func:`parse_classes`.
    """
    try:
        return parse_classes(path.read_text("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: bytes that are not UTF-8",
            expected="class names in UTF-8, one a line",
            do=f"convert it: iconv -f latin1 -t utf-8 {path.name}",
            code="bad-encoding",
        ) from error


def parse_classes(text: str, where: str) -> list[str]:
    """Names from the text of ``classes.txt``; the inverse of :func:`dump_classes`, BOM and CRLF allowed.

    Raises:
        DataError: code ``bad-json`` for a quoted line that is no JSON string, ``duplicate-class``.
    """
    names: list[str] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line:
            continue
        name = _parse_class(line, f"{where}:{number}")
        if name in names:
            raise DataError(
                f"{where}:{number}: class {name!r} a second time",
                expected="every class once",
                do="delete the line",
                code="duplicate-class",
            )
        names.append(name)
    return names


def _class_line(name: str) -> str:
    plain = name.isprintable() and name == name.strip() and not name.startswith('"')
    return name if plain and name else json.dumps(name)


def _parse_class(line: str, where: str) -> str:
    if not line.startswith('"'):
        return line
    try:
        name = json.loads(line)
        assert isinstance(name, str)
    except (ValueError, AssertionError) as error:
        raise DataError(
            f"{where}: {line!r}",
            expected="a class name, or a JSON string for a name with quotes or line breaks",
            do="correct the line",
            code="bad-json",
        ) from error
    return name
