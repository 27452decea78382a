"""The laws of batch forms, for our tests and for plug-in authors::

from augmint.torch.checks import check_batched
check_batched(lambda: MyMethod(strength=0.3))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augmint.checks import example_latents
from augmint.core.protocols import Batched, Synthesizer
from augmint.core.types import Draw, Latents
from augmint.numerics.batches import tensors

SHAPES: tuple[tuple[int, ...], ...] = ((7,), (3, 4, 4), (5, 3))

UNSURE = 6.0
"""Standard errors by which two means over draws may differ."""


def check_batched(make: Callable[[], Any], device: str = "cpu") -> None:
    """Form, random numbers, gradients, and the same mean and spread as ``sample``.

    Args:
        make: builds a fresh instance of one configuration.
        device: where the batches are.
    """
    _law(isinstance(make(), Batched) and isinstance(make(), Synthesizer), "is a Synthesizer and Batched")
    for shape in SHAPES:
        for dtype in (torch.float32, torch.float64, torch.bfloat16):
            _check_form(make, example_latents(shape=shape), dtype, device)
    for n in (0, 1):
        _check_form(make, example_latents(), torch.float32, device, rows=n)
    _check_form(make, example_latents(target="soft"), torch.float32, device)
    _check_random(make, device)
    _check_same_as_sample(make, device)


def _law(holds: Any, name: str, detail: str = "") -> None:
    if not holds:
        raise AssertionError(f"law {name!r} of batch forms is broken" + (f": {detail}" if detail else ""))


def _fitted(make: Callable[[], Any], real: Latents) -> Any:
    return make().fit(real, np.random.default_rng(0))


def _source(device: str, seed: int = 0) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


def _check_form(make: Callable[[], Any], real: Latents, dtype: torch.dtype, device: str, rows: int = 99) -> None:
    """Shape, type, device, gradient; arguments unchanged; the anchor's class stays the heaviest."""
    method = _fitted(make, real)
    z = torch.as_tensor(real.z[:rows], device=device).to(dtype).requires_grad_()
    y = torch.as_tensor(real.y[:rows], device=device)
    learned = tensors(method.batch_state(), z.device)
    before = [x.detach().clone() for x in (z, y, *learned.values())]
    new, labels = method.batch(z, y, _source(device), learned)
    _law(new.shape == z.shape and labels.shape == y.shape, "shapes are kept", f"{new.shape}, {labels.shape}")
    _law(new.dtype == dtype and labels.dtype == y.dtype, "types are kept", f"{new.dtype}, {labels.dtype}")
    _law(new.device == z.device and labels.device == y.device, "the device is kept")
    _law(all(map(torch.equal, before, (z, y, *learned.values()))), "arguments are not changed")
    _law(torch.isfinite(new).all() and torch.isfinite(labels).all(), "rows are finite")
    _law(torch.allclose(labels.sum(1), y.sum(1), atol=1e-5) and bool((labels >= 0).all()), "labels stay weights")
    if real.target == "class":
        _law(torch.equal(labels.argmax(1), y.argmax(1)), "the anchor's class stays the heaviest")
    new.sum().backward()
    _law(z.grad is not None and torch.isfinite(z.grad).all(), "a gradient flows through")
    alone = method.batch(z.detach(), y, _source(device))[0]
    _law(torch.equal(alone, new), "the learned tensors may be left out")


def _check_random(make: Callable[[], Any], device: str) -> None:
    """The generator decides, and nothing else does."""
    real = example_latents((20, 20))
    method = _fitted(make, real)
    z, y = torch.as_tensor(real.z, device=device), torch.as_tensor(real.y, device=device)
    before = torch.random.get_rng_state()
    first = method.batch(z, y, _source(device))[0]
    _law(torch.equal(torch.random.get_rng_state(), before), "no global random numbers")
    _law(torch.equal(method.batch(z, y, _source(device))[0], first), "the same seed gives the same rows")
    _law(not torch.equal(method.batch(z, y, _source(device, 1))[0], first), "another seed gives other rows")


def _check_same_as_sample(make: Callable[[], Any], device: str, repeats: int = 600) -> None:
    """When the batch is the training set, steps have the same mean and second moments as those of ``sample``."""
    real = example_latents((6, 5, 4), (3,))
    method = _fitted(make, real)
    z, y = torch.as_tensor(real.z, device=device), torch.as_tensor(real.y, device=device)
    source = _source(device)
    drawn = [method.batch(z, y, source) for _ in range(repeats)]
    batch = _features(torch.stack([new for new, _ in drawn]), torch.stack([labels for _, labels in drawn]), z)
    at = np.tile(np.arange(len(real)), repeats)
    draw = method.sample(real.take(at), np.random.default_rng(1))
    shape = (repeats, len(real), -1)
    rows, labels = torch.from_numpy(draw.z).reshape(shape), torch.from_numpy(_labels(draw, real)).reshape(shape)
    other = _features(rows, labels, torch.from_numpy(real.z))
    error = ((batch.var(0) + other.var(0)) / repeats).sqrt()
    off = (batch.mean(0) - other.mean(0)).abs() / (UNSURE * error + 1e-4)
    _law(off.max() <= 1, "batch and sample agree in mean and spread", f"{float(off.max()):.1f} times the error")


def _features(rows: Tensor, labels: Tensor, anchors: Tensor) -> Tensor:
    """(repeats, n, f) steps, their products and the labels."""
    step = (rows - anchors).double().cpu()
    products = (step[..., :, None] * step[..., None, :]).flatten(-2)
    return torch.cat([step, products, labels.double().cpu()], dim=-1)


def _labels(draw: Draw, real: Latents) -> np.ndarray:
    """(n, k) labels by provenance."""
    y = {f"data:{name}": row for name, row in zip(real.ids, real.y, strict=True)} | {"": np.zeros(real.y.shape[1])}
    parents = np.asarray([[y[str(ref)] for ref in row] for row in draw.refs])
    return np.asarray((draw.label_weights[..., None] * parents).sum(axis=1))
