r"""Any method on rows whose rows cannot be decoded: for each drawn row, the nearest free row of an unlabelled pool.

.. math::
    z_i \sim \text{method}(a_i) \qquad
    u_i = \arg\min_{u \in C_{c(i)} \setminus \{u_1, \ldots, u_{i-1}\}} \lVert u - z_i \rVert

``C_c`` are the rows of the pool that a calibrated probe on the real rows gives to class c with at least
``confidence`` (`retrieval.Retrieval`, whose anchors are the drawn rows here): the row is readable, since a real sample
stands behind it, and no row is picked twice. Provenance names the row and the parents of the drawn one; label weights
are the method's.

Shapes: anchors (n, *shape), pool (m, *shape) -> picks (n, *shape); refs (n, 1 + p). Every anchor draws from a stream of
its own, so that the first rows are the same however many are asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

import numpy as np

from augmint.core.protocols import State, Synthesizer
from augmint.core.types import Draw, Latents, TargetKind
from augmint.numerics.rows import text_array
from augmint.synthesizers.noise import Noise
from augmint.synthesizers.retrieval import Retrieval


@dataclass
class PoolNearest(Synthesizer):
    """The nearest free rows of a pool to the rows that another method draws.

    Attributes:
        method: what draws; it is fitted here.
        pool_: finds the rows of the pool.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "global"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft"))
    uses: ClassVar[frozenset[Literal["pool", "base"]]] = frozenset(("pool", "base"))

    method: Synthesizer = field(default_factory=Noise)
    pool_: Retrieval = field(init=False, repr=False, default_factory=lambda: Retrieval(confidence=0.0, neighbors=1))

    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Fit the method, and give each row of the pool a class.

        Raises:
            UsageError: no real row, no pool, or a pool of another space.
        """
        self.pool_.fit(real, rng, pool=pool)
        self.method.fit(real, rng, base=base if "base" in self.method.uses else None, progress=progress)
        return self

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One row of the pool for each anchor, in the order of the anchors; none twice."""
        streams = [np.random.default_rng(seed) for seed in rng.integers(2**63, size=len(anchors))]
        drawn = [self.method.sample(anchors.take(np.array([i])), own) for i, own in enumerate(streams)]
        if not drawn:
            return self.pool_.sample(anchors, rng)
        z = np.concatenate([draw.z for draw in drawn]).reshape(anchors.z.shape)
        picked = self.pool_.sample(dataclasses.replace(anchors, z=z), rng)
        width = max(draw.refs.shape[1] for draw in drawn)
        refs = [[str(own), *draw.refs[0], *[""] * (width - draw.refs.shape[1])] for own, draw in
                zip(picked.refs[:, 0], drawn, strict=True)]  # fmt: skip
        weights = np.zeros((len(drawn), 1 + width), np.float32)
        for row, draw in zip(weights, drawn, strict=True):
            row[1 : 1 + draw.label_weights.shape[1]] = draw.label_weights[0]
        return dataclasses.replace(picked, refs=text_array(refs).reshape(len(drawn), -1), label_weights=weights)

    def fit_seconds(self, real: Latents) -> float:
        """The method's forecast."""
        return self.method.fit_seconds(real)

    def state(self) -> State:
        """The learned arrays of both."""
        both = {"method": self.method.state(), "pool": self.pool_.state()}
        return {f"{part}.{name}": array for part, arrays in both.items() for name, array in arrays.items()}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        parts: dict[str, State] = {"method": {}, "pool": {}}
        for key, array in state.items():
            part, _, name = key.partition(".")
            parts[part][name] = array
        self.method.load(parts["method"])
        self.pool_.load(parts["pool"])
        return self
