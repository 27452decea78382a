"""The last stage: the output data set, file by file, so that any crash leaves old or new, and then the sums."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from augmint.core.types import Entry
from augmint.formats.images import strip_metadata
from augmint.formats.writing import check_class_names, dump_classes, dump_row
from augmint.pipeline.assembly import Assembly
from augmint.pipeline.barrier import Child
from augmint.pipeline.card import data_card
from augmint.pipeline.manifest import Manifest, Rows, dump_json
from augmint.pipeline.progress import Progress
from augmint.pipeline.sheet import contact_sheet_of
from augmint.pipeline.sums import write_sums


def assemble(assembly: Assembly, progress: Progress) -> None:
    """Write the output data set. Doing it again over a half-written one completes it."""
    setup, manifest = assembly.setup, assembly.manifest
    out = manifest.out
    check_class_names(setup.classes)
    splits = {"train": list(_train_files(assembly))}
    for split in ("val", "test"):
        entries = [entry for entry in setup.listing.entries if entry.split == split]
        if entries:
            splits[split] = [_real_file(split, entry, entry.target or "") for entry in entries]
    progress.stage("write", sum(map(len, splits.values())), "samples")
    writer = _Writer(assembly)
    for split, files in splits.items():
        rows = [writer.place(file, progress) for file in sorted(files, key=lambda file: file.sort_key(setup.classes))]
        _put(manifest, out / split / "metadata.jsonl", "".join(map(dump_row, rows)))
    _empty_classes(out, setup.classes)
    _put(manifest, out / "classes.txt", dump_classes(setup.classes))
    config = yaml.safe_dump(setup.plan.as_dict(), sort_keys=False, allow_unicode=True)
    _put(manifest, out / "config.yaml", config)
    _put(manifest, out / "skipped.jsonl", "".join(dump_json(row) + "\n" for row in assembly.skipped))
    _put(manifest, out / "rejects.jsonl", "".join(dump_json(row) + "\n" for row in _rejects(assembly)))
    _put(manifest, out / "README.md", data_card(assembly))
    manifest.write(out / "report" / "contact_sheet.png", contact_sheet_of(assembly), durable=False)
    os.sync()  # everything that the sums will vouch for is on the disk before the sums are
    write_sums(manifest)


@dataclass(frozen=True)
class _File:
    """One sample of the output: where it goes and where its bytes come from."""

    split: str
    label: str
    name: str
    source: Entry | Child

    def sort_key(self, classes: tuple[str, ...]) -> tuple[int, str]:
        return (classes.index(self.label) if self.label in classes else -1, self.name)


def _train_files(assembly: Assembly) -> Iterator[_File]:
    entries = {entry.id: entry for entry in assembly.setup.train}
    if not assembly.setup.plan.synthetic_only:
        for row in assembly.real:
            yield _real_file("train", entries[row["id"]], row["target"])
    for child in assembly.barrier.accepted():
        yield _File("train", child.facts["label"], f"{child.facts['id']}.png", child)


def _real_file(split: str, entry: Entry, label: str) -> _File:
    """Originals keep their name under their class folder; rows of an array file are named by their number."""
    if entry.row >= 0:
        return _File(split, label, f"{PurePosixPath(entry.id).name}.png", entry)
    parts = PurePosixPath(entry.id).parts
    # What stands before the class folder (the split's name, the class itself) is given again by the output's folders.
    if label in parts[:-1]:
        parts = parts[parts.index(label) + 1 :]
    elif parts[0] in ("train", "val", "valid", "validation", "test"):
        parts = parts[1:]
    return _File(split, label, "/".join(parts), entry)


@dataclass
class _Writer:
    """Puts files in place and gives their metadata rows."""

    assembly: Assembly

    def __post_init__(self) -> None:
        self.room = self.assembly.setup.room
        self.format = self.room.open_format()
        self.unit = ""
        self.blob = b""
        self.offsets: list[int] = []

    def place(self, file: _File, progress: Progress) -> dict[str, Any]:
        data = self._bytes(file.source)
        path = self.room.manifest.out / file.split / file.label / file.name
        if not (path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data):
            self.room.manifest.write(path, data, durable=False)
        progress.advance(1)
        name = f"{file.label}/{file.name}" if file.label else file.name
        return {"file_name": name, "label": file.label, **self._facts(file.source)}

    def _bytes(self, source: Entry | Child) -> bytes:
        if isinstance(source, Child):
            return self._child_bytes(source)
        sample = self.format.load(source) if source.row >= 0 else None
        if sample is not None:
            return self.format.dump(sample)
        data = source.source.read_bytes()
        return data if self.room.plan.keep_metadata else strip_metadata(data)

    def _child_bytes(self, child: Child) -> bytes:
        if child.unit != self.unit:
            unit = self.room.manifest.load(child.unit)
            self.unit, self.blob = child.unit, unit.array("blob").tobytes()
            self.offsets = unit.array("offsets").tolist()
        return self.blob[self.offsets[child.position] : self.offsets[child.position + 1]]

    def _facts(self, source: Entry | Child) -> dict[str, Any]:
        plan = self.room.plan
        if isinstance(source, Child):
            facts = source.facts
            made = {key: facts[key] for key in ("id", "group", "refs", "label_weights", "scores", "note")}
            return {"is_synthetic": True, **made, "method": plan.method, "model": self.assembly.setup.space}
        nothing = dict.fromkeys([gate for gate in plan.gates if gate in _row_gates(self.assembly)])
        return {
            "is_synthetic": False,
            "id": source.id,
            "group": source.group,
            "refs": [],
            "label_weights": [],
            "scores": nothing,
            "note": "",
            "method": "",
            "model": "",
        }


def _row_gates(assembly: Assembly) -> set[str]:
    for child in assembly.barrier.children[:1]:
        return set(child.facts["scores"])
    return set()


def _rejects(assembly: Assembly) -> Rows:
    keys = ("id", "label", "gate", "score", "threshold", "scores", "refs", "attempt")
    rows = []
    for child in assembly.barrier.rejects():
        row = {key: child.facts[key] for key in keys if key in child.facts}
        row.setdefault("score", child.facts["scores"].get(row["gate"]))
        rows.append(row | {"unit": child.unit})
    return rows


def _empty_classes(out: Path, classes: tuple[str, ...]) -> None:
    """An empty class keeps its folder, so that readers of folders keep the class order."""
    for name in classes:
        (out / "train" / name).mkdir(parents=True, exist_ok=True)


def _put(manifest: Manifest, path: Path, text: str) -> None:
    manifest.write(path, text.encode("utf-8"), durable=False)
