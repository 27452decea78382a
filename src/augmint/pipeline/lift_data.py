"""The data that a lift is measured on: every sample read once and checked, then read again where it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from augmint.core import registry
from augmint.core.errors import DataError
from augmint.core.protocols import Format, Modality
from augmint.core.types import Entry, ReadOptions, Sample
from augmint.formats import TABLE as FORMATS
from augmint.formats import detect
from augmint.pipeline.finished import Finished
from augmint.pipeline.groups import check_groups, joined_groups
from augmint.pipeline.manifest import dump_json, sha256
from augmint.pipeline.progress import Progress
from augmint.pipeline.setup import check_training, image_size
from augmint.pipeline.sources import format_name, listed
from augmint.pipeline.splits import Rows
from augmint.pipeline.workers import read_entry

MOST_BYTES = 1 << 30
"""Contents that are kept in memory; beyond it files are read again."""


@dataclass
class Shelf:
    """Samples by position, read when they are asked for and kept while there is room.

    Attributes:
        entries: of a data set on disk, none of it unusable.
        format: name of its reader.
        most_bytes: of contents that are kept.
    """

    entries: tuple[Entry, ...]
    format: str
    most_bytes: int = MOST_BYTES
    _kept: dict[int, Sample] = field(default_factory=dict, repr=False)
    _bytes: int = 0

    def __len__(self) -> int:
        return len(self.entries)

    def __getstate__(self) -> dict[str, object]:
        # A worker process reads for itself.
        return {**self.__dict__, "_kept": {}, "_bytes": 0}

    def take(self, at: Sequence[int] | npt.NDArray[np.int64]) -> tuple[Sample, ...]:
        """The samples at these positions, without their files' bytes."""
        return tuple(self._sample(int(i)) for i in at)

    def _sample(self, i: int) -> Sample:
        if i not in self._kept:
            entry, stored = self.entries[i], self._reader.load(self.entries[i])
            sample = Sample(entry.id, stored.content, entry.target, entry.group, entry.split, info=stored.info)
            size = int(np.asarray(sample.content).nbytes)
            if self._bytes + size > self.most_bytes:
                return sample
            self._kept[i] = sample
            self._bytes += size
        return self._kept[i]

    @property
    def _reader(self) -> Format:
        found = registry.build("formats", "format", FORMATS, self.format, {})
        assert isinstance(found, Format)
        return found


@dataclass(frozen=True)
class InMemory:
    """Samples that are there already."""

    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, at: Sequence[int] | npt.NDArray[np.int64]) -> tuple[Sample, ...]:
        """The samples at these positions."""
        return tuple(self.samples[int(i)] for i in at)


@dataclass(frozen=True)
class LiftData:
    """A labelled data set and, for methods that pick, a pool.

    Attributes:
        name: for people.
        shelf: labelled samples: those to train on and, where the data set has one, its test part.
        rows: labels, groups and parts of these.
        classes: in class order.
        pool: unlabelled samples, none of them in the data set, each once; or None.
        rows_space: whether samples are rows already.
        size: working size in pixels that suits the pictures; 0 for rows and texts.
        digest: of all contents, labels and groups, and of the pool.
        warnings: what the user should know.
        modality: of the samples; rows count as images, whose methods suit them.
        columns: that were named: label, group, text, spans.
    """

    name: str
    shelf: Shelf | InMemory
    rows: Rows
    classes: tuple[str, ...]
    pool: Shelf | InMemory | None
    rows_space: bool
    size: int
    digest: str
    warnings: tuple[str, ...] = ()
    modality: Modality = "image"
    columns: Mapping[str, str] = field(default_factory=dict)


