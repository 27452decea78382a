"""One walk over a data folder: which pictures, folders and metadata files it holds, nothing opened."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from augmint.core.errors import DataError
from augmint.formats.names import check_twins, is_hidden

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm"})
_SHOWN = 5


@dataclass
class Tree:
    """What a folder holds; all paths relative to ``root`` with ``/``.

    Attributes:
        root: the folder.
        pictures: files with a picture's suffix.
        folders: folders at every depth.
        metadata: files named ``metadata.*``.
        others: files of other types.
        unreadable: (picture, reason) of those that are no regular files.
    """

    root: Path
    pictures: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def below(self, base: str) -> list[str]:
        """Pictures at any depth under a folder given with its trailing ``/`` ("" for all)."""
        return within(self.pictures, base)


def some_names(folder: Path, limit: int = 10_000) -> list[str]:
    """Some names in a folder, none for a folder that cannot be listed (the scan will say why)."""
    try:
        with os.scandir(folder) as found:
            return [entry.name for entry, _ in zip(found, range(limit), strict=False)]
    except OSError:
        return []


def within(paths: list[str], base: str) -> list[str]:
    """Those of sorted paths that start with ``base``, which ends in ``/`` or is ""."""
    if not base:
        return paths
    # "0" follows "/" in Unicode, so all paths below "x/" lie before "x0".
    return paths[bisect_left(paths, base) : bisect_left(paths, base[:-1] + "0")]


def top(paths: list[str], base: str) -> list[str]:
    """Distinct first names below ``base`` of those paths below it that have a further name, sorted."""
    return sorted({path[len(base) :].split("/", 1)[0] for path in paths if "/" in path[len(base) :]})


def subfolders(tree: Tree, base: str) -> list[str]:
    """Names of the folders directly in ``base``, sorted as torchvision's ImageFolder sorts classes."""
    return [path[len(base) :] for path in within(tree.folders, base) if "/" not in path[len(base) :]]


def kinds_of(files: list[str]) -> str:
    """``".txt (3), .gif (1)"``: suffixes of files and how often each occurs."""
    counts = Counter(Path(name).suffix.lower() or "no suffix" for name in files)
    return ", ".join(f"{suffix} ({count})" for suffix, count in counts.most_common(_SHOWN))


def walk(root: Path) -> Tree:
    """List a folder to its leaves; symbolic links are followed while they stay inside.

    Raises:
        DataError: codes ``bad-name`` (not UTF-8), ``twins``, ``outside`` (a link that leaves the root),
            ``loop`` (a link to a folder that was read already), ``unreadable-folder``.
    """
    tree, real, bad_names = Tree(root), root.resolve(), list[bytes]()
    pending, seen = [""], {real}
    # An output of augmint is a data set too; the pictures of its report are no samples.
    report = "report" if (root / ".augmint").is_dir() else ""
    while pending:
        base = pending.pop()
        entries = [entry for entry in _entries(root / base) if base or entry.name != report]
        good = [entry for entry in entries if _is_utf8(entry.name)]
        bad_names += [os.fsencode(base + entry.name) for entry in entries if not _is_utf8(entry.name)]
        taken = [entry.name for entry in good if _add(tree, base, entry, real, seen, pending)]
        check_twins(taken, f"folder {str(root / base)!r}")
    _refuse_bad_names(root, bad_names)
    for paths in (tree.pictures, tree.folders, tree.metadata, tree.others, tree.unreadable):
        paths.sort()
    return tree


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted((e for e in found if not is_hidden(e.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"folder {str(folder)!r}: {error.strerror}",
            expected="a folder that can be listed",
            do="correct its permissions, or move it out of the data set",
            code="unreadable-folder",
        ) from error


def _add(tree: Tree, base: str, entry: os.DirEntry[str], real: Path, seen: set[Path], pending: list[str]) -> bool:
    """Sort one entry into the tree; True where its name matters to the data set."""
    name = base + entry.name
    if entry.is_symlink():
        _check_link(tree.root, name, real)
    if entry.is_dir():
        _check_loop(tree.root, name, seen)
        tree.folders.append(name)
        pending.append(name + "/")
        return True
    stem, suffix = os.path.splitext(entry.name.lower())  # noqa: PTH122 - a Path for each of a million names is slow
    if stem == "metadata" and suffix:
        tree.metadata.append(name)
    elif suffix not in SUFFIXES:
        tree.others.append(name)
        return False
    elif entry.is_file():
        tree.pictures.append(name)
    else:
        tree.unreadable.append((name, "broken link" if entry.is_symlink() else "not a regular file"))
    return True


def _check_link(root: Path, name: str, real: Path) -> None:
    target = (root / name).resolve()
    if not target.is_relative_to(real):
        raise DataError(
            f"{str(root / name)!r}: a symbolic link to {str(target)!r}",
            expected=f"links that stay inside {str(root)!r}",
            do="copy the file into the data set, or remove the link",
            code="outside",
        )


def _check_loop(root: Path, name: str, seen: set[Path]) -> None:
    """Refuse to read a folder twice: its pictures would count twice, or the walk would not end."""
    real = (root / name).resolve()
    if real in seen:
        raise DataError(
            f"{str(root / name)!r}: the folder {str(real)!r} is reached twice through symbolic links",
            expected="every folder once",
            do="remove the link",
            code="loop",
        )
    seen.add(real)


def _is_utf8(name: str) -> bool:
    # Bytes that are no UTF-8 reach us as lone surrogates, which cannot be encoded back.
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_bad_names(root: Path, bad: list[bytes]) -> None:
    if bad:
        more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise DataError(
            f"{str(root)!r}: names that are not UTF-8: {', '.join(map(repr, bad[:_SHOWN]))}{more}",
            expected="file and folder names in UTF-8",
            do="rename them, for example with: convmv -f latin1 -t utf8 -r --notest DATA",
            code="bad-name",
        )
