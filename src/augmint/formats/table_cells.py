"""From cells to the parts of a sample: texts, label, group, spans; what is not as it should be has a reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from augmint.core.errors import SampleError
from augmint.formats.table_columns import Columns
from augmint.formats.table_file import Cells

MAX_TEXT_BYTES = 1_000_000
"""Longest text that is read, in UTF-8."""


@dataclass(frozen=True)
class Cutter:
    """Cuts a row into the parts of a sample.

    Attributes:
        columns: where the parts are.
        names: names of the label's numbers, where the file has them.
    """

    columns: Columns
    names: tuple[str, ...] = ()

    def content(self, cells: Cells) -> str | dict[str, str]:
        """The text, or the texts of a pair by column; raises SampleError."""
        texts = {name: text_of(cells, name) for name in self.columns.text}
        return texts if len(texts) > 1 else next(iter(texts.values()))

    def label(self, cells: Cells) -> str:
        """Name of the class; raises SampleError."""
        value = _present(cells, self.columns.label)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # a column of whole numbers with gaps, as pandas writes it
        if not isinstance(value, str | int):
            what = "several labels" if isinstance(value, list | dict) else f"a label of type {type(value).__name__}"
            raise SampleError("a label that is no class", f"{self.columns.label!r}: {what}")
        if isinstance(value, str):
            _check_unicode(value, self.columns.label)
            if not value.strip():
                raise SampleError("no label", f"{self.columns.label!r} is empty")
            return value
        if self.names and not isinstance(value, bool):
            if not 0 <= value < len(self.names):
                reason = "no label" if value == -1 else "a label that is no class"
                raise SampleError(reason, f"{self.columns.label!r} = {value}, of {len(self.names)} classes")
            return self.names[value]
        return str(value)

    def group(self, cells: Cells) -> str:
        """Name of the group, "" for none; raises SampleError."""
        return _name(cells, self.columns.group)

    def id(self, cells: Cells) -> str:
        """What the column of ids says, "" for nothing and for what is no name."""
        try:
            return _name(cells, self.columns.id)
        except SampleError:  # an object or bytes, say: nobody asked for this column, so the row is named by its line
            return ""

    def spans(self, cells: Cells, content: str | dict[str, str]) -> tuple[tuple[Any, ...], ...]:
        """``(start, end, label)`` of each span, with the column where the content is a pair; raises SampleError."""
        name = self.columns.spans
        if not name:
            return ()
        stored = cells.get(name)
        if isinstance(stored, str):
            try:
                stored = json.loads(stored) if stored.strip() else []
            except ValueError as error:
                raise SampleError("broken spans", f"{name!r}: no JSON: {error}") from error
        if not isinstance(stored, list | None):
            raise SampleError("broken spans", f"{name!r}: {type(stored).__name__} instead of a list")
        return tuple(_span(name, span, content) for span in stored or [])


def text_of(cells: Cells, name: str) -> str:
    """A text that can be worked on; raises SampleError."""
    value = _present(cells, name)
    if not isinstance(value, str):
        raise SampleError("not a text", f"{name!r} is of type {type(value).__name__}")
    if not value.strip():
        raise SampleError("empty text", f"{name!r} is empty")
    if "\0" in value:
        raise SampleError("a NUL character", f"in {name!r}")
    _check_unicode(value, name)
    if len(value) > MAX_TEXT_BYTES or (len(value) > MAX_TEXT_BYTES // 4 and len(value.encode()) > MAX_TEXT_BYTES):
        raise SampleError("text over 1 MB", f"{len(value.encode())} bytes in {name!r}")
    return value


def stored_spans(spans: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Spans as a table holds them; the inverse of :meth:`Cutter.spans`."""
    return [dict(zip(("start", "end", "label", "column"), span, strict=False)) for span in spans]


def _present(cells: Cells, name: str) -> Any:
    value = cells.get(name)
    if value is None or (isinstance(value, float) and value != value):
        raise SampleError("no such column" if name not in cells else "an empty cell", repr(name))
    return value


def _name(cells: Cells, name: str) -> str:
    value = cells.get(name) if name else None
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise SampleError("a name of another type", f"{name!r} is of type {type(value).__name__}")
    _check_unicode(str(value), name)
    return str(value)


def _check_unicode(text: str, name: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON can spell half of a surrogate pair, which no file can store
        raise SampleError("not Unicode text", f"half a surrogate pair in {name!r}") from error


def _span(name: str, span: Any, content: str | dict[str, str]) -> tuple[Any, ...]:
    if not isinstance(span, Mapping) or not {"start", "end", "label"} <= set(span):
        raise SampleError("broken spans", f"{name!r}: {span!r} instead of start, end and label")
    start, end, label, column = span["start"], span["end"], span["label"], span.get("column")
    pair = isinstance(content, dict)
    text = content.get(str(column), "") if isinstance(content, dict) else content
    numbers = all(isinstance(at, int) and not isinstance(at, bool) for at in (start, end))
    if not numbers or not 0 <= start < end <= len(text):
        raise SampleError("broken spans", f"{name!r}: {start} to {end} of a text of {len(text)} characters")
    return (start, end, label, str(column)) if pair else (start, end, label)
