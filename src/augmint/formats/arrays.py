"""Pictures and labels in one ``.npz`` file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from augmint.core.errors import DataError, SampleError, did_you_mean
from augmint.core.protocols import Format
from augmint.core.types import Entry, Listing, ReadOptions, Sample
from augmint.formats.array_keys import Part, family_of, find_parts, in_unit, listed, need
from augmint.formats.images import write_png
from augmint.formats.names import SPLITS, check_twins
from augmint.formats.npz import Array, Member, open_npz
from augmint.formats.unsupported import check_path, refuse_text_columns

_CLASSES, _SPLIT, _GROUPS = "classes", "split", "groups"


@dataclass(frozen=True)
class Arrays(Format):
    """An ``.npz`` with ``images`` and ``labels``, ``x`` and ``y``, or ``x_train``, ``y_train``, ``x_test``, ...

    Images are ``(n, H, W)`` or ``(n, H, W, C)`` with C = 1 to 4, uint8; ``(n, H, W)`` may be uint16. Floats must
    lie in 0..1 and are read as ``round(255 x)``. Labels are ``(n,)`` whole numbers or strings. ``classes`` names
    the numbers, ``split`` says train, val or test, ``groups`` keeps rows together.
    """

    def scan(self, path: Path, options: ReadOptions) -> Listing:
        """List the rows; ids are row numbers (``000012``), under ``train/`` and ``test/`` where these are arrays.

        With ``options.unlabelled`` the images alone are read, all rows of all their arrays.

        Raises:
            DataError: codes ``missing-key``, ``shape``, ``dtype``, ``labels``, ``split``, ``groups``, ``classes``,
                ``unknown-class``, ``twins``, and those of :func:`augmint.formats.npz.open_npz`.
        """
        path = check_path(Path(path))
        members = open_npz(path)
        parts = find_parts(path, members, options)
        if options.unlabelled:
            return _unlabelled(path, members, parts)
        refuse_text_columns(options)
        labels = [_labels(path, members, part) for part in parts]
        names = _class_names(path, members)
        classes = tuple(names) or _classes_of(labels)
        check_twins(classes, f"classes of {str(path)!r}")
        entries: list[Entry] = []
        for part, values in zip(parts, labels, strict=True):
            targets = _targets(f"{path}: {part.labels}", values, names)
            entries += _entries(path, members, part, targets, options)
        _check_known(path, entries, names)
        first = members[parts[0].images]
        layout = f"npz: {len(classes)} classes, {len(entries)} pictures {first.shape[1:]} {first.dtype}"
        used = {key for part in parts for key in (part.images, part.labels)}
        used |= {_CLASSES, _SPLIT, _GROUPS, options.group}
        ordered = sorted(entries, key=lambda entry: entry.id)
        return Listing(path, tuple(ordered), classes, layout, _warnings(members, used, ordered, classes))

    def load(self, entry: Entry) -> Sample:
        """One row as an array.

        Raises:
            SampleError: floats that are not finite or not in 0..1; a file that went or shrank since the scan.
            DataError: the archive is damaged, so that no row can be read.
        """
        try:
            stat = entry.source.stat()
            values = _images(entry.source, stat.st_mtime_ns, stat.st_size)
            stored = values[entry.split if entry.split in values else ""][entry.row]
        except OSError as error:
            raise SampleError("cannot be opened", error.strerror or "") from error
        except LookupError as error:
            raise SampleError("the row is gone", "the file changed since it was listed") from error
        pixels, info = _pixels(np.asarray(stored))
        return Sample(entry.id, pixels, entry.target, entry.group, entry.split, info=info)

    def dump(self, sample: Sample) -> bytes:
        """The sample's pixels as PNG."""
        return write_png(sample.content)


def _unlabelled(path: Path, members: dict[str, Member], parts: list[Part]) -> Listing:
    entries = []
    for part in parts:
        prefix = f"{part.split}/" if part.split else ""
        count = members[part.images].shape[0]
        entries += [Entry(f"{prefix}{name}", path, row, split=part.split or "train") for row, name in _numbered(count)]
    ordered = tuple(sorted(entries, key=lambda entry: entry.id))
    return Listing(path, ordered, (), f"npz: {len(entries)} pictures without labels")


