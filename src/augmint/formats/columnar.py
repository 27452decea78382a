"""Rows of ``.parquet`` files and of the Arrow files that Hugging Face's ``save_to_disk`` writes; needs ``pyarrow``.

A row is stored here as one serialized Arrow batch, which the writer reads back with the file's schema, so that every
cell keeps its type. Arrow files are mapped, of Parquet files the row groups read last are kept.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

from augmint.core.errors import DataError, ModelError, SampleError
from augmint.formats.table_file import Cells, Row, TableFile, gone

_BATCH = 4096
_KEPT_BYTES = 1 << 28


def arrow() -> Any:
    """The package ``pyarrow``; a ModelError (code ``extra``) says how to get it."""
    try:
        import pyarrow
    except ImportError as error:
        raise ModelError(
            "a Parquet or Arrow file without the package pyarrow",
            expected="the extra 'tables'",
            do="pip install 'augmint[tables]', or save the data as .csv or .jsonl",
            code="extra",
        ) from error
    return pyarrow


class _Columnar(TableFile):
    """A file of typed columns. Dictionary columns (pandas' categories) are read as their values."""

    def __init__(self, path: Path) -> None:
        """Read the schema.

        Raises:
            DataError: code ``parquet``: it is no such file, or damaged.
            ModelError: code ``extra``.
        """
        self.path = path
        with faults(path):
            self._schema = _plain_schema(self._open())
        twice = [name for name in self._schema.names if self._schema.names.count(name) > 1]
        if twice:
            raise DataError(
                f"{str(path)!r}: column {twice[0]!r} twice",
                expected="every column once",
                do="rename one",
                code="parquet",
            )
        self.columns = tuple(self._schema.names)
        self.class_names = class_names_of(self._schema.metadata)
        self.schema = self._schema.serialize().to_pybytes()

    @abstractmethod
    def _open(self) -> Any:
        """Open the file and give its schema."""

    @abstractmethod
    def _batches(self, columns: list[str]) -> Iterator[Any]:
        """Record batches of these columns, in order."""

    @abstractmethod
    def _row(self, number: int) -> Any:
        """A record batch of one row; raises IndexError."""

    def rows(self, columns: Sequence[str] = ()) -> Iterator[Row]:
        """All rows, decoded in these columns only."""
        number = 0
        with faults(self.path):
            for batch in self._batches(list(columns or self.columns)):
                for i, cells in enumerate(_cells(batch, batch.num_rows), start=number):
                    fault = cells if isinstance(cells, SampleError) else None
                    yield Row(i, i, 0, None if fault else cells, fault)  # type: ignore[arg-type]
                number += batch.num_rows

    def read(self, offset: int, length: int, columns: Sequence[str] = ()) -> tuple[bytes, Cells]:
        """One row, from its number."""
        with faults(self.path):
            try:
                batch = plain(self._row(offset), self._schema)
            except IndexError:
                raise gone() from None
            wanted = batch.select(list(columns or self.columns))
            cells = next(_cells(wanted, 1))
            if isinstance(cells, SampleError):
                raise cells
            return batch.serialize().to_pybytes(), cells


class Parquet(_Columnar):
    """A ``.parquet`` file."""

    def _open(self) -> Any:
        arrow()
        from pyarrow import parquet

        self._file = parquet.ParquetFile(self.path, buffer_size=1 << 20, pre_buffer=False)
        groups = [self._file.metadata.row_group(i).num_rows for i in range(self._file.metadata.num_row_groups)]
        self._starts = [0, *accumulate(groups)]
        self._groups: OrderedDict[int, _Stack] = OrderedDict()
        return self._file.schema_arrow

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        yield from self._file.iter_batches(_BATCH, columns=columns, use_threads=False)

    def _row(self, number: int) -> Any:
        group = bisect_right(self._starts, number) - 1
        if not 0 <= group < len(self._starts) - 1:
            raise IndexError(number)
        return self._group(group).row(number - self._starts[group])

    def _group(self, number: int) -> _Stack:
        """A row group, out of memory where it was read lately: rows are asked for class by class."""
        if number not in self._groups:
            self._groups[number] = _Stack(self._file.read_row_group(number, use_threads=False).to_batches(_BATCH))
            while len(self._groups) > 1 and sum(group.bytes for group in self._groups.values()) > _KEPT_BYTES:
                self._groups.popitem(last=False)
        self._groups.move_to_end(number)
        return self._groups[number]


class ArrowFile(_Columnar):
    """A ``data-*.arrow`` file of a saved Hugging Face data set."""

    def _open(self) -> Any:
        pa = arrow()
        source = pa.memory_map(str(self.path))
        try:
            table = pa.ipc.open_stream(source).read_all()
        except pa.ArrowInvalid:
            table = pa.ipc.open_file(source).read_all()
        self._stack = _Stack(table.to_batches())
        return table.schema

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        return (batch.select(columns) for batch in self._stack.batches)

    def _row(self, number: int) -> Any:
        return self._stack.row(number)


class _Stack:
    """Batches one after the other, found by the number of a row."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches
        self.bytes = sum(batch.nbytes for batch in batches)
        self._starts = [0]
        for batch in batches:
            self._starts.append(self._starts[-1] + batch.num_rows)

    def row(self, number: int) -> Any:
        at = bisect_right(self._starts, number) - 1
        if not 0 <= at < len(self.batches):
            raise IndexError(number)
        return self.batches[at].slice(number - self._starts[at], 1)


def class_names_of(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """Column -> names of its numbers, from the features that ``datasets`` stores beside a schema."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        found = {name: kind["names"] for name, kind in features.items() if kind.get("_type") == "ClassLabel"}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}
    return {name: list(map(str, names)) for name, names in found.items()}


def check_types(path: Path, schema: bytes, first: str, expected: bytes) -> None:
    """Raise DataError where the columns of a file are of other types than those of the first part of its split."""
    pa = arrow()
    own, others = (pa.ipc.read_schema(pa.py_buffer(data)) for data in (schema, expected))
    for field, other in zip(own, others, strict=True):
        if field.type != other.type:
            raise DataError(
                f"{str(path)!r}: column {field.name!r} of type {field.type}",
                expected=f"{other.type}, as in {first}",
                do="give the columns of all parts of a split the same types",
                code="column-type",
            )


def plain(batch: Any, schema: Any) -> Any:
    """A batch with dictionary columns decoded, as the plain schema has it."""
    pa = arrow()
    columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _plain_schema(schema: Any) -> Any:
    pa = arrow()
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field for field in schema
    ]
    return pa.schema(fields, metadata=schema.metadata)


def _cells(batch: Any, count: int) -> Iterator[Cells | SampleError]:
    """Cells by row; a row whose strings are no UTF-8 gives the reason."""
    try:
        yield from batch.to_pylist()
    except (UnicodeDecodeError, ValueError, OverflowError):
        for i in range(count):
            try:
                yield batch.slice(i, 1).to_pylist()[0]
            except UnicodeDecodeError:
                yield SampleError("not UTF-8")
            except (ValueError, OverflowError) as error:
                yield SampleError("a cell that cannot be read", str(error))


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Turn what pyarrow raises about a bad file into a DataError."""
    pa = arrow()
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last for the name of a column
        why = str(error).strip().split("\n")[0]
        raise DataError(
            f"{str(path)!r}: it cannot be read: {why}",
            expected="a whole Parquet or Arrow file",
            do="copy or export it anew",
            code="parquet",
        ) from error
