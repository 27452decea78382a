r"""Points on the line from an anchor to a near row of its class.

.. math:: z = a + u\,(b - a) \qquad b \in \mathrm{kNN}_c(a) \qquad u \sim U(l, h)

The neighbour b is drawn evenly from the k nearest other rows of class c; never from another class. A class of one
row falls back to Gaussian noise and says so in ``Draw.note``.

Shapes: anchors (n, *shape) -> (n, *shape); refs (n, 2) = (anchor, neighbour), label weights (1 - u, u), clipped to
[0, 1]. Ragged rows are mixed where both are valid and keep the anchor's length.
Paper: Chawla et al. 2002, "SMOTE", JAIR 16, arXiv:1106.1813; in a learned space: DeVries and Taylor 2017,
arXiv:1702.05538.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from augmint.core.protocols import Batched, State, Synthesizer
from augmint.core.types import F32, I64, Draw, Latents, TargetKind, Text
from augmint.numerics.moments import class_moments
from augmint.numerics.neighbors import nearest
from augmint.numerics.rows import (
    check_width,
    checked,
    flat32,
    mask_padding,
    pack_text,
    strata,
    strata_count,
    text_array,
    unpack_text,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ALONE = "fallback: one row in the class, noise instead of interpolation"


@dataclass
class Interpolation(Synthesizer, Batched):
    """Points between each anchor and one of its nearest rows of the same class (SMOTE).

    Attributes:
        neighbors: k, >= 1; classes with fewer rows use all they have.
        low: smallest u.
        high: largest u; above 1 is extrapolation beyond the neighbour.
        fallback_strength: strength of the noise for classes of one row.
        rows_: (m, d) the real rows.
        names_: (m,) their ids.
        label_: (m,) their class.
        length_: (m,) their valid length, -1 where rows are not ragged.
        rms_: (k,) spread of each class, for the fallback.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "class"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft", "number"))

    neighbors: int = 5
    low: float = 0.0
    high: float = 1.0
    fallback_strength: float = 0.5
    rows_: F32 = field(init=False, repr=False)
    names_: Text = field(init=False, repr=False)
    label_: I64 = field(init=False, repr=False)
    length_: I64 = field(init=False, repr=False)
    rms_: F32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.neighbors < 1:
            raise ValueError(f"neighbors = {self.neighbors} must be >= 1")
        if not -np.inf < self.low <= self.high < np.inf:
            raise ValueError(f"low = {self.low}, high = {self.high}: low must be at most high, both finite")
        if not 0.0 <= self.fallback_strength < np.inf:
            raise ValueError(f"fallback_strength = {self.fallback_strength} must be >= 0")

    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Keep the real rows; raises UsageError when there is none."""
        self.rows_ = checked(real, "interpolation").copy()
        self.names_ = real.ids.copy()
        self.label_ = strata(real)
        self.length_ = np.full(len(real), -1) if real.length is None else real.length.astype(np.int64)
        self.rms_ = class_moments(self.rows_, self.label_, strata_count(real)).rms
        return self

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One point for each anchor. An anchor that was not fitted is matched with the rows of its class."""
        rows = flat32(anchors)
        check_width(rows, self.rows_.shape[1], "interpolation")
        # Three numbers a row in one call: u, the choice of neighbour, and the seed of the fallback's noise.
        dice = rng.random((len(anchors), 3))
        partner = self._partners(rows, anchors, dice[:, 1])
        alone = partner < 0
        u = np.where(alone, 0.0, self.low + (self.high - self.low) * dice[:, 0]).astype(np.float32)
        z = rows + u[:, None] * self._steps(rows, anchors, np.where(alone, 0, partner))
        z[alone] = rows[alone] + self._noise(strata(anchors)[alone], dice[alone, 2])
        weight = np.clip(u, 0.0, 1.0)
        return Draw(
            z=mask_padding(z.reshape(anchors.z.shape), anchors.length),
            refs=self._refs(anchors, partner),
            label_weights=np.stack([1.0 - weight, weight], axis=1).astype(np.float32),
            length=None if anchors.length is None else anchors.length.astype(np.int64),
            note=text_array([ALONE if own else "" for own in alone]),
        )

    def _partners(self, rows: F32, anchors: Latents, dice: npt.NDArray[np.float64]) -> I64:
        """(n,) position of the neighbour among the fitted rows, -1 where the class has no other row."""
        out = np.full(len(rows), -1, np.int64)
        labels = strata(anchors)
        for c in np.unique(labels):
            own, members = np.flatnonzero(labels == c), np.flatnonzero(self.label_ == c)
            _, found = nearest(rows[own], self.rows_[members], self.neighbors + 1)
            for at, near in zip(own, members[found], strict=True):
                # The anchor itself is among its own nearest rows; it is left out by name, so duplicates remain.
                near = near[self.names_[near] != anchors.ids[at]][: self.neighbors]
                if len(near):
                    out[at] = near[int(dice[at] * len(near))]
        return out

    def _steps(self, rows: F32, anchors: Latents, partner: I64) -> F32:
        """(n, d) from each anchor to its neighbour, zero where a ragged neighbour has ended."""
        step = (self.rows_[partner] - rows).reshape(anchors.z.shape)
        valid = self.length_[partner]
        masked = mask_padding(step, None if (valid < 0).any() else valid)
        return masked.reshape(rows.shape)

    def _noise(self, labels: I64, dice: npt.NDArray[np.float64]) -> F32:
        """(n, d) noise of rows that stand alone, each from its own seed so that no row depends on another."""
        out = np.zeros((len(labels), self.rows_.shape[1]), np.float32)
        for i, (c, number) in enumerate(zip(labels, dice, strict=True)):
            own = np.random.Generator(np.random.Philox(key=int(number * 2**53)))
            out[i] = own.standard_normal(out.shape[1], dtype=np.float32)
            out[i] *= np.float32(self.fallback_strength) * self.rms_[c]
        return out

    def _refs(self, anchors: Latents, partner: I64) -> Text:
        """(n, 2) anchor and neighbour; "" where there is no neighbour."""
        second = ["" if p < 0 else f"data:{self.names_[p]}" for p in partner]
        pairs = [(f"data:{name}", other) for name, other in zip(anchors.ids, second, strict=True)]
        return text_array(pairs).reshape(-1, 2)

    def batch(
        self, z: Tensor, y: Tensor, generator: torch.Generator, learned: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Move each row towards a random row of its class in the batch, or leave it where it is alone."""
        import torch

        from augmint.numerics.batches import beside, class_partner

        partner = class_partner(y.argmax(dim=1), generator)
        u = self.low + (self.high - self.low) * torch.rand(len(z), generator=generator, device=z.device)
        weight = beside(u.clamp(0, 1), y)
        return z + beside(u, z) * (z[partner] - z), y + weight * (y[partner] - y)

    def state(self) -> State:
        """The learned arrays."""
        return {
            "rows": self.rows_,
            "names": pack_text(self.names_),
            "label": self.label_,
            "length": self.length_,
            "rms": self.rms_,
        }

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.rows_, self.names_ = state["rows"], unpack_text(state["names"])
        self.label_, self.length_, self.rms_ = state["label"], state["length"], state["rms"]
        return self
