"""A quick student on rows or pixels, and clouds of rows to learn, for tests of choosing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from augmint.core.protocols import Student
from augmint.core.types import F32, Budget, Sample, TrainingSet


class Linear(Student):
    """Multinomial regression by gradient steps, on rows or pixels."""

    def fit(self, train: TrainingSet, budget: Budget, rng: np.random.Generator) -> Self:
        x, self.weight = _rows(train.samples), np.zeros((np.size(train.samples[0].content) + 1, len(train.classes)))
        speed = np.zeros_like(self.weight)
        odds = train.weight / train.weight.sum()
        picks = rng.choice(len(x), (budget.updates, budget.batch), p=odds)
        for step, pick in enumerate(picks):
            error = _softmax(x[pick] @ self.weight) - train.y[pick]
            speed = 0.9 * speed - (x[pick].T @ error / budget.batch + 1e-3 * self.weight)
            self.weight = self.weight + (1.0 if 2 * step < budget.updates else 0.3) * speed
        return self

    def predict_proba(self, samples: Sequence[Sample]) -> F32:
        return _softmax(_rows(samples) @ self.weight).astype(np.float32)


def _rows(samples: Sequence[Sample]) -> np.ndarray:
    rows = np.stack([np.asarray(sample.content).ravel() for sample in samples])
    return np.column_stack([rows / 127.5 - 1.0 if rows.dtype == np.uint8 else rows, np.ones(len(rows))])


def _softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


CLASSES = ("a", "b", "c", "d")


def cloud(rng: np.random.Generator, shots: int, width: int = 20, spread: float = 0.5) -> tuple[Sample, ...]:
    """``shots`` rows of each class, normal around means that are the same in every call."""
    means = np.random.default_rng(99).normal(size=(len(CLASSES), width)) * spread
    rows = [means[c] + rng.normal(size=width) for c in range(len(CLASSES)) for _ in range(shots)]
    rows = [row.astype(np.float32) / 4 for row in rows]
    return tuple(Sample(f"r{i:04d}", row, CLASSES[i // shots]) for i, row in enumerate(rows))
