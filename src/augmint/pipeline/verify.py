"""Check an output folder against its sums: every bit it vouches for, and nothing beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from augmint.core.errors import DataError
from augmint.pipeline.against import Comparison, compare_children
from augmint.pipeline.manifest import file_sha256
from augmint.pipeline.progress import Progress
from augmint.pipeline.sums import data_files, parse_sums, state_files


@dataclass(frozen=True)
class Verification:
    """What is wrong with a folder: (path, problem), sorted; empty when all is well.

    ``against`` holds the near copies of held-out samples among its children, where these were given.
    """

    files: int
    problems: tuple[tuple[str, str], ...]
    against: Comparison | None = None

    @property
    def exit_code(self) -> int:
        """0 when every file is what it was and no child is a near copy, else 1."""
        return 1 if self.problems or (self.against and self.against.leaks) else 0


def verify(out: str | Path, against: str | Path | None = None, progress: Progress | None = None) -> Verification:
    """Compare every file with the sums of the run, and every child with held-out samples where these are given.

    Args:
        out: folder of a finished run.
        against: held-out samples of the run's kind: a folder of pictures, an ``.npz``, or a table of texts.
        progress: receives stages.

    Raises:
        DataError: the folder is not a finished run.
    """
    root = Path(out)
    lists: dict[Path, Callable[[Path], Iterable[Path]]] = {
        root / "SHA256SUMS": data_files,
        root / ".augmint" / "SHA256SUMS": state_files,
        root / ".augmint" / "run.sha256": lambda _: [Path("run.json")],
    }
    missing = [path for path in lists if not path.is_file()]
    if missing:
        raise DataError(
            f"{out}: no {missing[0].relative_to(root)}",
            expected="the folder of a finished run",
            do="give run's -o folder, or run the same command again to finish it",
            code="not-a-run",
        )
    count, problems = 0, []
    for path, listed in lists.items():
        try:
            sums = parse_sums(path)
        except (DataError, UnicodeDecodeError, KeyError, StopIteration):
            problems.append((path.relative_to(root).as_posix(), "damaged: not a list of sums"))
            continue
        count += len(sums)
        problems += _compare(root, sums, {file.as_posix() for file in listed(root)})
    watcher = progress or Progress()
    found = None if against is None else compare_children(root, Path(against), watcher)
    return Verification(count, tuple(sorted(problems)), found)


def _compare(root: Path, sums: dict[str, str], present: set[str]) -> list[tuple[str, str]]:
    problems = [(name, "not in the sums: added after the run") for name in present - set(sums)]
    for name, digest in sums.items():
        path = root / name
        if not path.is_file():
            problems.append((name, "missing"))
        elif file_sha256(path) != digest:
            problems.append((name, "changed"))
    return problems
