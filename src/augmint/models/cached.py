"""An encoder that remembers rows: the same real samples are met again in every arm and every fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from augmint.core.protocols import Encoder
from augmint.core.types import F32, Sample


@dataclass(eq=False)
class CachedEncoder(Encoder):
    """An encoder that encodes each sample with a known id once.

    Rows of an encoder do not depend on their neighbours, so a remembered row is the row it would have made.

    Attributes:
        encoder: does the work.
        known: ids whose rows are kept: each must always stand for the same content. Changed views and minted
            samples carry other ids, or none.
        rows: the rows so far, by id.
    """

    encoder: Encoder
    known: Iterable[str] = ()
    rows: dict[str, F32] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.known = frozenset(self.known)

    @property
    def space(self) -> str:
        """The encoder's."""
        return self.encoder.space

    def encode(self, samples: Sequence[Sample]) -> F32:
        """(n, *shape) float32 rows."""
        new = [s for s in samples if s.id not in self.rows]
        first = {s.id: s for s in new if s.id in self.known}
        asked = [*first.values(), *(s for s in new if s.id not in self.known)]
        made = self.encoder.encode(asked) if asked or not samples else np.zeros((0,), np.float32)
        self.rows.update(zip(first, made, strict=False))
        others = iter(made[len(first) :])
        if not len(samples):
            return made
        return np.stack([self.rows[s.id] if s.id in self.known else next(others) for s in samples])
