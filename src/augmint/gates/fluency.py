r"""Does the text read like the real ones?

.. math:: s(x) = \frac{1}{n} \sum_{i=1}^{n} \log p(w_i \mid x \text{ without } w_j : j \equiv i \bmod g)
          \qquad t = Q_q\{s(r)\}

The mean log-probability of a text's tokens by a masked language model. One at a time (pseudo-log-likelihood) takes a
pass for each token; here every g-th is hidden at once, so that a text takes g passes, however long it is. What hides
together lies g tokens apart and tells little of each other. A child is rejected that reads worse than all but the share
q of the real texts; the texts of a pair count as one. The model is the one of ``model``, and where that has written
the children as well it flatters them.

Shapes: n texts -> scores (n,) <= 0, in natural logs; threshold (k,), the same for all classes.
Paper: Salazar et al. 2020, "Masked language model scoring", arXiv:1910.14659 (one token at a time).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from augmint.core.errors import UsageError
from augmint.core.protocols import ContentGate, State
from augmint.core.types import F32, Latents, Sample
from augmint.numerics.texts import texts_of

LOWEST = -50.0
"""Score of a text without any token, which is no sentence."""

BLOCK = 64
"""Texts whose scores are in memory at once: a row of the vocabulary for each token."""


@dataclass
class Fluency(ContentGate):
    """Mean log-probability of a text's words by a masked language model.

    Attributes:
        model: the masked language model, a card or a folder.
        passes: g, how many tokens apart those are that hide together.
        quantile: share of the real texts that may read worse than a child must.
        most: real texts that are read for it, evenly spread.
        lm: the model itself, which the pipeline hands over.
        threshold_: (k,).
    """

    modalities = frozenset({"text"})
    model_kinds: ClassVar[frozenset[str]] = frozenset({"masked-lm"})

    model: str = "tiny-text"
    passes: int = 5
    quantile: float = 0.05
    most: int = 500
    lm: Any = field(default=None, repr=False)
    threshold_: F32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.passes < 2 or self.most < 1:
            raise ValueError(f"passes = {self.passes} must be >= 2 and most = {self.most} >= 1")
        if not 0.0 <= self.quantile < 1.0:
            raise ValueError(f"quantile = {self.quantile} must lie in [0, 1)")

    def fit(self, samples: Sequence[Sample], real: Latents) -> Self:
        """Read some of the real texts."""
        if not len(samples):
            raise UsageError(
                "fluency: no texts to fit",
                expected="at least one real text",
                do="check that the training split of the data set is not empty",
                code="no-rows",
            )
        step = -(-len(samples) // self.most)
        own = self._read([samples[i] for i in range(0, len(samples), step)])
        self.threshold_ = np.full(real.y.shape[1], np.quantile(own, self.quantile), np.float32)
        return self

    def score(self, children: Sequence[Sample], fake: Latents, refs: Sequence[Sequence[str]]) -> F32:
        """(n,) mean log-probability of a token."""
        return self._read(children)

    def _read(self, samples: Sequence[Sample]) -> F32:
        parts = [self._block(samples[at : at + BLOCK]) for at in range(0, len(samples), BLOCK)]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def _block(self, samples: Sequence[Sample]) -> F32:
        texts = [(i, text) for i, sample in enumerate(samples) for text in texts_of(sample)]
        rows, places, owner, hidden = [], [], [], []
        for (i, _), (tokens, spans) in zip(texts, self.lm.cut([text for _, text in texts]), strict=True):
            said = [place for place, (start, end) in enumerate(spans) if end > start]
            for first in range(min(self.passes, len(said))):
                at = said[first :: self.passes]
                rows.append([self.lm.mask if place in at else token for place, token in enumerate(tokens)])
                places.append(at)
                owner.append(i)
                hidden.append([tokens[place] for place in at])
        total, count = np.zeros(len(samples)), np.zeros(len(samples))
        for i, scores, own in zip(owner, self.lm.logits(rows, places), hidden, strict=True):
            total[i] += _log_probabilities(scores, own).sum()
            count[i] += len(own)
        return np.where(count > 0, total / np.maximum(count, 1), LOWEST).astype(np.float32)

    def state(self) -> State:
        """The threshold."""
        return {"threshold": self.threshold_}

    def load(self, state: State) -> Self:
        """Take the array of :meth:`state`."""
        self.threshold_ = state["threshold"]
        return self


def _log_probabilities(scores: F32, tokens: Sequence[int]) -> np.ndarray:
    """(k,) of these tokens, one for each row of the vocabulary's scores (k, v)."""
    top = scores.max(axis=1, keepdims=True)
    total = np.log(np.exp(scores - top).sum(axis=1, dtype=np.float64))
    return np.asarray(scores[np.arange(len(tokens)), list(tokens)] - top[:, 0] - total, np.float64)
