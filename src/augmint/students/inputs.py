"""What students accept: images, texts or rows of numbers; labels whose weights sum to 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from augmint.core.errors import DataError, UsageError
from augmint.core.types import F32, Sample, TrainingSet
from augmint.numerics.frames import to_frames
from augmint.numerics.pixels import colour_channels, planes_of


def check(train: TrainingSet, who: str) -> None:
    """Refuse a training set without a real row, or with weights that cannot be drawn by."""
    if not np.any(~train.minted):
        raise UsageError(
            f"{who}: no real row among {len(train)}",
            expected="at least one row with minted = False",
            do="keep the real rows in the training set",
            code="no-rows",
        )
    fits = np.isfinite(train.weight).all() and (train.weight > 0).all() and np.isfinite(train.y).all()
    if not fits or (train.y < 0).any() or not np.allclose(train.y.sum(axis=1), 1.0, atol=1e-3):
        raise DataError(
            f"{who}: weights or labels that are negative, not finite or do not sum to 1",
            expected="weight > 0, y >= 0 with rows that sum to 1",
            do="correct the training set",
            code="bad-weights",
        )


def are_rows(samples: Sequence[Sample]) -> bool:
    """True where the contents are one-dimensional arrays of floats."""
    return all(_is_row(sample.content) for sample in samples)


def _is_row(content: Any) -> bool:
    return isinstance(content, np.ndarray) and content.ndim == 1 and content.dtype.kind == "f"


def are_texts(samples: Sequence[Sample]) -> bool:
    """True where the contents are strings, or strings by name."""
    return all(isinstance(sample.content, (str, dict)) for sample in samples)


def rows_of(samples: Sequence[Sample], width: int | None = None) -> F32:
    """(n, d) float32 of contents that are rows; raises DataError for others, and for rows of unequal width."""
    for sample in samples:
        content = sample.content
        wanted = (width,) if width is not None else np.shape(samples[0].content)
        if not _is_row(content) or content.shape != wanted or not np.isfinite(content).all():
            shape = f"{content.dtype} {content.shape}" if isinstance(content, np.ndarray) else type(content).__name__
            raise DataError(
                f"{shape} as content of sample {sample.id!r}",
                expected="a row of finite floats, as long as the others",
                do="encode the samples first, or give the student an encoder",
                code="not-a-row",
            )
    empty = np.zeros((0, width or 0), np.float32)
    return np.stack([sample.content for sample in samples]).astype(np.float32) if samples else empty


def channels_of(samples: Sequence[Sample]) -> int:
    """1 where all images are grey, else 3."""
    return max(colour_channels(planes_of(sample).shape[2]) for sample in samples)


def frames(samples: Sequence[Sample], channels: int, size: int) -> Tensor:
    """(n, channels, size, size) float32 in 0..1, grey or RGB, of images of any size and depth."""
    out = to_frames(samples, size)
    return out if channels == 3 else out.mean(1, keepdim=True)
