"""A run whose children are all drawn: what the output, its card and its pictures are made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from augmint.pipeline.barrier import Barrier
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.quality import Quality
from augmint.pipeline.setup import Setup


@dataclass(frozen=True)
class Assembly:
    """A run whose children are all drawn."""

    setup: Setup
    real: tuple[dict[str, Any], ...]
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
        return any("label_probs" in child.facts for child in self.barrier.accepted())

    @property
    def manifest(self) -> Manifest:
        """State of the run."""
        return self.setup.room.manifest
