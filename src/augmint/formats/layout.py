"""Telling splits from classes in a tree of folders, and refusing trees that could be read in two ways."""

from __future__ import annotations

from augmint.core.errors import DataError
from augmint.formats.names import SPLITS
from augmint.formats.tree import Tree, subfolders, top, within

# Folder names that look like splits but are not among those we read.
_ALMOST_SPLITS = frozenset({"training", "testing", "eval", "evaluation", "dev", "heldout", "held-out", "trainset"})


def find_splits(tree: Tree) -> dict[str, str]:
    """Folder with trailing ``/`` -> "train", "val" or "test"; ``{"": "train"}`` where the root holds the classes.

    Raises:
        DataError: code ``nested`` where splits and classes lie side by side, ``no-train``, ``two-splits``.
    """
    names = subfolders(tree, "")
    used = set(top([*tree.pictures, *tree.metadata], ""))
    splits = {name: SPLITS[name.lower()] for name in names if name.lower() in SPLITS}
    others = sorted(used - set(splits))
    # A class may be called "train" (bus, car, train): then it holds pictures and no folders.
    structured = [name for name in splits if _structured(tree, name)]
    if not used & set(splits) or (others and not structured):
        return {"": "train"}
    if others:
        raise _nested(
            tree,
            f"{', '.join(map(repr, sorted(splits)))} beside {', '.join(map(repr, others[:5]))}",
            "either only train, val, test, or only class folders",
            f"move {others[0]!r} away, or pass the folder that holds the classes",
        )
    if "train" not in splits.values():
        raise DataError(
            f"{str(tree.root)!r}: {', '.join(map(repr, sorted(splits)))} but no 'train'",
            expected="train/ beside val/ or test/",
            do=f"rename the training folder to train, or pass {str(tree.root / next(iter(splits)))!r} itself",
            code="no-train",
        )
    return {name + "/": split for name, split in _unique(tree, splits).items() if split == "train" or name in used}


def check_class_folders(tree: Tree, base: str) -> None:
    """Refuse class folders that are really data sets or splits one level too high.

    Raises:
        DataError: code ``nested``.
    """
    direct = {name for name, _, rest in _parts(tree.below(base), base) if "/" not in rest}
    folders: dict[str, list[str]] = {name: [] for name in top(tree.below(base), base)}
    for name, _, rest in _parts(within(tree.folders, base), base):
        if rest and "/" not in rest:
            folders.setdefault(name, []).append(rest)
    for name, inner in folders.items():
        split = next((folder for folder in inner if folder.lower() in SPLITS), "")
        place = str(tree.root / base / name)
        if split:
            raise _nested(
                tree,
                f"a split {f'{base}{name}/{split}'!r} inside the folder {name!r}",
                "train/<class>/, not <class>/train/",
                f"pass {place!r}, or swap the two levels",
            )
        almost = name.lower() in _ALMOST_SPLITS or (len(folders) == 1 and len(inner) > 1)
        if inner and almost and name not in direct:
            raise _nested(
                tree,
                f"folder {f'{base}{name}'!r} holds folders only: {', '.join(map(repr, inner[:5]))}",
                "class folders one level below the data set or below train/, val/, test/",
                f"pass {place!r}, or rename it to train, val or test",
            )


def _parts(paths: list[str], base: str) -> list[tuple[str, str, str]]:
    """(first name, "/", rest) of each path below ``base``."""
    return [path[len(base) :].partition("/") for path in paths]


def _structured(tree: Tree, name: str) -> bool:
    """Whether a folder has folders or a metadata file of its own, as a split has and a class rarely."""
    return bool(subfolders(tree, name + "/")) or any(path.startswith(name + "/") for path in tree.metadata)


def _unique(tree: Tree, splits: dict[str, str]) -> dict[str, str]:
    first: dict[str, str] = {}
    for name, split in splits.items():
        if first.setdefault(split, name) != name:
            raise DataError(
                f"{str(tree.root)!r}: both {first[split]!r} and {name!r}, which mean the same split",
                expected="one folder for each split",
                do="merge or rename one of them",
                code="two-splits",
            )
    return splits


def _nested(tree: Tree, got: str, expected: str, do: str) -> DataError:
    return DataError(f"{str(tree.root)!r}: {got}", expected=expected, do=do, code="nested")
