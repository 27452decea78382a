"""Look at a data set before anything is made: counts, imbalance, duplicates, leaks between splits, bad files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augmint.core.protocols import Format
from augmint.core.types import Entry, Listing, ReadOptions
from augmint.formats import detect
from augmint.pipeline.against import NearCopy, compare_splits
from augmint.pipeline.progress import Progress
from augmint.pipeline.workers import content_hash, read_entry


@dataclass(frozen=True)
class Inspection:
    """What is in a data set.

    Attributes:
        layout: what was recognised.
        counts: split -> class -> usable samples.
        imbalance: largest class / smallest non-empty class of the training split.
        shapes: the commonest shapes, with counts.
        duplicates: groups of ids with identical content inside one split.
        conflicts: groups of ids with identical content and different labels.
        leaks: groups of ids with identical content, or of one group, in more than one split.
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

    @property
    def exit_code(self) -> int:
        """1 when something leaks between splits, else 0."""
        return 1 if self.leaks else 0


def inspect(
    data: str | Path, *, label: str = "", group: str = "", near: bool = False, progress: Progress | None = None
) -> Inspection:
    """Read every sample once, and once more to look for near copies.

    Raises:
        DataError: the data set as a whole is wrong.
    """
    reader = detect(Path(data))
    listing = reader.scan(Path(data), ReadOptions(label, group))
    watcher = progress or Progress()
    seen, shapes, bad = _read_all(reader, listing, watcher)
    splits = {entry.split for entry in listing.entries}
    counts = {split: dict.fromkeys(listing.classes, 0) for split in sorted(splits)}
    for entry, _ in seen:
        if entry.target is not None:
            counts[entry.split][entry.target] += 1
    filled = [count for count in counts.get("train", {}).values() if count]
    same = _groups((digest, entry) for entry, digest in seen)
    together = _groups((entry.group, entry) for entry, _ in seen if entry.group)
    leaks = [*same, *together]
    return Inspection(
        layout=listing.layout,
        counts=counts,
        imbalance=max(filled) / min(filled) if filled else 1.0,
        shapes=dict(shapes.most_common(5)),
        duplicates=_ids(found for found in same if len({entry.split for entry in found}) == 1),
        conflicts=_ids(found for found in same if len({entry.target for entry in found}) > 1),
        leaks=_ids(found for found in leaks if len({entry.split for entry in found}) > 1),
        near=compare_splits(reader, listing.entries, watcher).leaks if near else (),
        bad=tuple(bad) + listing.unreadable,
        warnings=listing.warnings,
    )


def _read_all(
    reader: Format, listing: Listing, progress: Progress
) -> tuple[list[tuple[Entry, str]], Counter[str], list[tuple[str, str]]]:
    seen: list[tuple[Entry, str]] = []
    shapes: Counter[str] = Counter()
    bad: list[tuple[str, str]] = []
    progress.stage("read", len(listing.entries), "samples")
    for entry in listing.entries:
        sample, row = read_entry(reader, entry)
        if sample is None:
            bad.append((entry.id, row["skipped"]))
        else:
            shapes["x".join(map(str, row["shape"]))] += 1
            pixels: Any = sample.content
            # The pixels, not the file: the same picture saved twice is the same sample.
            seen.append((entry, content_hash(type(sample)(sample.id, pixels))))
        progress.advance(1)
    return seen, shapes, bad


def _groups(pairs: Iterable[tuple[str, Entry]]) -> list[list[Entry]]:
    found: dict[str, list[Entry]] = defaultdict(list)
    for key, entry in pairs:
        found[key].append(entry)
    return [entries for _, entries in sorted(found.items()) if len(entries) > 1]


def _ids(groups: Iterable[list[Entry]]) -> tuple[tuple[str, ...], ...]:
    return tuple(sorted(tuple(entry.id for entry in group) for group in groups))
