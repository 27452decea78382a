"""Reading ``metadata.csv`` and ``metadata.jsonl`` row by row; every fault is named with its file and line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from augmint.core.errors import DataError, did_you_mean
from augmint.core.types import ReadOptions
from augmint.formats.delimited import Delimited
from augmint.formats.line_files import JsonLines
from augmint.formats.table_file import Row, TableFile, gone

READ = frozenset({".csv", ".jsonl"})
# Why a row cannot be read -> (code, what would be right, what to do)
_CURES = {
    "not UTF-8": ("bad-encoding", "text in UTF-8", "convert it: iconv -f latin1 -t utf-8"),
    "broken CSV": ("bad-csv", "comma-separated cells, quotes closed", "correct the line"),
    "wrong number of cells": ("bad-csv", "", 'quote cells that hold commas: "a,b"'),
    "broken JSON": ("bad-json", "one JSON object a line", "correct the line"),
    "not a JSON object": ("bad-json", "one JSON object a line", 'write {"file_name": ..., "label": ...}'),
}
_NAME, _LABEL, _GROUP = "file_name", "label", "group"
# What other tools call the file column, for the hint.
_NAME_ALIASES = frozenset({"filename", "file", "image", "path", "file_path", "filepath", "image_path", "name", "id"})
# URLs, drive letters, paths from the root of the file system.
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[A-Za-z]:[\\/]|/")


@dataclass(frozen=True, slots=True)
class MetadataRow:
    """One row: the file and line it stands in, its label and its group ("" where there is no such column)."""

    file: Path
    line: int
    label: str
    group: str

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class _Columns:
    """Names of the columns: ``label`` is "" where folders give the labels; ``group`` may be absent by default only."""

    label: str
    group: str
    group_needed: bool


def read_rows(path: Path, options: ReadOptions, *, folders_label: bool) -> dict[str, MetadataRow]:
    """All rows by normalised file name, relative to the metadata file's folder.

    Args:
        path: a ``.csv`` or ``.jsonl`` file, UTF-8 with or without BOM.
        options: names of the label and group columns.
        folders_label: the pictures lie in class folders, so that a file with only groups is enough.

    Raises:
        DataError: codes ``bad-encoding``, ``bad-csv``, ``bad-json``, ``missing-column``, ``empty-metadata``,
            ``duplicate-row``, ``outside``, ``empty-label``, ``bad-label``.
    """
    rows: dict[str, MetadataRow] = {}
    columns: _Columns | None = None
    label_kind: type | None = None
    for line, record in _records(path):
        where = f"{path}:{line}"
        if columns is None:
            columns = _choose_columns(where, list(record), options, folders_label)
        name = _inside(record.get(_NAME), where)
        _check_first(name, where, rows)
        label = _label(record, columns.label, where, label_kind) if columns.label else ""
        label_kind = label_kind or type(record.get(columns.label))
        # Labels and groups repeat: interning keeps a million rows small.
        rows[name] = MetadataRow(path, line, sys.intern(label), sys.intern(_group(record, columns, where)))
    if columns is None:
        raise DataError(
            f"{path}: a metadata file without rows",
            expected="a row for each picture",
            do="fill it or delete it",
            code="empty-metadata",
        )
    return rows


def _check_first(name: str, where: str, rows: dict[str, MetadataRow]) -> None:
    if name in rows:
        raise DataError(
            f"{where}: file_name {name!r} a second time (first in {rows[name].where})",
            expected="one row for each file",
            do="delete one of the rows",
            code="duplicate-row",
        )


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, cells by column) of each row, streaming; a faulty row ends it."""
    try:
        file = Delimited(path, ",") if path.suffix.lower() == ".csv" else JsonLines(path)
    except DataError as error:
        if error.code == "empty-file":
            return
        raise
    for row in file.rows():
        if row.cells is None:
            raise _broken(file, row)
        yield row.line, {name.strip(): cell for name, cell in row.cells.items()}


