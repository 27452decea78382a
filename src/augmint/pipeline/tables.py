"""Writes the data set of a run on texts: a table for each split, originals as they were and children below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from augmint.core.errors import SampleError
from augmint.core.types import Entry
from augmint.formats.table_writing import TableWriter, layout_of, open_writer
from augmint.formats.tables import restore
from augmint.pipeline.assembly import Assembly
from augmint.pipeline.barrier import ChildBytes
from augmint.pipeline.columns import Columns
from augmint.pipeline.encode_units import UsableRows
from augmint.pipeline.manifest import Rows
from augmint.pipeline.progress import Progress
from augmint.pipeline.workers import Anchor, unchanged


def write_tables(assembly: Assembly, progress: Progress) -> Rows:
    """Write every split; returns the held-out samples that turned out to be unusable."""
    listing, manifest, skipped = assembly.setup.listing, assembly.manifest, list[dict[str, str]]()
    made = sum(assembly.barrier.made(name) for name in assembly.asked)
    progress.stage("write", len(listing.entries) + made, "samples")
    for split in listing.splits:
        entries = listing.of(split)
        layout = layout_of(entries, soft=assembly.soft)
        with manifest.writing(manifest.out / layout.file, durable=False) as file:
            writer = open_writer(file, layout)
            if split == "train":
                _write_train(assembly, writer, progress)
            else:
                skipped += _write_apart(assembly, entries, writer, progress)
            writer.close()
    return skipped


def _write_train(assembly: Assembly, writer: TableWriter, progress: Progress) -> None:
    setup, columns, children = assembly.setup, Columns.of_run(assembly), ChildBytes(assembly.manifest)
    reader = setup.room.open_format()
    for row in () if setup.plan.synthetic_only else _as_they_lie(assembly.real):
        writer.original(unchanged(reader, row), columns.of(row.entry, str(row.entry.target)))
        progress.advance(1)
    for child in assembly.barrier.accepted():
        label = child.facts["label"]
        writer.child(restore(children.of(child)), label, columns.of(child, label))
        progress.advance(1)


def _as_they_lie(real: UsableRows) -> Iterator[Anchor]:
    """The rows in the order of the input, not class by class."""
    return (real[int(i)] for i in np.argsort(real.at))


def _write_apart(assembly: Assembly, entries: Sequence[Entry], writer: TableWriter, progress: Progress) -> Rows:
    """The rows of val or test; returns those that cannot be used any more."""
    reader, columns = assembly.setup.room.open_format(), Columns.of_run(assembly)
    skipped: Rows = []
    for entry in entries:
        progress.advance(1)
        try:
            sample = reader.load(entry)
        except SampleError as error:
            skipped.append({"id": entry.id, "skipped": error.reason, "detail": error.detail, "sha256": ""})
            continue
        writer.original(sample, columns.of(entry, entry.target or ""))
    return skipped
