"""A run whose children are all drawn: what the output, its card and its pictures are made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from augmint.formats.table_writing import layout_of
from augmint.pipeline.barrier import Barrier
from augmint.pipeline.encode_units import UsableRows
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.quality import Quality
from augmint.pipeline.setup import Setup


@dataclass(frozen=True)
class Assembly:
    """A run whose children are all drawn."""

    setup: Setup
    real: UsableRows
    skipped: tuple[dict[str, Any], ...]
    before: dict[str, int]
    asked: dict[str, int]
    barrier: Barrier
    quality: Quality | None
    exhausted: dict[str, int] = field(default_factory=dict)
    leaks: dict[str, float] = field(default_factory=dict)

    @property
    def soft(self) -> bool:
        """Whether a label has weight in more than one class, so that folders alone do not say it."""
        return self.barrier.soft

    @property
    def data_files(self) -> dict[str, str]:
        """What a reader of the written data set is to load for each split."""
        setup = self.setup
        if setup.medium.name == "image":
            return {split: f"{split}/**" for split in setup.listing.splits}
        return {split: layout_of(setup.listing.of(split), soft=False).file for split in setup.listing.splits}

    @property
    def manifest(self) -> Manifest:
        """State of the run."""
        return self.setup.room.manifest
