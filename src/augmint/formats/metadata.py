"""Reading ``metadata.csv`` and ``metadata.jsonl`` row by row; every fault is named with its file and line."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from augmint.core.errors import DataError, did_you_mean
from augmint.core.types import ReadOptions

READ = frozenset({".csv", ".jsonl"})
_MAX_LINE_BYTES = 1 << 24
_NAME, _LABEL, _GROUP = "file_name", "label", "group"
# What other tools call the file column, for the hint.
_NAME_ALIASES = frozenset({"filename", "file", "image", "path", "file_path", "filepath", "image_path", "name", "id"})
# URLs, drive letters, paths from the root of the file system.
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[A-Za-z]:[\\/]|/")


@dataclass(frozen=True, slots=True)
class Row:
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


def read_rows(path: Path, options: ReadOptions, *, folders_label: bool) -> dict[str, Row]:
    """All rows by normalised file name, relative to the metadata file's folder.

    Args:
        path: a ``.csv`` or ``.jsonl`` file, UTF-8 with or without BOM.
        options: names of the label and group columns.
        folders_label: the pictures lie in class folders, so that a file with only groups is enough.

    Raises:
        DataError: codes ``bad-encoding``, ``bad-csv``, ``bad-json``, ``missing-column``, ``empty-metadata``,
            ``duplicate-row``, ``outside``, ``empty-label``, ``bad-label``.
    """
    rows: dict[str, Row] = {}
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
        rows[name] = Row(path, line, sys.intern(label), sys.intern(_group(record, columns, where)))
    if columns is None:
        raise DataError(
            f"{path}: a metadata file without rows",
            expected="a row for each picture",
            do="fill it or delete it",
            code="empty-metadata",
        )
    return rows


def _check_first(name: str, where: str, rows: dict[str, Row]) -> None:
    if name in rows:
        raise DataError(
            f"{where}: file_name {name!r} a second time (first in {rows[name].where})",
            expected="one row for each file",
            do="delete one of the rows",
            code="duplicate-row",
        )


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, cells by column) of each row, streaming."""
    return _csv(path) if path.suffix.lower() == ".csv" else _jsonl(path)


def _lines(path: Path) -> Iterator[str]:
    """Lines with their ends, decoded; a BOM is dropped."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES), b""), start=1):
            if len(line) == _MAX_LINE_BYTES:
                raise DataError(
                    f"{path}:{number}: a line of more than 16 MiB",
                    expected="one row a line",
                    do="break the line",
                    code="bad-csv",
                )
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}:{number}: byte {line[error.start]:#04x} at column {error.start + 1}",
                    expected="text in UTF-8",
                    do=f"convert it: iconv -f latin1 -t utf-8 {path.name}",
                    code="bad-encoding",
                ) from error


def _jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{path}:{number}: broken JSON: {error}",
                expected="one JSON object a line",
                do="correct the line",
                code="bad-json",
            ) from error
        if not isinstance(record, dict):
            raise DataError(
                f"{path}:{number}: JSON of type {type(record).__name__}",
                expected="one JSON object a line",
                do='write {"file_name": ..., "label": ...}',
                code="bad-json",
            )
        yield number, record


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(_lines(path), strict=True)
    header: list[str] = []
    before = 0  # a row may span lines; its place is the first of them
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not cells:
                continue
            if not header:
                header = _header(path, line, cells)
                continue
            if len(cells) != len(header):
                raise DataError(
                    f"{path}:{line}: {len(cells)} cells",
                    expected=f"{len(header)}: {', '.join(header)}",
                    do='quote cells that hold commas: "a,b"',
                    code="bad-csv",
                )
            yield line, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError(
            f"{path}:{before + 1}: broken CSV: {error}",
            expected="comma-separated cells, quotes closed",
            do="correct the line",
            code="bad-csv",
        ) from error


def _header(path: Path, line: int, cells: list[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(
            f"{path}:{line}: column {twice[0]!r} twice",
            expected="every column once",
            do="rename one",
            code="bad-csv",
        )
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise DataError(
            f"{path}:{line}: one column {header[0]!r}",
            expected="cells separated by commas",
            do="save it as CSV with commas",
            code="bad-csv",
        )
    return header


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
