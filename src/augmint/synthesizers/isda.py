r"""Gaussian noise with the shape of the anchor's class (ISDA), from random combinations of centred rows.

.. math:: z = a + N(0, \alpha\, \Sigma_c) \qquad \Sigma_c = (1 - \rho_c)\, S_c + \rho_c W
          \qquad \rho_c = \frac{\kappa}{\kappa + n_c - 1}

S_c is the covariance within class c (divided by n_c - 1) and W the pooled one, :math:`\sum_c (n_c - 1) S_c / \sum_c
(n_c - 1)`. The shrinkage says that W is worth ``prior`` = kappa rows: a class of two rows is nearly all W, one of many
rows nearly all its own, and a class of one row is W (``Draw.note`` says so). Where no class has two rows, W is the
covariance of all rows.

No d x d matrix is ever made. With r a centred row, drawn from class c with probability 1 - rho and from all rows
otherwise, and scaled for the lost degrees of freedom,

.. math:: z = a + \sqrt{\alpha / t}\, \sum_{j=1}^{t} g_j r_j \qquad g_j \sim N(0, 1)

has exactly the mean a and the covariance alpha Sigma_c for every number of ``terms`` t, and tends to the Gaussian as t
grows (for Gaussian classes its excess kurtosis is 6 / t). Fit costs n d, a draw t d, for any number of rows.

Shapes: anchors (n, *shape) -> (n, *shape); centred rows (m, d); refs (n, 1) = anchor. Ragged rows keep their length.
Papers: Wang et al. 2019, "Implicit semantic data augmentation", NeurIPS, arXiv:1909.12220; shrinkage to the pooled
covariance: Friedman 1989, "Regularized discriminant analysis", JASA 84.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import ndtri

from augmint.core.protocols import Batched, State, Synthesizer
from augmint.core.types import F32, I64, Draw, Latents, TargetKind
from augmint.numerics.moments import class_moments
from augmint.numerics.rows import check_width, checked, flat32, strata, strata_count
from augmint.synthesizers.noise import BORROWED, anchored_draw

if TYPE_CHECKING:
    import torch
    from torch import Tensor

COPIED = "fallback: one row in all, copied"


@dataclass
class Isda(Synthesizer, Batched):
    """Gaussian noise around each anchor, shaped like its class.

    Attributes:
        strength: alpha, the variance of the noise in units of the class's; >= 0.
        prior: kappa, how many rows the pooled covariance is worth beside the class's own; >= 0.
        terms: t, centred rows combined in one draw; >= 1.
        steps_: (m, d) centred rows, class by class; classes of one row have none.
        count_: (k,) how many of them belong to each class.
        freedom_: (1,) degrees of freedom of the pooled covariance.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "global"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft"))

    strength: float = 0.5
    prior: float = 5.0
    terms: int = 16
    steps_: F32 = field(init=False, repr=False)
    count_: I64 = field(init=False, repr=False)
    freedom_: I64 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("strength", "prior"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 0")
        if self.terms < 1:
            raise ValueError(f"terms = {self.terms} must be >= 1")

    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Centre the rows of each class; raises UsageError when there is no row."""
        rows, label, classes = checked(real, "isda"), strata(real), strata_count(real)
        count = np.bincount(label, minlength=classes).astype(np.int64)
        if count.max() < 2:  # no class has a spread: all rows are one class, to which none belongs
            self.steps_ = rows - rows.mean(axis=0)
            self.count_, self.freedom_ = np.zeros_like(count), np.asarray([len(rows) - 1])
            return self
        centred = rows - class_moments(rows, label, classes).mean[label]
        order = np.argsort(label, kind="stable")
        self.steps_ = centred[order[count[label[order]] > 1]]
        self.count_ = np.where(count > 1, count, 0)
        self.freedom_ = np.asarray([(self.count_ - (self.count_ > 0)).sum()])
        return self

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One noisy copy of each anchor."""
        rows, group = flat32(anchors), strata(anchors)
        check_width(rows, self.steps_.shape[1], "isda")
        dice = rng.random((len(rows), 2 * self.terms))
        if self.freedom_[0] == 0:
            return anchored_draw(anchors, rows, [COPIED] * len(rows))
        at, weight = self._choices(group, dice[:, : self.terms])
        weight = weight * ndtri(dice[:, self.terms :] + 2.0**-54)  # 0 would be an infinite number
        ends = np.arange(0, at.size + 1, self.terms)
        mix = csr_array((weight.ravel().astype(np.float32), at.ravel(), ends), shape=(len(rows), len(self.steps_)))
        return anchored_draw(anchors, rows + mix @ self.steps_, [BORROWED if not self.count_[c] else "" for c in group])

    def _choices(self, group: I64, dice: npt.NDArray[np.float64]) -> tuple[I64, npt.NDArray[np.float64]]:
        """(n, t) centred rows to combine, and how loud: sqrt(alpha / t) and the scale for degrees of freedom."""
        table = self._table()
        first, count, pooled, loud, loud_pooled = (table[group][:, None, i] for i in range(5))
        own = dice >= pooled
        # One number does both: where it lies says which covariance, and how far in, which row.
        inside = np.where(own, (dice - pooled) / np.where(pooled < 1, 1 - pooled, 1), dice / np.maximum(pooled, 1e-30))
        size = np.where(own, count, len(self.steps_))
        at = np.where(own, first, 0) + np.minimum(inside * size, size - 1).astype(np.int64)
        return at.astype(np.int64), np.where(own, loud, loud_pooled)

    def _table(self) -> npt.NDArray[np.float64]:
        """(k, 5) of each class: first step, steps, rho, weight of an own step, weight of a pooled step."""
        count = self.count_.astype(np.float64)
        left = np.maximum(count - 1, 0)
        total = self.prior + left
        pooled = np.where((left > 0) & (total > 0), self.prior / np.where(total > 0, total, 1), 1.0)
        loud = self.strength / self.terms
        own = np.sqrt(loud * count / np.where(left > 0, left, 1))
        all_ = np.full(len(count), np.sqrt(loud * len(self.steps_) / max(1, int(self.freedom_[0]))))
        return np.stack([np.cumsum(count) - count, count, pooled, own, all_], axis=1)

    @property
    def batch_needs_fit(self) -> bool:
        """Yes: the shape of a class is not seen in one batch."""
        return True

    def batch_state(self) -> State:
        """The centred rows and a table of the classes."""
        return {"steps": self.steps_, "table": self._table().astype(np.float32)}

    def batch(
        self, z: Tensor, y: Tensor, generator: torch.Generator, learned: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Add noise with the shape of each row's class; labels stay."""
        import torch

        from augmint.numerics.batches import on_device, stratum

        found = on_device(learned, self.batch_state, z)
        steps, shape = found["steps"], (len(z), self.terms)
        own_row = found["table"][stratum(y, len(found["table"]))]
        first, count, pooled, loud, loud_pooled = (own_row[:, i, None] for i in range(5))
        which, where = torch.rand((2, *shape), generator=generator, device=z.device)
        own = which >= pooled
        size = torch.where(own, count, float(len(steps)))
        at = torch.where(own, first, 0.0).long() + torch.minimum(where * size, size - 1).long()
        weight = torch.where(own, loud, loud_pooled) * torch.randn(shape, generator=generator, device=z.device)
        noise = torch.nn.functional.embedding_bag(at, steps, per_sample_weights=weight, mode="sum")
        return z + noise.to(z.dtype).reshape(z.shape), y

    def state(self) -> State:
        """The learned arrays."""
        return {"steps": self.steps_, "count": self.count_, "freedom": self.freedom_}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.steps_, self.count_, self.freedom_ = state["steps"], state["count"], state["freedom"]
        return self
