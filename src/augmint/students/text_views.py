"""Texts as the numbers that a network reads: the rows of a training set, and its views under a transform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from augmint.core.types import Sample, TrainingSet
from augmint.numerics.texts import texts_of
from augmint.students.views import changed, view_count

VIEWS, MOST_ROWS = 32, 4000
"""Views of each row that a transform makes, itself included, and how many in all; a step draws one for each row.

Cutting texts into numbers takes longer than a step of a small network, so it is done once."""

Texts = tuple[str, ...]
"""The strings of one sample, in the order of its columns."""


@dataclass(frozen=True)
class TextViews:
    """The texts of a training set and of its changed views.

    Attributes:
        views: for each view, the strings of every row; the rows themselves come first.
    """

    views: tuple[tuple[Texts, ...], ...]

    @classmethod
    def of(cls, train: TrainingSet, rng: np.random.Generator) -> TextViews:
        """Rows as they are; under a transform, so many changed ones."""
        views = [strings_of(train.samples)]
        if train.transform is not None:
            for _ in range(view_count(train, VIEWS, MOST_ROWS) - 1):
                views.append(strings_of(changed(train.samples, train.transform, rng)))
        return cls(tuple(views))

    def numbers(self, read: Callable[[Sequence[Texts]], Tensor]) -> tuple[Tensor, Afresh]:
        """(n, *shape) numbers of the rows, and rows by number as one of their views each."""
        all_ = torch.stack([read(view) for view in self.views])
        changed_ = all_[1:]

        def afresh(rows: Tensor, rng: np.random.Generator) -> Tensor:
            return changed_[torch.from_numpy(rng.integers(len(changed_), size=len(rows))), rows]

        return all_[0], afresh


Afresh = Callable[[Tensor, np.random.Generator], Tensor]


def strings_of(samples: Sequence[Sample]) -> tuple[Texts, ...]:
    """The strings of each sample."""
    return tuple(texts_of(sample) for sample in samples)


def usual_length(lengths: Sequence[int], most: int) -> int:
    """What 95 % of texts are no longer than, rounded up to a multiple of 8, at most ``most``."""
    return min(most, -(-int(np.quantile(lengths, 0.95, method="higher")) // 8) * 8)