def _broken(file: TableFile, row: Row) -> DataError:
    fault = row.fault or gone()
    code, expected, do = _CURES.get(fault.reason, ("bad-csv", "one row a line", "correct the line"))
    if fault.reason == "wrong number of cells":
        expected = f"{len(file.columns)}: {', '.join(file.columns)}"
    if code == "bad-encoding":
        do = f"{do} {file.path.name}"
    told = str(fault) if fault.reason.startswith("broken") else fault.detail or fault.reason
    return DataError(f"{file.path}:{row.line}: {told}", expected=expected, do=do, code=code)


def _choose_columns(where: str, names: list[str], options: ReadOptions, folders_label: bool) -> _Columns:
    """Which columns are read; an option that names none, or a file without labels, is an error."""
    if _NAME not in names:
        alias = next((name for name in names if name.lower() in _NAME_ALIASES), "")
        do = f"rename the column {alias!r} to {_NAME!r}" if alias else f"add the column {_NAME!r}"
        _missing(where, _NAME, names, do)
    if options.group and options.group not in names:
        _missing(where, options.group, names, _hint("--group", options.group, names))
    label, group = options.label or _LABEL, options.group or _GROUP
    if label in names:
        return _Columns(label, group, bool(options.group))
    if folders_label and group in names and not options.label:
        return _Columns("", group, bool(options.group))
    return _missing(where, label, names, _hint("--label", label, names))


def _hint(flag: str, name: str, names: Iterable[str]) -> str:
    close = did_you_mean(name, names)
    return f"{close} name the column with {flag} COLUMN".strip()


def _missing(where: str, column: str, names: list[str], do: str) -> NoReturn:
    raise DataError(
        f"{where}: no column {column!r}; the columns are {', '.join(map(repr, names))}",
        expected=f"a column {column!r}",
        do=do,
        code="missing-column",
    )


def _inside(name: Any, where: str) -> str:
    """A file name relative to the metadata's folder, without ``.`` and empty parts."""
    if not isinstance(name, str) or not name:
        raise DataError(
            f"{where}: file_name {name!r}",
            expected="the path of a picture",
            do="correct the row",
            code="bad-file-name",
        )
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if _ABSOLUTE.match(name) or ".." in parts or not parts:
        raise DataError(
            f"{where}: file_name {name!r}",
            expected=f"a path inside {str(Path(where).parent)!r}, relative to it, with '/'",
            do="put the picture inside the data set and name it from there",
            code="outside",
        )
    return "/".join(parts)


def _label(record: dict[str, Any], column: str, where: str, kind: type | None) -> str:
    if column not in record:
        _missing(where, column, list(record), "add it to this row")
    value = record[column]
    if value is None or (isinstance(value, str) and not value.strip()):
        raise DataError(
            f"{where}: an empty {column!r}",
            expected="a class name",
            do="label the picture or delete it",
            code="empty-label",
        )
    if isinstance(value, bool) or not isinstance(value, str | int) or not _is_unicode(str(value)):
        what = "several labels" if isinstance(value, list | dict) else f"a label of type {type(value).__name__}"
        raise DataError(
            f"{where}: {column!r} = {value!r}: {what}",
            expected="one class name or whole number",
            do="give each picture one class; numbers and several labels are not supported yet",
            code="bad-label",
        )
    if kind is not None and not isinstance(value, kind):
        raise DataError(
            f"{where}: {column!r} = {value!r} ({type(value).__name__})",
            expected=f"{kind.__name__}, as in the rows before",
            do="write all labels the same way",
            code="bad-label",
        )
    return str(value)


def _group(record: dict[str, Any], columns: _Columns, where: str) -> str:
    if columns.group_needed and columns.group not in record:
        _missing(where, columns.group, list(record), "add it to this row")
    value = record.get(columns.group)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or not _is_unicode(str(value)):
        raise DataError(
            f"{where}: {columns.group!r} = {value!r}",
            expected="a name or whole number",
            do="correct the row",
            code="bad-group",
        )
    return str(value)


def _is_unicode(text: str) -> bool:
    # JSON can spell half of a surrogate pair, which no file can store.
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)
