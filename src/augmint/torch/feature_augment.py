"""A layer that augments a batch of features while a model trains, and is not there when it does not."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from augmint.core.errors import UsageError
from augmint.core.protocols import Batched, Synthesizer
from augmint.core.registry import build, lookup, names
from augmint.core.seeds import stream
from augmint.numerics.batches import tensors
from augmint.synthesizers import TABLE
from augmint.torch.inputs import Rows, to_latents


class FeatureAugment(nn.Module):
    """Replaces the rows of a batch by new ones made from the batch itself, in training mode only.

    Put it between a backbone and its head, or before a head on frozen features::

        augment = FeatureAugment("mixup", alpha=0.4, classes=10)
        z, y = augment(backbone(x), y)          # y: (n, 10) label weights
        loss = torch.nn.functional.cross_entropy(head(z), y)

    Methods that learn from data (noise, isda, ...) want ``augment.fit(features, labels)`` first. What was learned
    follows the batches to their device, keeps its precision, and is no part of ``state_dict``: checkpoints load with
    and without augmentation.

    Args:
        method: name of a method with a batch form, see :func:`batch_methods`.
        p: chance of each row to be replaced.
        classes: number of classes, where labels come as whole numbers and there was no fit.
        seed: of the layer's own random stream, one for each device; the global generator is not touched. Under
            data-parallel training give each process its own.
        generator: use this one instead; it must be on the device of the batches.
        options: fields of the method.

    Raises:
        UsageError: no such method, no batch form, an option out of range.
    """

    def __init__(
        self,
        method: str = "mixup",
        *,
        p: float = 1.0,
        classes: int | None = None,
        seed: int = 0,
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise UsageError(f"p = {p}", expected="a chance from 0 to 1", do="correct p", code="range")
        self.name, self.p, self.classes, self.seed = method, p, classes, seed
        self.method = build_batched(method, options)
        self.fitted = not self.method.batch_needs_fit
        self._given = generator
        self._own: dict[torch.device, torch.Generator] = {}
        self._learned: dict[torch.device, dict[str, Tensor]] = {}

    def fit(self, z: Rows, y: Rows) -> Self:
        """Learn from features (n, *shape) and labels (n,) or (n, k) of the training set; returns self."""
        real = to_latents(z, y, classes=self.classes)
        assert isinstance(self.method, Synthesizer)
        self.method.fit(real, stream(self.seed, "fit"))
        self.classes, self.fitted = real.y.shape[1], True
        self._learned.clear()
        return self

    def forward(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """New rows and their label weights.

        Args:
            z: (n, *shape) features.
            y: (n,) whole numbers or (n, k) label weights.

        Returns:
            (n, *shape) rows and (n, k) label weights. In evaluation mode ``z`` itself.
        """
        y = self._weights(z, y)
        if not self.training or self.p == 0.0:
            return z, y
        if not self.fitted:
            raise UsageError(
                f"FeatureAugment({self.name!r}) in training mode before fit",
                expected="a layer that has seen the training set: this method learns from it",
                do="call augment.fit(features, labels) once",
                code="not-fitted",
            )
        generator = self._generator(z.device)
        new, labels = self.method.batch(z, y, generator, self._on(z.device))
        if self.p == 1.0:
            return new, labels
        chosen = torch.rand(len(z), generator=generator, device=z.device) < self.p
        rows = chosen.reshape(-1, *[1] * (z.ndim - 1))
        return torch.where(rows, new, z), torch.where(chosen[:, None], labels, y)

    def _weights(self, z: Tensor, y: Tensor) -> Tensor:
        """Labels as (n, k) weights."""
        if z.ndim < 2 or y.ndim not in (1, 2) or len(y) != len(z):
            raise UsageError(
                f"features of shape {tuple(z.shape)} and labels of shape {tuple(y.shape)}",
                expected="(n, *shape) and (n,) or (n, k), with the same n",
                do="pass one label for each row of features",
                code="shapes",
            )
        if y.ndim == 2:
            return y
        if self.classes is None or y.is_floating_point():
            raise UsageError(
                f"labels of shape {tuple(y.shape)} and type {y.dtype}",
                expected="label weights (n, k), or whole numbers and a known number of classes",
                do="say FeatureAugment(..., classes=10), or pass one-hot labels",
                code="labels",
            )
        # torch's own one_hot looks for the highest label, which waits for the device.
        return torch.zeros((len(y), self.classes), device=y.device).scatter_(1, y.long()[:, None], 1.0)

    def _on(self, device: torch.device) -> dict[str, Tensor]:
        """What was learned, on a device. Not buffers: ``.half()`` would round row numbers and steps."""
        if device not in self._learned:
            self._learned[device] = tensors(self.method.batch_state(), device)
        return self._learned[device]

    def _generator(self, device: torch.device) -> torch.Generator:
        if self._given is not None:
            return self._given
        if device not in self._own:
            self._own[device] = torch.Generator(device).manual_seed(self.seed)
        return self._own[device]

    def extra_repr(self) -> str:
        """What ``print(model)`` shows."""
        return f"{self.method}, p={self.p}"


def batch_methods() -> list[str]:
    """Names of the methods that have a batch form."""
    known = names("synthesizers", TABLE)
    return [name for name in sorted(known) if issubclass(lookup("synthesizers", "method", TABLE, name), Batched)]


def build_batched(name: str, options: dict[str, Any]) -> Batched:
    """The named method; raises UsageError when it has no batch form."""
    made = build("synthesizers", "method", TABLE, name, options)
    if not isinstance(made, Batched):
        raise UsageError(
            f"method {name!r}, which has no batch form",
            expected=f"one of: {', '.join(batch_methods())}",
            do="take one of these, or augmint.torch.AugmentedDataset, which can use every method",
            code="no-batch-form",
        )
    return made
