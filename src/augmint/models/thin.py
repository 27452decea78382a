"""Small changes of a large network: W + up @ down for some matrices, and vectors for labels.

Hu et al. 2021 (LoRA, arXiv:2106.09685): up (outputs, r) and down (r, inputs) hold r (outputs + inputs) numbers instead
of outputs x inputs. As arrays: ``<name of W>.up``, ``<name of W>.down``; what is under a name of the network itself
replaces it; ``labels`` (k, d) is for label-conditioned models.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

LABELS = "labels"


def merged(net: nn.Module, learned: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """By name, the weights of the network that are not its own: matrices put together, and those that were replaced."""
    own = dict(net.named_parameters())
    out = {}
    for name, value in learned.items():
        if name == LABELS or name.endswith(".down"):
            continue
        weight = own[name.removesuffix(".up")]
        given = torch.from_numpy(np.asarray(value, np.float32))
        if name.endswith(".up"):
            down = torch.from_numpy(np.asarray(learned[name.removesuffix("up") + "down"], np.float32))
            given = weight.detach().float().cpu() + given @ down
        out[name.removesuffix(".up")] = given.to(weight.device, weight.dtype)
    return out


def tuned(net: nn.Module, learned: Mapping[str, np.ndarray]) -> Any:
    """A network with what was learned on top; nothing of it is copied but the matrices that change."""
    copied = copy.deepcopy(net, {id(weight): weight for weight in net.parameters()})
    for name, weight in merged(net, learned).items():
        module, _, attribute = name.rpartition(".")
        old = getattr(copied.get_submodule(module), attribute)
        _replace(copied, old, nn.Parameter(weight, requires_grad=False))
    return copied


def _replace(net: nn.Module, old: nn.Parameter, new: nn.Parameter) -> None:
    """Put a weight in the place of another, wherever it is used: word vectors may serve at both ends."""
    for part in net.modules():
        for name, value in list(part.named_parameters(recurse=False)):
            if value is old:
                setattr(part, name, new)


def labels_of(net: nn.Module, learned: Mapping[str, np.ndarray]) -> Tensor | None:
    """(k, d) label vectors, None where none were learned."""
    if LABELS not in learned:
        return None
    like = next(net.parameters())
    return torch.from_numpy(np.asarray(learned[LABELS], np.float32)).to(like.device, like.dtype)


def last_layers(net: Any, count: int) -> list[str]:
    """Names of the matrices in the last ``count`` layers of a transformer: its longest list of modules."""
    lists = {name: part for name, part in net.named_modules() if isinstance(part, nn.ModuleList)}
    name, layers = max(lists.items(), key=lambda item: len(item[1]))
    prefixes = tuple(f"{name}.{i}." for i in range(len(layers) - min(count, len(layers)), len(layers)))
    return [path for path, value in net.named_parameters() if path.startswith(prefixes) and value.ndim == 2]
