r"""Isotropic Gaussian noise, scaled to the spread of the anchor's class.

.. math:: z = a + \alpha\, s_c\, \epsilon \qquad \epsilon \sim N(0, I)

``s_c`` is the root mean square, over the numbers of a row, of the standard deviation within class c. A class of one
row borrows the pooled spread of the other classes and says so in ``Draw.note``. Rows far apart in the space stay
far apart, so with a small strength the label is safe; nothing is learned of the shape of a class.

Shapes: anchors (n, *shape) -> (n, *shape); ragged rows keep their length and zeros beyond it.
Paper: Bishop 1995, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 7(1);
in a learned space: DeVries and Taylor 2017, arXiv:1702.05538.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np

from augmint.core.protocols import Batched, State, Synthesizer
from augmint.core.types import F32, I64, Bool, Draw, Latents, TargetKind, Text
from augmint.numerics.moments import class_moments
from augmint.numerics.rows import (
    check_width,
    checked,
    data_refs,
    flat32,
    mask_padding,
    strata,
    strata_count,
    text_array,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BORROWED = "fallback: one row in the class, spread borrowed from the other classes"


@dataclass
class Noise(Synthesizer, Batched):
    """Gaussian noise around each anchor.

    Attributes:
        strength: alpha, in units of the class's spread; >= 0.
        rms_: (k,) spread of each class.
        borrowed_: (k,) True where a class has fewer than two rows.
        width_: (1,) numbers in a row.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "class"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft", "multilabel", "number"))

    strength: float = 0.5
    rms_: F32 = field(init=False, repr=False)
    borrowed_: Bool = field(init=False, repr=False)
    width_: I64 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength < np.inf:
            raise ValueError(f"strength = {self.strength} must be >= 0")

    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Measure the spread of each class; raises UsageError when there is no row."""
        rows = checked(real, "noise")
        moments = class_moments(rows, strata(real), strata_count(real))
        self.rms_, self.borrowed_ = moments.rms, moments.borrowed
        self.width_ = np.asarray([rows.shape[1]], np.int64)
        return self

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One noisy copy of each anchor."""
        rows, group = flat32(anchors), strata(anchors)
        check_width(rows, int(self.width_[0]), "noise")
        noise = rng.standard_normal(rows.shape, dtype=np.float32)
        z = rows + np.float32(self.strength) * self.rms_[group][:, None] * noise
        return anchored_draw(anchors, z, [BORROWED if self.borrowed_[c] else "" for c in group])

    @property
    def batch_needs_fit(self) -> bool:
        """Yes: the spread of a class is not seen in one batch."""
        return True

    def batch_state(self) -> State:
        """The spread of each class."""
        return {"rms": self.rms_}

    def batch(
        self, z: Tensor, y: Tensor, generator: torch.Generator, learned: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Add noise to each row; labels stay."""
        import torch

        from augmint.numerics.batches import beside, on_device, stratum

        rms = on_device(learned, self.batch_state, z)["rms"]
        noise = torch.randn(z.shape, generator=generator, device=z.device, dtype=z.dtype)
        return torch.addcmul(z, noise, beside(self.strength * rms[stratum(y, len(rms))], z)), y

    def state(self) -> State:
        """The learned arrays."""
        return {"rms": self.rms_, "borrowed": self.borrowed_, "width": self.width_}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.rms_, self.borrowed_, self.width_ = state["rms"], state["borrowed"].astype(np.bool_), state["width"]
        return self


def class_notes(labels: I64, count: I64, borrowing: bool = True) -> list[str]:
    """What to say of rows of classes with no row, and, where the method borrows for them, with one row."""
    unseen = "fallback: no row of the class was fitted"
    return [unseen if count[c] == 0 else BORROWED if borrowing and count[c] == 1 else "" for c in labels]


def anchored_draw(anchors: Latents, z: F32, note: list[str], others: Text | None = None) -> Draw:
    """The draw of flat rows ``z`` (n, d) whose label is their anchor's.

    Args:
        anchors: the first parents, of label weight 1.
        z: (n, d).
        note: (n,).
        others: (n, p) refs of what else a row was made of, of label weight 0; "" where there is none.
    """
    shaped = mask_padding(z.astype(np.float32).reshape(anchors.z.shape), anchors.length)
    first = text_array(data_refs(anchors.ids)).reshape(-1, 1)
    refs = first if others is None else np.concatenate([first, others], axis=1)
    weights = np.zeros(refs.shape, np.float32)
    weights[:, 0] = 1.0
    return Draw(
        z=shaped,
        refs=refs,
        label_weights=weights,
        length=None if anchors.length is None else anchors.length.astype(np.int64),
        note=text_array(note),
    )
