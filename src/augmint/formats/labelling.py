"""Joining pictures with their labels: by class folder, by metadata row, or by both where they agree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from augmint.core.errors import DataError, did_you_mean
from augmint.core.types import Entry, ReadOptions
from augmint.formats.layout import check_class_folders
from augmint.formats.metadata import READ, Row, read_rows
from augmint.formats.names import twin_key
from augmint.formats.tree import Tree, subfolders, top

Rows = dict[str, dict[str, Row]]


@dataclass(frozen=True)
class Part:
    """One split: its folder with trailing ``/`` ("" for the root), its entries, its classes and how they were found."""

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
        _fault(f"{flag} {column} for {str(tree.root)!r}, which has no metadata file",
               "metadata.csv or metadata.jsonl in the data set or in train/", f"add the file, or leave {flag} out",
               "no-metadata")  # fmt: skip
    _check_files(tree, found)
    return found


def label_part(tree: Tree, base: str, split: str, rows: Rows, options: ReadOptions) -> Part:
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
        _fault(f"{str(tree.root / without[0])!r}: no row in the metadata ({len(without)} such pictures)",
               "a row for each picture", "add the rows, or move the pictures away", "no-row")  # fmt: skip
    if own and all(not row.label for row in own.values()):
        return _by_folder(tree, base, split, own)
    return _by_rows(tree, base, split, own)


def _by_folder(tree: Tree, base: str, split: str, rows: dict[str, Row]) -> Part:
    """Label by the folder directly below ``base``; deeper folders belong to the class, as in ImageFolder."""
    check_class_folders(tree, base)
    loose = [name for name in tree.below(base) if "/" not in name[len(base) :]]
    if loose:
        _fault(f"{str(tree.root / loose[0])!r}: outside every class folder ({len(loose)} such pictures)",
               "each picture in a class folder, or a metadata file with labels",
               "move the pictures into class folders, or add metadata.csv with file_name,label",
               "unlabelled")  # fmt: skip
    entries = [
        _entry(tree, name, name[len(base) :].split("/", 1)[0], rows[name].group if rows else "", split)
        for name in tree.below(base)
    ]
    how = "class folders, groups from metadata" if rows else "class folders"
    return Part(base, split, entries, subfolders(tree, base), how)


def _by_rows(tree: Tree, base: str, split: str, rows: dict[str, Row]) -> Part:
    """Label by row; where folders bear the names of labels, they are classes and must say the same."""
    folders, labels = subfolders(tree, base), {row.label for row in rows.values()}
    both = not labels.isdisjoint(folders)
    if both:
        for name, row in rows.items():
            folder, _, rest = name[len(base) :].partition("/")
            if rest and folder != row.label:
                hint = did_you_mean(row.label, folders)
                _fault(f"{row.where}: label {row.label!r} for {name!r}", f"{folder!r}, the folder it is in",
                       f"{hint} correct the row or move the picture".strip(), "label-mismatch")  # fmt: skip
    entries = [_entry(tree, name, rows[name].label, rows[name].group, split) for name in tree.below(base)]
    classes = sorted({*folders, *labels} if both else labels)
    return Part(base, split, entries, classes, "class folders with metadata" if both else "metadata")


def _entry(tree: Tree, name: str, target: str, group: str, split: str) -> Entry:
    return Entry(name, tree.root / name, target=target, group=group, split=split)


def _check_place(tree: Tree, name: str, folder: str, bases: list[str], taken: list[str]) -> None:
    path = str(tree.root / name)
    if Path(name).suffix.lower() not in READ:
        _fault(f"{path!r}, which would be ignored", "metadata.csv or metadata.jsonl", "convert it, or rename it if it "
               "is something else", "ignored-metadata")  # fmt: skip
    if folder and folder not in bases:
        place = "the data set, or in train/, val/ or test/"
        _fault(f"{path!r}, which would be ignored where it is", f"metadata directly in {place}",
               "move it there and name the files from there", "ignored-metadata")  # fmt: skip
    if folder in taken or (folder and "" in taken):
        _fault(f"{path!r} and another metadata file for the same pictures", "one", "delete or merge one of them",
               "ignored-metadata")  # fmt: skip


def _check_files(tree: Tree, found: Rows) -> None:
    """Every row must have its picture."""
    known = {*tree.pictures, *(name for name, _ in tree.unreadable)}
    for rows in found.values():
        for name, row in rows.items():
            if name not in known:
                _fault(f"{row.where}: file_name {name!r}, {_why_missing(tree, name)}", "a picture that is there",
                       _nearest(tree, name), "missing-file")  # fmt: skip


def _why_missing(tree: Tree, name: str) -> str:
    return "a file of a type that is not read" if name in tree.others else "which does not exist"


def _nearest(tree: Tree, name: str) -> str:
    folder = name[: name.rfind("/") + 1]
    beside = [p for p in tree.pictures if p.startswith(folder) and "/" not in p[len(folder) :]]
    twin = next((p for p in beside if twin_key(p) == twin_key(name)), "")
    if twin:
        return f"{twin!r} is there, with other case or Unicode form: correct the row"
    # Comparing with all of a large folder would take minutes.
    return f"{did_you_mean(name, beside[:2000])} correct the row, or add the file".strip()


def _fault(got: str, expected: str, do: str, code: str) -> NoReturn:
    raise DataError(got, expected=expected, do=do, code=code)
