r"""A pretrained network with a linear layer on top, all of it trained.

The layer sees the network's features standardised by the real training rows, and starts at zero; its rate is larger
than the network's. Batch norm keeps the statistics of the pretraining and dropout is off: a few rows would estimate
neither. The network comes as a callable, so that this room knows no model.

The network of texts also cuts them into token numbers. Its features, of unit length, are standardised the same way;
a text is as long as 95 % of the real ones, since attention over padding costs as much as over words.

Shapes: images (n, 3, s, s) RGB 0..1, tokens (n, 2, T) numbers and mask, features (n, d), probabilities (n, k).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from augmint.core.errors import UsageError
from augmint.core.protocols import Student
from augmint.core.types import F32, Bool, Budget, Sample, TrainingSet
from augmint.numerics.networks import bare_linear
from augmint.students.inputs import are_texts, channels_of, check, frames
from augmint.students.loop import Recipe, Standard, answers, fit_network, probabilities
from augmint.students.text_views import TextViews, strings_of, usual_length


@dataclass
class Finetune(Student):
    """A pretrained network trained further, with a new linear layer on top.

    Attributes:
        network: a new copy of the pretrained network, images (n, 3, s, s) or tokens (n, 2, T) -> features (n, d);
            that of texts makes tokens with its method ``tokens(texts, T)``.
        size: s, pixels.
        longest: tokens of a text that are read, at most.
        rate: largest learning rate of the network, the middle of those tried.
        head: times this for the layer on top.
    """

    network: Callable[[], nn.Module] | None = None
    size: int = 64
    longest: int = 128
    rate: float = 3e-4
    head: float = 3.0
    net_: nn.Module = field(init=False, repr=False)
    present_: Bool = field(init=False, repr=False)
    channels_: int = field(init=False, repr=False)
    length_: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if min(self.size, self.longest) < 1 or self.rate <= 0 or self.head <= 0:
            raise ValueError(
                f"size = {self.size}, longest = {self.longest}, rate = {self.rate} and head = {self.head} "
                "must be positive"
            )

    def fit(self, train: TrainingSet, budget: Budget, rng: np.random.Generator) -> Self:
        """Train for ``budget.updates`` steps."""
        if self.network is None:
            raise UsageError(
                "student finetune without a network",
                expected="a pretrained network",
                do="name a model that can be trained further, such as tiny-judge",
                code="no-network",
            )
        check(train, "finetune")
        self.present_ = train.y.sum(axis=0) > 0
        real = [s for s, minted in zip(train.samples, train.minted, strict=True) if not minted]
        self.channels_, afresh = 0 if are_texts(real) else channels_of(real), None
        body = self._body()
        if self.channels_:
            x = self._inputs(train.samples, body)
        else:
            lengths = body[1].tokens(strings_of(real), self.longest)[:, 1].sum(1)
            self.length_ = usual_length(lengths.tolist(), self.longest)
            x, afresh = TextViews.of(train, rng).numbers(partial(body[1].tokens, width=self.length_))
        features = torch.from_numpy(answers(body, x[torch.from_numpy(~train.minted)]))
        make = partial(self._network, features, len(train.classes))
        recipe = Recipe(make, self._groups, self.rate, pretrained=True, afresh=afresh, late=not self.channels_)
        self.net_ = fit_network(recipe, x, train, budget, rng)
        return self

    def predict_proba(self, samples: Sequence[Sample]) -> F32:
        """(n, k) probabilities; 0 for classes that had no row."""
        assert isinstance(self.net_, nn.Sequential)
        return probabilities(self.net_, self._inputs(samples, self.net_[0]), self.present_)

    def _inputs(self, samples: Sequence[Sample], body: Any) -> Tensor:
        """What the network reads of images, or of texts."""
        if self.channels_:
            return frames(samples, self.channels_, self.size)
        tokens: Tensor = body[1].tokens(strings_of(samples), self.length_)
        return tokens

    def _body(self) -> Any:
        """A new copy of the pretrained network, whose every weight is trained; grey images are repeated to RGB."""
        assert self.network is not None
        with torch.random.fork_rng(devices=[]):  # initial weights are drawn, only to be replaced by the pretrained ones
            return nn.Sequential(
                Colours() if self.channels_ else nn.Identity(), self.network().requires_grad_(True)
            ).eval()

    def _network(self, features: Tensor, classes: int, generator: torch.Generator) -> nn.Module:
        """Body and head, which looks at features standardised as these (n, d) are."""
        layer = bare_linear(features.shape[1], classes)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        return nn.Sequential(self._body(), Standard(features), layer)

    def _groups(self, net: nn.Module, rate: float) -> list[dict[str, Any]]:
        assert isinstance(net, nn.Sequential)
        body = {"params": list(net[0].parameters()), "lr": rate}
        return [body, {"params": list(net[2].parameters()), "lr": self.head * rate}]


class Colours(nn.Module):
    """(n, 1 or 3, s, s) to (n, 3, s, s)."""

    def forward(self, x: Tensor) -> Tensor:
        """Grey repeated; channels last, which a step of a SqueezeNet at 48 px takes 50 ms with and 61 ms without."""
        return x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
