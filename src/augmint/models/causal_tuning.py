"""Fit a causal language model to a set of texts, within a number of updates.

    loss = - mean over all tokens of a batch of log p(token | tokens before it)

Learned are products of thin matrices (`models.thin`) on the last layers, a few MB for a model of any size; or, with
rank 0, every weight, which is as many numbers as the model has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from augmint.core.seeds import torch_seed
from augmint.models.thin import last_layers


def tune(
    lm: Any,
    rows: Sequence[list[int]],
    rng: np.random.Generator,
    *,
    updates: int = 200,
    batch: int = 16,
    rate: float = 1e-3,
    layers: int = 1000,
    rank: int = 8,
) -> dict[str, np.ndarray]:
    """What is learned, as arrays for `CausalLM.with_learned`; the same for the same texts and generator.

    Args:
        lm: the model, which stays as it is.
        rows: token numbers of each text, with the mark at its end.
        rng: the only source of random numbers.
        updates: steps of Adam.
        batch: texts of an update.
        rate: step size at the start; it falls to 0 in a line.
        layers: how many of the last layers learn.
        rank: of the products; 0 for all weights of the model, whatever ``layers``.
    """
    learned = _start(lm.net, layers, rank, torch.Generator().manual_seed(torch_seed(rng)))
    adam = torch.optim.Adam(list(learned.values()), rate)
    for step, some in enumerate(_batches(len(rows), batch, updates, rng)):
        adam.param_groups[0]["lr"] = rate * (1 - step / updates)
        adam.zero_grad()
        _loss(lm, _weights(lm.net, learned), [rows[i] for i in some]).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learned.values(), 1.0)
        adam.step()
    return {name: value.detach().cpu().numpy() for name, value in learned.items()}


def _batches(count: int, batch: int, updates: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Rows of each update: all have had a turn before one has its second."""
    order: list[int] = []
    for _ in range(updates if count else 0):
        while len(order) < batch:
            order += rng.permutation(count).tolist()
        yield order[:batch]
        order = order[batch:]


def _start(net: Any, layers: int, rank: int, g: torch.Generator) -> dict[str, Tensor]:
    """Parameters that change nothing yet."""
    own = dict(net.named_parameters())
    if not rank:
        return {name: value.detach().float().clone().requires_grad_(True) for name, value in own.items()}
    learned = {}
    for name in last_layers(net, layers):
        first, second = own[name].shape
        device = own[name].device
        learned[f"{name}.up"] = torch.zeros(first, rank, device=device)
        learned[f"{name}.down"] = (torch.randn(rank, second, generator=g) / second**0.5).to(device)
    return {name: value.requires_grad_(True) for name, value in learned.items()}


def _weights(net: Any, learned: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights that are not the network's own, so that gradients reach what is learned."""
    own, weights = dict(net.named_parameters()), {}
    for name, value in learned.items():
        if name.endswith(".up"):
            name = name.removesuffix(".up")
            value = own[name].float() + value @ learned[f"{name}.down"]
        elif name.endswith(".down"):
            continue
        weights[name] = value.to(own[name].dtype)
    return weights


def _loss(lm: Any, weights: dict[str, Tensor], rows: Sequence[list[int]]) -> Tensor:
    width = max(map(len, rows))
    tokens = torch.zeros(len(rows), width, dtype=torch.int64)
    mask = torch.zeros(len(rows), width, dtype=torch.int64)
    for place, ids in enumerate(rows):
        tokens[place, : len(ids)], mask[place, : len(ids)] = torch.tensor(ids), 1
    tokens, mask = tokens.to(lm.device), mask.to(lm.device)
    scores = functional_call(lm.net, weights, (), {"input_ids": tokens, "attention_mask": mask}).logits
    wanted = tokens.masked_fill(mask == 0, -100)[:, 1:]
    return F.cross_entropy(scores[:, :-1].float().flatten(0, 1), wanted.flatten())
