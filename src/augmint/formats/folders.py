"""Pictures in class folders, or in any folders with a metadata file that gives their labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from augmint.core.errors import DataError, SampleError
from augmint.core.protocols import Format
from augmint.core.types import Entry, Listing, ReadOptions, Sample
from augmint.formats.images import read_image, write_png
from augmint.formats.labelling import Part, label_part, read_metadata
from augmint.formats.layout import find_splits
from augmint.formats.names import check_twins
from augmint.formats.tree import Tree, kinds_of, walk
from augmint.formats.unsupported import check_path, refuse_text_columns
from augmint.formats.writing import CLASS_LIST, read_classes

MAX_FILE_BYTES = 1 << 30
# Files that belong beside a data set and need no warning.
_EXPECTED_FILES = frozenset({CLASS_LIST, "readme.md", "readme", "readme.txt", "license", "license.md", "license.txt"})


@dataclass(frozen=True)
class Folders(Format):
    """Class folders, with or without ``train``, ``val``, ``test`` above them, or ``metadata.csv`` / ``.jsonl``."""

    def scan(self, path: Path, options: ReadOptions) -> Listing:
        """List the pictures; ids are paths relative to ``path``; classes are sorted as ImageFolder sorts them.

        With ``options.unlabelled`` all pictures at every depth are listed, without targets, splits and classes.

        Raises:
            DataError: the data set as a whole cannot be used (see the codes in ``layout``, ``labelling``,
                ``metadata`` and ``tree``).
        """
        root = check_path(Path(path))
        tree = walk(root)
        _refuse_no_pictures(tree, "", f"{str(root)!r}", unlabelled=options.unlabelled)
        if options.unlabelled:
            return _unlabelled(tree)
        refuse_text_columns(options)
        splits = find_splits(tree)
        rows = read_metadata(tree, list(splits), options)
        parts = [label_part(tree, base, split, rows) for base, split in splits.items()]
        train = next(part for part in parts if part.split == "train")
        _refuse_no_pictures(tree, train.base, f"{str(root / train.base)!r}")
        for part in parts:
            _check_known(part, train, root)
        check_twins(train.classes, f"classes of {str(root)!r}")
        classes = _class_order(tree, train)
        unreadable = tuple(item for item in tree.unreadable if item[0].startswith(tuple(splits)))
        entries = sorted((entry for part in parts for entry in part.entries), key=lambda entry: entry.id)
        return Listing(root, tuple(entries), classes, _describe(parts), _warnings(tree, parts, splits), unreadable)

    def load(self, entry: Entry) -> Sample:
        """Read and decode one file.

        Raises:
            SampleError: the file is gone, cannot be opened, is larger than 1 GiB, or is no readable picture.
        """
        try:
            if entry.source.stat().st_size > MAX_FILE_BYTES:
                raise SampleError("too large (bomb?)", "the file is larger than 1 GiB")
            raw = entry.source.read_bytes()
        except OSError as error:
            raise SampleError("cannot be opened", error.strerror or "") from error
        pixels, info = read_image(raw)
        return Sample(entry.id, pixels, entry.target, entry.group, entry.split, raw=raw, info=info)

    def dump(self, sample: Sample) -> bytes:
        """The sample's pixels as PNG."""
        return write_png(sample.content)


def _unlabelled(tree: Tree) -> Listing:
    entries = tuple(Entry(name, tree.root / name) for name in tree.pictures)
    warnings = (f"{len(tree.others)} files of other types left alone: {kinds_of(tree.others)}",) if tree.others else ()
    return Listing(tree.root, entries, (), f"{len(entries)} pictures without labels", warnings, tuple(tree.unreadable))


def _refuse_no_pictures(tree: Tree, base: str, where: str, *, unlabelled: bool = False) -> None:
    if tree.below(base) or any(name.startswith(base) for name, _ in tree.unreadable):
        return
    others = [name for name in tree.others if name.startswith(base)]
    found = f"only files of other types: {kinds_of(others)}" if others else "no files"
    raise DataError(
        f"{where}: no picture in it, {found}",
        expected=("" if unlabelled else "class folders with ")
        + ".png .jpg .jpeg .webp .tif .tiff .bmp .ppm or .pgm files",
        do="check the path, or convert the files to PNG",
        code="no-images",
    )


def _check_known(part: Part, train: Part, root: Path) -> None:
    """A class that only a held-out split has can be neither learned nor scored."""
    for name in part.classes:
        if name not in train.classes:
            raise DataError(
                f"{str(root / part.base)!r}: class {name!r}, which {train.base} does not have",
                expected=f"one of the classes of {train.base}: {', '.join(train.classes[:20])}",
                do=f"correct its name, or make an empty folder {str(root / train.base / name)!r}",
                code="unknown-class",
            )


def _class_order(tree: Tree, train: Part) -> tuple[str, ...]:
    """The order of ``classes.txt`` where there is one, which must name the same classes."""
    path = tree.root / CLASS_LIST
    if CLASS_LIST not in tree.others:
        return tuple(train.classes)
    listed = read_classes(path)
    odd = sorted(set(listed) ^ set(train.classes))
    if odd:
        side = "is listed but is no class of the data" if odd[0] in listed else "is not listed"
        raise DataError(
            f"{path}: class {odd[0]!r} {side}",
            expected=f"the {len(train.classes)} classes of the data: {', '.join(train.classes[:20])}",
            do="correct the file or delete it",
            code="class-list",
        )
    return tuple(listed)


def _describe(parts: list[Part]) -> str:
    counts = ", ".join(f"{len(part.entries)} in {part.base or 'all'}" for part in parts)
    how = " and ".join(dict.fromkeys(part.how for part in parts))
    train = next(part for part in parts if part.split == "train")
    return f"{how}: {len(train.classes)} classes, pictures: {counts}"


def _warnings(tree: Tree, parts: list[Part], splits: dict[str, str]) -> tuple[str, ...]:
    found = []
    train = next(part for part in parts if part.split == "train")
    filled = {entry.target for entry in train.entries}
    empty = [name for name in train.classes if name not in filled]
    if empty:
        found.append(f"{len(empty)} empty classes: {', '.join(map(repr, empty[:10]))}")
    if len(train.classes) == 1:
        found.append("there is only one class")
    odd = [n for n in tree.others if n.startswith(tuple(splits)) and n.lower() not in _EXPECTED_FILES]
    if odd:
        found.append(f"{len(odd)} files of other types left alone: {kinds_of(odd)}")
    return tuple(found)
