r"""Training a network for a number of updates, whatever the number of rows.

A step is a batch drawn with replacement, by weight, from all rows; changed by the transform; mixed with another row of
the batch, :math:`\lambda \sim \mathrm{Beta}(\alpha, \alpha)` for each row (Zhang et al. 2018, arXiv:1710.09412), texts
as features under the last layer, which is linear, so as its answers (Guo et al. 2019, arXiv:1905.08941); and a step of
AdamW on the cross-entropy with the (soft) labels. The rate goes up over the first 30 % of the updates and down
along a cosine (Smith & Topin 2018, arXiv:1708.07120).

All numbers that a step draws come from one generator with the seed of the fit: trials of the learning rate meet the
same batches. A network is handed to the loop with its initial weights set; torch's global generator is not used.

Shapes: inputs (n, *shape), labels y (n, k), probabilities (n, k).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor, nn
from torch.nn import functional as F

from augmint.core.seeds import torch_seed
from augmint.core.types import F32, I64, Bool, Budget, TrainingSet
from augmint.numerics.batches import beside
from augmint.numerics.softmax_regression import Floats
from augmint.students.trials import best, cross_entropy, inner_folds, parts, values

WARM_UP = 0.3
"""Share of the updates in which the rate rises."""

REACH = 4.0
"""Learning rates to choose from lie within so many times the student's own."""

FOLDS = 3
"""The learning rate is chosen on one of so many parts of the real rows."""

BLOCK = 128
"""Rows a network answers for at a time, always as many: the last bits of a row depend on it (see `in_blocks`)."""

Parameters = Callable[[nn.Module, float], Sequence[dict[str, object]]]
"""Groups of parameters with the rate of each (``params``, ``lr``)."""


@dataclass(frozen=True)
class Recipe:
    """What differs between networks that are trained.

    Attributes:
        make: a network with its initial weights, drawn from the generator.
        groups: its parameters and their rates, for a rate.
        rate: the largest learning rate, the middle of those tried.
        pretrained: stay in eval mode: batch norm keeps the statistics it came with, dropout is off.
        decay: of the weights.
        afresh: rows by number, changed by the transform, for inputs that a transform cannot take; else it is handed
            the inputs of a batch.
        late: mixup mixes answers, for inputs between which there is nothing.
    """

    make: Callable[[torch.Generator], nn.Module]
    groups: Parameters
    rate: float
    pretrained: bool = False
    decay: float = 0.01
    afresh: Callable[[Tensor, np.random.Generator], Tensor] | None = None
    late: bool = False


def fit_network(recipe: Recipe, x: Tensor, train: TrainingSet, budget: Budget, rng: np.random.Generator) -> nn.Module:
    """The trained network; with trials, at the learning rate that is best on real rows held out.

    Args:
        recipe: how to make the network.
        x: (n, *shape) inputs of the rows of ``train``.
        train: labels, weights, transform and mixup.
        budget: steps, rows of a step, learning rates to try.
        rng: the only source of random numbers.
    """
    seed = torch_seed(rng)
    fold, present = inner_folds(train, FOLDS), train.y.sum(axis=0) > 0
    y = torch.from_numpy(np.ascontiguousarray(train.y, dtype=np.float32))

    def loss(rate: float, part: int) -> float:
        net = _train(recipe, rate, x, y, train, fold != part, budget, seed)
        out = (fold == part) & ~train.minted
        return cross_entropy(probabilities(net, x[torch.from_numpy(out)], present), train.y[out], train.weight[out])

    rate = best(values(recipe.rate, REACH, budget.trials), parts(train, fold)[:1], loss)
    return _train(recipe, rate, x, y, train, np.ones(len(train), np.bool_), budget, seed)


