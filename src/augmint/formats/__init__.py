"""Data sets on disk. Reading and writing are inverse; listing decodes nothing.

Adding a format is one file with one class and one line in ``TABLE``.
"""

from __future__ import annotations

from pathlib import Path

from augmint.core.protocols import Format
from augmint.core.registry import build
from augmint.formats.table_folder import holds_tables, is_table
from augmint.formats.unsupported import check_file, check_folder, check_path

TABLE = {
    "folders": "augmint.formats.folders:Folders",
    "arrays": "augmint.formats.arrays:Arrays",
    "tables": "augmint.formats.tables:Tables",
}


def detect(path: Path) -> Format:
    """The format of a data set, from its path and the names of its first two levels.

    Raises:
        DataError: there is nothing there, it is one picture, or it is a kind of data that augmint does not read;
            the message says which and what to do.
    """
    path = check_path(Path(path))
    if path.is_dir():
        if holds_tables(path):
            return _format("tables")
        check_folder(path)
        return _format("folders")
    if is_table(path):
        return _format("tables")
    check_file(path)
    return _format("arrays")


def _format(name: str) -> Format:
    made = build("formats", "format", TABLE, name, {})
    assert isinstance(made, Format)
    return made