def read_data(
    path: Path, options: ReadOptions, pool: Path | None, progress: Progress, *, measured: bool = True
) -> LiftData:
    """A data set on disk; unusable files are left out with a warning.

    Its split "test" is the test part, else "val"; without either all rows are for pairs to split. Where nothing is
    measured (``measured=False``), only the training part is opened.

    Raises:
        DataError: it cannot be read, has no labels, fewer than two classes, or a group in two splits; or its rows
            would be split and some are children of others.
    """
    reader = detect(path)
    listing = reader.scan(path, options)
    check_groups(listing.entries)
    splits = {entry.split for entry in listing.entries}
    part = next((name for name in ("test", "val") if name in splits and measured), "")
    if not part:
        _refuse_children(path)
    wanted = tuple(entry for entry in listing.entries if entry.split in ("train", part))
    check_training(path, tuple(entry for entry in wanted if entry.split == "train"))
    labelled = tuple(entry for entry in wanted if entry.target is not None)
    good, facts, bad = _read(reader, labelled, "read", progress)
    bad += listing.unreadable
    warnings = [*listing.warnings, *_unusable(len(good), bad)]
    known = {fact["pixels"] for fact in facts}
    found, picked = None, list[str]()
    if pool is not None:
        # Held-out parts that are not measured on are no pool rows either.
        others = tuple(entry for entry in listing.entries if measured and entry.split not in ("train", part))
        known |= {fact["pixels"] for fact in _read(reader, others, "read held-out", progress)[1]}
        found, picked, told = _read_pool(pool, options.text, known, progress)
        warnings += told
    contents = [[e.id, e.target, e.group, e.split, f["sha256"]] for e, f in zip(good, facts, strict=True)]
    digest = sha256(dump_json([contents, picked]).encode())
    size = image_size(reader, good) if reader.modality == "image" else 0
    shelf, rows = Shelf(good, format_name(reader)), rows_of(good, listing.classes)
    columns = {key: own for key in ("label", "group", "text", "spans") if (own := getattr(options, key))}
    facts_of_all = (found, False, size, digest, tuple(warnings), reader.modality, columns)
    return LiftData(str(path), shelf, rows, listing.classes, *facts_of_all)


def _refuse_children(path: Path) -> None:
    """Children beside their parents cannot be split: a student would be tested on what it learned."""
    run = Finished.around(path)
    if run is not None:
        raise DataError(
            f"{path}: the output of a run, with minted samples among the real ones",
            expected="real samples, or a test part of its own: children of test rows would be learned from",
            do=f"give the data set that the run was made from: {run.facts['data']}",
            code="minted-data",
        )


def rows_of(entries: Sequence[Entry] | Sequence[Sample], classes: Sequence[str]) -> Rows:
    """Labels, groups and parts of labelled samples; groups that a row of several has joined are one."""
    place = {name: i for i, name in enumerate(classes)}
    labels = np.array([place[str(entry.target)] for entry in entries], np.int64)
    root = joined_groups(entry.group for entry in entries)
    units = np.array([f"group {root[e.group]}" if e.group else f"row {e.id}" for e in entries], np.str_)
    test = np.array([entry.split != "train" for entry in entries], np.bool_)
    return Rows(labels, units, test, len(classes))


def _read_pool(path: Path, text: str, known: set[str], progress: Progress) -> tuple[Shelf, list[str], list[str]]:
    """The pool's samples that are new, the hashes of their pixels, and what to say of the others."""
    reader = detect(path)
    listing = listed(reader, path, ReadOptions(text=text, unlabelled=True))
    entries = listing.entries
    good, facts, bad = _read(reader, entries, "read pool", progress)
    bad += listing.unreadable
    fresh: list[Entry] = []
    hashes: list[str] = []
    for entry, fact in zip(good, facts, strict=True):
        if fact["pixels"] not in known:
            known.add(fact["pixels"])
            fresh.append(entry)
            hashes.append(fact["pixels"])
    told = [f"pool: {line}" for line in _unusable(len(good), bad)]
    if len(fresh) < len(good):
        out = len(good) - len(fresh)
        told.append(f"pool: {out} of {len(good)} samples are in the data set, or twice in the pool; left out")
    if not fresh:
        raise DataError(
            f"--pool {path}: none of its {len(entries)} samples can be used",
            expected="samples that can be read and are not in the data set",
            do="check --pool",
            code="no-samples",
        )
    return Shelf(tuple(fresh), format_name(reader)), hashes, told


def _read(
    reader: Format, entries: Sequence[Entry], stage: str, progress: Progress
) -> tuple[tuple[Entry, ...], list[dict[str, str]], list[tuple[str, str]]]:
    """Usable entries and the hashes of each, and (id, reason) of the others."""
    good, facts, bad = [], [], []
    progress.stage(stage, len(entries), "samples")
    for entry in entries:
        sample, row = read_entry(reader, entry)
        if sample is None:
            bad.append((entry.id, str(row["skipped"])))
        else:
            good.append(entry)
            facts.append(row)
        progress.advance(1)
    return tuple(good), facts, bad


def _unusable(good: int, bad: Sequence[tuple[str, str]]) -> list[str]:
    total = good + len(bad)
    return [f"{len(bad)} of {total} samples cannot be used, first {bad[0][0]}: {bad[0][1]}"] if bad else []