def _train(
    recipe: Recipe, rate: float, x: Tensor, y: Tensor, train: TrainingSet, use: Bool, budget: Budget, seed: int
) -> nn.Module:
    net = recipe.make(torch.Generator().manual_seed(seed)).train(not recipe.pretrained)
    step = torch.optim.AdamW(recipe.groups(net, rate), weight_decay=recipe.decay, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(step, lambda done: one_cycle(done / budget.updates))
    for inputs, labels, mix in batches(x, y, train, use, budget, np.random.default_rng(seed), recipe.afresh):
        loss = F.cross_entropy(mix(net(inputs)) if recipe.late else net(mix(inputs)), mix(labels))
        step.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        step.step()
        schedule.step()
    return net.eval().requires_grad_(False)


def one_cycle(done: float) -> float:
    """Factor of the learning rate when this share of the updates is done: 1/25 up to 1 and down to almost nothing."""
    if done < WARM_UP:
        return 1.0 - 0.96 * 0.5 * (1.0 + math.cos(math.pi * done / WARM_UP))
    return 1e-4 + (1.0 - 1e-4) * 0.5 * (1.0 + math.cos(math.pi * (done - WARM_UP) / (1.0 - WARM_UP)))


@dataclass(frozen=True)
class Mix:
    """Each row of a batch with a share of another one.

    Attributes:
        other: (n,) the other row; None where nothing is mixed.
        share: (n,) of the row itself.
    """

    other: Tensor | None = None
    share: Tensor | None = None

    def __call__(self, v: Tensor) -> Tensor:
        """The mixed rows of v (n, *shape)."""
        if self.other is None or self.share is None:
            return v
        return beside(self.share, v) * v + beside(1 - self.share, v) * v[self.other]


def batches(
    x: Tensor,
    y: Tensor,
    train: TrainingSet,
    use: Bool,
    budget: Budget,
    rng: np.random.Generator,
    afresh: Callable[[Tensor, np.random.Generator], Tensor] | None = None,
) -> Iterator[tuple[Tensor, Tensor, Mix]]:
    """``budget.updates`` batches (inputs, labels, how to mix them) of the rows in use, changed by the transform."""
    rows = np.flatnonzero(use)
    at = rows[draw(train.weight[rows], (budget.updates, budget.batch), rng)]
    for step in torch.from_numpy(at):
        if train.transform is None:
            inputs = x[step]
        else:
            inputs = train.transform(x[step], rng) if afresh is None else afresh(step, rng)
        mix = Mix()
        if train.mixup > 0:
            other = torch.from_numpy(rng.permutation(len(step)))
            mix = Mix(other, torch.from_numpy(rng.beta(train.mixup, train.mixup, len(step))))
        yield inputs, y[step], mix


def draw(weight: Floats, shape: tuple[int, ...], rng: np.random.Generator) -> I64:
    """Positions drawn with replacement, each with a chance proportional to its weight."""
    edges = np.cumsum(weight, dtype=np.float64)
    found = np.searchsorted(edges, rng.random(shape) * edges[-1], side="right")
    return np.asarray(np.minimum(found, len(weight) - 1), dtype=np.int64)


def probabilities(net: nn.Module, x: Tensor, present: Bool) -> F32:
    """(n, k) softmax of the network's answers over the classes that are present; 0 for the others."""
    logits = answers(net, x)
    out = np.zeros_like(logits)
    out[:, present] = softmax(logits[:, present], axis=1)
    return out


def answers(net: nn.Module, x: Tensor) -> F32:
    """(n, k) what a network in eval mode gives, in blocks of one size, so that a row's bits depend on no other."""
    done: list[F32] = []
    with torch.inference_mode():
        for start in range(0, max(len(x), 1), BLOCK):
            block = x[start : start + BLOCK]
            filled = torch.cat([block, x.new_zeros(BLOCK - len(block), *x.shape[1:])])
            done.append(net(filled)[: len(block)].numpy())
    return np.concatenate(done)


class Standard(nn.Module):
    """(x - mean) / deviation of each channel or number of the real training rows."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        others = [axis for axis in range(x.ndim) if axis != 1]
        deviation, mean = torch.std_mean(x, dim=others, correction=0, keepdim=True)
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation)))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        out = (x - self.mean) / self.deviation
        return out.contiguous(memory_format=torch.channels_last) if out.ndim == 4 else out
