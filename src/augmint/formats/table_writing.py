"""Tables of an output set: originals with every cell as it was, children, and the columns that tell of their parents.

``layout_of`` says how a split is to be written (kind and columns of the input), ``open_writer`` writes it row by row,
the same bytes for the same rows. Reading what was written gives the same texts, labels, groups and spans.

Cells are written as they are, also where they begin with ``= + - @``. OWASP's advice against spreadsheet formulas, a
quote put before such a cell, changes the text, and what a model learns from must be what the user gave; pandas,
``datasets`` and Python's ``csv`` write them unchanged too. Open such files in a spreadsheet by its import dialogue,
all columns as text.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from augmint.core.types import Entry, Sample
from augmint.formats.columnar import arrow
from augmint.formats.delimited import Delimited
from augmint.formats.table_cells import Cutter, stored_spans
from augmint.formats.table_columns import name_provenance, own_columns
from augmint.formats.table_rows import RowEntry
from augmint.formats.writing import LINE_BREAKS

_NUMBERS = frozenset({"label_weights", "label_probs"})
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_ROW_GROUP = 10_000


@dataclass(frozen=True)
class Layout:
    """How a split is written.

    Attributes:
        kind: "csv", "tsv", "jsonl" or "parquet".
        file: name of the file: ``train.csv``.
        split: what it is.
        columns: the data's own columns, in the input's order.
        stored: all columns of a stored row, those of an earlier run of augmint among them.
        cutter: which columns are read.
        own: fact -> the column of the data that holds it for originals and children alike (ids, groups).
        facts: fact -> the column that is added for it.
        labels: type of the labels: "str", "int" or "bool".
        groups: type of the groups: "str" or "int".
        split_word: how the data's column of the split spells it ("Train"); "" as we do.
        spans_as_text: the column of spans holds JSON text.
        schema: types of the stored columns (Parquet).
    """

    kind: str
    file: str
    split: str
    columns: tuple[str, ...]
    stored: tuple[str, ...]
    cutter: Cutter
    own: Mapping[str, str]
    facts: Mapping[str, str]
    labels: str = "str"
    groups: str = "str"
    spans_as_text: bool = False
    split_word: str = ""
    schema: bytes = field(default=b"", repr=False)

    @property
    def header(self) -> tuple[str, ...]:
        """All columns of the written file."""
        return (*self.columns, *self.facts.values())

    def made(self, sample: Sample, label: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Cells of a child: what it has, and None in the columns that only originals have."""
        columns, content = self.cutter.columns, sample.content
        cells: dict[str, Any] = dict.fromkeys(self.columns)
        cells.update(content if isinstance(content, dict) else {columns.text[0]: content})
        cells[columns.label] = self._label(label)
        if columns.spans:
            spans = stored_spans(sample.spans)
            cells[columns.spans] = json.dumps(spans, ensure_ascii=False) if self.spans_as_text else spans
        if columns.split:
            cells[columns.split] = self.split_word or self.split
        if columns.group in self.columns and facts["group"]:
            cells[columns.group] = _number(facts["group"]) if self.groups == "int" else facts["group"]
        return cells | {column: facts[key] for key, column in self.own.items()}

    def added(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Cells of the columns that are added."""
        return {column: facts[key] for key, column in self.facts.items()}

    def _label(self, name: str) -> Any:
        if self.cutter.names:
            return self.cutter.names.index(name)
        if self.labels == "bool":
            return name == "True"
        return int(name) if self.labels == "int" else name


def _number(group: str) -> int | None:
    """A group as a number; None for a child of several, whose groups are in the column that is added."""
    return int(group) if group.removeprefix("-").isdecimal() else None


def layout_of(entries: Sequence[Entry], *, soft: bool) -> Layout:
    """How the entries of one split are written; ``soft`` adds the column ``label_probs``.

    A packed file is written unpacked (compressed bytes differ between versions of zlib), a saved Hugging Face data
    set as Parquet with its class names, which ``load_dataset`` opens.
    """
    entry = entries[0]
    assert isinstance(entry, RowEntry) and entry.table is not None
    table = entry.table
    earlier = own_columns(table.columns)
    columns = tuple(name for name in table.columns if name not in earlier.values())
    read = table.cutter.columns
    own = {
        key: name for key, name in (("id", read.id), ("group", read.group)) if name in columns and name in table.strings
    }
    names = name_provenance(columns, [name for key, name in own.items() if name == key])
    facts = {key: name for key, name in names.items() if name not in columns and (soft or key != "label_probs")}
    kind = "parquet" if table.kind == "arrow" else table.kind
    return Layout(
        kind,
        f"{entry.split}.{kind}",
        entry.split,
        columns,
        table.columns,
        table.cutter,
        own,
        facts,
        table.labels,
        table.groups,
        read.spans in table.strings,
        table.split_words.get(entry.split, ""),
        table.schema,
    )


class TableWriter(ABC):
    """Writes rows in the order they are given; close it to have them all in the file."""

    def __init__(self, file: IO[bytes], layout: Layout) -> None:
        self.file, self.layout = file, layout

    @abstractmethod
    def original(self, sample: Sample, facts: Mapping[str, Any]) -> None:
        """A row as it was stored (``sample.raw``), and the facts about it."""

    @abstractmethod
    def child(self, sample: Sample, label: str, facts: Mapping[str, Any]) -> None:
        """A made row: content and spans of ``sample``, the name of its class, and the facts about it."""

    def close(self) -> None:
        """Write what is still held back; the file itself stays open."""
        self.file.flush()


def open_writer(file: IO[bytes], layout: Layout) -> TableWriter:
    """A writer of this layout into a file opened for writing bytes.

    Facts are those of ``metadata.jsonl``: ``is_synthetic``, ``id``, ``group``, ``refs``, ``label_weights``,
    ``label_by``, ``scores``, ``note``, ``method``, ``model``, and ``label_probs`` where labels are soft.

    Raises:
        ModelError: code ``extra``: Parquet, and no pyarrow.
    """
    writers = {"jsonl": _JsonWriter, "parquet": _ParquetWriter}
    return writers.get(layout.kind, _DelimitedWriter)(file, layout)


class _DelimitedWriter(TableWriter):
    """Comma- or tab-separated cells; lists as JSON, nothing as an empty cell; lines end in LF."""

    def __init__(self, file: IO[bytes], layout: Layout) -> None:
        super().__init__(file, layout)
        self._delimiter = _DELIMITERS[layout.kind]
        self._write({name: name for name in layout.header})

    def original(self, sample: Sample, facts: Mapping[str, Any]) -> None:
        """The cells of the stored row."""
        assert sample.raw is not None
        cells = Delimited.cut(sample.raw, self._delimiter, self.layout.stored)
        self._write({**cells, **self.layout.added(facts)})

    def child(self, sample: Sample, label: str, facts: Mapping[str, Any]) -> None:
        """Empty cells where only originals have something."""
        self._write(self.layout.made(sample, label, facts) | self.layout.added(facts))

    def _write(self, cells: Mapping[str, Any]) -> None:
        line = self._delimiter.join(self._quoted(_plain(cells[name])) for name in self.layout.header)
        self.file.write(((line or '""') + "\n").encode())

    def _quoted(self, cell: str) -> str:
        # Own code, because which cells Python's csv quotes (a bare CR) depends on its version.
        odd = any(mark in cell for mark in ('"', "\n", "\r", self._delimiter))
        return '"' + cell.replace('"', '""') + '"' if odd else cell


def _plain(value: Any) -> str:
    """A value as the text of a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class _JsonWriter(TableWriter):
    """One JSON object a line. An original keeps its very bytes, with the added columns before the last brace."""

    def original(self, sample: Sample, facts: Mapping[str, Any]) -> None:
        """The stored object and the facts."""
        assert sample.raw is not None
        added = self.layout.added(facts)
        if len(self.layout.columns) < len(self.layout.stored):  # columns of an earlier run give way
            keep = set(self.layout.columns)
            cells = {key: value for key, value in json.loads(sample.raw).items() if key in keep}
            self._write(cells | added)
        else:
            head, tail = sample.raw.rstrip()[:-1].rstrip(), _dump(added)
            self.file.write(head + b", " + tail[1:] + b"\n")

    def child(self, sample: Sample, label: str, facts: Mapping[str, Any]) -> None:
        """Null where only originals have something."""
        self._write(self.layout.made(sample, label, facts) | self.layout.added(facts))

    def _write(self, cells: Mapping[str, Any]) -> None:
        self.file.write(_dump(cells) + b"\n")


def _dump(cells: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(cells, ensure_ascii=False).translate(LINE_BREAKS).encode()
    except UnicodeEncodeError:  # half a surrogate pair in a column that is not read: UTF-8 has none, JSON spells it
        return json.dumps(cells).encode()


class _ParquetWriter(TableWriter):
    """Row groups of 10,000, pages with checksums; types of the data's own columns as they were."""

    def __init__(self, file: IO[bytes], layout: Layout) -> None:
        super().__init__(file, layout)
        pa = arrow()
        from pyarrow import parquet

        self._stored = pa.ipc.read_schema(pa.py_buffer(layout.schema))
        fields = [self._stored.field(name).with_nullable(True) for name in layout.columns]
        fields += [pa.field(name, _arrow_type(key)) for key, name in layout.facts.items()]
        self._schema = pa.schema(fields, metadata=self._stored.metadata)
        self._batches: list[Any] = []
        self._writer = parquet.ParquetWriter(file, self._schema, compression="snappy", write_page_checksum=True)

    def original(self, sample: Sample, facts: Mapping[str, Any]) -> None:
        """The stored row with its types."""
        pa = arrow()
        assert sample.raw is not None
        batch = pa.ipc.read_record_batch(pa.py_buffer(sample.raw), self._stored)
        added = self.layout.added(facts)
        columns = [
            pa.array([added[field.name]], field.type) if field.name in added else batch.column(field.name)
            for field in self._schema
        ]
        self._add(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def child(self, sample: Sample, label: str, facts: Mapping[str, Any]) -> None:
        """Null where only originals have something."""
        cells = self.layout.made(sample, label, facts) | self.layout.added(facts)
        self._add(arrow().RecordBatch.from_pylist([cells], schema=self._schema))

    def _add(self, batch: Any) -> None:
        self._batches.append(batch)
        if len(self._batches) == _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._batches:
            self._writer.write_table(arrow().Table.from_batches(self._batches, self._schema).combine_chunks())
            self._batches = []

    def close(self) -> None:
        """The last row group and the footer."""
        self._flush()
        self._writer.close()


def _arrow_type(fact: str) -> Any:
    pa = arrow()
    if fact == "is_synthetic":
        return pa.bool_()
    if fact == "refs":
        return pa.list_(pa.string())
    return pa.list_(pa.float64()) if fact in _NUMBERS else pa.string()