def _numbered(count: int) -> Iterator[tuple[int, str]]:
    """Row numbers and their names, all of one width so that they sort alike."""
    width = max(6, len(str(count - 1)))
    return ((row, f"{row:0{width}d}") for row in range(count))


def _labels(path: Path, members: dict[str, Member], part: Part) -> Array:
    """(n,) whole numbers or strings."""
    member, count = members[part.labels], members[part.images].shape[0]
    where = f"{member.name!r} of shape {member.shape}, {member.dtype}"
    column = len(member.shape) == 2 and member.shape[1] == 1
    if len(member.shape) != 1 and not column:
        raise DataError(
            f"{str(path)!r}: {where}",
            expected="(n,), one class for each picture",
            do="for one-hot labels: y.argmax(1)",
            code="labels",
        )
    if member.shape[0] != count:
        raise DataError(
            f"{str(path)!r}: {where}",
            expected=f"{count} labels, one for each row of {part.images!r}",
            do="check the arrays",
            code="labels",
        )
    if member.dtype.kind not in "iubUS":
        raise DataError(
            f"{str(path)!r}: {where}", expected="whole numbers or strings", do="y.astype(int)", code="labels"
        )
    return _texts(path, member, "labels") if member.dtype.kind in "US" else np.asarray(member.read()).reshape(-1)


def _texts(path: Path, member: Member, code: str) -> Array:
    """(n,) str array of a member of strings or bytes; empty strings are refused."""
    if member.dtype.kind not in "US":
        raise DataError(
            f"{str(path)!r}: {member.name!r} of type {member.dtype}",
            expected="strings",
            do=".astype(str)",
            code=code,
        )
    values = np.asarray(member.read()).reshape(-1)
    try:
        texts = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values.astype(np.str_)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{str(path)!r}: {member.name!r}: {error}", expected="text in UTF-8", do=".astype(str)", code=code
        ) from error
    empty = np.flatnonzero(np.char.strip(texts) == "")
    if len(empty):
        raise DataError(
            f"{str(path)!r}: {member.name}[{empty[0]}] is empty",
            expected="a name",
            do="fill it in or delete the row",
            code=code,
        )
    return texts


def _class_names(path: Path, members: dict[str, Member]) -> list[str]:
    """Names in the file's own order, [] where it has none."""
    if _CLASSES not in members:
        return []
    names: list[str] = _texts(path, members[_CLASSES], "classes").tolist()
    twice = next((name for at, name in enumerate(names) if name in names[:at]), "")
    if twice:
        raise DataError(
            f"{str(path)!r}: class {twice!r} twice in 'classes'",
            expected="every class once",
            do="merge them",
            code="classes",
        )
    return names


def _classes_of(labels: Sequence[Array]) -> tuple[str, ...]:
    """Distinct labels of all splits: numbers by value, then strings by code point."""
    values = {value if isinstance(value, str) else int(value) for part in labels for value in part.tolist()}
    return tuple(str(value) for value in sorted(values, key=lambda value: (isinstance(value, str), value)))


def _targets(where: str, values: Array, names: list[str]) -> list[str]:
    """Class name of every row."""
    if values.dtype.kind in "US":
        return [str(value) for value in values.tolist()]
    numbers = [int(value) for value in values.tolist()]
    if not names:
        return [str(number) for number in numbers]
    for row, number in enumerate(numbers):
        if not 0 <= number < len(names):
            raise DataError(
                f"{where}[{row}] = {number}",
                expected=f"0 to {len(names) - 1}, a row of 'classes'",
                do="correct the labels or the list of classes",
                code="unknown-class",
            )
    return [names[number] for number in numbers]


def _entries(
    path: Path, members: dict[str, Member], part: Part, targets: list[str], options: ReadOptions
) -> list[Entry]:
    count = len(targets)
    splits = [part.split] * count if part.split else _splits(path, members, count)
    groups = _groups(path, members, part, count, options)
    prefix = f"{part.split}/" if part.split else ""
    return [
        Entry(f"{prefix}{name}", path, row, targets[row], groups[row], splits[row]) for row, name in _numbered(count)
    ]


