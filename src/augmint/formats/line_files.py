"""Files of one row a line: ``.jsonl``, whose objects' keys are the columns, and ``.txt``, whose lines are the texts."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from weakref import finalize

from augmint.core.errors import SampleError
from augmint.formats.byte_lines import MAX_LINE_BYTES, numbered_lines, open_bytes, text_start
from augmint.formats.delimited import bad_bytes
from augmint.formats.table_file import Cells, Row, TableFile, gone

_PEEK = 1000


class _LineFile(TableFile):
    """A file with a row on every line that is not blank."""

    def __init__(self, path: Path) -> None:
        """Look at the first bytes.

        Raises:
            DataError: codes ``empty-file``, ``bad-encoding``, ``unreadable-file``.
        """
        self.path = path
        self._file = open_bytes(path)
        finalize(self, self._file.close)
        self._start = text_start(path, self._file)

    @abstractmethod
    def parse(self, text: str) -> Cells:
        """The cells of a line; raises SampleError."""

    def rows(self, columns: Sequence[str] = ()) -> Iterator[Row]:
        """All rows."""
        with open_bytes(self.path) as file:
            for number, offset, _, line in numbered_lines(file, self._start):
                body = line.strip()
                if body or len(line) >= MAX_LINE_BYTES:
                    cells, fault = self._try(body, len(line))
                    yield Row(number, offset + line.index(body[:1]), len(body), cells, fault)

    def read(self, offset: int, length: int, columns: Sequence[str] = ()) -> tuple[bytes, Cells]:
        """One row, from its first byte and its length."""
        self._file.seek(offset)
        raw = self._file.read(length)
        if len(raw) != length:
            raise gone()
        return raw, self._decoded(raw)

    def _decoded(self, raw: bytes) -> Cells:
        try:
            return self.parse(raw.decode())
        except UnicodeDecodeError as error:
            raise bad_bytes(error, raw) from error

    def _try(self, body: bytes, line: int) -> tuple[Cells | None, SampleError | None]:
        if line >= MAX_LINE_BYTES:
            return None, SampleError("a line of more than 16 MiB")
        try:
            return self._decoded(body), None
        except SampleError as error:
            return None, error


class JsonLines(_LineFile):
    """A file of JSON objects. Its columns are the keys of the first 1,000, in the order they come up."""

    def __init__(self, path: Path) -> None:
        """Look at the first rows."""
        super().__init__(path)
        first = (row.cells for row in islice(self.rows(), _PEEK) if row.cells)
        self.columns = tuple(dict.fromkeys(name for cells in first for name in cells))

    def parse(self, text: str) -> Cells:
        """The object on a line."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SampleError("broken JSON", str(error)) from error
        if not isinstance(found, dict):
            raise SampleError("not a JSON object", f"JSON of type {type(found).__name__}")
        return found


class PlainLines(_LineFile):
    """A file with one column, ``text``: a pool, since data sets need labels."""

    columns = ("text",)

    def parse(self, text: str) -> Cells:
        """The line itself."""
        return {"text": text}
