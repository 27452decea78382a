"""Lines of a text file as bytes, each with its number and the byte it begins at; plain or ``.gz``."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from augmint.core.errors import DataError
from augmint.formats.inflating import Inflated

MAX_LINE_BYTES = 1 << 24
"""Longest line that is read; of a longer one only the beginning is given."""

_HEAD = 4096
_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\0\0\xfe\xff": "utf-32"}


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, inflated where its name ends in ``.gz``.

    Raises:
        DataError: code ``unreadable-file``; and those of :class:`augmint.formats.inflating.Inflated`, when read.
    """
    try:
        return io.BufferedReader(Inflated(path)) if path.suffix.lower() == ".gz" else path.open("rb")
    except OSError as error:
        raise DataError(
            f"{str(path)!r}: {error.strerror}",
            expected="a file that can be read",
            do="check the path and its permissions",
            code="unreadable-file",
        ) from error


def numbered_lines(file: IO[bytes], offset: int = 0, number: int = 1) -> Iterator[tuple[int, int, int, bytes]]:
    """(number, first byte, byte after it, bytes with the line's end) of each line, from a place on.

    A line longer than :data:`MAX_LINE_BYTES` is given cut to that length; the rest of it is passed over.
    """
    file.seek(offset)
    for line in iter(lambda: file.readline(MAX_LINE_BYTES), b""):
        end = offset + len(line)
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            for rest in iter(lambda: file.readline(MAX_LINE_BYTES), b""):
                end += len(rest)
                if rest.endswith(b"\n"):
                    break
        yield number, offset, end, line
        offset, number = end, number + 1


def text_start(path: Path, file: IO[bytes]) -> int:
    """The byte at which the text begins: after a UTF-8 byte order mark where there is one.

    Raises:
        DataError: code ``empty-file``, ``bad-encoding`` for UTF-16 and UTF-32.
    """
    file.seek(0)
    head = file.read(_HEAD)
    if len(head) < _HEAD and not head.strip():
        raise DataError(f"{str(path)!r}: an empty file", expected="rows", do="check the file", code="empty-file")
    coding = next((coding for mark, coding in _OTHER_BOMS.items() if head.startswith(mark)), "")
    if not coding and head.count(b"\0") > len(head) // 4:
        coding = "utf-16"
    if coding:
        raise DataError(
            f"{str(path)!r}: text in {coding.upper()}",
            expected="text in UTF-8",
            do=f"convert it: iconv -f {coding} -t utf-8 {path.name}",
            code="bad-encoding",
        )
    return len(_BOM) if head.startswith(_BOM) else 0
