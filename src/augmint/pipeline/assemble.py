"""The last stage: the output data set, file by file, so that any crash leaves old or new, and then the sums."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from augmint.formats.writing import dump_classes
from augmint.pipeline.assembly import Assembly
from augmint.pipeline.card import data_card
from augmint.pipeline.manifest import Manifest, dump_json
from augmint.pipeline.pictures import write_pictures
from augmint.pipeline.progress import Progress
from augmint.pipeline.setup import Setup
from augmint.pipeline.sheet import contact_sheet_of
from augmint.pipeline.sums import write_sums
from augmint.pipeline.tables import write_tables


def assemble(assembly: Assembly, progress: Progress) -> Assembly:
    """Write the output data set. Doing it again over a half-written one completes it.

    Returns:
        The assembly, with the held-out samples that turned out to be unusable among the skipped.
    """
    setup, manifest = assembly.setup, assembly.manifest
    out, pictures = manifest.out, setup.medium.name == "image"
    if assembly.barrier.joint:
        told = "children have parents of several groups: they fit neither side of a split by group"
        progress.say(f"warning: {assembly.barrier.joint} {told}")
    skipped = write_pictures(assembly, progress) if pictures else write_tables(assembly, progress)
    assembly = dataclasses.replace(assembly, skipped=(*assembly.skipped, *skipped))
    put_facts(setup, assembly.skipped)
    rejects = ((dump_json(row) + "\n").encode() for row in _rejects(assembly))
    manifest.write(out / "rejects.jsonl", rejects, durable=False)
    _put(manifest, out / "README.md", data_card(assembly))
    if pictures:
        manifest.write(out / "report" / "contact_sheet.png", contact_sheet_of(assembly), durable=False)
    os.sync()  # everything that the sums will vouch for is on the disk before the sums are
    write_sums(manifest)
    return assembly


def put_facts(setup: Setup, skipped: Sequence[Mapping[str, Any]]) -> None:
    """The files that every run writes: classes, plan, and what could not be used."""
    manifest, out = setup.room.manifest, setup.room.manifest.out
    _put(manifest, out / "classes.txt", dump_classes(setup.classes))
    _put(manifest, out / "config.yaml", yaml.safe_dump(setup.plan.as_dict(), sort_keys=False, allow_unicode=True))
    _put(manifest, out / "skipped.jsonl", "".join(dump_json(row) + "\n" for row in skipped))


def _rejects(assembly: Assembly) -> Iterator[dict[str, Any]]:
    keys = ("id", "label", "gate", "score", "threshold", "scores", "refs", "attempt", "nearest")
    for child in assembly.barrier.rejects():
        row = {key: child.facts[key] for key in keys if key in child.facts}
        row.setdefault("score", child.facts["scores"].get(row["gate"]))
        yield row | {"unit": child.unit}


def _put(manifest: Manifest, path: Path, text: str) -> None:
    manifest.write(path, text.encode("utf-8"), durable=False)
