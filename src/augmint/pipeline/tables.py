"""Writes the data set of a run on texts: one table for each split, originals first."""

from __future__ import annotations

from augmint.pipeline.assembly import Assembly
from augmint.pipeline.manifest import Rows
from augmint.pipeline.progress import Progress


def write_tables(assembly: Assembly, progress: Progress) -> Rows:
    """Write every split; returns the held-out samples that turned out to be unusable."""
    raise NotImplementedError
