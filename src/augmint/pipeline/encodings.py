"""Rows of samples, each worked out once: folds share samples, and a row of an encoder depends on its sample alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from augmint.core.errors import UsageError
from augmint.core.protocols import Codec, Encoder
from augmint.core.types import F32, Sample
from augmint.pipeline.workers import pixel_hash

MOST_BYTES = 1 << 30
"""Rows that are kept; beyond it the oldest are forgotten."""


@dataclass
class Remembered(Codec):
    """An encoder, or codec, that remembers the row of every content it has seen.

    Rows are found by content, not by id, so the same picture in two folds, in a pool and among the children of a
    method is encoded once; and nothing but the content can reach a row.

    Attributes:
        inner: does the work.
        most_bytes: of rows that are kept.
    """

    inner: Encoder
    most_bytes: int = MOST_BYTES
    _rows: dict[str, F32] = field(default_factory=dict, repr=False)
    _bytes: int = 0

    @property
    def space(self) -> str:
        """Of the encoder."""
        return self.inner.space

    def encode(self, samples: Sequence[Sample]) -> F32:
        """(n, *shape) rows, the same as the encoder's own."""
        keys = [pixel_hash(sample) for sample in samples]
        missing = {key: sample for key, sample in zip(keys, samples, strict=True) if key not in self._rows}
        fresh = self.inner.encode(list(missing.values()))
        if not len(samples):
            return fresh
        found = dict(zip(missing, fresh, strict=True))
        rows = np.stack([found[key] if key in found else self._rows[key] for key in keys])
        self._keep(found)
        return rows

    def decode(self, z: F32, like: Sequence[Sample]) -> list[Sample]:
        """Samples from rows; nothing is remembered of these."""
        if not isinstance(self.inner, Codec):
            raise UsageError(
                f"model {self.inner.space!r}, which cannot decode",
                expected="a codec, to make samples out of rows",
                do="choose another --model, or work on rows with --space rows",
                code="model-kind",
            )
        return self.inner.decode(z, like)

    def _keep(self, found: dict[str, F32]) -> None:
        for key, row in found.items():
            self._rows[key] = row.copy()  # a view would keep its whole batch alive
            self._bytes += row.nbytes
        while self._bytes > self.most_bytes:
            self._bytes -= self._rows.pop(next(iter(self._rows))).nbytes


@dataclass(frozen=True)
class RowSpace(Codec):
    """The space of samples that are rows already: encoding and decoding copy them.

    Attributes:
        name: of the space that the rows are of.
    """

    name: str = "rows"

    @property
    def space(self) -> str:
        """Name of the space."""
        return self.name

    def encode(self, samples: Sequence[Sample]) -> F32:
        """(n, *shape) float32 contents."""
        if not samples:
            return np.zeros((0, 1), np.float32)
        return np.stack([np.asarray(sample.content, np.float32) for sample in samples])

    def decode(self, z: F32, like: Sequence[Sample]) -> list[Sample]:
        """Samples whose content is a row, with their anchor's target, group and split and "" as id."""
        pairs = zip(z, like, strict=True)
        return [Sample("", row.copy(), anchor.target, anchor.group, anchor.split) for row, anchor in pairs]


def as_rows(samples: Sequence[Sample], encoder: Encoder) -> tuple[Sample, ...]:
    """The same samples with their flat row of an encoder as content, for students and methods that work on rows."""
    rows = encoder.encode(samples).reshape(len(samples), -1)
    pairs = zip(samples, rows, strict=True)
    return tuple(dataclasses.replace(sample, content=row, raw=None, info={}) for sample, row in pairs)
