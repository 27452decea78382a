"""SHA256SUMS, in the format of ``sha256sum``: what a run vouches for.

``OUT/SHA256SUMS`` covers the data set: everything but run.json, report/, .augmint/ and itself. The rest has sums in
 ``OUT/.augmint/SHA256SUMS``; the log, the lock, run.json (which holds times) and half-written files have none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from augmint.core.errors import DataError
from augmint.pipeline.manifest import Manifest, file_sha256

_STATE = {"events.jsonl", "lock", "tmp", "SHA256SUMS", "run.sha256"}

_TOPS = ("report", ".augmint")


def data_files(out: Path) -> Iterator[Path]:
    """Files of the data set, sorted, relative to ``out``."""
    apart = {"run.json", "report", ".augmint", "SHA256SUMS"}
    return _walk(out, lambda name: name in apart)


def state_files(out: Path) -> Iterator[Path]:
    """Files of report and state, sorted, relative to ``out``."""
    for top in _TOPS:
        if (out / top).is_dir():
            for path in _walk(out / top, lambda name: name in _STATE):
                yield Path(top) / path


def _walk(root: Path, skip: Callable[[str], bool]) -> Iterator[Path]:
    names = sorted(name for name in os.listdir(root) if not skip(name))  # noqa: PTH208 (bare names are wanted)
    for name in names:
        path = root / name
        if path.is_dir():
            yield from (Path(name) / inner for inner in _walk(path, lambda _: False))
        else:
            yield Path(name)


def write_sums(manifest: Manifest) -> None:
    """Write both lists; the one of the data set comes last and marks the run as whole."""
    out = manifest.out
    manifest.write(manifest.home / "SHA256SUMS", format_sums(out, state_files(out)).encode())
    manifest.write(out / "SHA256SUMS", format_sums(out, data_files(out)).encode())


def vouch(manifest: Manifest, files: Sequence[Path]) -> None:
    """Take these files of a finished run into its lists; what the lists say of all others stays."""
    state = [path for path in files if path.parts[0] in _TOPS]
    data = [path for path in files if path not in state]
    for path, own, walk in ((manifest.home, state, state_files), (manifest.out, data, data_files)):
        if own:
            before = parse_sums(path / "SHA256SUMS")
            now = before | {file.as_posix(): file_sha256(manifest.out / file) for file in own}
            if now != before:
                place = {file.as_posix(): i for i, file in enumerate(walk(manifest.out))}
                names = sorted(now, key=lambda name: place.get(name, len(place)))
                manifest.write(path / "SHA256SUMS", "".join(_line(now[name], name) for name in names).encode())


def format_sums(out: Path, files: Iterable[Path]) -> str:
    """Lines ``hash  path``; names with a newline or backslash are escaped as sha256sum does."""
    return "".join(_line(file_sha256(out / path), path.as_posix()) for path in files)


def _line(digest: str, name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{chr(92) if escaped != name else ''}{digest}  {escaped}\n"


def parse_sums(path: Path) -> dict[str, str]:
    """Path -> hash of a list; raises DataError with the line that is not one."""
    sums = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line:
            continue
        escaped = line.startswith("\\")
        digest, _, name = line.removeprefix("\\").partition("  ")
        if len(digest) != 64 or not name:
            raise DataError(f"{path}:{number}: {line[:80]!r}", expected="hash, two spaces, path", do="run it again")
        sums[_unescape(name) if escaped else name] = digest
    return sums


def _unescape(name: str) -> str:
    out, letters = [], iter(name)
    for letter in letters:
        out.append({"n": "\n", "r": "\r", "\\": "\\"}[next(letters)] if letter == "\\" else letter)
    return "".join(out)
