"""A causal language model is fitted to the texts of all classes and writes new ones of the class it is asked for.

    fit:    each real text as  "LABEL: TEXT" <end>,  a number of updates on their log-likelihood
    child:  what the fitted model writes after  "LABEL:"  (and the first words of the parent, if wanted)

Anaby-Tavor et al. (2020), Do Not Have Enough Data? Deep Learning to the Rescue! (LAMBADA, arXiv:1911.03118); with first
words of the parent: Kumar et al. (2020, arXiv:2003.02245). LAMBADA's second half, a classifier that keeps the texts it
is surest of, is the label gate of the run and ``label_by: judge``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from augmint.core.errors import UsageError
from augmint.core.protocols import State
from augmint.core.types import I64, Sample
from augmint.numerics.decoding import Decoding
from augmint.numerics.texts import texts_of
from augmint.rewriters.generating import CUT, TOO_LONG, Generating, Piece, Proposal


@dataclass
class LmGenerate(Generating):
    """Fine-tune a causal language model on the classes and let it write new texts of each.

    Attributes:
        updates: steps of the fit. What it may cost: ``updates * batch`` texts are read, forth and back.
        batch: texts of a step.
        rate: step size at the start, which falls to 0.
        rank: of the thin matrices that are learned; 0 learns all weights, and keeps as many numbers in the run.
        words: first words of the parent that the child begins with.
        most: longest text that is learned or written, in tokens.
        separator: between label and text.
        temperature: of the draw, 0 for the likeliest text.
        top_k: tokens that may be drawn, 0 for all.
        top_p: share of the probability that may be drawn from.
        lm: GPT-2 or one like it.
        learned_: what the fit changed.
        longest_: tokens of the longest real text, label included.
        cut_: (2,) texts that were cut, to ``longest_`` tokens, of how many.
    """

    model_kinds: ClassVar[frozenset[str]] = frozenset({"causal-lm"})

    updates: int = 200
    batch: int = 16
    rate: float = 1e-3
    rank: int = 8
    words: int = 0
    most: int = 128
    separator: str = ":"
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 0.9
    lm: Any = field(default=None, repr=False)
    learned_: State = field(init=False, repr=False, default_factory=dict)
    longest_: int = field(init=False, default=0)
    cut_: I64 = field(init=False, repr=False, default_factory=lambda: np.zeros(2, np.int64))

    def __post_init__(self) -> None:
        super().__post_init__()
        least = {"updates": 0, "batch": 1, "rank": 0, "words": 0, "most": 1}
        low = [name for name, bound in least.items() if getattr(self, name) < bound]
        if low or self.rate <= 0:
            raise ValueError(f"{low[0] if low else 'rate'} = {getattr(self, low[0] if low else 'rate')} is too small")
        Decoding(1, self.temperature, self.top_k, self.top_p)
        self._fitted: Any = None

    def fit(self, samples: Sequence[Sample], rng: np.random.Generator) -> Self:
        """Learn the texts with their labels; samples without a label teach nothing."""
        self.check()
        lines = []
        for sample in samples:
            self.places(sample)
            if sample.target is not None:
                lines.append(f"{self._prompt(sample)} {' '.join(texts_of(sample)[0].split())}")
        if not lines:
            raise UsageError(
                "no text with a label", expected="labelled texts to learn from", do="give the data", code="no-rows"
            )
        most, whole = min(self.most, self.lm.longest), self.lm.tokens(lines, ended=True)
        self.cut_ = np.array([sum(len(row) > most for row in whole), len(whole)], np.int64)
        rows = [row[:most] for row in whole]
        self.longest_ = max(map(len, rows))
        self.learned_ = self.lm.tune(rows, rng, updates=self.updates, batch=self.batch, rate=self.rate, rank=self.rank)
        self._fitted = self.lm.with_learned(self.learned_)
        return self

    def propose(self, pieces: Sequence[Piece], rngs: Sequence[np.random.Generator]) -> list[Proposal]:
        """A text of each piece's class, from the piece's own stream."""
        if self._fitted is None:
            self._fitted = self.lm.with_learned(self.learned_)
        starts = [" ".join(piece.text.split()[: self.words]) for piece in pieces]
        prompts = [
            f"{self._prompt(piece.sample)} {start}".rstrip() for piece, start in zip(pieces, starts, strict=True)
        ]
        decoding = Decoding(1, self.temperature, self.top_k, self.top_p, most=self.longest_ or self.most)
        written = self._fitted.continuations(prompts, rngs, decoding)
        sizes = self._fitted.lengths(prompts)  # of a longer prompt the model would not see the label
        return [
            _proposal(start, found, size <= self.lm.size)
            for start, found, size in zip(starts, written, sizes, strict=True)
        ]

    def told(self) -> list[str]:
        """That texts were cut, so that the model learned no end from them."""
        cut, texts = self.cut_.tolist()
        if not cut:
            return []
        return [f"warning: {cut} of {texts} texts are longer than {self.longest_} tokens; no end is learned from "
                "these, and what has no end is not taken: raise the option most"]  # fmt: skip

    def _prompt(self, sample: Sample) -> str:
        return f"{sample.target}{self.separator}"

    def state(self) -> State:
        """What was learned, the length of the longest text, and how many were cut."""
        learned = {f"lm.{name}": a for name, a in self.learned_.items()}
        return {"longest": np.array([self.longest_]), "cut": self.cut_, **learned}

    def load(self, state: State) -> Self:
        """Take a state made by :meth:`state`."""
        self.longest_ = int(state["longest"][0])
        self.cut_ = state.get("cut", np.zeros(2, np.int64))  # runs of earlier versions have none
        self.learned_ = {name.removeprefix("lm."): a for name, a in state.items() if name.startswith("lm.")}
        self._fitted = None
        return self


def _proposal(start: str, found: Any, whole: bool) -> Proposal:
    """First words and what was written after them; nothing where there is no end, or the prompt was cut."""
    if not whole or not found.ended:
        return Proposal("", fault=CUT if whole else TOO_LONG)
    return Proposal(start + found.text if found.text.strip() else "")
