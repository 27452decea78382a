"""Opening ``.npz`` files that may be hostile: headers are checked against the archive before memory is taken."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt

from augmint.core.errors import DataError

Array = npt.NDArray[Any]

# Pictures compress 2 to 20 times; an archive beyond this, and large, is a bomb.
MAX_RATIO = 200
MAX_UNCHECKED_BYTES = 1 << 26
# A compressed array is held in memory whole.
MAX_INFLATED_BYTES = 1 << 33
_LOCAL_HEADER_BYTES = 30
_MAKE = "np.savez('data.npz', images=x, labels=y)"


@dataclass(frozen=True)
class Member:
    """One array of an ``.npz``, known by its header only.

    Attributes:
        path: the archive.
        name: key of the array.
        info: its entry in the archive's directory.
        header_bytes: length of the ``.npy`` header.
        shape, dtype, fortran: what the header says.
    """

    path: Path
    name: str
    info: zipfile.ZipInfo
    header_bytes: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    def read(self) -> Array:
        """The array: mapped from disk where it is stored uncompressed, else inflated into memory.

        Raises:
            DataError: code ``npz`` where the archive is damaged.
        """
        order: Literal["F", "C"] = "F" if self.fortran else "C"
        if 0 in self.shape:
            return np.empty(self.shape, self.dtype)
        if self.info.compress_type == zipfile.ZIP_STORED:
            return np.memmap(self.path, self.dtype, "r", self._place(), self.shape, order)
        with _faults(self.path), zipfile.ZipFile(self.path) as archive, archive.open(self.info) as file:
            data = file.read()
        return np.frombuffer(data, self.dtype, offset=self.header_bytes).reshape(self.shape, order=order)

    def first(self) -> Array:
        """The first row alone, without reading the rest; Fortran order has no first row in one piece."""
        if self.fortran:
            return self.read()[0]  # type: ignore[no-any-return]
        length = math.prod(self.shape[1:]) * self.dtype.itemsize
        with _faults(self.path), zipfile.ZipFile(self.path) as archive, archive.open(self.info) as file:
            data = file.read(self.header_bytes + length)
        return np.frombuffer(data, self.dtype, offset=self.header_bytes).reshape(self.shape[1:])

    def _place(self) -> int:
        """Byte of the archive at which the values start."""
        with self.path.open("rb") as file:
            file.seek(self.info.header_offset)
            name, extra = struct.unpack_from("<HH", file.read(_LOCAL_HEADER_BYTES), 26)
        return self.info.header_offset + _LOCAL_HEADER_BYTES + int(name) + int(extra) + self.header_bytes


def open_npz(path: Path) -> dict[str, Member]:
    """Headers of all arrays by key; no values are read.

    Raises:
        DataError: code ``npz`` (no archive, damaged, encrypted, sizes that contradict each other), ``pickle``
            (arrays of Python objects), ``bomb``.
    """
    with _faults(path), zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if sum(info.compress_size for info in infos) > path.stat().st_size:
            _refuse(path, "entries that overlap", "an archive made by np.savez", "bomb")
        members = [_member(path, archive, info) for info in infos]
    return {member.name: member for member in members}


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    if not info.filename.endswith(".npy"):
        _refuse(path, f"an entry {info.filename!r}", ".npy entries only", "npz")
    name = info.filename.removesuffix(".npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        _refuse(path, f"{name!r} in compression method {info.compress_type}", "stored or deflated entries", "npz")
    with archive.open(info) as file:
        shape, fortran, dtype = _header(path, name, file)
        header_bytes = file.tell()
    stated = header_bytes + math.prod(shape) * dtype.itemsize
    if stated != info.file_size or min(shape, default=0) < 0:
        _refuse(path, f"{name!r} of {info.file_size} bytes, whose header says {stated}", "sizes that agree", "npz")
    ratio = info.file_size / max(info.compress_size, 1)
    large = info.file_size > MAX_UNCHECKED_BYTES and ratio > MAX_RATIO
    if large or (info.compress_type == zipfile.ZIP_DEFLATED and info.file_size > MAX_INFLATED_BYTES):
        _refuse(
            path,
            f"{name!r}, {info.compress_size} bytes that inflate to {info.file_size}",
            f"at most {MAX_RATIO} times and {MAX_INFLATED_BYTES >> 30} GiB; large arrays uncompressed (np.savez)",
            "bomb",
        )
    return Member(path, name, info, header_bytes, shape, dtype, fortran)


def _header(path: Path, name: str, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            _refuse(path, f"{name!r} in .npy version {version}", "a plain array (version 1 or 2)", "npz")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except ValueError as error:
        _refuse(path, f"{name!r} without a readable .npy header: {error}", "arrays", "npz")
    if dtype.hasobject:
        got = f"{name!r} holds Python objects (pickle), which can run code when opened"
        _refuse(path, got, "arrays of numbers or fixed-length strings; labels: np.array(labels, dtype=str)", "pickle")
    return shape, fortran, dtype


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Turn what the archive reader raises about a bad file into a DataError."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, struct.error, ValueError) as error:
        _refuse(path, f"no readable .npz: {error}", "an archive made by np.savez", "npz")


def _refuse(path: Path, got: str, expected: str, code: str) -> NoReturn:
    raise DataError(f"{str(path)!r}: {got}", expected=expected, do=f"save it anew: {_MAKE}", code=code)
