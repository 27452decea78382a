r"""A small model trained from nothing: convolutions for images, a perceptron for rows, TF-IDF for texts.

Images: 3x3 convolution with stride 2 to 16 channels, pooled; 3x3 to 32, pooled; 3x3 to 64; batch norm and ReLU after
each; the mean of each quarter; a linear layer. 0.5 million multiplications for 32 x 32 pixels.

Images are squashed to the median side of the real training images, 16 px at least and 32 px at most; grey where all
of them are grey. Pixels are standardised by the real training images; so are the numbers of rows.

Texts go to :class:`~augmint.students.tfidf.Tfidf`, a linear classifier on their words.

Shapes: images (n, 3 or 1, s, s) in 0..1, rows (n, d), probabilities (n, k).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from augmint.core.protocols import Student
from augmint.core.types import F32, Bool, Budget, Sample, TrainingSet
from augmint.numerics.networks import Perceptron
from augmint.numerics.pixels import planes_of
from augmint.students.inputs import are_rows, are_texts, channels_of, check, frames, rows_of
from augmint.students.loop import Recipe, Standard, fit_network, probabilities
from augmint.students.tfidf import Tfidf

LEAST, MOST = 16, 32
"""Working size of images in pixels."""

WIDTHS = (16, 32, 64)
"""Channels at 1/4, 1/8 and 1/8 of the image's size."""

HIDDEN = 64
"""Units of the perceptron."""


@dataclass
class Scratch(Student):
    """A small model trained from nothing, on images, rows or texts.

    Attributes:
        rate: largest learning rate of a network, the middle of those tried.
        texts: the student that texts are given to.
    """

    rate: float = 0.005
    texts: Tfidf = field(default_factory=Tfidf)
    net_: nn.Module = field(init=False, repr=False)
    present_: Bool = field(init=False, repr=False)
    shape_: tuple[int, ...] = field(init=False, repr=False)
    texts_: Tfidf = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError(f"rate = {self.rate} must be positive")

    def fit(self, train: TrainingSet, budget: Budget, rng: np.random.Generator) -> Self:
        """Train for ``budget.updates`` steps."""
        check(train, "scratch")
        real = [s for s, minted in zip(train.samples, train.minted, strict=True) if not minted]
        if are_texts(real):
            self.shape_, self.texts_ = (), dataclasses.replace(self.texts).fit(train, budget, rng)
            return self
        self.shape_ = real[0].content.shape if are_rows(real) else _image_shape(real)
        self.present_ = train.y.sum(axis=0) > 0
        x = self._inputs(train.samples)
        own = x[torch.from_numpy(~train.minted)]
        recipe = Recipe(lambda g: _network(own, len(train.classes), g), _all_alike, self.rate)
        self.net_ = fit_network(recipe, x, train, budget, rng)
        return self

    def predict_proba(self, samples: Sequence[Sample]) -> F32:
        """(n, k) probabilities; 0 for classes that had no row."""
        if not self.shape_:
            return self.texts_.predict_proba(samples)
        return probabilities(self.net_, self._inputs(samples), self.present_)

    def _inputs(self, samples: Sequence[Sample]) -> Tensor:
        if len(self.shape_) == 1:
            return torch.from_numpy(rows_of(samples, self.shape_[0]))
        return frames(samples, *self.shape_[:2])


def _all_alike(net: nn.Module, rate: float) -> list[dict[str, Any]]:
    return [{"params": list(net.parameters()), "lr": rate}]


def _image_shape(real: Sequence[Sample]) -> tuple[int, ...]:
    """(channels, side, side) to work at."""
    side = int(np.clip(np.median([max(planes_of(sample).shape[:2]) for sample in real]), LEAST, MOST))
    return (channels_of(real), side, side)


def _network(real: Tensor, classes: int, generator: torch.Generator) -> nn.Module:
    """An untrained network for inputs like ``real`` (n, *shape)."""
    net = _perceptron(real, classes, generator) if real.ndim == 2 else _convolutions(real, classes, generator)
    last = [layer for layer in net.modules() if isinstance(layer, nn.Linear)][-1]
    nn.init.zeros_(last.weight)  # no class is preferred before anything was seen
    nn.init.zeros_(last.bias)
    return net


def _perceptron(real: Tensor, classes: int, generator: torch.Generator) -> nn.Module:
    return nn.Sequential(Standard(real), Perceptron(real.shape[1], HIDDEN, 1, classes, generator))


def _convolutions(real: Tensor, classes: int, generator: torch.Generator) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # layers draw weights from the global generator, only to have them replaced
        fine, middle, coarse = WIDTHS
        net = nn.Sequential(
            Standard(real),
            *_block(real.shape[1], fine, stride=2, pool=True),
            *_block(fine, middle, pool=True),
            *_block(middle, coarse),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(4 * coarse, classes),
        )
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
    return net


def _block(inputs: int, outputs: int, stride: int = 1, pool: bool = False) -> list[nn.Module]:
    layers = [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)]
    # The largest of four and ReLU commute; after the pool there is a quarter to do.
    return [*layers, *([nn.MaxPool2d(2)] if pool else []), nn.ReLU(inplace=True)]
