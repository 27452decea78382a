"""Rows for a student that cannot change them afresh at each step: a few changed views of each sample, or mixed rows."""

from __future__ import annotations

import copy
import dataclasses
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from augmint.core.types import F32, I64, Sample, TrainingSet, Transform
from augmint.numerics.pixels import planes_of
from augmint.numerics.softmax_regression import Floats
from augmint.students.inputs import are_rows, are_texts
from augmint.students.loop import draw


def view_count(train: TrainingSet, most: int, most_rows: int) -> int:
    """Views of each row, itself included: 1 where nothing changes afresh, else 2 to ``most``, in ``most_rows`` rows."""
    if train.transform is None and train.mixup == 0:
        return 1
    return int(np.clip(most_rows // len(train), 2, most))


def changed(samples: Sequence[Sample], transform: Transform, rng: np.random.Generator) -> list[Sample]:
    """One changed view of each sample, in its size, depth and order, with "" as id.

    A transform is handed a batch: pictures of one shape, or rows, as a tensor; texts as a list of their contents.
    """
    if are_texts(samples):
        contents = transform([copy.copy(sample.content) for sample in samples], rng)
        pairs = zip(samples, contents, strict=True)
        return [dataclasses.replace(sample, id="", content=content, raw=None, spans=()) for sample, content in pairs]
    out = list(samples)
    by_shape: dict[tuple[str, tuple[int, ...]], list[int]] = defaultdict(list)
    for i, sample in enumerate(samples):
        by_shape[(sample.content.dtype.str, sample.content.shape)].append(i)
    for rows in by_shape.values():
        for i, content in zip(rows, _batch([samples[i] for i in rows], transform, rng), strict=True):
            out[i] = dataclasses.replace(samples[i], id="", content=content, raw=None)
    return out


def _batch(samples: Sequence[Sample], transform: Transform, rng: np.random.Generator) -> list[np.ndarray]:
    first = samples[0].content
    if are_rows(samples):
        rows = transform(torch.from_numpy(np.stack([s.content for s in samples]).astype(np.float32)), rng)
        return list(rows.numpy().astype(first.dtype))
    top = np.iinfo(first.dtype).max
    planes = np.stack([planes_of(sample) for sample in samples]).transpose(0, 3, 1, 2)
    frames = transform(torch.from_numpy(planes.astype(np.float32) / np.float32(top)), rng).clamp(0, 1)
    levels = np.rint(frames.numpy().transpose(0, 2, 3, 1) * top).astype(first.dtype)
    return [level.reshape(first.shape) for level in levels]


def partners(weight: Floats, alpha: float, rng: np.random.Generator) -> tuple[I64, F32]:
    """(n,) another row, drawn by weight, and (n,) the first row's share, from Beta(alpha, alpha)."""
    n = len(weight)
    return draw(weight, (n,), rng), rng.beta(alpha, alpha, n).astype(np.float32)
