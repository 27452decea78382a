"""The rows of tables as entries: where each is, and a million of them in a few numbers each."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from augmint.core.types import I64, SPLIT_NAMES, Entries, Entry
from augmint.formats.table_cells import Cutter
from augmint.formats.table_file import TableFile
from augmint.formats.table_folder import open_table


@dataclass(frozen=True)
class Table:
    """A file of rows and how they are read; picklable, so that a worker opens it anew.

    Attributes:
        path, kind: the file; "csv", "tsv", "jsonl", "parquet" or "arrow".
        split: what its name says, "" for one file.
        name: what it is called in the ids of its rows.
        columns: all its columns, in order.
        cutter: which columns are read.
        strings: the columns that hold strings, as far as the first rows tell; ``blank``: those that hold nothing there.
        labels: type of the labels: "str", "int" or "bool".
        groups: type of the groups: "str" or "int".
        split_words: how the data's column of splits spells each split first.
        schema: the types of the columns, where the file has them.
    """

    path: Path
    kind: str
    split: str
    name: str
    columns: tuple[str, ...]
    cutter: Cutter
    strings: frozenset[str] = frozenset()
    blank: frozenset[str] = frozenset()
    labels: str = "str"
    groups: str = "str"
    split_words: Mapping[str, str] = field(default_factory=dict)
    schema: bytes = field(default=b"", repr=False)

    def open(self) -> TableFile:
        """Its reader."""
        return open_table(self.path, self.kind)


@dataclass(frozen=True)
class RowEntry(Entry):
    """A row of a table: the place to read it again from."""

    line: int = 0
    offset: int = 0
    length: int = 0
    table: Table | None = None

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.source}:{self.line}"


class Strings:
    """Many short strings end to end."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("q", [0])

    def append(self, text: str) -> None:
        """One more."""
        self._bytes += text.encode()
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, at: int) -> str:
        return self._bytes[self._ends[at] : self._ends[at + 1]].decode()

    def twin(self) -> tuple[int, int] | None:
        """The first two places with the same string, where there are any."""
        # Equal strings have equal hashes; those with equal hashes are then compared.
        hashes = np.fromiter((hash(self[at]) for at in range(len(self))), np.int64, len(self))
        order = np.argsort(hashes, kind="stable")
        close = np.flatnonzero(np.diff(hashes[order]) == 0)
        pairs = ((int(order[at]), int(order[at + 1])) for at in close)
        # The first in the data, since the order of hashes is another one in each process.
        return min(((first, second) for first, second in pairs if self[first] == self[second]), default=None)


class Rows:
    """Rows that are collected while tables are scanned, and the entries of them.

    Attributes:
        tables: the files.
        classes: name -> number, in the order they are met.
        ids: what the column of ids says; empty where there is none or it is not unique.
        all_ids: every row so far has an id.
    """

    def __init__(self) -> None:
        self.tables: list[Table] = []
        self.classes: dict[str, int] = {}
        self.ids, self.all_ids = Strings(), True
        self._groups = Strings()
        self._file, self._line, self._length = array("H"), array("q"), array("i")
        self._offset, self._row = array("q"), array("i")
        self._label, self._split = array("i"), array("b")

    def __len__(self) -> int:
        return len(self._line)

    def append(
        self, row: int, place: tuple[int, int, int], label: str | None, group: str, split: str, id_: str
    ) -> None:
        """A row of the table added last: its number, its (line, offset, length), and what it is."""
        self._file.append(len(self.tables) - 1)
        self._row.append(row)
        line, offset, length = place
        self._line.append(line)
        self._offset.append(offset)
        self._length.append(length)
        self._label.append(-1 if label is None else self.classes.setdefault(label, len(self.classes)))
        self._groups.append(group)
        if self.all_ids:
            self.all_ids = bool(id_)
            self.ids.append(id_)
        self._split.append(SPLIT_NAMES.index(split))

    def twin_ids(self) -> tuple[int, int] | None:
        """Two rows with one id, where every row has one and there are such."""
        return self.ids.twin() if self.all_ids else None

    def drop_ids(self) -> None:
        """Name rows by file and line."""
        self.ids, self.all_ids = Strings(), False
        for at, table in enumerate(self.tables):
            columns = replace(table.cutter.columns, id="")
            self.tables[at] = replace(table, cutter=replace(table.cutter, columns=columns))

    def where(self, at: int) -> str:
        """``file:line`` of a row."""
        return f"{self.tables[self._file[at]].path}:{self._line[at]}"

    def first_of(self, label: str, split: str) -> int:
        """The first row of a class in a split."""
        code, part = self.classes[label], SPLIT_NAMES.index(split)
        return next(i for i in range(len(self)) if self._label[i] == code and self._split[i] == part)

    def classes_of(self, split: str) -> set[str]:
        """The classes that a split has rows of."""
        part = np.frombuffer(self._split, np.int8) == SPLIT_NAMES.index(split)
        names = list(self.classes)
        return {names[code] for code in np.unique(np.frombuffer(self._label, np.int32)[part]) if code >= 0}

    def count(self, split: str) -> int:
        """Rows of a split."""
        return int(np.count_nonzero(np.frombuffer(self._split, np.int8) == SPLIT_NAMES.index(split)))

    def entries(self, classes: Sequence[str]) -> Entries:
        """All rows, those of "train" first; ``classes`` in the order of the listing."""
        splits = np.frombuffer(self._split, np.int8)
        place = np.array([classes.index(name) for name in self.classes] + [-1], np.int32)
        labels = place[np.frombuffer(self._label, np.int32)]
        order: I64 = np.argsort(splits, kind="stable").astype(np.int64)
        return Entries(_Maker(self, tuple(classes), labels), order, splits, labels)

    def entry(self, at: int, target: str | None) -> RowEntry:
        """The entry of a row."""
        table = self.tables[self._file[at]]
        line = self._line[at]
        return RowEntry(
            self.ids[at] if len(self.ids) else f"{table.name}:{line}",
            table.path,
            self._row[at],
            target,
            self._groups[at],
            SPLIT_NAMES[self._split[at]],
            line,
            self._offset[at],
            self._length[at],
            table,
        )


@dataclass(frozen=True)
class _Maker:
    rows: Rows
    classes: tuple[str, ...]
    labels: np.ndarray

    def __call__(self, at: int) -> RowEntry:
        code = self.labels[at]
        return self.rows.entry(at, self.classes[code] if code >= 0 else None)
