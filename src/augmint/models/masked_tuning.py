"""Fit a masked language model to a set of texts: a few steps of its own task, and only a small change is learned.

Learned are products of thin matrices on the last layers (`models.thin`) and, for label-conditioned models after Wu et
al. 2019 (CBERT), one vector for each label, which is added to every word vector of a text of that label: the same as a
segment vector of its own, since the segment vector is added, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augmint.core.seeds import torch_seed
from augmint.models.text import widened
from augmint.models.thin import LABELS, last_layers


def tune(
    lm: Any,
    rows: Sequence[list[int]],
    free: Sequence[list[int]],
    rng: np.random.Generator,
    *,
    labels: Sequence[int] | None = None,
    steps: int = 100,
    batch: int = 16,
    rate: float = 2e-3,
    share: float = 0.15,
    layers: int = 2,
    rank: int = 8,
) -> dict[str, np.ndarray]:
    """What is learned, as arrays for `MaskedLM.with_learned`; the same for the same texts and generator.

    Args:
        lm: the model, which stays as it is.
        rows: token numbers of each text.
        free: positions of each text that may be hidden; texts with none are left out.
        rng: the only source of random numbers.
        labels: number of the label of each text, for vectors of labels; None for none.
        steps: updates of Adam.
        batch: texts of an update.
        rate: step size at the start; it falls to 0 in a line.
        share: of the free places that are hidden, at least one.
        layers: how many of the last layers learn.
        rank: of the products.
    """
    usable = [row for row, at in enumerate(free) if at]
    thin = _start(lm, last_layers(lm.net, layers), rank, max(labels) + 1 if labels else 0, rng)
    if not usable or not steps:
        return {name: value.detach().numpy() for name, value in thin.items()}
    adam = torch.optim.Adam(list(thin.values()), rate)
    order: list[int] = []
    for step in range(steps):
        while len(order) < batch:
            order += [usable[i] for i in rng.permutation(len(usable))]
        some, order = order[:batch], order[batch:]
        adam.param_groups[0]["lr"] = rate * (1 - step / steps)
        adam.zero_grad()
        own = None if labels is None else [labels[i] for i in some]
        loss = _loss(lm, thin, [rows[i] for i in some], [free[i] for i in some], share, rng, own)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(thin.values(), 1.0)
        adam.step()
    return {name: value.detach().numpy() for name, value in thin.items()}


def _start(lm: Any, names: Sequence[str], rank: int, labels: int, rng: np.random.Generator) -> dict[str, Tensor]:
    """Parameters that change nothing yet: up is zero, and so are the vectors of labels."""
    g = torch.Generator().manual_seed(torch_seed(rng))
    own = dict(lm.net.named_parameters())
    thin = {}
    for name in names:
        outputs, inputs = own[name].shape
        thin[f"{name}.up"] = torch.zeros(outputs, rank)
        thin[f"{name}.down"] = torch.randn(rank, inputs, generator=g) / inputs**0.5
    if labels:
        thin[LABELS] = torch.zeros(labels, lm.net.get_input_embeddings().weight.shape[1])
    return {name: value.requires_grad_(True) for name, value in thin.items()}


def _loss(
    lm: Any,
    thin: dict[str, Tensor],
    rows: Sequence[list[int]],
    free: Sequence[list[int]],
    share: float,
    rng: np.random.Generator,
    labels: Sequence[int] | None,
) -> Tensor:
    """Cross entropy of the hidden tokens of a batch."""
    hidden = [sorted(rng.permutation(at)[: max(1, round(share * len(at)))].tolist()) for at in free]
    shown = [list(row) for row in rows]
    wanted = [[row[place] for place in at] for row, at in zip(rows, hidden, strict=True)]
    for row, at in zip(shown, hidden, strict=True):
        for place in at:
            row[place] = lm.mask
    width = widened(max(map(len, rows)), lm.positions)
    x = lm.pack(shown, hidden, width)
    if labels is not None:
        x[:, 3, 0] = torch.tensor(labels)
    depth = max(map(len, hidden))
    scores = lm.scores(x.to(lm.device), depth, labels is not None, _weights(lm, thin))
    which = [(i, j) for i, at in enumerate(hidden) for j in range(len(at))]
    rows_, columns = zip(*which, strict=True)
    targets = torch.tensor([token for tokens in wanted for token in tokens], device=scores.device)
    return F.cross_entropy(scores[list(rows_), list(columns)].float(), targets)


def _weights(lm: Any, thin: dict[str, Tensor]) -> dict[str, Tensor]:
    """The matrices with their products added, so that gradients reach the thin ones."""
    own = dict(lm.net.named_parameters())
    weights = {}
    for name, up in thin.items():
        if name.endswith(".up"):
            weight = own[name.removesuffix(".up")]
            product = up @ thin[name.removesuffix("up") + "down"]
            weights[name.removesuffix(".up")] = weight + product.to(weight.device, weight.dtype)
    if LABELS in thin:
        weights[LABELS] = thin[LABELS].to(lm.device, next(lm.net.parameters()).dtype)
    return weights
