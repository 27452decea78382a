r"""Is a text a near copy of one that nobody should have seen?

.. math:: d(a, b) = 1 - \frac{\sum_{t \in a \cap b} i_t}{\sum_{t \in a \cup b} i_t} \qquad
          i_t = \min\Bigl(1 + \ln \frac{1 + m}{1 + m_t},\; \bar\imath\Bigr)

over the different words of two texts, m_t of the m held-out texts having the word: what a question shares with all
questions says little. No word weighs more than the middle one of all that stand in the held-out texts: one rare word
that was put in hides no copy. With p(1), p(2), ... the held-out texts nearest to a text y,

.. math:: \rho(y) = \frac{d(y, p_{(1)})}{\frac15 \sum_{i=3}^{7} d(y, p_{(i)})} \qquad
          \text{copy:}\; \rho(y) < \min(\rho_q, c) \;\text{or}\; d(y, p_{(1)}) < \varepsilon

as for pictures (:mod:`augmint.evaluation.leaks`, where rho_q is told). A copy in other words, or in another language,
is not found.

Shapes: n texts as :class:`~augmint.numerics.word_prints.WordPrints`.
Papers: Broder 1997, "On the resemblance and containment of documents"; Carlini et al. 2023, arXiv:2301.13188.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from augmint.core.types import F32, I64
from augmint.evaluation.leaks import AROUND, BESIDE, OWN_ROWS, QUANTILE, Leaks, decided
from augmint.evaluation.memorization import LEAST_ROWS, low_quantile
from augmint.numerics.word_prints import WordPrints

CLOSEST = 0.5
"""c: a copy is at least twice as near as the other texts around."""

SAME = 0.2
"""eps: the same text, whatever is around it: one word in ten is another. All real pairs of BANKING77 that are so near
are the same question twice, and so are those of TREC, SST-2 and SNIPS (`docs/leaks.md`)."""

ROUNDING = 1e-5
"""Of a distance."""

BLOCK = 1 << 22
"""Pairs that are compared at a time."""


class TextLeakFinder:
    """Finds near copies of held-out texts.

    Args:
        prints: of the held-out texts, m >= 1. Their order does not matter, equal ones count once.
        bar: min(rho_q, c), where it is known already; else it is taken from the prints.
    """

    def __init__(self, prints: WordPrints, bar: float | None = None) -> None:
        rows = list(prints)
        first: dict[bytes, int] = {}
        for i, row in enumerate(rows):
            first.setdefault(row.tobytes(), i)
        self.first = np.array(sorted(first.values()), np.int64)
        held = [rows[i] for i in self.first]
        self.words, met = np.unique(np.concatenate(held), return_counts=True)
        weight = 1.0 + np.log((1 + len(held)) / (1.0 + met))
        self.most = np.float32(np.median(np.repeat(weight, met)) if len(met) else 1.0)
        self.weight = np.minimum(weight, self.most).astype(np.float32)
        self.rows, self.size = self._weighed(WordPrints(np.concatenate(held), np.cumsum([len(row) for row in held])))
        self.bar = self._own_bar() if bar is None else bar

    def find(self, prints: WordPrints) -> Leaks:
        """Compare texts with those held out."""
        apart, at = self._nearest(*self._weighed(prints))
        near, score, threshold = decided(_ratio(apart), apart[:, 0], self.bar, SAME)
        return Leaks(near, self.first[at], score, threshold)

    def _weighed(self, prints: WordPrints) -> tuple[Any, F32]:
        """(n, words) root of the weight of each word that a held-out text has, too, and (n,) weight of all words."""
        starts = np.concatenate([[0], prints.ends])
        at = np.minimum(np.searchsorted(self.words, prints.words), len(self.words) - 1)
        known = self.words[at] == prints.words if len(self.words) else np.zeros(len(at), np.bool_)
        weight = np.where(known, self.weight[at] if len(self.words) else 0, self.most)
        row = np.repeat(np.arange(len(prints)), np.diff(starts))
        size = np.bincount(row, weight, minlength=len(prints)).astype(np.float32)
        ends = np.concatenate([[0], np.cumsum(np.bincount(row[known], minlength=len(prints)))])
        found = (np.sqrt(weight[known]).astype(np.float32), at[known], ends)
        return csr_array(found, shape=(len(prints), len(self.words))), size

    def _nearest(self, rows: Any, size: F32, itself: I64 | None = None) -> tuple[F32, I64]:
        """(n, k) smallest distances, ascending, and (n,) the nearest; ``itself``: a row that does not count."""
        k, block = min(BESIDE + AROUND, len(self.first)), max(1, BLOCK // len(self.first))
        apart, at = np.ones((len(size), k), np.float32), np.zeros(len(size), np.int64)
        across = self.rows.T.tocsr()
        for start in range(0, len(size), block):
            part = slice(start, start + block)
            shared = (rows[part] @ across).toarray()
            distance = 1.0 - shared / np.maximum(size[part, None] + self.size[None] - shared, np.float32(1e-6))
            if itself is not None:
                distance[np.arange(len(distance)), itself[part]] = np.inf
            at[part] = distance.argmin(axis=1)
            apart[part] = np.sort(np.partition(distance, k - 1, axis=1)[:, :k], axis=1)
        return np.where(apart < ROUNDING, np.float32(0), apart), at

    def _own_bar(self) -> float:
        if len(self.first) < LEAST_ROWS:
            return 0.0
        some = np.unique(np.linspace(0, len(self.first) - 1, OWN_ROWS).astype(np.int64))
        apart, _ = self._nearest(self.rows[some], self.size[some], some)
        return min(low_quantile(_ratio(apart), QUANTILE), CLOSEST)


def _ratio(apart: F32) -> F32:
    """(n,) rho; NaN with fewer held-out texts around than that takes."""
    if apart.shape[1] < BESIDE + AROUND:
        return np.full(len(apart), np.nan, np.float32)
    out: F32 = apart[:, 0] / np.maximum(apart[:, BESIDE:].mean(axis=1), np.float32(1e-6))
    return out
