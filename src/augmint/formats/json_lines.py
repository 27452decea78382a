"""Rows of ``.jsonl`` files: one JSON object a line, whose keys are the columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from weakref import finalize

from augmint.core.errors import SampleError
from augmint.formats.byte_lines import MAX_LINE_BYTES, numbered_lines, open_bytes, text_start
from augmint.formats.delimited import bad_bytes
from augmint.formats.table_file import Cells, Row, TableFile, gone

_PEEK = 1000


class JsonLines(TableFile):
    """A file of JSON objects. Its columns are the keys of the first 1,000, in the order they come up."""

    def __init__(self, path: Path) -> None:
        """Look at the first rows.

        Raises:
            DataError: codes ``empty-file``, ``bad-encoding``, ``unreadable-file``.
        """
        self.path = path
        self._file = open_bytes(path)
        finalize(self, self._file.close)
        self._start = text_start(path, self._file)
        first = (row.cells for row in islice(self.rows(), _PEEK) if row.cells)
        self.columns = tuple(dict.fromkeys(name for cells in first for name in cells))

    def rows(self, columns: Sequence[str] = ()) -> Iterator[Row]:
        """All rows; blank lines are none."""
        with open_bytes(self.path) as file:
            for number, offset, _, line in numbered_lines(file, self._start):
                body = line.strip()
                if body:
                    cells, fault = self._try(body, len(line))
                    yield Row(number, offset + line.index(body[:1]), len(body), cells, fault)

    def _try(self, body: bytes, line: int) -> tuple[Cells | None, SampleError | None]:
        if line >= MAX_LINE_BYTES:
            return None, SampleError("a line of more than 16 MiB")
        try:
            return self.parse(body), None
        except SampleError as error:
            return None, error

    def read(self, offset: int, length: int, columns: Sequence[str] = ()) -> tuple[bytes, Cells]:
        """One row, from its first byte and its length."""
        self._file.seek(offset)
        raw = self._file.read(length)
        if len(raw) != length:
            raise gone()
        return raw, self.parse(raw)

    def parse(self, raw: bytes) -> Cells:
        """The cells of a row's bytes; raises SampleError."""
        try:
            found = json.loads(raw.decode())
        except UnicodeDecodeError as error:
            raise bad_bytes(error, raw) from error
        except (ValueError, RecursionError) as error:
            raise SampleError("broken JSON", str(error)) from error
        if not isinstance(found, dict):
            raise SampleError("not a JSON object", f"JSON of type {type(found).__name__}")
        return found
