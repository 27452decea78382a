"""A PyTorch data set with minted rows behind the real ones, each made when it is asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from augmint.core.errors import UsageError
from augmint.core.protocols import Synthesizer
from augmint.core.registry import build
from augmint.core.seeds import stream
from augmint.core.types import I64, NO_PICK, Draw, Latents, TargetKind
from augmint.pipeline.counts import children_per_class
from augmint.pipeline.memory import anchors_in_turn
from augmint.synthesizers import TABLE
from augmint.torch.inputs import Rows, as_array, to_latents


class AugmentedDataset(Dataset[tuple[Tensor, Tensor]]):
    """The real rows of features, then minted ones.

    The method is fitted once, here. Minted row i depends on the seed and i only: not on the order of access, nor on
    the number of a DataLoader's workers. (Methods that pick rows of a pool, none of them twice, pick here; where the
    pool runs out, rows are fewer.) Each item is (features (*shape), label weights (k,)), both float32;
    ``torch.nn.functional.cross_entropy`` takes such labels::

        data = AugmentedDataset(features, labels, method="interpolation", factor=3)
        loader = DataLoader(data, batch_size=64, shuffle=True)

    Args:
        data: (n, *shape) features, or a data set of (features, label) pairs, which is read once.
        labels: (n,) or (n, k), see :func:`~augmint.torch.inputs.to_latents`; None when ``data`` is a data set.
        method: any method of ``augmint methods list``.
        factor: rows after / rows before, >= 1, for each class.
        strategy: for classes, instead of ``factor``: "auto", "minority", ..., or {class number: rows after}.
        seed: of the fit and of every minted row.
        target: what labels mean: "class", "soft", "multilabel" or "number"; None: as the labels look.
        pool: unlabelled rows (m, *shape), for methods that use a pool.
        base: rows and labels of base classes, for methods that use a base.
        options: fields of the method.

    Raises:
        UsageError: labels that do not fit, a target the method cannot carry, no such method or option.
    """

    def __init__(
        self,
        data: Rows | Dataset[Any],
        labels: Rows | None = None,
        *,
        method: str = "interpolation",
        factor: float = 2.0,
        strategy: str | dict[int, int] = "",
        seed: int = 0,
        target: TargetKind | None = None,
        pool: Rows | None = None,
        base: tuple[Rows, Rows] | None = None,
        **options: Any,
    ) -> None:
        z, y = (data, labels) if isinstance(data, Tensor | np.ndarray) else collect(data)
        if y is None:
            raise UsageError("features without labels", expected="labels, one for each row", do="pass labels=...")
        if not 1.0 <= factor < np.inf:
            raise UsageError(f"factor = {factor}", expected="1 or more", do="correct factor", code="range")
        self.real, self.seed = to_latents(z, y, target=target), seed
        self.method: Synthesizer = build("synthesizers", "method", TABLE, method, options)
        if self.real.target not in self.method.targets:
            raise UsageError(
                f"method {method!r} for a target of kind {self.real.target!r}",
                expected=f"one of: {', '.join(sorted(self.method.targets))}",
                do="take another method, or say target=... if the labels mean something else",
                code="target",
            )
        sources = {
            "pool": None if pool is None else to_latents(pool, np.zeros((len(pool), 0), np.float32)),
            "base": None if base is None else to_latents(*base),
        }
        self.method.fit(self.real, stream(seed, "fit"), **sources)
        self.anchors = choose_anchors(self.real, factor, strategy, seed)
        self._picked: Draw | None = None
        if "pool" in self.method.uses:
            self._picked = self._pick()

    def __len__(self) -> int:
        return len(self.real) + len(self.anchors)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Row ``index``: real below ``len(self.real)``, minted above."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        number = index % len(self) - len(self.real)
        if number < 0:
            z, y = self.real.z[number], self.real.y[number]
        else:
            z, y = self._mint(number)
        return torch.from_numpy(z.copy()), torch.from_numpy(y.copy())

    def _mint(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Minted row ``number`` and its label: the weighted mean of its parents' labels."""
        draw, row = self._picked, number
        if draw is None:
            anchor = self.real.take(self.anchors[number : number + 1])
            draw, row = self.method.sample(anchor, stream(self.seed, "row", number)), 0
        label = np.zeros(self.real.y.shape[1], np.float32)
        for ref, weight in zip(draw.refs[row], draw.label_weights[row], strict=True):
            if weight > 0:
                label += weight * self.real.y[int(str(ref).removeprefix("data:"))]
        return draw.z[row], label

    def _pick(self) -> Draw:
        """All picks at once; rows for which the pool had nothing left are taken away, with their anchors."""
        draw = self.method.sample(self.real.take(self.anchors), stream(self.seed, "rows"))
        given = np.ones(len(draw), np.bool_) if draw.pick is None else draw.pick != NO_PICK
        self.anchors = self.anchors[given]
        return dataclasses.replace(
            draw, z=draw.z[given], refs=draw.refs[given], label_weights=draw.label_weights[given]
        )


def collect(data: Dataset[Any]) -> tuple[Tensor, Tensor]:
    """Features and labels of a data set of pairs."""
    pairs = [data[i] for i in range(len(data))]  # type: ignore[arg-type]
    if not pairs:
        raise UsageError("a data set with no rows", expected="at least one", do="pass another", code="no-rows")
    z, y = (np.stack([as_array(torch.as_tensor(pair[side])) for pair in pairs]) for side in (0, 1))
    return torch.from_numpy(z), torch.from_numpy(y)


def choose_anchors(real: Latents, factor: float, strategy: str | dict[int, int], seed: int) -> I64:
    """(m,) the real row each minted row is made from: class by class, the rows of a class in turn."""
    groups = {"": np.arange(len(real))}
    if real.target == "class":
        groups = {name: np.flatnonzero(real.labels == c) for c, name in enumerate(real.classes)}
    elif strategy:
        raise UsageError(
            f"strategy {strategy!r} for a target of kind {real.target!r}",
            expected="factor: there are no classes to balance",
            do="leave strategy out",
            code="strategy",
        )
    wanted = strategy if isinstance(strategy, str) else {str(name): count for name, count in strategy.items()}
    made = children_per_class({name: len(rows) for name, rows in groups.items()}, factor, wanted)
    turns = [anchors_in_turn(rows, made[name], stream(seed, "anchors", name)) for name, rows in groups.items()]
    return np.concatenate(turns).astype(np.int64)
