"""Writes the data set of a run on pictures: class folders, with a file and a row of metadata for each sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from augmint.core.errors import SampleError
from augmint.core.types import Entry
from augmint.formats.images import strip_metadata
from augmint.formats.names import SPLITS
from augmint.formats.writing import check_class_names, dump_row
from augmint.pipeline.assembly import Assembly
from augmint.pipeline.barrier import Child, ChildBytes
from augmint.pipeline.columns import Columns
from augmint.pipeline.manifest import Rows, sha256
from augmint.pipeline.progress import Progress
from augmint.pipeline.workers import changed_input, content_hash


def write_pictures(assembly: Assembly, progress: Progress) -> Rows:
    """Write every split; returns the held-out samples that turned out to be unusable."""
    setup, manifest = assembly.setup, assembly.manifest
    check_class_names(setup.classes)
    splits = {"train": list(_train_files(assembly)), **_heldout_files(assembly)}
    if assembly.soft:
        progress.say("warning: soft labels: folders name the heaviest class; readers of folders lose label_probs")
    progress.stage("write", sum(map(len, splits.values())), "samples")
    writer = _Writer(assembly)
    for split, files in splits.items():
        ordered = sorted(files, key=lambda file: file.sort_key(setup.classes))
        rows = [row for file in ordered if (row := writer.place(file, progress))]
        text = "".join(map(dump_row, rows))
        manifest.write(manifest.out / split / "metadata.jsonl", text.encode(), durable=False)
    _empty_classes(manifest.out, setup.classes)
    return writer.skipped


@dataclass(frozen=True)
class _File:
    """One sample of the output: where it goes, where its bytes come from, and the hash they had when encoded."""

    split: str
    label: str
    name: str
    source: Entry | Child
    sha256: str = ""

    def sort_key(self, classes: tuple[str, ...]) -> tuple[int, str]:
        return (classes.index(self.label) if self.label in classes else -1, self.name)


def _train_files(assembly: Assembly) -> Iterator[_File]:
    if not assembly.setup.plan.synthetic_only:
        names = _names(assembly.setup.train)
        for row in assembly.real:
            yield _File("train", str(row.entry.target), names[row.entry.id], row.entry, row.sha256)
    for child in assembly.barrier.accepted():
        yield _File("train", child.facts["label"], child.facts["id"] + child.facts["suffix"], child)


def _heldout_files(assembly: Assembly) -> dict[str, list[_File]]:
    splits = {}
    for split in ("val", "test"):
        if entries := assembly.setup.listing.of(split):
            names = _names(entries)
            splits[split] = [_File(split, entry.target or "", names[entry.id], entry) for entry in entries]
    return splits


def _names(entries: Sequence[Entry]) -> dict[str, str]:
    """Name of each original below its class folder, by id; rows of an array file are named by their number.

    What the output's own folders say again is left out: the split's folder, and the class folder where every entry
    is in one. Where only some are, nothing is left out, so that no two entries get one name.
    """
    parts = {entry.id: PurePosixPath(entry.id).parts for entry in entries}
    if all(entry.row >= 0 for entry in entries):
        return {id_: f"{path[-1]}.png" for id_, path in parts.items()}
    if all(len(path) > 1 and SPLITS.get(path[0].lower()) == entries[0].split for path in parts.values()):
        parts = {id_: path[1:] for id_, path in parts.items()}
    if all(len(parts[entry.id]) > 1 and parts[entry.id][0] == entry.target for entry in entries):
        parts = {id_: path[1:] for id_, path in parts.items()}
    return {id_: "/".join(path) for id_, path in parts.items()}


@dataclass
class _Writer:
    """Puts files in place and gives their metadata rows."""

    assembly: Assembly

    def __post_init__(self) -> None:
        self.room = self.assembly.setup.room
        self.format = self.room.open_format()
        self.columns = Columns.of_run(self.assembly)
        self.children = ChildBytes(self.room.manifest)
        self.skipped: Rows = []

    def place(self, file: _File, progress: Progress) -> dict[str, Any] | None:
        """The metadata row of a file now in place; None for a held-out sample that cannot be used."""
        progress.advance(1)
        try:
            data = self.children.of(file.source) if isinstance(file.source, Child) else self._original(file)
        except SampleError as error:
            fact = {"id": getattr(file.source, "id", ""), "skipped": error.reason, "detail": error.detail, "sha256": ""}
            self.skipped.append(fact)
            return None
        path = self.room.manifest.out / file.split / file.label / file.name
        if not (path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data):
            self.room.manifest.write(path, data, durable=False)
        name = f"{file.label}/{file.name}" if file.label else file.name
        return {"file_name": name, "label": file.label, **self.columns.of(file.source, file.label)}

    def _original(self, file: _File) -> bytes:
        """Bytes of an original for the output; what was encoded must still be what it was."""
        entry = file.source
        assert isinstance(entry, Entry)
        if entry.row >= 0:
            sample = self.format.load(entry)
            now, data = content_hash(sample), self.format.dump(sample)
        else:
            try:
                data = entry.source.read_bytes()
            except OSError as error:
                if file.sha256:
                    raise changed_input(entry) from error
                raise SampleError("cannot be opened", error.strerror or "") from error
            now = sha256(data)
        if file.sha256 and now != file.sha256:
            raise changed_input(entry)
        return data if entry.row >= 0 or self.room.plan.keep_metadata else strip_metadata(data)


def _empty_classes(out: Path, classes: tuple[str, ...]) -> None:
    """An empty class keeps its folder, so that readers of folders keep the class order."""
    for name in classes:
        (out / "train" / name).mkdir(parents=True, exist_ok=True)
