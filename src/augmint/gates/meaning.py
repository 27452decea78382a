r"""Does the text still mean what its parent means?

.. math:: s(x) = \max_{p \in \text{parents}} \cos(x, p) \qquad t_c = Q_{q}\{\cos(r_i, r_j) : i \ne j\}

A child that has drifted is no nearer to its parent than two real texts, drawn at random, are to each other: of those
the share q is farther apart. A parent that is no real row (of a pool) is not looked at; a child without any other
scores 1. How near is too near, `novelty` and `copy` say. It does not protect a label: "I love pizza" and "I hate pizza"
have a cosine of 0.91 by MiniLM; `consistency` does.

Shapes: rows (n, d) of the judge's space -> scores (n,) in [-1, 1]; threshold (k,).
Paper: Reimers & Gurevych 2019, "Sentence-BERT", arXiv:1908.10084.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from augmint.core.protocols import ContentGate, State
from augmint.core.types import F32, Latents, Sample
from augmint.numerics.rows import check_width, checked, finite_rows, flat32, pack_text, unpack_text

PAIRS = 20_000
"""Pairs of real rows that say how far apart they are, evenly spread."""


@dataclass
class Meaning(ContentGate):
    """Cosine of a child and its parent, by the judge.

    Attributes:
        quantile: share of pairs of real texts that are less alike than a child and its parent must be.
        rows_: (m, d) the real rows, of unit length.
        names_: (m,) their ids, packed.
        threshold_: (k,).
    """

    modalities = frozenset({"text"})

    quantile: float = 0.95
    rows_: F32 = field(init=False, repr=False)
    names_: np.ndarray = field(init=False, repr=False)
    threshold_: F32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.quantile < 1.0:
            raise ValueError(f"quantile = {self.quantile} must lie in [0, 1)")

    def fit(self, samples: Sequence[Sample], real: Latents) -> Self:
        """Keep the real rows, and measure how alike two of them are."""
        self.rows_ = _unit(checked(real, "meaning"))
        self.names_ = pack_text(real.ids)
        m = len(self.rows_)
        step = np.arange(0, max(m * (m - 1), 1), max(1, m * (m - 1) // PAIRS))
        one, two = step // max(m - 1, 1), (step // max(m - 1, 1) + 1 + step % max(m - 1, 1)) % m
        alike = np.einsum("nd,nd->n", self.rows_[one], self.rows_[two])
        low = float(np.quantile(alike, self.quantile)) if m > 1 else 0.0
        self.threshold_ = np.full(real.y.shape[1], low, np.float32)
        return self

    def score(self, children: Sequence[Sample], fake: Latents, refs: Sequence[Sequence[str]]) -> F32:
        """(n,) cosine with the nearest parent; 1 where no parent is a real row, -1 where the row is not finite."""
        rows = flat32(fake)
        check_width(rows, self.rows_.shape[1], "meaning")
        place = {f"data:{name}": i for i, name in enumerate(unpack_text(self.names_))}
        fine, unit = finite_rows(rows), _unit(np.nan_to_num(rows, posinf=0, neginf=0))
        out = np.ones(len(rows), np.float32)
        for i, own in enumerate(refs):
            at = [place[ref] for ref in own if ref in place]
            if at:
                out[i] = (self.rows_[at] * unit[i]).sum(axis=1).max()
        return np.where(fine, out, np.float32(-1))

    def state(self) -> State:
        """The learned arrays."""
        return {"rows": self.rows_, "names": self.names_, "threshold": self.threshold_}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.rows_, self.names_, self.threshold_ = state["rows"], state["names"], state["threshold"]
        return self


def _unit(rows: F32) -> F32:
    length = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    return np.asarray(rows / np.maximum(length, 1e-12), np.float32)
