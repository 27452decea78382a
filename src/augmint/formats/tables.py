"""Texts and labels in tables: one file, a file for each split, or a saved Hugging Face data set.

Ids are ``file:line`` (``train.csv:12``), the line on which the row begins as an editor counts them, because that is
where a user looks when a report names a row; in Parquet and Arrow files, which have no lines, the number of the row
from 0. A column ``id``, ``guid`` or ``uuid`` whose values are all there and all different is used instead: it names the
same row when others are put before it, and in augmint's own output it keeps the names of parents. Where it is not
unique (numbered anew in train and test, say) ``file:line`` stays, and a warning says so.

Entries come as the rows lie, train first, not sorted by id.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from augmint.core.errors import DataError, SampleError
from augmint.core.protocols import Format, Modality
from augmint.core.types import Entry, Listing, ReadOptions, Sample
from augmint.formats.table_cells import Cutter
from augmint.formats.table_columns import choose_columns
from augmint.formats.table_file import gone
from augmint.formats.table_folder import find_tables, open_table
from augmint.formats.table_rows import RowEntry
from augmint.formats.table_scan import TableScan
from augmint.formats.unsupported import check_path

_PEEK = 100


@dataclass(frozen=True)
class Tables(Format):
    """``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson`` (each also ``.gz``), ``.parquet``, and ``save_to_disk`` folders."""

    modality: ClassVar[Modality] = "text"

    def scan(self, path: Path, options: ReadOptions) -> Listing:
        """List the rows; each is parsed once and what cannot be used is named with its file and line.

        With ``options.unlabelled`` all rows are listed, without targets, splits and classes.

        Raises:
            DataError: the data set as a whole cannot be used: codes ``missing-column``, ``ambiguous-column``,
                ``no-rows``, ``bad-label``, ``split``, ``unknown-class``, ``class-list``, ``duplicate-class``,
                ``twins``, and those of ``table_folder`` and of the readers.
            ModelError: code ``extra``: a Parquet or Arrow file, and no pyarrow.
        """
        root = check_path(Path(path))
        scanned = TableScan(root, options)
        for source in find_tables(root):
            scanned.add(source)
        return scanned.listing()

    def load(self, entry: Entry) -> Sample:
        """Read one row again.

        ``raw`` is the stored row with all its columns: its bytes in the file, or a serialized Arrow batch.

        Raises:
            SampleError: the file changed since it was listed.
        """
        assert isinstance(entry, RowEntry) and entry.table is not None
        cutter = entry.table.cutter
        try:
            file = entry.table.open()
        except DataError as error:
            raise SampleError("cannot be opened", error.got) from error
        raw, cells = file.read(entry.offset, entry.length, cutter.columns.used)
        content = cutter.content(cells)
        if entry.target is not None and cutter.label(cells) != entry.target:
            raise gone()
        spans = cutter.spans(cells, content)
        info = {"format": entry.table.kind, "line": entry.line}
        return Sample(entry.id, content, entry.target, entry.group, entry.split, raw, spans, info)

    def dump(self, sample: Sample) -> bytes:
        """Content and spans as one line of JSON; :func:`restore` is the inverse."""
        facts: dict[str, Any] = {"content": sample.content}
        if sample.spans:
            facts["spans"] = [list(span) for span in sample.spans]
        return (json.dumps(facts, ensure_ascii=False) + "\n").encode()


def originals(folder: Path, ids: Collection[str], options: ReadOptions) -> dict[str, str | dict[str, str]]:
    """The content of training rows by their ids, in a data set that augmint wrote; what is not there is left out.

    The rows are read one after the other until all are found; children, which come below the originals, are not looked
    at.
    """
    found: dict[str, str | dict[str, str]] = {}
    for source in find_tables(folder):
        if source.split != "train" or len(found) == len(ids):
            continue
        file = open_table(source.path, source.kind)
        first = [row.cells for row in islice(file.rows(), _PEEK) if row.cells is not None]
        columns = choose_columns(str(source.path), file.columns, first, options)
        cutter = Cutter(columns)
        for row in file.rows((*columns.text, columns.id)):
            if len(found) == len(ids):
                break
            if row.cells is not None and (id_ := cutter.id(row.cells)) in ids:
                found[id_] = cutter.content(row.cells)
    return found


def restore(data: bytes) -> Sample:
    """The sample that :meth:`Tables.dump` stored: its content and its spans, nothing else."""
    facts = json.loads(data)
    return Sample("", facts["content"], spans=tuple(tuple(span) for span in facts.get("spans", ())))
