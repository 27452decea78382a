"""The last stage: the output data set, file by file, so that any crash leaves old or new, and then the sums."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from augmint.core.errors import SampleError
from augmint.core.types import Entry
from augmint.formats.images import strip_metadata
from augmint.formats.names import SPLITS
from augmint.formats.writing import check_class_names, dump_classes, dump_row
from augmint.pipeline.assembly import Assembly
from augmint.pipeline.barrier import Child
from augmint.pipeline.card import data_card
from augmint.pipeline.groups import JOINT
from augmint.pipeline.manifest import Manifest, Rows, dump_json, sha256
from augmint.pipeline.progress import Progress
from augmint.pipeline.sheet import contact_sheet_of
from augmint.pipeline.sums import write_sums
from augmint.pipeline.workers import changed_input, content_hash


def assemble(assembly: Assembly, progress: Progress) -> Assembly:
    """Write the output data set. Doing it again over a half-written one completes it.

    Returns:
        The assembly, with the held-out samples that turned out to be unusable among the skipped.
    """
    setup, manifest = assembly.setup, assembly.manifest
    out = manifest.out
    check_class_names(setup.classes)
    splits = {"train": list(_train_files(assembly)), **_heldout_files(assembly)}
    if assembly.soft:
        progress.say("warning: soft labels: folders name the heaviest class; readers of folders lose label_probs")
    joint = sum(JOINT in child.facts["group"] for child in assembly.barrier.accepted())
    if joint:
        told = "children have parents of several groups: they fit neither side of a split by group"
        progress.say(f"warning: {joint} {told}")
    progress.stage("write", sum(map(len, splits.values())), "samples")
    writer = _Writer(assembly)
    for split, files in splits.items():
        ordered = sorted(files, key=lambda file: file.sort_key(setup.classes))
        rows = [row for file in ordered if (row := writer.place(file, progress))]
        _put(manifest, out / split / "metadata.jsonl", "".join(map(dump_row, rows)))
    assembly = dataclasses.replace(assembly, skipped=(*assembly.skipped, *writer.skipped))
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
    return assembly


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
    entries = {entry.id: entry for entry in assembly.setup.train}
    if not assembly.setup.plan.synthetic_only:
        names = _names(assembly.setup.train)
        for row in assembly.real:
            yield _File("train", row["target"], names[row["id"]], entries[row["id"]], row["sha256"])
    for child in assembly.barrier.accepted():
        yield _File("train", child.facts["label"], child.facts["id"] + child.facts["suffix"], child)


def _heldout_files(assembly: Assembly) -> dict[str, list[_File]]:
    splits = {}
    for split in ("val", "test"):
        entries = [entry for entry in assembly.setup.listing.entries if entry.split == split]
        if entries:
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
        self.soft = self.assembly.soft
        self.unit = ""
        self.blob = b""
        self.offsets: list[int] = []
        self.skipped: Rows = []

    def place(self, file: _File, progress: Progress) -> dict[str, Any] | None:
        """The metadata row of a file now in place; None for a held-out sample that cannot be used."""
        progress.advance(1)
        try:
            data = self._child_bytes(file.source) if isinstance(file.source, Child) else self._original(file)
        except SampleError as error:
            fact = {"id": getattr(file.source, "id", ""), "skipped": error.reason, "detail": error.detail, "sha256": ""}
            self.skipped.append(fact)
            return None
        path = self.room.manifest.out / file.split / file.label / file.name
        if not (path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data):
            self.room.manifest.write(path, data, durable=False)
        name = f"{file.label}/{file.name}" if file.label else file.name
        return {"file_name": name, "label": file.label, **self._facts(file.source), **self._label_probs(file)}

    def _label_probs(self, file: _File) -> dict[str, list[float]]:
        """The weight of each class, in class order; in every row or in none."""
        if not self.soft:
            return {}
        facts = file.source.facts if isinstance(file.source, Child) else {}
        hard = [float(name == file.label) for name in self.assembly.setup.classes]
        return {"label_probs": facts.get("label_probs", hard)}

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
            made = {key: facts[key] for key in ("id", "group", "refs", "label_weights", "label_by", "note")}
            scores = dump_json(facts["scores"])
            by = {"method": plan.recipe, "model": self.assembly.setup.space}
            return made | {"is_synthetic": True, "scores": scores, **by}
        # Every column has one type in every row and split, or load_dataset refuses: no empty lists, no nulls.
        return {
            "is_synthetic": False,
            "id": source.id,
            "group": source.group,
            "refs": [f"data:{source.id}"],
            "label_weights": [1.0],
            "label_by": "",
            "scores": "",
            "note": "",
            "method": "",
            "model": "",
        }


def _rejects(assembly: Assembly) -> Rows:
    keys = ("id", "label", "gate", "score", "threshold", "scores", "refs", "attempt", "nearest")
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
