"""Picks the families that a run's contact sheet shows, and reads their pictures."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from augmint.core.protocols import Format
from augmint.core.types import Entry
from augmint.pipeline.assembly import Assembly
from augmint.pipeline.barrier import Child
from augmint.pipeline.manifest import Manifest
from augmint.report.contact import Family, contact_sheet
from augmint.report.thumbnails import Picture

_SHOWN, _CLASSES = 8, 12


def contact_sheet_of(assembly: Assembly) -> bytes:
    """PNG bytes: up to eight children of each of the first twelve classes that have any, first drawn first."""
    setup = assembly.setup
    entries = {entry.id: entry for entry in setup.train}
    chosen: dict[str, list[Child]] = {}
    for child in assembly.barrier.accepted():
        chosen.setdefault(child.facts["label"], []).append(child)
    reader = setup.room.open_format()
    classes = []
    for name in [name for name in setup.classes if name in chosen][:_CLASSES]:
        families = [_family(assembly.manifest, reader, entries, child) for child in chosen[name][:_SHOWN]]
        classes.append((name, families))
    model = f"{setup.plan.model}, " if setup.plan.uses_model else ""
    return contact_sheet(classes, f"{setup.plan.recipe}, {model}seed {setup.plan.seed}")


def _family(manifest: Manifest, reader: Format, entries: dict[str, Entry], child: Child) -> Family:
    arrays = manifest.load(child.unit).arrays()
    start, stop = arrays["offsets"][child.position : child.position + 2]
    with Image.open(io.BytesIO(arrays["blob"][start:stop].tobytes())) as image:
        picture: Picture = np.asarray(image)
    # Rows of a base are not shown, and a row of the pool is the child itself.
    parents = [entries[ref.removeprefix("data:")] for ref in child.facts["refs"] if ref.startswith("data:")]
    return Family(picture, tuple(reader.load(entry).content for entry in parents))
