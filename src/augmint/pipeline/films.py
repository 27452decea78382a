"""Filmstrips: what the codec decodes on the way from one parent of a child to the other.

Made by the run, which has the codec at hand, and kept as the unit ``films``, so that a report loads no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from augmint.core.protocols import Codec
from augmint.core.types import F32
from augmint.formats.images import read_image
from augmint.pipeline.assembly import Assembly
from augmint.pipeline.barrier import Child
from augmint.pipeline.finished import Finished
from augmint.pipeline.fitting import usable_rows
from augmint.pipeline.manifest import Rows, blobs_of
from augmint.report.facts import Film
from augmint.synthesizers.paths import PATHS

UNIT = "films"
FRAMES = 5
MOST, CHILDREN_A_FILM = 4, 50
"""One film for every fifty children, one at least and four at most: a tenth of the decoding of a run, or less."""


def make_films(assembly: Assembly) -> None:
    """Decode and keep the films of a run; nothing where no child has two parents among the real rows."""
    manifest, room = assembly.manifest, assembly.setup.room
    chosen = [] if room.plan.rewrites else _choose(assembly)
    if not chosen or manifest.finished(UNIT):
        return
    reader, codec = room.open_format(), room.load_codec()
    if not isinstance(codec, Codec):  # two real parents, but nothing is decoded between them
        return
    entries = {entry.id: entry for entry in assembly.setup.train}
    blobs: list[bytes] = []
    rows: Rows = []
    for child, z in zip(chosen, _paths(assembly, chosen), strict=True):
        like = [reader.load(entries[child.facts["refs"][0].removeprefix("data:")])] * FRAMES
        blobs += [reader.dump(frame) for frame in codec.decode(z, like)]
        rows.append({"label": child.facts["label"], "refs": list(child.facts["refs"])})
    manifest.commit(UNIT, blobs_of(blobs), rows)


def _paths(assembly: Assembly, chosen: Sequence[Child]) -> Iterator[F32]:
    """(FRAMES, *shape) latents from the first parent of each child to the second, in even steps."""
    manifest = assembly.manifest
    places = {f"data:{row['id']}": row for row in usable_rows(manifest)}
    path = PATHS[getattr(assembly.setup.plan.synthesizer(), "path", "line")]
    steps = np.linspace(0.0, 1.0, FRAMES, dtype=np.float32)
    for child in chosen:
        ends = [places[ref] for ref in child.facts["refs"]]
        first, last = (manifest.load(end["unit"]).array("z")[end["row"]].astype(np.float32) for end in ends)
        a, b = (np.repeat(row.reshape(1, -1), FRAMES, axis=0) for row in (first, last))
        yield path(a, b, steps).reshape(FRAMES, *first.shape)


def _choose(assembly: Assembly) -> list[Child]:
    """The first child with two different real parents of each class, in class order."""
    first: dict[str, Child] = {}
    count = 0
    for child in assembly.barrier.accepted():
        refs = child.facts["refs"]
        count += 1
        if len(set(refs)) == 2 == len(refs) and all(ref.startswith("data:") for ref in refs):
            first.setdefault(child.facts["label"], child)
    ordered = [first[name] for name in assembly.setup.classes if name in first]
    return ordered[: min(MOST, max(1, count // CHILDREN_A_FILM))]


def films_of(run: Finished) -> tuple[Film, ...]:
    """The films of a finished run; none where it made none."""
    return tuple(_read(run)) if run.manifest.finished(UNIT) else ()


def _read(run: Finished) -> Iterator[Film]:
    unit = run.manifest.load(UNIT)
    arrays = unit.arrays()
    for number, row in enumerate(unit.rows):
        frames = []
        for at in range(number * FRAMES, (number + 1) * FRAMES):
            start, stop = arrays["offsets"][at : at + 2]
            frames.append(read_image(arrays["blob"][start:stop].tobytes())[0])
        first, last = row["refs"]
        yield Film(row["label"], run.shown(first), run.shown(last), tuple(frames))
