r"""A small convolutional network on words, trained from nothing (Kim 2014).

.. math:: h_j = \max_t\, \mathrm{ReLU}\bigl(\langle f_j, (e_t, \dots, e_{t + s_j - 1}) \rangle + b_j\bigr) \qquad
          p = \mathrm{softmax}(W\, \mathrm{dropout}(h) + b)

Each word of the training rows, minted ones too, has a vector e that is learned; all others share one of zeros. Filters
f span one, two or three words. The columns of a pair are read one after the other, with a mark between them.

Shapes: words (n, T) int64, 0 is padding; probabilities (n, k).
Paper: Kim 2014, "Convolutional neural networks for sentence classification", arXiv:1408.5882.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from augmint.core.protocols import Student
from augmint.core.types import F32, Bool, Budget, Sample, TrainingSet
from augmint.numerics.networks import bare_linear
from augmint.numerics.texts import words_of
from augmint.students.inputs import check
from augmint.students.loop import Recipe, fit_network, probabilities
from augmint.students.text_views import Texts, TextViews, strings_of, usual_length

PADDING, UNKNOWN, MARK = 0, 1, 2
"""Numbers that stand for no word of the training rows; MARK stands between the columns of a pair."""

SPANS = (1, 2, 3)
"""Words that a filter sees."""


@dataclass
class WordCNN(Student):
    """A convolutional network on words, trained from nothing.

    Attributes:
        rate: largest learning rate, the middle of those tried.
        width: numbers of a word's vector.
        filters: of each span.
        longest: words of a text that are read, at most.
    """

    rate: float = 0.005
    width: int = 128
    filters: int = 64
    longest: int = 128
    net_: nn.Module = field(init=False, repr=False)
    present_: Bool = field(init=False, repr=False)
    place_: dict[str, int] = field(init=False, repr=False)
    length_: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.rate <= 0 or min(self.width, self.filters) < 1 or self.longest < max(SPANS):
            raise ValueError(
                f"rate = {self.rate}, width = {self.width} and filters = {self.filters} must be positive, "
                f"longest = {self.longest} at least {max(SPANS)}"
            )

    def fit(self, train: TrainingSet, budget: Budget, rng: np.random.Generator) -> Self:
        """Train for ``budget.updates`` steps."""
        check(train, "scratch-cnn")
        views = TextViews.of(train, rng)
        self.present_ = train.y.sum(axis=0) > 0
        words = {word for view in views.views for texts in view for text in texts for word in words_of(text)}
        self.place_ = {word: 1 + max(MARK, UNKNOWN) + i for i, word in enumerate(sorted(words))}
        real = [texts for texts, minted in zip(views.views[0], train.minted, strict=True) if not minted]
        self.length_ = max(usual_length([len(self._words(texts)) for texts in real], self.longest), max(SPANS))
        x, afresh = views.numbers(self._numbers)
        recipe = Recipe(
            lambda g: _network(self, len(words), len(train.classes), g), _all_alike, self.rate, afresh=afresh, late=True
        )
        self.net_ = fit_network(recipe, x, train, budget, rng)
        return self

    def predict_proba(self, samples: Sequence[Sample]) -> F32:
        """(n, k) probabilities; 0 for classes that had no row."""
        return probabilities(self.net_, self._numbers(strings_of(samples)), self.present_)

    def _words(self, texts: Texts) -> list[int]:
        """The numbers of the words of all columns."""
        found: list[int] = []
        for text in texts:
            found += [MARK] if found else []
            found += [self.place_.get(word, UNKNOWN) for word in words_of(text)]
        return found

    def _numbers(self, texts: Sequence[Texts]) -> Tensor:
        """(n, length) numbers of words, cut and filled up."""
        out = torch.full((len(texts), self.length_), PADDING)
        for row, own in zip(out, texts, strict=True):
            words = self._words(own)[: self.length_]
            row[: len(words)] = torch.tensor(words, dtype=torch.int64)
        return out


def _all_alike(net: nn.Module, rate: float) -> list[dict[str, Any]]:
    return [{"params": list(net.parameters()), "lr": rate}]


def _network(student: WordCNN, words: int, classes: int, generator: torch.Generator) -> nn.Module:
    return _Network(student, words, classes, generator)


class _Network(nn.Module):
    """Words (n, T) to answers (n, k)."""

    def __init__(self, student: WordCNN, words: int, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.seeds = generator
        vectors = torch.randn(1 + max(MARK, UNKNOWN) + words, student.width, generator=generator)
        vectors[[PADDING, UNKNOWN]] = 0.0
        self.vectors = nn.Embedding(len(vectors), student.width, padding_idx=PADDING, _weight=vectors)
        with torch.random.fork_rng(devices=[]):  # drawn from the global generator, only to be replaced
            self.filters = nn.ModuleList(nn.Conv1d(student.width, student.filters, span) for span in SPANS)
        for layer in self.filters:
            assert isinstance(layer, nn.Conv1d) and layer.bias is not None
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
        self.last = bare_linear(len(SPANS) * student.filters, classes)
        nn.init.zeros_(self.last.weight)  # no class is preferred before anything was seen
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, k)."""
        rows = self.vectors(x).transpose(1, 2)
        found = torch.cat([layer(rows).amax(2) for layer in self.filters], 1).relu()
        if self.training:  # half of the features, by the numbers of the fit
            found = found * 2.0 * (torch.rand(found.shape, generator=self.seeds) < 0.5)
        out: Tensor = self.last(found)
        return out
