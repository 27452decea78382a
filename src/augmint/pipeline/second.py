"""What a method learns from beside the data: rows of a pool or a base, encoded in units of their own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from augmint.core.errors import DataError
from augmint.core.types import Latents
from augmint.models.base_statistics import base_statistics
from augmint.pipeline.encode_units import Encoding, UsableRows
from augmint.pipeline.fitting import as_latents, gather, usable_rows
from augmint.pipeline.manifest import Manifest, Rows
from augmint.pipeline.plan import Plan
from augmint.pipeline.progress import Progress
from augmint.pipeline.setup import Setup
from augmint.pipeline.workers import Anchor

ENOUGH = 5
"""Rows from which on a class of the data lends to others."""


def encoded_rows(manifest: Manifest, setup: Setup, source: str) -> dict[str, Anchor]:
    """Where each usable row of a source is, by id."""
    found, _ = UsableRows.read(manifest, Encoding.of(setup, source))
    return {anchor.entry.id: anchor for anchor in found}


def second_latents(
    manifest: Manifest, setup: Setup, counts: Mapping[str, int], progress: Progress
) -> dict[str, Latents]:
    """The rows that the method learns or picks from beside the data's, by source; ``counts`` are real rows by class."""
    found: dict[str, Latents] = {}
    if "pool" in setup.sources:
        found["pool"] = pool_latents(manifest, setup, progress)
    if "base" in setup.sources:
        found["base"] = base_latents(manifest, setup)
    elif (base := embedded_base(setup.plan, counts)) is not None:
        progress.say(f"base: statistics of {len(base.classes)} classes that {setup.plan.model} was pretrained on")
        found["base"] = base
    return found


def base_latents(manifest: Manifest, setup: Setup) -> Latents:
    """The rows of the base, in its own classes."""
    z, rows = gather(manifest, Encoding.of(setup, "base").jobs.units, "z")
    _refuse_none(setup, "base", rows, "they cannot be read")
    return as_latents(z, rows, setup.sources["base"].listing.classes, setup.space)


def embedded_base(plan: Plan, counts: Mapping[str, int]) -> Latents | None:
    """Statistics that ship with the model, for a method that borrows where the user gave no base to borrow from.

    None where two classes of the data have ENOUGH rows, unless the method chooses among many: what these know is
    nearer than what the model saw.

    Args:
        plan: with its working size chosen.
        counts: real rows of each class.
    """
    if "base" not in plan.uses:
        return None
    able = [name for name, rows in counts.items() if rows >= ENOUGH]
    if len(able) > 1 and not plan.synthesizer().needs_many_classes:
        return None
    found = base_statistics(plan.model, plan.size)
    return None if found is None else found.rows()


def pool_latents(manifest: Manifest, setup: Setup, progress: Progress) -> Latents:
    """The rows of the pool that a method may pick: none that the data set trains on, and each once.

    Picks that are held-out pictures, or near copies of them, are turned away later, when held-out data may be opened.
    """
    z, rows = gather(manifest, Encoding.of(setup, "pool").jobs.units, "z")
    _refuse_none(setup, "pool", rows, "they cannot be read")
    known = {row["pixels"] for row in usable_rows(manifest)}
    inside = np.array([row["pixels"] in known for row in rows], np.bool_)
    fresh = np.zeros(len(rows), np.bool_)
    for i, row in enumerate(rows):
        fresh[i] = row["pixels"] not in known
        known.add(row["pixels"])
    if inside.any():
        progress.say(f"pool: {int(inside.sum())} of {len(rows)} samples are in the data set; they are never picked")
    if (~fresh & ~inside).any():
        progress.say(f"pool: {int((~fresh & ~inside).sum())} samples are there more than once; each is picked once")
    usable = [row for row, use in zip(rows, fresh, strict=True) if use]
    _refuse_none(setup, "pool", usable, "all are in the data set")
    return as_latents(z[fresh], usable, setup.classes, setup.space)


def _refuse_none(setup: Setup, source: str, rows: Rows, why: str) -> None:
    if not rows:
        path, count = setup.sources[source].path, len(setup.sources[source].entries)
        raise DataError(
            f"--{source} {path}: none of its {count} samples can be used, {why}",
            expected="samples that can be read and are not in the data set",
            do=f"check --{source}",
            code="no-samples",
        )
