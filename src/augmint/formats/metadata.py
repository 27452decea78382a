"""Reading ``metadata.csv`` and ``metadata.jsonl`` row by row; every fault is named with its file and line."""

from __future__ import annotations

import csv
import json
import re
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
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|file:|[A-Za-z]:[\\/]|[\\/~]")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it stands (``file:line``), its label and its group ("" where the column is not there)."""

    where: str
    label: str
    group: str


@dataclass(frozen=True)
class _Columns:
    label: str
    group: str


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
        if name in rows:
            _fault(where, f"file_name {name!r} a second time (first in {rows[name].where})", "one row for each file",
                   "delete one of the rows", "duplicate-row")  # fmt: skip
        label = _label(record, columns.label, where, label_kind) if columns.label else ""
        label_kind = label_kind or type(record.get(columns.label))
        rows[name] = Row(where, label, _group(record, columns.group, where))
    if columns is None:
        _fault(str(path), "a metadata file without rows", "a row for each picture", "fill it or delete it",
               "empty-metadata")  # fmt: skip
    return rows


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, cells by column) of each row, streaming."""
    return _csv(path) if path.suffix.lower() == ".csv" else _jsonl(path)


def _lines(path: Path) -> Iterator[str]:
    """Lines with their ends, decoded; a BOM is dropped."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES), b""), start=1):
            if len(line) == _MAX_LINE_BYTES:
                _fault(f"{path}:{number}", "a line of more than 16 MiB", "one row a line", "break the line",
                       "bad-csv")  # fmt: skip
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                _fault(f"{path}:{number}", f"byte {line[error.start]:#04x} at column {error.start + 1}",
                       "text in UTF-8", f"convert it: iconv -f latin1 -t utf-8 {path.name}",
                       "bad-encoding")  # fmt: skip


def _jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            _fault(f"{path}:{number}", f"broken JSON: {error}", "one JSON object a line", "correct the line",
                   "bad-json")  # fmt: skip
        if not isinstance(record, dict):
            _fault(f"{path}:{number}", f"JSON of type {type(record).__name__}", "one JSON object a line",
                   'write {"file_name": ..., "label": ...}', "bad-json")  # fmt: skip
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
                _fault(f"{path}:{line}", f"{len(cells)} cells", f"{len(header)}: {', '.join(header)}",
                       'quote cells that hold commas: "a,b"', "bad-csv")  # fmt: skip
            yield line, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        _fault(f"{path}:{before + 1}", f"broken CSV: {error}", "comma-separated cells, quotes closed",
               "correct the line", "bad-csv")  # fmt: skip


def _header(path: Path, line: int, cells: list[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        _fault(f"{path}:{line}", f"column {twice[0]!r} twice", "every column once", "rename one", "bad-csv")
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        _fault(f"{path}:{line}", f"one column {header[0]!r}", "cells separated by commas",
               "save it as CSV with commas", "bad-csv")  # fmt: skip
    return header


def _choose_columns(where: str, names: list[str], options: ReadOptions, folders_label: bool) -> _Columns:
    """Which columns are read; an option that names none, or a file without labels, is an error."""
    if _NAME not in names:
        alias = next((name for name in names if name.lower() in _NAME_ALIASES), "")
        do = f"rename the column {alias!r} to {_NAME!r}" if alias else f"add the column {_NAME!r}"
        _missing(where, _NAME, names, do)
    if options.group and options.group not in names:
        _missing(where, options.group, names, _hint("--group", options.group, names))
    label = options.label or _LABEL
    group = options.group or (_GROUP if _GROUP in names else "")
    if label in names:
        return _Columns(label, group)
    if folders_label and group and not options.label:
        return _Columns("", group)
    return _missing(where, label, names, _hint("--label", label, names))


def _hint(flag: str, name: str, names: Iterable[str]) -> str:
    close = did_you_mean(name, names)
    return f"{close} name the column with {flag} COLUMN".strip()


def _missing(where: str, column: str, names: list[str], do: str) -> NoReturn:
    _fault(where, f"no column {column!r}; the columns are {', '.join(map(repr, names))}", f"a column {column!r}", do,
           "missing-column")  # fmt: skip


def _inside(name: Any, where: str) -> str:
    """A file name relative to the metadata's folder, without ``.`` and empty parts."""
    if not isinstance(name, str) or not name:
        _fault(where, f"file_name {name!r}", "the path of a picture", "correct the row", "bad-file-name")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if _ABSOLUTE.match(name) or ".." in parts or not parts:
        _fault(where, f"file_name {name!r}", f"a path inside {str(Path(where).parent)!r}, relative to it, with '/'",
               "put the picture inside the data set and name it from there", "outside")  # fmt: skip
    return "/".join(parts)


def _label(record: dict[str, Any], column: str, where: str, kind: type | None) -> str:
    if column not in record:
        _missing(where, column, list(record), "add it to this row")
    value = record[column]
    if value is None or (isinstance(value, str) and not value.strip()):
        _fault(where, f"an empty {column!r}", "a class name", "label the picture or delete it", "empty-label")
    if isinstance(value, bool) or not isinstance(value, str | int):
        what = "several labels" if isinstance(value, list | dict) else f"a label of type {type(value).__name__}"
        _fault(where, f"{column!r} = {value!r}: {what}", "one class name or whole number",
               "give each picture one class; numbers and several labels are not supported yet",
               "bad-label")  # fmt: skip
    if kind is not None and not isinstance(value, kind):
        _fault(where, f"{column!r} = {value!r} ({type(value).__name__})", f"{kind.__name__}, as in the rows before",
               "write all labels the same way", "bad-label")  # fmt: skip
    return str(value)


def _group(record: dict[str, Any], column: str, where: str) -> str:
    value = record.get(column) if column else None
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        _fault(where, f"{column!r} = {value!r}", "a name or whole number", "correct the row", "bad-group")
    return str(value)


def _fault(where: str, got: str, expected: str, do: str, code: str) -> NoReturn:
    raise DataError(f"{where}: {got}", expected=expected, do=do, code=code)
