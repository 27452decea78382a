"""The leak check on what is there already: children of a finished folder, or the splits of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from augmint.core.errors import DataError, SampleError
from augmint.core.protocols import Format
from augmint.core.types import Entry, Listing, ReadOptions, Sample
from augmint.formats import detect
from augmint.formats.images import read_image
from augmint.pipeline.barrier import ChildBytes, drawn_children
from augmint.pipeline.finished import Finished
from augmint.pipeline.guard import flagged
from augmint.pipeline.modality import MEDIA, Medium
from augmint.pipeline.prints import PRINTS, Finder
from augmint.pipeline.progress import Progress
from augmint.pipeline.sources import open_heldout


@dataclass(frozen=True)
class NearCopy:
    """A sample, the held-out sample it is a near copy of, and how near: the score is below the threshold."""

    id: str
    nearest: str
    score: float
    threshold: float


@dataclass(frozen=True)
class Comparison:
    """Samples compared with held-out ones, and those that are near copies of one; ``noun`` is what they are called."""

    compared: int
    held_out: int
    leaks: tuple[NearCopy, ...]
    noun: str = "pictures"


def compare_children(out: Path, heldout: Path, progress: Progress) -> Comparison:
    """The children of a finished folder against held-out data and the folder's own val and test.

    Raises:
        DataError: there is no held-out sample that can be read, it is of another modality, or the folder's metadata is
            damaged.
    """
    run, reader = Finished(out), detect(heldout)
    if run.is_rows:
        raise DataError(
            f"--against {heldout}: the children of {out} are rows (--space rows)",
            expected="a run that wrote samples, which can be compared with held-out ones",
            do="leave out --against, or run it without --space rows, into another folder",
            code="no-samples",
        )
    if reader.modality != run.medium.name:
        raise DataError(
            f"--against {heldout}: {MEDIA[reader.modality].noun}, and the children are {run.medium.noun}",
            expected=run.medium.noun,
            do="check --against",
            code="modality",
        )
    source, _ = open_heldout(heldout, ReadOptions(text=run.plan.get("text", "")))
    gone = source.listing.unreadable
    if gone:
        progress.say(f"warning: --against: {len(gone)} samples cannot be used, the first {gone[0][0]}: {gone[0][1]}")
    progress.stage("held-out", 1, "data set")
    apart = [*_own_splits(run), *_readable(reader, source.entries, "heldout:")]
    side = _Side.of(run.medium, apart)
    if side is None:
        raise DataError(
            f"--against {heldout}: none of its {len(source.entries)} samples can be read",
            expected=run.medium.noun,
            do="check --against",
            code="no-samples",
        )
    progress.advance(1)
    return side.compare(_children(run), progress)


def compare_splits(reader: Format, listing: Listing, progress: Progress) -> Comparison:
    """The training samples of a data set against those of its other splits."""
    medium = MEDIA[reader.modality]
    others = (listing.of(split) for split in listing.splits if split != "train")
    side = _Side.of(medium, (sample for entries in others for sample in _readable(reader, entries)))
    if side is None:
        return Comparison(0, 0, (), medium.noun)
    return side.compare(_readable(reader, listing.of("train")), progress)


@dataclass(frozen=True)
class _Side:
    """What is held out: its prints in a finder, and what its samples are called."""

    medium: Medium
    finder: Finder
    refs: tuple[str, ...]

    @classmethod
    def of(cls, medium: Medium, samples: Iterable[Sample]) -> _Side | None:
        """The held-out side; None where there is no sample."""
        prints, units, refs = PRINTS[medium.name], [], list[str]()
        for some in _blocks(samples, medium.encode_unit):
            units.append(prints.arrays(prints.of(some)))
            refs += [sample.id for sample in some]
        return cls(medium, prints.finder(prints.joined(units)), tuple(refs)) if refs else None

    def compare(self, samples: Iterable[Sample], progress: Progress) -> Comparison:
        """These samples against what is held out."""
        prints, count, leaks = PRINTS[self.medium.name], 0, list[NearCopy]()
        progress.stage("leak check", 1, "data set")
        for some in _blocks(samples, self.medium.encode_unit):
            count += len(some)
            found = flagged(self.finder, prints.of(some), [sample.id for sample in some], self.refs)
            leaks += [NearCopy(**row) for row in found]
        progress.advance(1)
        return Comparison(count, len(self.refs), tuple(leaks), self.medium.noun)


def _blocks(samples: Iterable[Sample], size: int) -> Iterator[list[Sample]]:
    rest = iter(samples)
    while some := list(islice(rest, size)):
        yield some


def _readable(reader: Format, entries: Iterable[Entry], word: str = "") -> Iterator[Sample]:
    for entry in entries:
        try:
            yield Sample(f"{word}{entry.id}", reader.load(entry).content)
        except SampleError:
            continue


def _own_splits(run: Finished) -> Iterator[Sample]:
    """The samples of val and test in a run's folder."""
    if run.medium.name == "image":
        for split in ("val", "test"):
            yield from _written(run.out / split, minted=False, word="data:")
    else:
        reader = detect(run.out)
        columns = ReadOptions(run.plan["label"], text=run.plan.get("text", ""))
        listing = reader.scan(run.out, columns)
        for split in listing.splits:
            yield from _readable(reader, listing.of(split) if split != "train" else (), "data:")


def _children(run: Finished) -> Iterator[Sample]:
    """The children of a run."""
    if run.medium.name == "image":
        yield from _written(run.out / "train", minted=True)
        return
    prints, stored = PRINTS[run.medium.name], ChildBytes(run.manifest)
    for child in drawn_children(run.manifest):
        if child.accepted:
            yield Sample(child.facts["id"], prints.content(stored.of(child)))


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
