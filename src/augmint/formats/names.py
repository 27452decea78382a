"""Which names may be classes and files, and what names mean to a data set."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from augmint.core.errors import DataError

# The folder names (in any case) that are splits, as the Hugging Face and torchvision data sets have them.
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
MAX_NAME_BYTES = 255


def twin_key(name: str) -> str:
    """What is left of a name on a file system that ignores case and Unicode form (macOS, Windows)."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def check_twins(names: Iterable[str], where: str) -> None:
    """Refuse names that differ only in case or Unicode form: one would overwrite the other elsewhere.

    Raises:
        DataError: code ``twins``, naming both.
    """
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(twin_key(name), name)
        if twin != name:
            raise DataError(
                f"{where}: {twin!a} and {name!a}, which differ only in case or Unicode form",
                expected="names that stay distinct on every file system",
                do="rename one of them, or merge the two",
                code="twins",
            )


def check_class_names(classes: Iterable[str]) -> None:
    """Refuse class names that cannot be folders of an output set.

    Raises:
        DataError: code ``unsafe-class`` for a name that is empty, a path, hidden, too long or not Unicode text;
            code ``twins`` for two names that differ only in case or Unicode form.
    """
    names = list(classes)
    for name in names:
        fault = _class_fault(name)
        if fault:
            raise DataError(
                f"class name {name!a}: {fault}",
                expected=f"a folder's name: 1 to {MAX_NAME_BYTES} bytes, no '/', not starting with one dot",
                do="rename the class in your data",
                code="unsafe-class",
            )
    check_twins(names, "class names")


def is_hidden(name: str) -> bool:
    """Names the operating system or an editor made: one leading dot, or Windows' picture caches."""
    return (name.startswith(".") and not name.startswith("..")) or name in ("Thumbs.db", "desktop.ini")


def _class_fault(name: str) -> str:
    if not name:
        return "it is empty"
    if "/" in name or "\0" in name or name in (".", ".."):
        return "it would be a path"
    if is_hidden(name):
        return "folders of this name are hidden"
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    return f"it is {length} bytes long" if length > MAX_NAME_BYTES else ""
