"""What batch forms of methods do in torch: fetch what was learned, find each row's class, give each row a partner.

No function waits for the device: nothing is read back to Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from augmint.core.protocols import State


def tensors(state: State, device: torch.device) -> dict[str, Tensor]:
    """Learned arrays as tensors on a device."""
    return {name: torch.as_tensor(value, device=device) for name, value in state.items()}


def on_device(learned: Mapping[str, Tensor] | None, state: Callable[[], State], z: Tensor) -> Mapping[str, Tensor]:
    """The learned tensors that were passed in, or those made from the arrays."""
    return tensors(state(), z.device) if learned is None else learned


def stratum(y: Tensor, groups: int) -> Tensor:
    """(n,) heaviest class of each row of labels (n, k); 0 for all where the fit knew one group only."""
    if groups == 1:
        return torch.zeros(len(y), dtype=torch.long, device=y.device)
    return y.argmax(dim=1)


def beside(numbers: Tensor, z: Tensor) -> Tensor:
    """(n,) numbers in the type of ``z`` (n, *shape), shaped so that they multiply its rows."""
    return numbers.to(z.dtype).reshape(-1, *[1] * (z.ndim - 1))


def coins(shape: tuple[int, ...], chance: float, generator: torch.Generator) -> Tensor:
    """``shape`` of True with this chance, to 1 / 65,536."""
    parts = random_integers(math.prod(shape), torch.int16, generator)
    return (parts < round((chance - 0.5) * 2**16)).reshape(shape)


def random_integers(count: int, kind: torch.dtype, generator: torch.Generator) -> Tensor:
    """(count,) numbers over the whole range of a small integer type. Drawing is what costs: one draw gives 64 bits."""
    words = torch.empty(-(-count * kind.itemsize // 8), dtype=torch.int64, device=generator.device)
    return words.random_(-(2**63), None, generator=generator).view(kind)[:count]


def factor_choice(
    start: Tensor, groups: Tensor, count: Tensor, terms: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    r"""Rows of factors and weights (n, terms) whose sum has the mean of the covariances F_g' F_g of each row's groups.

    Drawn evenly, with Gaussian weights: the covariance is exact for any number of terms, the shape tends to a Gaussian.

    Args:
        start: (k + 1,) of factors of all groups, one below the other; group g owns rows ``start[g]:start[g + 1]``.
        groups: (n, p) groups, of which the first ``count`` (n, 1) count, each with a row or more.
        count: (n, 1); a row with none gets weights of zero.
        terms: rows to combine.
        generator: of random numbers.
    """
    shape = (len(groups), terms)
    which, where = torch.rand((2, *shape), generator=generator, device=start.device)
    slot = torch.minimum((which * count).long(), (count.long() - 1).clamp(min=0))
    group = groups.gather(1, slot)
    size = start[group + 1] - start[group]
    at = start[group] + torch.minimum((where * size).long(), size - 1)
    return at, (size * (count > 0) / terms).sqrt() * torch.randn(shape, generator=generator, device=start.device)


def even_noise(spread: Tensor, width: int, generator: torch.Generator) -> Tensor:
    """(n, width) independent numbers of mean 0 and standard deviation ``spread`` (n, 1), evenly over 128 values.

    Cheaper than normal ones, where torch draws one number after the other.
    """
    odd = random_integers(len(spread) * width, torch.int8, generator).bitwise_or_(1)  # -127 to 127
    numbers = odd.reshape(len(spread), width).float()
    return numbers.mul_(spread * (3.0 / (128.0**2 - 1.0)) ** 0.5)


def any_partner(n: int, generator: torch.Generator) -> Tensor:
    """(n,) another row of the batch for each row, each drawn once; the row itself only when it is alone."""
    ring = torch.randperm(n, generator=generator, device=generator.device)
    partner = torch.empty_like(ring)
    partner[ring] = ring.roll(1)
    return partner


def class_partner(label: Tensor, generator: torch.Generator) -> Tensor:
    """(n,) another row with the same label (n,) for each row, each drawn once; the row itself where it is alone."""
    n = len(label)
    shuffled = torch.randperm(n, generator=generator, device=label.device)
    ring = shuffled[label[shuffled].argsort(stable=True)]
    ordered = label[ring]
    first = torch.searchsorted(ordered, ordered)
    last = torch.searchsorted(ordered, ordered, right=True) - 1
    at = torch.arange(n, device=label.device)
    partner = torch.empty_like(ring)
    partner[ring] = ring[torch.where(at < last, at + 1, first)]
    return partner


def arc(a: Tensor, b: Tensor, u: Tensor) -> Tensor:
    """Rows on the arc from ``a`` to ``b`` (n, *shape) at ``u`` (n,), as ``augmint.synthesizers.paths.sphere``."""
    flat = [x.flatten(1).to(torch.promote_types(x.dtype, torch.float32)) for x in (a, b)]
    length = [torch.linalg.vector_norm(x, dim=1) for x in flat]
    product = length[0] * length[1]
    cosine = (flat[0] * flat[1]).sum(dim=1) / torch.where(product > 0, product, torch.ones_like(product))
    bent = (product > 0) & (1.0 - cosine.square() > 1e-6)
    angle = torch.where(bent, cosine, torch.zeros_like(cosine)).acos()
    size = ((1.0 - u) * length[0] + u * length[1]).clamp(min=0) / angle.sin()
    unit = [torch.where(bent, x, torch.ones_like(x)) for x in length]
    share = [torch.sin((1.0 - u) * angle) * size / unit[0], torch.sin(u * angle) * size / unit[1]]
    return beside(torch.where(bent, share[0], 1.0 - u), a) * a + beside(torch.where(bent, share[1], u), b) * b
