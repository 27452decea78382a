"""The leak check on what is there already: children of a finished folder, or the splits of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from augmint.core.errors import DataError, SampleError
from augmint.core.protocols import Format
from augmint.core.types import Entry, ReadOptions, Sample
from augmint.evaluation.leaks import U8, LeakFinder
from augmint.formats import detect
from augmint.formats.images import read_image
from augmint.numerics.frames import small_maps
from augmint.pipeline.guard import PRINT_UNIT, flagged
from augmint.pipeline.progress import Progress
from augmint.pipeline.sources import open_heldout


@dataclass(frozen=True)
class NearCopy:
    """A sample, the held-out picture it is a near copy of, and how near: the score is below the threshold."""

    id: str
    nearest: str
    score: float
    threshold: float


@dataclass(frozen=True)
class Comparison:
    """Samples compared with held-out pictures, and those that are near copies of one."""

    compared: int
    held_out: int
    leaks: tuple[NearCopy, ...]


def compare_children(out: Path, heldout: Path, progress: Progress) -> Comparison:
    """The children of a finished folder against held-out data and the folder's own val and test.

    Raises:
        DataError: there is no held-out picture that can be read, or the folder's metadata is damaged.
    """
    source, _ = open_heldout(heldout, ReadOptions())
    apart = [sample for split in ("val", "test") for sample in _written(out / split, minted=False, word="data:")]
    apart += _readable(detect(heldout), source.entries, "heldout:")
    progress.stage("held-out", 1, "data set")
    maps, refs = _maps(apart)
    if not refs:
        raise DataError(
            f"--against {heldout}: none of its {len(source.entries)} samples can be read",
            expected="pictures",
            do="check --against",
            code="no-samples",
        )
    progress.advance(1)
    return _compare(_written(out / "train", minted=True), LeakFinder(maps), refs, progress)


def compare_splits(reader: Format, entries: Sequence[Entry], progress: Progress) -> Comparison:
    """The training samples of a data set against those of its other splits."""
    maps, refs = _maps(_readable(reader, [entry for entry in entries if entry.split != "train"]))
    if not refs:
        return Comparison(0, 0, ())
    train = _readable(reader, [entry for entry in entries if entry.split == "train"])
    return _compare(train, LeakFinder(maps), refs, progress)


def _compare(samples: Iterable[Sample], finder: LeakFinder, refs: Sequence[str], progress: Progress) -> Comparison:
    progress.stage("leak check", 1, "data set")
    rest, count, leaks = iter(samples), 0, list[NearCopy]()
    while some := list(islice(rest, PRINT_UNIT)):
        count += len(some)
        leaks += [NearCopy(**row) for row in flagged(finder, refs, some)]
    progress.advance(1)
    return Comparison(count, len(refs), tuple(leaks))


def _maps(samples: Iterable[Sample]) -> tuple[U8, tuple[str, ...]]:
    rest, maps, refs = iter(samples), [small_maps([])], list[str]()
    while some := list(islice(rest, PRINT_UNIT)):
        maps.append(small_maps(some))
        refs += [sample.id for sample in some]
    return np.concatenate(maps), tuple(refs)


def _readable(reader: Format, entries: Iterable[Entry], word: str = "") -> Iterator[Sample]:
    for entry in entries:
        try:
            yield Sample(f"{word}{entry.id}", reader.load(entry).content)
        except SampleError:
            continue


def _written(folder: Path, *, minted: bool, word: str = "") -> Iterator[Sample]:
    """The children, or the originals, of one split of an output folder; a file that is gone is left to the sums."""
    path = folder / "metadata.jsonl"
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            if row["is_synthetic"] == minted:
                yield Sample(f"{word}{row['id']}", read_image((folder / row["file_name"]).read_bytes())[0])
        except (OSError, SampleError):
            continue
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}:{number}: {error}",
                expected="a row of a run's metadata",
                do="restore the file, or run the same command again",
                code="damaged-metadata",
            ) from error
