"""What the readers of tables have in common: a file of rows, each of which can be read again from its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augmint.core.errors import SampleError

Cells = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was found.

    Attributes:
        line: the line it begins on, counted from 1; in files without lines the number of the row, from 0.
        offset: where to find it again: its first byte, or the number of the row.
        length: its bytes, without the end of the line; 0 in files without lines.
        cells: value of each column; None for a row that cannot be read.
        fault: why it cannot be read.
    """

    line: int
    offset: int
    length: int
    cells: Cells | None
    fault: SampleError | None = None


class TableFile(ABC):
    """A file of rows and named columns. Opening it reads as much as tells the columns."""

    path: Path
    columns: tuple[str, ...]
    class_names: Mapping[str, Sequence[str]] = {}
    """Names of the numbers in a column, where the file has them (a Hugging Face ClassLabel)."""

    schema: bytes = b""
    """The types of the columns, where the file has them (serialized Arrow schema)."""

    @abstractmethod
    def rows(self, columns: Sequence[str] = ()) -> Iterator[Row]:
        """All rows in order, streaming; where the file is stored by columns, only these of them ("": all)."""

    @abstractmethod
    def read(self, offset: int, length: int, columns: Sequence[str] = ()) -> tuple[bytes, Cells]:
        """The stored bytes of a row, with all its columns, and the cells of those asked for.

        Raises:
            SampleError: there is no such row any more, or it cannot be read.
        """


def gone() -> SampleError:
    """The error for a place at which there is no such row any more."""
    return SampleError("the row is gone", "the file changed since it was listed")