def _splits(path: Path, members: dict[str, Member], count: int) -> list[str]:
    if _SPLIT not in members:
        return ["train"] * count
    values = _column(path, members[_SPLIT], count, "split")
    for row, value in enumerate(values):
        if value.lower() not in SPLITS:
            hint = did_you_mean(value, SPLITS)
            raise DataError(
                f"{str(path)!r}: {_SPLIT}[{row}] = {value!r}",
                expected="train, val or test",
                do=f"{hint} correct it".strip(),
                code="split",
            )
    return [SPLITS[value.lower()] for value in values]


def _groups(path: Path, members: dict[str, Member], part: Part, count: int, options: ReadOptions) -> list[str]:
    key = options.group or (_GROUPS if _GROUPS in members else "")
    if not key:
        return [""] * count
    need(path, members, key)
    if part.split:
        raise DataError(
            f"{str(path)!r}: groups in {key!r} beside {part.images!r}",
            expected="images, labels, split and groups, one row each",
            do="join the splits into one array and add split",
            code="groups",
        )
    return _column(path, members[key], count, "groups")


def _column(path: Path, member: Member, count: int, code: str) -> list[str]:
    """(n,) names or numbers as strings."""
    if member.shape != (count,) or member.dtype.kind not in "iuUS":
        raise DataError(
            f"{str(path)!r}: {member.name!r} of shape {member.shape}, {member.dtype}",
            expected=f"({count},) strings or numbers",
            do="one value for each picture",
            code=code,
        )
    values = _texts(path, member, code) if member.dtype.kind in "US" else member.read()
    return [str(value) for value in values.tolist()]


def _check_known(path: Path, entries: list[Entry], names: list[str]) -> None:
    """A class of val or test must be known from the list of classes or from train."""
    train = {entry.target for entry in entries if entry.split == "train"}
    if not train:
        raise DataError(
            f"{str(path)!r}: no row of split 'train'", expected="rows to learn from", do="check split", code="split"
        )
    known = set(names) or train
    for entry in entries:
        if entry.target not in known:
            hint = did_you_mean(str(entry.target), sorted(map(str, known)))
            raise DataError(
                f"{str(path)!r}: label {entry.target!r} of row {entry.row} ({entry.split})",
                expected=f"one of: {listed(sorted(map(str, known)))}",
                do=f"{hint} correct the labels".strip(),
                code="unknown-class",
            )


def _warnings(
    members: dict[str, Member], used: set[str], entries: list[Entry], classes: tuple[str, ...]
) -> tuple[str, ...]:
    found = []
    train = {entry.target for entry in entries if entry.split == "train"}
    empty = [name for name in classes if name not in train]
    if empty:
        found.append(f"{len(empty)} empty classes: {', '.join(map(repr, empty[:10]))}")
    if len(classes) == 1:
        found.append("there is only one class")
    unused = sorted(set(members) - used)
    if unused:
        found.append(f"keys left alone: {', '.join(unused[:10])}")
    return tuple(found)


@lru_cache(maxsize=4)
def _images(path: Path, modified_ns: int, size: int) -> dict[str, Array]:
    """The image arrays of a file by split, opened once for as long as the file does not change."""
    members = open_npz(path)
    return {part.split: members[part.images].read() for part in family_of(members)}


def _pixels(stored: Array) -> tuple[Array, dict[str, Any]]:
    """``(H, W)`` or ``(H, W, C)`` in native byte order, a copy of its own; a single channel is dropped."""
    if stored.ndim == 3 and stored.shape[2] == 1:
        stored = stored[:, :, 0]
    info: dict[str, Any] = {"format": "NPZ", "dtype": str(stored.dtype), "bits": 8 * stored.dtype.itemsize}
    if stored.dtype.kind != "f":
        return np.array(stored, stored.dtype.newbyteorder("="), order="C"), info
    if not in_unit(stored):
        raise SampleError("floats that are not in 0..1", "NaN" if not np.isfinite(stored).all() else "")
    return np.rint(stored.astype(np.float64) * 255).astype(np.uint8), {**info, "reduced": "floats read as 8 bits"}
