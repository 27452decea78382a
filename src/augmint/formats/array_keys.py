"""Which arrays of an ``.npz`` are pictures and labels, and whether they have a shape and a type that can be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from augmint.core.errors import DataError, did_you_mean
from augmint.core.types import ReadOptions
from augmint.formats.images import MAX_PIXELS
from augmint.formats.npz import Array, Member

# (images, labels, split or "" for all) of every naming in use; the first family whose images are there is taken.
_FAMILIES: tuple[tuple[tuple[str, str, str], ...], ...] = (
    (("images", "labels", ""),),
    (("x", "y", ""),),
    (("x_train", "y_train", "train"), ("x_val", "y_val", "val"), ("x_test", "y_test", "test")),
    (
        ("train_images", "train_labels", "train"),
        ("val_images", "val_labels", "val"),
        ("test_images", "test_labels", "test"),
    ),
)


@dataclass(frozen=True)
class Part:
    """Keys of one split's images and labels; ``split`` is "" where one pair of arrays holds all."""

    images: str
    labels: str
    split: str


def find_parts(path: Path, members: Mapping[str, Member], options: ReadOptions) -> list[Part]:
    """The pairs of images and labels of a file, checked by their headers.

    Raises:
        DataError: codes ``missing-key``, ``shape``, ``dtype``.
    """
    parts = family_of(members)
    if not parts:
        raise DataError(
            f"{str(path)!r}: keys {listed(members)}",
            expected="images and labels, x and y, or x_train, y_train, x_test, y_test",
            do="save it with np.savez('data.npz', images=x, labels=y)",
            code="missing-key",
        )
    if options.label:
        if len(parts) > 1:
            raise DataError(
                f"{str(path)!r}: --label {options.label} for a file with {parts[0].labels} and {parts[1].labels}",
                expected="one labels array",
                do="leave --label out",
                code="missing-key",
            )
        parts = [Part(parts[0].images, options.label, parts[0].split)]
    for part in parts:
        if not options.unlabelled:
            need(path, members, part.labels)
        _check_images(path, members[part.images])
    return parts


def family_of(members: Mapping[str, Member]) -> list[Part]:
    """The pairs of keys that are there; keys may be written in any case (``X``, ``y``)."""
    lower = {name.lower(): name for name in members}
    for family in _FAMILIES:
        if family[0][0] in lower:
            pairs = [pair for pair in family if pair[0] in lower]
            return [Part(lower[images], lower.get(labels, labels), split) for images, labels, split in pairs]
    return []


def _check_images(path: Path, member: Member) -> None:
    shape, dtype = member.shape, member.dtype
    last = shape[3] if len(shape) == 4 else 1
    colour, deep, real = last > 1, dtype.kind == "u" and dtype.itemsize == 2, dtype.kind == "f"
    channels = (1, 2, 3, 4)
    faults = [
        (len(shape) == 4 and last not in channels and shape[1] in channels,
         "shape", "channels last, (n, H, W, C)", "x.transpose(0, 2, 3, 1)"),
        (len(shape) not in (3, 4) or last not in channels,
         "shape", "(n, H, W) or (n, H, W, C) with C = 1 to 4", "reshape it"),
        (len(shape) > 2 and (0 in shape or shape[1] * shape[2] > MAX_PIXELS),
         "shape", f"at least one picture, of 1 to {MAX_PIXELS} pixels", "check the array"),
        (deep and colour, "dtype", "uint8 for colour; 16 bits are kept for grey only", "(x >> 8).astype(np.uint8)"),
        (not (dtype == "u1" or deep or real),
         "dtype", "uint8, uint16 (grey), or floats in 0..1", "x.astype(np.uint8) for 0..255"),
    ]  # fmt: skip
    got = f"{str(path)!r}: {member.name!r} of shape {shape}, {dtype}"
    for wrong, code, expected, do in faults:
        if wrong:
            raise DataError(got, expected=expected, do=do, code=code)
    if real and not in_unit(member.first()):
        expected, do = "floats in 0..1, none of them NaN", "for 0..255: x.astype(np.uint8)"
        raise DataError(f"{got}, whose first picture is not in 0..1", expected=expected, do=do, code="dtype")


def in_unit(values: Array) -> bool:
    """Whether all values lie in 0..1."""
    # NaN compares false, so it is refused too.
    return bool((values >= 0).all() and (values <= 1).all())


def need(path: Path, members: Mapping[str, Member], key: str) -> None:
    """Refuse a file without this key (DataError, code ``missing-key``, with the nearest key)."""
    if key not in members:
        hint = did_you_mean(key, members)
        raise DataError(
            f"{str(path)!r}: no key {key!r}; the keys are {listed(members)}",
            expected=f"a key {key!r}",
            do=f"{hint} add it".strip(),
            code="missing-key",
        )


def listed(names: Iterable[str]) -> str:
    """Quoted names, at most twenty."""
    shown = [repr(name) for name in names]
    return ", ".join(shown[:20]) + (", ..." if len(shown) > 20 else "")
