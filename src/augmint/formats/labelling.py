"""Joining pictures with their labels: by class folder, by metadata row, or by both where they agree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from augmint.core.errors import DataError, did_you_mean
from augmint.core.types import Entry, ReadOptions
from augmint.formats.layout import check_class_folders
from augmint.formats.metadata import READ, MetadataRow, read_rows
from augmint.formats.names import twin_key
from augmint.formats.tree import Tree, subfolders, top

Rows = dict[str, dict[str, MetadataRow]]


@dataclass(frozen=True)
class Part:
    """One split: its folder with trailing ``/`` ("" for the root), entries, classes, and how these were found."""

    base: str
    split: str
    entries: list[Entry]
    classes: list[str]
    how: str


def read_metadata(tree: Tree, bases: list[str], options: ReadOptions) -> Rows:
    """Rows of every metadata file: folder with trailing ``/`` -> id -> row.

    Raises:
        DataError: code ``ignored-metadata`` for a file whose type or place means that it would not be read,
            ``missing-file`` for a row without picture, ``no-metadata`` for an option that needs one; and those of
            :func:`augmint.formats.metadata.read_rows`.
    """
    found: Rows = {}
    for name in tree.metadata:
        folder = name[: name.rfind("/") + 1]
        _check_place(tree, name, folder, bases, list(found))
        folders_label = all(len(top(tree.below(base), base)) > 1 for base in bases if base.startswith(folder))
        rows = read_rows(tree.root / name, options, folders_label=folders_label)
        found[folder] = {folder + key: row for key, row in rows.items()}
    if not found and (options.label or options.group):
        flag, column = ("--label", options.label) if options.label else ("--group", options.group)
        raise DataError(
            f"{flag} {column} for {str(tree.root)!r}, which has no metadata file",
            expected="metadata.csv or metadata.jsonl in the data set or in train/",
            do=f"add the file, or leave {flag} out",
            code="no-metadata",
        )
    _check_files(tree, found)
    return found


def label_part(tree: Tree, base: str, split: str, rows: Rows) -> Part:
    """The entries of one split.

    Raises:
        DataError: codes ``unlabelled``, ``nested``, ``no-row``, ``label-mismatch``.
    """
    table = rows.get(base, rows.get(""))
    if table is None:
        return _by_folder(tree, base, split, {})
    own = {key: row for key, row in table.items() if key.startswith(base)}
    without = [name for name in tree.below(base) if name not in own]
    if without:
        raise DataError(
            f"{str(tree.root / without[0])!r}: no row in the metadata ({len(without)} such pictures)",
            expected="a row for each picture",
            do="add the rows, or move the pictures away",
            code="no-row",
        )
    if own and all(not row.label for row in own.values()):
        return _by_folder(tree, base, split, own)
    return _by_rows(tree, base, split, own)


def _by_folder(tree: Tree, base: str, split: str, rows: dict[str, MetadataRow]) -> Part:
    """Label by the folder directly below ``base``; deeper folders belong to the class, as in ImageFolder."""
    check_class_folders(tree, base)
    loose = [name for name in tree.below(base) if "/" not in name[len(base) :]]
    if loose:
        raise DataError(
            f"{str(tree.root / loose[0])!r}: outside every class folder ({len(loose)} such pictures)",
            expected="each picture in a class folder, or a metadata file with labels",
            do="move the pictures into class folders, or add metadata.csv with file_name,label",
            code="unlabelled",
        )
    entries = [
        _entry(tree, name, name[len(base) :].split("/", 1)[0], rows[name].group if rows else "", split)
        for name in tree.below(base)
    ]
    how = "class folders, groups from metadata" if rows else "class folders"
    return Part(base, split, entries, subfolders(tree, base), how)


def _by_rows(tree: Tree, base: str, split: str, rows: dict[str, MetadataRow]) -> Part:
    """Label by row; where folders bear the names of labels, they are classes and must say the same."""
    folders, labels = subfolders(tree, base), {row.label for row in rows.values()}
    both = not labels.isdisjoint(folders)
    if both:
        for name, row in rows.items():
            folder, _, rest = name[len(base) :].partition("/")
            if rest and folder != row.label:
                hint = did_you_mean(row.label, folders)
                raise DataError(
                    f"{row.where}: label {row.label!r} for {name!r}",
                    expected=f"{folder!r}, the folder it is in",
                    do=f"{hint} correct the row or move the picture".strip(),
                    code="label-mismatch",
                )
    entries = [_entry(tree, name, rows[name].label, rows[name].group, split) for name in tree.below(base)]
    classes = sorted({*folders, *labels} if both else labels)
    return Part(base, split, entries, classes, "class folders with metadata" if both else "metadata")


def _entry(tree: Tree, name: str, target: str, group: str, split: str) -> Entry:
    return Entry(name, tree.root / name, target=target, group=group, split=split)


def _check_place(tree: Tree, name: str, folder: str, bases: list[str], taken: list[str]) -> None:
    path = str(tree.root / name)
    if Path(name).suffix.lower() not in READ:
        raise DataError(
            f"{path!r}, which would be ignored",
            expected="metadata.csv or metadata.jsonl",
            do="convert it, or rename it if it is something else",
            code="ignored-metadata",
        )
    if folder and folder not in bases:
        place = "the data set, or in train/, val/ or test/"
        raise DataError(
            f"{path!r}, which would be ignored where it is",
            expected=f"metadata directly in {place}",
            do="move it there and name the files from there",
            code="ignored-metadata",
        )
    if folder in taken or (taken and not folder) or "" in taken:
        raise DataError(
            f"{path!r} and another metadata file for the same pictures",
            expected="one",
            do="delete or merge one of them",
            code="ignored-metadata",
        )


def _check_files(tree: Tree, found: Rows) -> None:
    """Every row must have its picture."""
    known = {*tree.pictures, *(name for name, _ in tree.unreadable)}
    for rows in found.values():
        for name, row in rows.items():
            if name not in known:
                raise DataError(
                    f"{row.where}: file_name {name!r}, {_why_missing(tree, name)}",
                    expected="a picture that is there",
                    do=_nearest(tree, name),
                    code="missing-file",
                )


def _why_missing(tree: Tree, name: str) -> str:
    return "a file of a type that is not read" if name in tree.others else "which does not exist"


def _nearest(tree: Tree, name: str) -> str:
    if "\\" in name:
        return "write '/' between folder and file"
    folder = name[: name.rfind("/") + 1]
    beside = [path for path in tree.below(folder) if "/" not in path[len(folder) :]]
    twin = next((path for path in beside if twin_key(path) == twin_key(name)), "")
    if twin:
        return f"{twin!r} is there, with other case or Unicode form: correct the row"
    # Comparing with all of a large folder would take minutes.
    return f"{did_you_mean(name, beside[:2000])} correct the row, or add the file".strip()
