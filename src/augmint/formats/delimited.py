"""Rows of ``.csv`` and ``.tsv`` files (RFC 4180; tabs instead of commas), where a quoted cell may hold line breaks.

Python's ``csv`` splits rows into cells, in its strict mode: a quote inside an unquoted cell is a character, one that
closes a cell too early is a fault. A row that begins with a quote which is never closed would swallow what follows, so
after a fault reading goes on at the next line: every faulty line is named by itself, and no good one is lost.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NoReturn
from weakref import finalize

from augmint.core.errors import DataError, SampleError
from augmint.formats.byte_lines import MAX_LINE_BYTES, numbered_lines, open_bytes, text_start
from augmint.formats.table_file import Cells, Row, TableFile, gone

_NEVER_CLOSED = "a quote that is never closed"


class Delimited(TableFile):
    """A file with a header line and one delimiter."""

    def __init__(self, path: Path, delimiter: str) -> None:
        """Read the header.

        Raises:
            DataError: codes ``empty-file``, ``bad-encoding``, ``bad-csv``, ``unreadable-file``.
        """
        # The module's own limit of 128 KiB would end the reading of a longer cell, wherever the reader stands.
        csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
        self.path, self.delimiter = path, delimiter
        self._file = open_bytes(path)
        finalize(self, self._file.close)
        lines = _Lines(self._file, text_start(path, self._file), 1)
        try:
            header = next(cells for cells in self._reader(lines) if cells)
        except csv.Error as error:
            _refuse(path, lines.number, f"broken CSV: {error}", "a line with the names of the columns")
        except StopIteration:
            raise DataError(
                f"{str(path)!r}: an empty file", expected="rows", do="check the file", code="empty-file"
            ) from None
        self.columns = tuple(self._check_header(header, lines))
        self._start, self._first = lines.end, lines.number + 1

    def _reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self.delimiter, strict=True)

    def _check_header(self, header: list[str], lines: _Lines) -> list[str]:
        twice = sorted({name for name in header if header.count(name) > 1})
        if lines.fault:
            raise DataError(
                f"{self.path}:{lines.number}: {lines.fault.detail}",
                expected="text in UTF-8",
                do=f"convert it: iconv -f latin1 -t utf-8 {self.path.name}",
                code="bad-encoding",
            )
        if twice:
            _refuse(self.path, lines.number, f"column {twice[0]!r} twice", "every column once", "rename one")
        if len(header) == 1 and any(mark in header[0] for mark in ";\t|,"):
            kind, word = ("TSV", "tabs") if self.delimiter == "\t" else ("CSV", "commas")
            got = f"one column {header[0]!r}"
            _refuse(self.path, lines.number, got, f"cells separated by {word}", f"save it as {kind} with {word}")
        return header

    def rows(self, columns: Sequence[str] = ()) -> Iterator[Row]:
        """All rows; blank lines are none."""
        with open_bytes(self.path) as file:
            yield from self._rows(file)

    def _rows(self, file: IO[bytes]) -> Iterator[Row]:
        names, width = self.columns, len(self.columns)
        lines = _Lines(file, self._start, self._first)
        reader = self._reader(lines)
        while True:
            number, offset = lines.number + 1, lines.end
            lines.begin()
            try:
                cells = next(reader)
                fault = lines.fault
            except StopIteration:
                return
            except csv.Error as error:
                why = _NEVER_CLOSED if "unexpected end" in str(error) or "limit" in str(error) else str(error)
                cells, fault = [], SampleError("broken CSV", why)
            if not cells and not fault:
                continue
            if not fault and len(cells) != width:
                fault = SampleError("wrong number of cells", f"{len(cells)} cells, the header has {width}")
            if not fault:
                yield Row(number, offset, lines.end - offset, dict(zip(names, cells, strict=True)))
                continue
            yield Row(number, offset, lines.first_end - offset, None, fault)
            if lines.first_end < lines.end:  # only the line it begins on is lost
                lines = _Lines(file, lines.first_end, number + 1)
                reader = self._reader(lines)

    def read(self, offset: int, length: int, columns: Sequence[str] = ()) -> tuple[bytes, Cells]:
        """One row, from its first byte and its length."""
        self._file.seek(offset)
        raw = self._file.read(length)
        return raw, self.cut(raw, self.delimiter, self.columns)

    @staticmethod
    def cut(raw: bytes, delimiter: str, columns: Sequence[str]) -> Cells:
        """The cells of a row's bytes; raises SampleError."""
        try:
            found = list(csv.reader([raw.decode()], delimiter=delimiter, strict=True))
        except (UnicodeDecodeError, csv.Error):
            found = []
        if len(found) != 1 or len(found[0]) != len(columns):
            raise gone()
        return dict(zip(columns, found[0], strict=True))


class _Lines:
    """Decoded lines for ``csv.reader``, which takes as many as a row needs and no more.

    Attributes:
        number: of the line given last.
        end: byte after it.
        first_end: byte after the first line of the row that is being read.
        fault: what is wrong with a line of that row.
    """

    def __init__(self, file: IO[bytes], offset: int, number: int) -> None:
        self._lines = numbered_lines(file, offset, number)
        self.number, self.end, self.first_end = number - 1, offset, 0
        self.fault: SampleError | None = None

    def begin(self) -> None:
        """Another row begins."""
        self.first_end, self.fault = 0, None

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.number, _, self.end, line = next(self._lines)
        self.first_end = self.first_end or self.end
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            self.fault = bad_bytes(error, line)
            text = line.decode(errors="replace")
        if len(line) >= MAX_LINE_BYTES:
            self.fault = SampleError("a line of more than 16 MiB")
        return text


def bad_bytes(error: UnicodeDecodeError, line: bytes) -> SampleError:
    """Where a line is no UTF-8."""
    return SampleError("not UTF-8", f"byte {line[error.start]:#04x} at column {error.start + 1}")


def _refuse(path: Path, line: int, got: str, expected: str, do: str = "correct the line") -> NoReturn:
    raise DataError(f"{path}:{line}: {got}", expected=expected, do=do, code="bad-csv")
