"""State of a run on disk: units, receipts, the lock. Old or new after a crash, never a mixture.

Layout under ``OUT/.augmint``::

    plan.json                     what this folder is the run of
    units/<unit>.safetensors      arrays and rows of one unit
    receipts/<unit>.json          sha256 of the unit's file; written last, so a unit with a receipt is whole
    tmp/                          half-written files; emptied at every start
    events.jsonl, lock            times and the running process; not part of the result

A unit is written to ``tmp``, fsynced, renamed into place, and only then gets its receipt in the same way.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from augmint.core.errors import DataError, RunError, UsageError

Rows = list[dict[str, Any]]

_ROWS = "rows.json"


@dataclass(frozen=True)
class Unit:
    """A finished unit: its rows of facts, and its arrays read on demand."""

    path: Path
    rows: Rows

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays of the unit."""
        arrays: dict[str, np.ndarray] = safetensors.numpy.load_file(self.path)
        return {name: array for name, array in arrays.items() if name != _ROWS}

    def array(self, name: str) -> np.ndarray:
        """One array of the unit."""
        with safe_open(self.path, framework="np") as file:
            return np.asarray(file.get_tensor(name))


@dataclass(frozen=True)
class Manifest:
    """The state folder of one output folder."""

    out: Path

    @property
    def home(self) -> Path:
        """``OUT/.augmint``."""
        return self.out / ".augmint"

    def open(self) -> None:
        """Make the folders and throw away what a killed process left half-written."""
        shutil.rmtree(self.home / "tmp", ignore_errors=True)
        for name in ("units", "receipts", "tmp"):
            try:
                (self.home / name).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise _disk_error(self.home / name, 0, error) from error

    def commit(self, unit: str, arrays: Mapping[str, np.ndarray], rows: Rows) -> None:
        """Write a unit, then its receipt. Safe against kill -9 and power loss at any instruction."""
        # Rows are an array of bytes, not metadata: a header is limited to 100 MB, and 400,000 rows would fill it.
        facts = np.frombuffer(dump_json(rows).encode(), np.uint8)
        # In C order: safetensors 0.8 writes what lies in memory, whatever its strides (safetensors issue 825).
        plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        data = safetensors.numpy.save({**plain, _ROWS: facts})
        self.write(self.home / "units" / f"{unit}.safetensors", data)
        receipt = {"unit": unit, "rows": len(rows), "sha256": sha256(data), "bytes": len(data)}
        self.write(self.home / "receipts" / f"{unit}.json", (dump_json(receipt) + "\n").encode())
        self.event("unit", unit=unit, rows=len(rows))

    def finished(self, unit: str) -> bool:
        """Whether the unit has a receipt that its file agrees with."""
        receipt = self.home / "receipts" / f"{unit}.json"
        path = self.home / "units" / f"{unit}.safetensors"
        try:
            facts = json.loads(receipt.read_bytes())
            return bool(path.stat().st_size == facts["bytes"] and file_sha256(path) == facts["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def units(self, word: str) -> list[str]:
        """Names of the units with a receipt whose names begin with this word, in order."""
        names = (path.stem for path in (self.home / "receipts").glob(f"{word}-*.json"))
        return sorted(names, key=lambda name: [(len(part), part) for part in name.split("-")])

    def load(self, unit: str) -> Unit:
        """A finished unit."""
        path = self.home / "units" / f"{unit}.safetensors"
        try:
            with safe_open(path, framework="np") as file:
                return Unit(path, json.loads(file.get_tensor(_ROWS).tobytes()))
        except (OSError, ValueError, SafetensorError) as error:
            raise DataError(
                f"{path}: {error}",
                expected="a whole unit",
                do="run the same command again: it makes the unit anew",
                code="damaged-unit",
            ) from error

    def write(self, path: Path, data: bytes | Iterable[bytes], *, durable: bool = True) -> None:
        """Put a file in place as a whole or not at all; its bytes may come one part after the other."""
        size = len(data) if isinstance(data, bytes) else 0
        with self.writing(path, durable=durable, size=size) as file:
            for part in [data] if isinstance(data, bytes) else data:
                file.write(part)

    @contextlib.contextmanager
    def writing(self, path: Path, *, durable: bool = True, size: int = 0) -> Iterator[IO[bytes]]:
        """A file to write to, put in place when the block ends; nothing is left of it where the block fails.

        ``size`` is how many bytes it will have, where that is known, for the message that the disk is full.
        """
        # Not under the file's own name, which may be as long as names can be.
        temporary = self.home / "tmp" / uuid.uuid4().hex
        try:
            with temporary.open("wb") as file:
                yield file
                size = max(size, file.tell())
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)
            if durable:
                _fsync_folder(path.parent)
        except OSError as error:
            raise _disk_error(path, size, error) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def event(self, kind: str, **facts: Any) -> None:
        """Append a line with the time; a log, not part of the result."""
        line = dump_json({"time": round(time.time(), 3), "event": kind, **facts}) + "\n"
        path = self.home / "events.jsonl"
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise _disk_error(path, len(line), error) from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep a second run out of the folder; the kernel frees the lock of a dead process."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            opened = (self.home / "lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"-o {self.out}: {error.strerror}",
                expected="a folder that can be written to",
                do="change -o, or its permissions",
                code="not-writable",
            ) from error
        with opened as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.seek(0)
                raise UsageError(
                    f"{self.out} is being written by process {file.read().strip() or 'unknown'}",
                    expected="one run in a folder at a time",
                    do="wait for it, stop it, or choose another -o",
                    code="locked",
                ) from error
            file.truncate(0)
            file.write(f"{os.getpid()} on {os.uname().nodename}")
            file.flush()
            yield


def blobs_of(blobs: Sequence[bytes]) -> dict[str, np.ndarray]:
    """Arrays of a unit of stored samples: their bytes end to end, and where each begins and ends."""
    offsets = np.cumsum([0, *map(len, blobs)], dtype=np.int64)
    return {"blob": np.frombuffer(b"".join(blobs), np.uint8), "offsets": offsets}


def dump_json(value: Any) -> str:
    """JSON with one spelling for one value, one line, readable letters."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256(data: bytes) -> str:
    """Hex digest of bytes."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _disk_error(path: Path, size: int, error: OSError) -> RunError:
    free = shutil.disk_usage(path.parent if path.parent.exists() else "/").free
    return RunError(
        f"cannot write {path} ({size} bytes): {error.strerror}; {free} bytes free",
        expected="a folder that can be written to, with room",
        do="free space or mend the permission, then run the same command: finished units are kept",
        code="disk",
    )
