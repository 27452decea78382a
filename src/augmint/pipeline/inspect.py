"""Look at a data set before anything is made: counts, imbalance, duplicates, leaks between splits, bad files."""

from __future__ import annotations

import unicodedata
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from augmint.core.errors import SampleError
from augmint.core.protocols import Format
from augmint.core.types import Entry, Listing, ReadOptions, Sample
from augmint.formats import detect
from augmint.numerics.texts import texts_of
from augmint.pipeline.against import NearCopy, compare_splits
from augmint.pipeline.progress import Progress
from augmint.pipeline.sources import as_path
from augmint.pipeline.twins import Twins
from augmint.pipeline.workers import pixel_hash


@dataclass(frozen=True)
class Inspection:
    """What is in a data set.

    Attributes:
        layout: what was recognised.
        counts: split -> class -> usable samples.
        imbalance: largest class / smallest non-empty class of the training split.
        shapes: the commonest shapes of pictures, with counts.
        lengths: of texts: ``words`` and ``characters`` (of each column of a pair) -> min, median, max.
        duplicates: groups of ids with identical content inside one split; texts are compared without regard to case,
            to the kind and amount of white space, and to the form of Unicode characters.
        conflicts: groups of ids with identical content and different labels.
        leaks: groups of ids with identical content, or of one group, in more than one split.
        crossing: the ids of each group in more than one split, by its name.
        near: training samples that are near copies of a sample of another split, where these were looked for; some
            are real pictures that are alike by nature, so that they are no reason for exit code 1.
        bad: (id, reason) of samples that cannot be used.
        warnings: of the listing.
    """

    layout: str
    counts: dict[str, dict[str, int]]
    imbalance: float
    shapes: dict[str, int]
    duplicates: tuple[tuple[str, ...], ...]
    conflicts: tuple[tuple[str, ...], ...]
    leaks: tuple[tuple[str, ...], ...]
    near: tuple[NearCopy, ...]
    bad: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    lengths: dict[str, dict[str, float]] = field(default_factory=dict)
    modality: str = "image"
    crossing: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """1 when something leaks between splits, else 0."""
        return 1 if self.leaks else 0


def inspect(
    data: str | Path,
    *,
    label: str = "",
    group: str = "",
    text: str = "",
    spans: str = "",
    near: bool = False,
    progress: Progress | None = None,
) -> Inspection:
    """Read every sample once, and once more to look for near copies.

    Raises:
        DataError: the data set as a whole is wrong.
    """
    data = as_path("data", data)
    reader = detect(data)
    listing = reader.scan(data, ReadOptions(label, group, text=text, spans=spans))
    watcher = progress or Progress()
    seen = _Seen(listing)
    watcher.stage("read", len(listing.entries), "samples")
    for number, entry in enumerate(listing.entries):
        seen.add(number, entry, reader)
        watcher.advance(1)
    filled = [count for count in seen.counts.get("train", {}).values() if count]
    same = [seen.entries_of(numbers) for numbers in seen.contents.groups()]
    together = (seen.entries_of(numbers) for numbers in seen.groups.groups())
    crossing = [found for found in together if _splits(found) > 1]
    leaks = [found for found in same if _splits(found) > 1] + crossing
    return Inspection(
        layout=listing.layout,
        counts=seen.counts,
        imbalance=max(filled) / min(filled) if filled else 1.0,
        shapes=dict(seen.shapes.most_common(5)),
        duplicates=_ids(found for found in same if _splits(found) == 1),
        conflicts=_ids(found for found in same if len({entry.target for entry in found}) > 1),
        leaks=_ids(leaks),
        crossing={found[0].group: tuple(entry.id for entry in found) for found in crossing},
        near=compare_splits(reader, listing, watcher).leaks if near else (),
        bad=tuple(seen.bad) + listing.unreadable,
        warnings=listing.warnings,
        lengths=seen.lengths(),
        modality=reader.modality,
    )


class _Seen:
    """What is kept of the samples that were read: a few numbers each."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.counts = {split: dict.fromkeys(listing.classes, 0) for split in sorted(listing.splits)}
        self.shapes: Counter[str] = Counter()
        self.bad: list[tuple[str, str]] = []
        self.contents, self.groups = Twins(), Twins()
        self._sizes: dict[str, array[int]] = defaultdict(lambda: array("i"))

    def add(self, number: int, entry: Entry, reader: Format) -> None:
        """Read an entry and take note of it."""
        try:
            sample = reader.load(entry)
        except SampleError as error:
            self.bad.append((entry.id, error.reason))
            return
        self.contents.add(number, self._text(sample) if reader.modality == "text" else self._picture(sample))
        if entry.target is not None:
            self.counts[entry.split][entry.target] += 1
        if entry.group:
            self.groups.add(number, entry.group.encode())

    def _picture(self, sample: Sample) -> bytes:
        self.shapes["x".join(map(str, np.shape(sample.content)))] += 1
        # The pixels, not the file: the same picture saved twice is the same sample.
        return pixel_hash(sample).encode()

    def _text(self, sample: Sample) -> bytes:
        texts = texts_of(sample)
        names = [f" of {name}" for name in sample.content] if isinstance(sample.content, dict) else [""]
        for name, text in zip(names, texts, strict=True):
            self._sizes[f"words{name}"].append(len(text.split()))
            self._sizes[f"characters{name}"].append(len(text))
        return "\0".join(map(normalised, texts)).encode()

    def lengths(self) -> dict[str, dict[str, float]]:
        """Smallest, middle and largest length of the texts."""
        sizes = {name: np.frombuffer(values, np.int32) for name, values in self._sizes.items()}
        return {
            name: {"min": int(found.min()), "median": float(np.median(found)), "max": int(found.max())}
            for name, found in sizes.items()
        }

    def entries_of(self, numbers: Sequence[int]) -> list[Entry]:
        """The entries with these numbers."""
        return [self.listing.entries[number] for number in numbers]


def normalised(text: str) -> str:
    """A text without regard to case, white space and the form of its characters."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _splits(entries: Iterable[Entry]) -> int:
    return len({entry.split for entry in entries})


def _ids(groups: Iterable[Sequence[Entry]]) -> tuple[tuple[str, ...], ...]:
    return tuple(sorted(tuple(entry.id for entry in group) for group in groups))
