r"""Rows drawn from a density of the anchor's class, fitted class by class.

.. math:: \text{gaussian:}\; z \sim N(\mu_c, \tilde\Sigma_c) \qquad
          \text{mixture:}\; z \sim \sum_j \pi_{cj} N(\mu_{cj}, \tilde\Sigma_{cj}) \qquad
          \text{kde:}\; z \sim \frac{1}{n_c}\sum_{i \in c} N(x_i, h_c^2 \tilde\Sigma_c)

.. math:: \tilde\Sigma = (1 - \rho)\,\Sigma + \rho\,\tfrac{\mathrm{tr}\,\Sigma}{d} I

:math:`\rho` is the oracle-approximating shrinkage: few rows say little about the shape of a covariance. The parts of a
mixture are found by expectation-maximisation on the class's strongest directions, their number by the Bayesian
information criterion; means and covariances are then taken in the full space, weighted by responsibility. The width h
follows Scott's or Silverman's rule in the effective dimension
:math:`q = (\mathrm{tr}\,\Sigma)^2 / \mathrm{tr}\,\Sigma^2` (in d itself h would be 1 for every wide space).

The anchor gives the class and nothing else. Classes below ``min_rows`` get one Gaussian, classes of one row noise; both
say so in ``Draw.note``.

Shapes: anchors (n, *shape) -> (n, *shape); refs (n, 1) = anchor. Ragged rows keep the anchor's length.
Papers: Chen, Wiesel, Eldar and Hero 2010, "Shrinkage Algorithms for MMSE Covariance Estimation", arXiv:0907.4698;
Schwarz 1978, "Estimating the Dimension of a Model", Annals of Statistics 6(2); Scott 1992, "Multivariate Density
Estimation", Wiley; Silverman 1986, "Density Estimation for Statistics and Data Analysis", Chapman and Hall.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

import numpy as np
from sklearn.mixture import GaussianMixture

from augmint.core.protocols import State, Synthesizer
from augmint.core.types import F32, I64, Draw, Latents, TargetKind
from augmint.numerics.moments import class_moments
from augmint.numerics.rows import check_width, checked, flat32, strata, strata_count
from augmint.numerics.spread import F64, Part, Spread, class_parts, fit_spread
from augmint.synthesizers.noise import BORROWED, anchored_draw

SMALL = "fallback: too few rows in the class, one Gaussian"
LIGHT = 1e-3
"""Responsibility below which a row is no part of a component."""


@dataclass
class Density(Synthesizer):
    """Rows from a Gaussian, a mixture of Gaussians or a kernel density of each class.

    Attributes:
        kind: "gaussian", "mixture" or "kde".
        strength: scale of every step from a mean or a row; 1 is as wide as the density.
        components: most parts of a mixture.
        directions: most strong directions on which the parts are found.
        bandwidth: "scott" or "silverman", the rule for the width of a kernel.
        min_rows: classes with fewer rows get one Gaussian whatever the kind.
        rank: most directions of each covariance that are kept.
        spread_: mean and covariance of each part.
        owner_: (g,) class of each part.
        weight_: (g,) share of each part in its class.
        shrink_: (g,) rho of each part.
        width_: (g,) h of each part, 1 where rows are drawn from the part's mean.
        rows_: (m, d) rows of the classes that are drawn from kernels; their class is ``label_`` (m,).
        rms_: (c,) spread of each class, for classes of one row.
        noted_: (c,) 0 as asked, 1 a Gaussian instead, 2 noise instead.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "class"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft"))

    kind: str = "gaussian"
    strength: float = 1.0
    components: int = 5
    directions: int = 8
    bandwidth: str = "scott"
    min_rows: int = 10
    rank: int = 256
    spread_: Spread = field(init=False, repr=False)
    owner_: I64 = field(init=False, repr=False)
    weight_: F64 = field(init=False, repr=False)
    shrink_: F64 = field(init=False, repr=False)
    width_: F64 = field(init=False, repr=False)
    rows_: F32 = field(init=False, repr=False)
    label_: I64 = field(init=False, repr=False)
    rms_: F32 = field(init=False, repr=False)
    noted_: I64 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name, words in (("kind", ("gaussian", "mixture", "kde")), ("bandwidth", ("scott", "silverman"))):
            if getattr(self, name) not in words:
                raise ValueError(f"{name} = {getattr(self, name)!r} must be one of {', '.join(words)}")
        for name in ("components", "directions", "min_rows", "rank"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 1")
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
        """Fit the density of each class; raises UsageError when there is no row."""
        rows, labels, classes = checked(real, "density"), strata(real), strata_count(real)
        seed = int(rng.integers(2**31))
        parts: list[Part] = []
        owner: list[int] = []
        for c, part in enumerate(class_parts(labels, classes)):
            enough = self.kind == "mixture" and len(part[0]) >= self.min_rows
            found = self._mixture(rows, part[0], seed) if enough else [part]
            parts += found
            owner += [c] * len(found)
        self.spread_ = fit_spread(rows, parts, self.rank)
        self.owner_ = np.asarray(owner, np.int64)
        self.weight_ = np.asarray([weight.sum() for _, weight in parts])
        self.rms_ = class_moments(rows, labels, classes).rms
        self._set_shapes(parts, rows, labels)
        return self

    def _set_shapes(self, parts: list[Part], rows: F32, labels: I64) -> None:
        """Shrinkage and kernel width of each part, and which classes are not what was asked for."""
        shape = [_shape(self.spread_.of(g), weight) for g, (_, weight) in enumerate(parts)]
        self.shrink_ = np.asarray([rho for rho, _ in shape])
        count = np.bincount(labels, minlength=len(self.rms_))
        kernels = (count >= self.min_rows) & (self.kind == "kde")
        self.width_ = np.ones(len(parts))
        for g in np.flatnonzero(kernels[self.owner_]):
            self.width_[g] = self._bandwidth(count[self.owner_[g]], shape[g][1])
        keep = np.flatnonzero(kernels[labels])
        self.rows_, self.label_ = rows[keep].copy(), labels[keep]
        small = (count < self.min_rows) & (self.kind != "gaussian")
        self.noted_ = np.where(count < 2, 2, np.where(small, 1, 0))

    def _bandwidth(self, count: int, dimension: float) -> float:
        factor = (dimension + 2.0) / 4.0 if self.bandwidth == "silverman" else 1.0
        return float((count * factor) ** (-1.0 / (dimension + 4.0)))

    def _mixture(self, rows: F32, members: I64, seed: int) -> list[Part]:
        """Members of the class and their responsibilities, for the number of parts with the least criterion."""
        own = rows[members].astype(np.float64)
        u, s, _ = np.linalg.svd(own - own.mean(axis=0), full_matrices=False)
        scores = (u * s)[:, : max(1, min(self.directions, len(members) // 5))]
        floor = 1e-3 * max(float(scores.var(axis=0).mean()), 1e-12)
        best, parts = np.inf, [(members, np.ones(len(members)))]
        for count in range(1, min(self.components, len(members) // 5) + 1):
            model = GaussianMixture(count, covariance_type="diag", reg_covar=floor, random_state=seed).fit(scores)
            share = model.predict_proba(scores)
            if model.bic(scores) < best and (np.square(share.sum(axis=0)) >= 3.0 * np.square(share).sum(axis=0)).all():
                best = model.bic(scores)
                parts = [(members[w > LIGHT], w[w > LIGHT]) for w in share.T]
        return parts

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One row of the density of each anchor's class."""
        rows, labels = flat32(anchors), strata(anchors)
        check_width(rows, self.spread_.mean.shape[1], "density")
        # Two streams, so that neither depends on how many numbers the other one gives.
        choose, move = (np.random.Generator(np.random.Philox(key=int(key))) for key in rng.integers(2**63, size=2))
        part, mean = self._origins(labels, choose.random((len(anchors), 2)))
        scale = np.square(self.strength * self.width_[part])
        even = np.where(
            self.noted_[labels] == 2, np.square(self.rms_[labels]), self.shrink_[part] * self.spread_.variance[part]
        )
        noise = self.spread_.noise(part[:, None], (scale * (1.0 - self.shrink_[part]))[:, None], scale * even, move)
        notes = np.asarray(["", SMALL, BORROWED])[self.noted_[labels]]
        return anchored_draw(anchors, mean + noise, [str(note) for note in notes])

    def _origins(self, labels: I64, dice: F64) -> tuple[I64, F32]:
        """(n,) part of each row and (n, d) where its step begins: the part's mean, or a row of the class."""
        part = np.zeros(len(labels), np.int64)
        kernel = np.full(len(labels), -1, np.int64)
        for c in np.unique(labels):
            own, parts, rows = (np.flatnonzero(where == c) for where in (labels, self.owner_, self.label_))
            reach = np.cumsum(self.weight_[parts]) / max(float(self.weight_[parts].sum()), 1e-12)
            at = np.searchsorted(reach, dice[own, 0], side="right")
            part[own] = parts[np.minimum(at, len(parts) - 1)]
            if len(rows):
                kernel[own] = rows[(dice[own, 1] * len(rows)).astype(np.int64)]
        mean = self.spread_.mean[part]
        mean[kernel >= 0] = self.rows_[kernel[kernel >= 0]]
        return part, mean

    def state(self) -> State:
        """The learned arrays."""
        return {**self.spread_.arrays("spread."), **{name: np.asarray(getattr(self, f"{name}_")) for name in _STATE}}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.spread_ = Spread.load(state, "spread.")
        for name in _STATE:
            setattr(self, f"{name}_", state[name])
        return self


_STATE = ("owner", "weight", "shrink", "width", "rows", "label", "rms", "noted")


def _shape(factor: F32, weight: F64) -> tuple[float, float]:
    """Shrinkage rho in [0, 1] and effective dimension q >= 1 of the covariance ``factor.T @ factor``."""
    size = float(np.square(weight.sum()) / max(np.square(weight).sum(), 1e-12)) if len(weight) else 0.0
    gram = factor.astype(np.float64)
    gram = gram @ gram.T if len(gram) <= gram.shape[1] else gram.T @ gram
    total, squares = float(np.trace(gram)), float(np.square(gram).sum())
    if total <= 0.0:
        return 1.0, 1.0
    apart = (size + 1.0) * (squares - total**2 / factor.shape[1])
    rho = 1.0 if apart <= 0.0 else min(1.0, (squares + total**2) / apart)
    return rho, max(1.0, total**2 / squares)
