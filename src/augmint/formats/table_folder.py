"""Where the tables of a data set are: one file, a file for each split, or a saved Hugging Face data set."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from augmint.core.errors import DataError
from augmint.formats.columnar import ArrowFile, Parquet
from augmint.formats.delimited import Delimited
from augmint.formats.line_files import JsonLines, PlainLines
from augmint.formats.names import SPLITS
from augmint.formats.table_file import TableFile
from augmint.formats.tree import SUFFIXES, some_names

SPLIT_WORDS = {**SPLITS, "dev": "val"}
"""What the names of files and the values of a column ``split`` mean."""

_KINDS = {".txt": "txt", ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_OPEN: dict[str, Callable[[Path], TableFile]] = {
    "csv": lambda path: Delimited(path, ","),
    "tsv": lambda path: Delimited(path, "\t"),
    "jsonl": JsonLines,
    "txt": PlainLines,
    "parquet": Parquet,
    "arrow": ArrowFile,
}
# train.csv, and the parts of a large set as the Hugging Face hub has them: train-00000-of-00002.parquet
_SPLIT_FILE = re.compile(rf"({'|'.join(SPLIT_WORDS)})(-\d+-of-\d+)?", re.IGNORECASE)
_SAVED, _SAVED_DICT = ("dataset_info.json", "state.json"), "dataset_dict.json"


@dataclass(frozen=True)
class Source:
    """A file of rows: its kind, the split its name gives ("" for one file), and its name in ids."""

    path: Path
    kind: str
    split: str
    name: str


def table_kind(path: Path) -> str:
    """ "csv", "tsv", "jsonl" or "parquet" by the file's name, "" for any other file."""
    name = path.name.lower()
    packed = name.endswith(".gz")
    kind = _KINDS.get(Path(name.removesuffix(".gz")).suffix, "")
    return "" if packed and kind == "parquet" else kind


def is_table(path: Path) -> bool:
    """Whether a file is a data set of rows; ``metadata.csv`` is the list of a folder of pictures."""
    return bool(table_kind(path)) and path.name.lower().split(".")[0] != "metadata"


def holds_tables(folder: Path) -> bool:
    """Whether a folder is a data set of tables, told by the names of its first two levels.

    A ``train.csv`` beside folders of pictures is a list of these pictures.
    """
    names = some_names(folder)
    if _SAVED_DICT in names or set(_SAVED) <= set(names):
        return True
    if not any(_split_of(folder / name) == "train" for name in names):
        return False
    # An output of augmint has the pictures of its report beside its tables.
    below = [name for name in names if not (name == "report" and ".augmint" in names) and not name.startswith(".")]
    inner = [file for name in below if (folder / name).is_dir() for file in some_names(folder / name)]
    return not any(Path(name).suffix.lower() in SUFFIXES for name in [*names, *inner])


def find_tables(path: Path) -> list[Source]:
    """The files of a data set, those of split "train" first.

    Raises:
        DataError: codes ``no-train``, ``two-splits``, ``saved-set``.
    """
    if path.is_file():
        return [Source(path, table_kind(path), "", path.name)]
    names = sorted(some_names(path))
    if _SAVED_DICT in names:
        found = [source for name in names for source in _saved(path / name, f"{name}/", _split_name(name))]
    elif set(_SAVED) <= set(names):
        found = _saved(path, "", "train")
    else:
        found = [Source(path / n, table_kind(path / n), split, n) for n in names if (split := _split_of(path / n))]
    if not any(source.split == "train" for source in found):
        raise DataError(
            f"{str(path)!r}: no training rows among {', '.join(source.name for source in found) or 'its files'}",
            expected="train beside val or test",
            do="rename the training file to train, or pass it itself",
            code="no-train",
        )
    _check_one_form(path, found)
    return sorted(found, key=lambda source: (source.split != "train", source.split != "val", source.name))


def left_alone(path: Path) -> list[str]:
    """The splits of a saved data set that are neither train nor val nor test."""
    if not (path / _SAVED_DICT).is_file():
        return []
    return sorted(n for n in some_names(path) if (path / n / "state.json").is_file() and not _split_name(n))


@lru_cache(maxsize=16)
def _opened(path: Path, kind: str, modified_ns: int, size: int) -> TableFile:
    return _OPEN[kind](path)


def open_table(path: Path, kind: str) -> TableFile:
    """The reader of a file, opened once in each process for as long as the file does not change.

    Raises:
        DataError: the file as a whole cannot be read.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise DataError(
            f"{str(path)!r}: {error.strerror}",
            expected="a file that can be read",
            do="check it",
            code="unreadable-file",
        ) from error
    return _opened(path, kind, stat.st_mtime_ns, stat.st_size)


def _split_of(path: Path) -> str:
    """The split that a table's name gives, "" for other files."""
    named = table_kind(path) not in ("", "txt")  # a train.txt is a list of other files
    match = _SPLIT_FILE.fullmatch(path.name.split(".")[0]) if named and path.is_file() else None
    return SPLIT_WORDS[match[1].lower()] if match else ""


def _split_name(name: str) -> str:
    return SPLIT_WORDS.get(name.lower(), "")


def _check_one_form(path: Path, found: list[Source]) -> None:
    """A split must be one file, or the parts of one: ``train.csv`` beside ``train.jsonl`` would count rows twice."""
    forms: dict[str, str] = {}
    for source in found:
        form = re.sub(r"-\d+-of-\d+", "", source.name)
        first = forms.setdefault(source.split, form)
        if first != form:
            raise DataError(
                f"{str(path)!r}: both {first!r} and {form!r}, which mean the same split",
                expected="one file for each split",
                do="merge, rename or delete one of them",
                code="two-splits",
            )


def _saved(folder: Path, prefix: str, split: str) -> list[Source]:
    """The Arrow files of ``Dataset.save_to_disk``; none where a folder is no such set or no split."""
    if not split or not (folder / "state.json").is_file():
        return []
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text("utf-8"))
        files = [str(item["filename"]) for item in state["_data_files"]]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _broken(folder, str(error)) from error
    if state.get("_indices_files") or state.get("_indices_data_files"):
        raise _broken(folder, "its rows are picked by a list of indices")
    if any(os.path.basename(name) != name for name in files):  # noqa: PTH119 - names only
        raise _broken(folder, "it names files outside the folder")
    return [Source(folder / name, "arrow", split, f"{prefix}{name}") for name in files]


def _broken(folder: Path, why: str) -> DataError:
    return DataError(
        f"{str(folder)!r}: a saved Hugging Face data set that cannot be read: {why}",
        expected="a folder written by save_to_disk",
        do="save it again: data.flatten_indices().save_to_disk(FOLDER)",
        code="saved-set",
    )
