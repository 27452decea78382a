r"""Is the text more than a real one again?

.. math:: s(x) = \begin{cases} 0 & w(x) = w(r_i)\; \text{for a real text}\; r_i,\; \text{or}\; w(x) = () \\
          1 & \text{else} \end{cases}

w(x) are the words of a text in order, in Unicode's compatible form (NFKC) and without case or punctuation: a text in
capitals, with a comma more or with other white space is the same text. Texts without any word are compared as they are.
An empty text is no sample and scores 0. For a near copy ask `novelty`.

Shapes: n texts -> scores (n,); threshold (k,).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from augmint.core.errors import UsageError
from augmint.core.protocols import ContentGate, State
from augmint.core.types import F32, Latents, Sample
from augmint.numerics.texts import plain, texts_of, words_of


@dataclass
class Copy(ContentGate):
    """Rejects texts that are real ones but for case, punctuation and white space, and empty ones.

    Attributes:
        known_: hashes of the real texts, ascending.
        threshold_: (k,).
    """

    modalities = frozenset({"text"})

    known_: np.ndarray = field(init=False, repr=False)
    threshold_: F32 = field(init=False, repr=False)

    def fit(self, samples: Sequence[Sample], real: Latents) -> Self:
        """Remember the words of each text, as a hash."""
        if not len(samples):
            raise UsageError(
                "copy: no texts to fit",
                expected="at least one real text",
                do="check that the training split of the data set is not empty",
                code="no-rows",
            )
        self.known_ = np.unique(np.array([_hash(sample) for sample in samples], np.uint64))
        self.threshold_ = np.full(real.y.shape[1], 0.5, np.float32)
        return self

    def score(self, children: Sequence[Sample], fake: Latents, refs: Sequence[Sequence[str]]) -> F32:
        """(n,) 1 for a new text, 0 for a real one again or an empty one."""
        found = np.array([_hash(child) for child in children], np.uint64)
        full = np.array([any(map(str.strip, texts_of(child))) for child in children], np.bool_)
        return (full & ~np.isin(found, self.known_)).astype(np.float32)

    def state(self) -> State:
        """The hashes."""
        return {"known": self.known_, "threshold": self.threshold_}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.known_, self.threshold_ = state["known"], state["threshold"]
        return self


def _hash(sample: Sample) -> int:
    said = "\n".join(" ".join(words_of(text)) or plain(text) for text in texts_of(sample))
    return int.from_bytes(hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
