"""One pass over the tables of a data set: which rows can be used, what each is, and what is wrong with the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from augmint.core.errors import DataError, SampleError, did_you_mean
from augmint.core.types import SPLIT_NAMES, Listing, ReadOptions
from augmint.formats.columnar import check_types
from augmint.formats.names import twin_key
from augmint.formats.table_cells import Cutter
from augmint.formats.table_columns import Columns, choose_columns, is_text
from augmint.formats.table_file import Cells, Row, TableFile, gone
from augmint.formats.table_folder import SPLIT_WORDS, Source, left_alone, open_table
from augmint.formats.table_rows import Rows, Table
from augmint.formats.writing import CLASS_LIST, read_classes

_PEEK = 100


class TableScan:
    """Goes through the files of a data set and collects rows, broken rows and classes."""

    def __init__(self, root: Path, options: ReadOptions) -> None:
        self.root, self.options = root, options
        self.rows = Rows()
        self.broken: list[tuple[str, str]] = []
        self.columns: Columns | None = None
        self.names: tuple[str, ...] = ()
        self.kinds: dict[str, type] = {}
        self.worded: set[str] = set()
        self.split_words: dict[str, str] = {}
        self.formulas = 0
        self.swallowed: list[str] = []

    def add(self, source: Source) -> None:
        """All rows of a file."""
        file = open_table(source.path, source.kind)
        first = [row.cells for row in islice(file.rows(), _PEEK) if row.cells is not None]
        if self.columns is None:
            self.columns = choose_columns(str(source.path), file.columns, first, self.options)
        else:
            self._check_columns(source, file)
        columns = self.columns
        names = tuple(file.class_names.get(columns.label, ()))
        self.names = self.names or names
        cutter, strings = Cutter(columns, names), _string_columns(first, source.kind in ("csv", "tsv"))
        blank = _blank_columns(file.columns, first)
        table = Table(
            source.path,
            source.kind,
            source.split,
            source.name,
            file.columns,
            cutter,
            strings,
            blank,
            schema=file.schema,
        )
        self._check_parts(table)
        self.rows.tables.append(table)
        met = dict.fromkeys(file.columns)
        for number, row in enumerate(file.rows(columns.used)):
            met.update(dict.fromkeys(row.cells or ()))
            try:
                self._row(source, cutter, number, row)
            except SampleError as error:
                self.broken.append((f"{source.name}:{row.line}", str(error)))
        self.rows.tables[-1] = replace(table, columns=tuple(met))

    def _check_columns(self, source: Source, file: TableFile) -> None:
        """A further file must have the columns that the first one is read by."""
        assert self.columns is not None
        needed = (*self.columns.text, self.columns.label, self.options.group, self.options.spans)
        for name in filter(None, needed):
            if name not in file.columns:
                raise DataError(
                    f"{source.path}: no column {name!r}; the columns are {', '.join(map(repr, file.columns[:20]))}",
                    expected=f"the columns of {self.rows.tables[0].name}",
                    do="add it, or move the file away",
                    code="missing-column",
                )

    def _check_parts(self, table: Table) -> None:
        """The parts of one split must be alike, so that they can be written as one file."""
        for other in self.rows.tables:
            if other.split != table.split or table.kind == "jsonl":
                continue
            if (other.kind, other.columns) != (table.kind, table.columns):
                raise DataError(
                    f"{str(table.path)!r}: columns {', '.join(map(repr, table.columns[:20]))}",
                    expected=f"those of {other.name}: {', '.join(map(repr, other.columns[:20]))}",
                    do="give all parts of a split the same columns",
                    code="missing-column",
                )
            if table.schema:
                check_types(table.path, table.schema, other.name, other.schema)

    def _join_parts(self) -> None:
        """The parts of one split are written as one file: with all their columns, of types that hold for all.

        Whether ids and groups are strings holds for all splits, or their files would have other columns.
        """
        tables = self.rows.tables
        assert self.columns is not None
        shared = [name for name in (self.columns.id, self.columns.group) if name]
        untold = {name for name in shared for table in tables if name not in table.strings | table.blank}
        told = {name for name in shared for table in tables if name in table.strings} - untold
        for at, table in enumerate(tables):
            parts = [other for other in tables if other.split == table.split]
            tables[at] = replace(
                table,
                columns=tuple(dict.fromkeys(name for part in parts for name in part.columns)),
                strings=frozenset.intersection(*(part.strings for part in parts)) - untold | told,
                labels=self.kinds.get(table.split, str).__name__,
                groups="str" if table.split in self.worded else "int",
                split_words=self.split_words,
            )

    def _row(self, source: Source, cutter: Cutter, number: int, row: Row) -> None:
        if row.cells is None:
            raise row.fault or gone()
        content = cutter.content(row.cells)
        cutter.spans(row.cells, content)
        unlabelled = self.options.unlabelled
        label = None if unlabelled else cutter.label(row.cells)
        group, id_ = cutter.group(row.cells), cutter.id(row.cells)
        split = self._split(source, row)
        self._check_kind(source, row, cutter)
        if isinstance(row.cells.get(cutter.columns.group), str):
            self.worded.add(source.split)
        texts = list(content.values()) if isinstance(content, dict) else [content]
        self.formulas += any(text[0] in "=+-@" for text in texts)
        if source.kind == "tsv" and any("\t" in text and "\n" in text for text in texts):
            self.swallowed.append(f"{source.name}:{row.line}")
        self.rows.append(number, (row.line, row.offset, row.length), label, group, split, id_)

    def _split(self, source: Source, row: Row) -> str:
        """What the column says, which must be what the file's name says where that says something."""
        assert self.columns is not None and row.cells is not None
        name = self.columns.split
        if not name or name not in row.cells:
            return source.split or "train"
        value = row.cells[name]
        found = SPLIT_WORDS.get(str(value).lower(), "")
        if found and found == (source.split or found):
            self.split_words.setdefault(found, str(value))
            return found
        hint = "" if found else did_you_mean(str(value), SPLIT_WORDS)
        raise DataError(
            f"{source.path}:{row.line}: {name!r} = {value!r}",
            expected=f"{source.split}, as the file's name says" if found else "train, val or test",
            do=f"{hint} correct the row, or rename the column".strip(),
            code="split",
        )

    def _check_kind(self, source: Source, row: Row, cutter: Cutter) -> None:
        """Labels of one file, or of its parts, must be of one kind: 1 and "1" are not told apart by name."""
        if self.options.unlabelled:
            return
        assert row.cells is not None
        value = row.cells[cutter.columns.label]
        kind = int if isinstance(value, float) else type(value)
        first = self.kinds.setdefault(source.split, kind)
        if kind is not first:
            raise DataError(
                f"{source.path}:{row.line}: {cutter.columns.label!r} = {value!r} ({kind.__name__})",
                expected=f"{first.__name__}, as in the rows before",
                do="write all labels the same way",
                code="bad-label",
            )

    def listing(self) -> Listing:
        """What was found."""
        self._check_some()
        self._join_parts()
        rows, unlabelled = self.rows, self.options.unlabelled
        others = left_alone(self.root)
        warnings = [f"splits left alone: {', '.join(others)}"] if others else []
        twin = rows.twin_ids()
        if twin:
            first, second = map(rows.where, twin)
            warnings.append(f"{rows.ids[twin[0]]!r} is the id of {first} and {second}: rows are named by file and line")
        if twin or not rows.all_ids:
            rows.drop_ids()
        classes = () if unlabelled else self._class_order()
        if not unlabelled:
            self._check_known(classes)
            warnings += self._class_warnings(classes)
        if self.swallowed:  # as in GLUE's files, where a quote is a character and rows may look like one cell
            warnings.append(
                f"{len(self.swallowed)} texts hold tabs and line breaks in quotes, the first {self.swallowed[0]}: "
                "if these are several rows, and quotes are mere characters, save the file as .jsonl"
            )
        if self.formulas:
            warnings.append(f"{self.formulas} texts begin with = + - or @ (a spreadsheet may take them for formulas)")
        layout = self._layout(classes)
        return Listing(self.root, rows.entries(classes), classes, layout, tuple(warnings), tuple(self.broken))

    def _check_some(self) -> None:
        if self.rows.count("train"):
            return
        first = f", the first for this reason: {self.broken[0][0]}: {self.broken[0][1]}" if self.broken else ""
        got = f"{len(self.broken)} rows, none of which can be used for training{first}" if self.broken else "no rows"
        raise DataError(
            f"{str(self.root)!r}: {got}",
            expected="rows with a text" + ("" if self.options.unlabelled else " and a label"),
            do="check the columns (--text, --label) and the file",
            code="no-rows",
        )

    def _class_order(self) -> tuple[str, ...]:
        """The order of ``classes.txt`` beside the tables, else of the file's own class names, else sorted.

        Whole numbers are sorted as such, so that class 9 has place 9 where 0 to 11 are all there.
        """
        path = self.root / CLASS_LIST
        if not (self.root.is_dir() and path.is_file()):
            own = list(self.names)
            others = set(self.rows.classes) - set(own)
            numbers = all(re.fullmatch("0|-?[1-9][0-9]{0,17}", name) for name in others)
            return (*own, *sorted(others, key=int if numbers else str))
        listed = read_classes(path)
        odd = sorted(set(self.rows.classes) - set(listed))
        if odd:
            raise DataError(
                f"{path}: class {odd[0]!r} is not listed",
                expected=f"all classes of the data: {', '.join(sorted(self.rows.classes)[:20])}",
                do="correct the file or delete it",
                code="class-list",
            )
        return tuple(listed)

    def _check_known(self, classes: tuple[str, ...]) -> None:
        """A class that only a held-out split has can be neither learned nor scored."""
        train = self.rows.classes_of("train")
        for split in ("val", "test"):
            for name in sorted(self.rows.classes_of(split) - train - set(self.names)):
                hint = did_you_mean(name, train)
                raise DataError(
                    f"{self.rows.where(self.rows.first_of(name, split))}: label {name!r}, which no training row has",
                    expected=f"one of: {', '.join(sorted(train)[:20])}",
                    do=f"{hint} correct it, or delete the row".strip(),
                    code="unknown-class",
                )

    def _class_warnings(self, classes: tuple[str, ...]) -> list[str]:
        found, train, twins = [], self.rows.classes_of("train"), dict[str, str]()
        empty = [name for name in classes if name not in train]
        if empty:
            found.append(f"{len(empty)} empty classes: {', '.join(map(repr, empty[:10]))}")
        if len(classes) == 1:
            found.append("there is only one class")
        if len(train) > max(20, self.rows.count("train") / 2):
            found.append(
                f"{len(train)} classes for {self.rows.count('train')} rows: is the label column the right one?"
            )
        for name in classes:
            twin = twins.setdefault(twin_key(name.strip()), name)
            if twin != name:
                found.append(f"classes {twin!a} and {name!a} differ only in case, space or Unicode form")
        return found

    def _layout(self, classes: tuple[str, ...]) -> str:
        columns, tables = self.columns, self.rows.tables
        assert columns is not None
        kinds = " and ".join(dict.fromkeys(table.kind for table in tables))
        parts = [f"{count} in {split}" for split in SPLIT_NAMES if (count := self.rows.count(split))]
        text = f"text {' and '.join(map(repr, columns.text))}"
        label = f", label {columns.label!r}: {len(classes)} classes" if columns.label else ""
        return f"{kinds}: {text}{label}, rows: {', '.join(parts)}"


def _blank_columns(names: Sequence[str], first: Sequence[Cells]) -> frozenset[str]:
    """Columns without a value in the first rows, or not in them at all."""
    return frozenset(name for name in names if all(cells.get(name) in (None, "") for cells in first))


def _string_columns(first: Sequence[Cells], untyped: bool) -> frozenset[str]:
    """Columns that hold strings, as far as the first rows tell; where all cells are strings, those of no numbers."""
    names = dict.fromkeys(name for cells in first for name in cells)
    if untyped:
        return frozenset(name for name in names if is_text(name, first))
    kinds = {name: {type(cells.get(name)) for cells in first} - {type(None)} for name in names}
    return frozenset(name for name, found in kinds.items() if found == {str})
