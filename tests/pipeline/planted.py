"""A student and methods whose effect is known, and a record of what each of them was shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from augmint.core.protocols import Student, Synthesizer
from augmint.core.types import Draw, TrainingSet
from augmint.numerics.rows import data_refs, text_array

CLASSES, WIDTH = 3, 20


def centres():
    return 1.2 * np.eye(CLASSES, WIDTH, dtype=np.float32)


def planted_rows(per_class, seed=0):
    """Rows (n, WIDTH) around the centres, and their classes."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(CLASSES), per_class)
    return (centres()[y] + rng.standard_normal((len(y), WIDTH))).astype(np.float32), y


@dataclass
class Quick(Student):
    """Softmax regression by steps on batches, on whatever numbers the contents hold."""

    budgets: ClassVar[list] = []
    trained: ClassVar[list] = []
    predicted: ClassVar[list] = []
    weight_: np.ndarray = field(init=False, repr=False)

    def fit(self, train, budget, rng):
        x = self.rows(train.samples)
        self.weight_ = np.zeros((x.shape[1], len(train.classes)))
        share = train.weight / train.weight.sum()
        for _ in range(budget.updates):
            at = rng.choice(len(x), budget.batch, p=share)
            self.weight_ -= 0.5 * x[at].T @ (self.probabilities(x[at]) - train.y[at]) / budget.batch
        Quick.budgets.append(budget)
        Quick.trained.append({s.id for s, minted in zip(train.samples, train.minted, strict=True) if not minted})
        return self

    def predict_proba(self, samples):
        Quick.predicted.append({sample.id for sample in samples})
        return self.probabilities(self.rows(samples)).astype(np.float32)

    @staticmethod
    def rows(samples):
        x = np.stack([np.ravel(sample.content) for sample in samples]).astype(np.float64)
        return np.c_[x / (255 if x.max() > 20 else 1), np.ones(len(x))]

    def probabilities(self, x):
        odds = np.exp(x @ self.weight_ - (x @ self.weight_).max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


@dataclass
class Sparse(Student):
    """The same on every seventh row: it knows little of few rows, and gains by more."""

    def fit(self, train, budget, rng):
        at = np.arange(0, len(train), 7)
        fewer = [np.asarray(part)[at] for part in (train.y, train.weight, train.minted)]
        self.quick_ = Quick().fit(TrainingSet(tuple(train.samples[i] for i in at), *fewer, train.classes), budget, rng)
        return self

    def predict_proba(self, samples):
        return self.quick_.predict_proba(samples)


class _Planted(Synthesizer):
    """What these methods share: nothing is learned but the rows seen."""

    scope = "row"
    targets = frozenset(("class",))

    def fit(self, real, rng, *, pool=None, base=None, progress=None):
        self.ids_ = real.ids
        self.labels_ = real.labels
        return self

    def state(self):
        return {"rows": np.arange(1)}

    def load(self, state):
        return self


def _draw(z, refs):
    refs = text_array(refs).reshape(-1, 1)
    return Draw(np.asarray(z, np.float32), refs, np.ones(refs.shape, np.float32))


@dataclass
class TrueRows(_Planted):
    """New rows of the very distribution: it must help."""

    def sample(self, anchors, rng):
        return _draw(centres()[anchors.labels] + rng.standard_normal(anchors.z.shape), data_refs(anchors.ids))


@dataclass
class Copies(_Planted):
    """The anchors again: it cannot help."""

    def sample(self, anchors, rng):
        return _draw(anchors.z, data_refs(anchors.ids))


@dataclass
class Wrong(_Planted):
    """The opposite of what the class looks like: it must harm."""

    def sample(self, anchors, rng):
        return _draw(-2 * centres()[anchors.labels] + rng.standard_normal(anchors.z.shape), data_refs(anchors.ids))


@dataclass
class Spy(_Planted):
    """Copies, and remembers every id it was ever shown, as a method that cheats would."""

    shown: ClassVar[list] = []

    def fit(self, real, rng, *, pool=None, base=None, progress=None):
        Spy.shown.append(set(real.ids.tolist()))
        return self

    def sample(self, anchors, rng):
        assert set(anchors.ids.tolist()) <= Spy.shown[-1]
        return _draw(anchors.z, data_refs(anchors.ids))
