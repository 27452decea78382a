"""Spans of words are cut out and a sequence-to-sequence model fills the gaps.

    T5:    "the <extra_id_0> sat on <extra_id_1> mat"  ->  "<extra_id_0> old cat <extra_id_1> her"
           what the model wrote is put into the gaps; all other words stay as they were
    BART:  "the <mask> sat on <mask> mat"  ->  "the old cat sat on her mat"
           the model writes the whole text again

Gaps and the words between them are random compositions (Raffel et al. 2020, section 3.1.4), so that every number of
words between gaps is as likely: ``share`` of n words, at least one, in gaps of ``span`` words on average.

Raffel et al. (2020), Exploring the Limits of Transfer Learning; Lewis et al. (2020), BART; as augmentation: Kumar et
al. (2020), Data Augmentation using Pre-trained Transformer Models. No label is told to the model: filter with a judge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from augmint.core.errors import UsageError
from augmint.numerics.decoding import Decoding
from augmint.rewriters.generating import TOO_LONG, Piece, Proposal, Rewording

Spans = list[tuple[int, int]]
"""(first word, first word after it) of each gap, in order, none touching the next."""


@dataclass
class SpanInfill(Rewording):
    """Cut spans of words out and let T5 or BART fill the gaps.

    Attributes:
        share: of the words that are cut out.
        span: words of a gap, on average.
        beams: width of a beam search for what comes in; 1 draws.
        temperature: of the draw, 0 for the likeliest.
        top_k: tokens that may be drawn, 0 for all.
        top_p: share of the probability that may be drawn from.
        lm: T5, BART or one like them.
    """

    model_kinds: ClassVar[frozenset[str]] = frozenset({"seq2seq"})

    share: float = 0.3
    span: float = 2.0
    beams: int = 1
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 0.95
    lm: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.share <= 1 or self.span < 1:
            raise ValueError(f"share = {self.share}, span = {self.span}; 0 < share <= 1 and span >= 1")
        self._decoding = Decoding(self.beams, self.temperature, self.top_k, self.top_p)

    def check(self) -> None:
        """Raises UsageError for a model that was not trained to fill gaps."""
        super().check()
        if not self.lm.sentinels and not self.lm.mask:
            raise UsageError(
                f"model {self.lm.name!r}, which has no mark for a gap",
                expected="a model trained to fill gaps (T5, BART)",
                do="name another, or use --method paraphrase",
                code="wrong-model",
            )

    def propose(self, pieces: Sequence[Piece], rngs: Sequence[np.random.Generator]) -> list[Proposal]:
        """Each text with its gaps filled; "" where it has no word, or the model left a gap out."""
        words = [re.findall(r"\S+\s*", piece.text) for piece in pieces]
        spans = [self._spans(len(own), rng) for own, rng in zip(words, rngs, strict=True)]
        inputs = [self._with_gaps(own, gaps) for own, gaps in zip(words, spans, strict=True)]
        whole = [size <= self.lm.size for size in self.lm.lengths(inputs)]
        todo = [i for i in range(len(pieces)) if spans[i] and whole[i]]
        answers = self.lm.generate(
            [inputs[i] for i in todo], [rngs[i] for i in todo], self._decoding, marks=bool(self.lm.sentinels)
        )
        texts = [""] * len(pieces)
        for i, answer in zip(todo, answers, strict=True):
            texts[i] = self._filled(words[i], spans[i], answer) if self.lm.sentinels else answer
        return [Proposal(text, fault="" if fits else TOO_LONG) for text, fits in zip(texts, whole, strict=True)]

    def _spans(self, words: int, rng: np.random.Generator) -> Spans:
        gone = min(words, max(1, round(self.share * words)))
        most = min(gone, words - gone + 1, len(self.lm.sentinels) - 1 if self.lm.sentinels else words)
        return random_spans(words, gone, min(most, max(1, round(gone / self.span))), rng)

    def _with_gaps(self, words: Sequence[str], spans: Spans) -> str:
        out, end = [], 0
        for place, (start, stop) in enumerate(spans):
            mark = self.lm.sentinels[place] if self.lm.sentinels else self.lm.mask
            out += [*words[end:start], mark + space_after(words[stop - 1])]
            end = stop
        return "".join([*out, *words[end:]])

    def _filled(self, words: Sequence[str], spans: Spans, answer: str) -> str:
        """The text with what the model wrote after each mark in its gap."""
        marks = list(self.lm.sentinels)
        parts = re.split(f"({'|'.join(map(re.escape, marks))})", answer)
        fills = dict(zip(reversed(parts[1::2]), reversed(parts[2::2]), strict=True))  # of a mark told twice, the first
        if any(mark not in fills for mark in marks[: len(spans)]):
            return ""
        out, end = [], 0
        for mark, (start, stop) in zip(marks, spans, strict=False):
            out += [*words[end:start], fills[mark].strip() + space_after(words[stop - 1])]
            end = stop
        return "".join([*out, *words[end:]])


def space_after(word: str) -> str:
    """The white space that a word ends in."""
    return word[len(word.rstrip()) :]


def random_spans(words: int, gone: int, count: int, rng: np.random.Generator) -> Spans:
    """``count`` gaps with ``gone`` words in all, at least one each and one between them; all such equally likely."""
    if not words:
        return []
    lengths = composition(gone, count, rng)
    between = composition(words - gone + 2, count + 1, rng)
    between[0] -= 1  # a text may begin and end with a gap
    spans, at = [], 0
    for before, length in zip(between, lengths, strict=False):
        spans.append((at + before, at + before + length))
        at += before + length
    return spans


def composition(total: int, parts: int, rng: np.random.Generator) -> list[int]:
    """``parts`` numbers >= 1 with this sum, all such equally likely; needs total >= parts."""
    cuts = np.sort(rng.choice(total - 1, parts - 1, replace=False)) + 1
    edges = [0, *cuts.tolist(), total]
    return [stop - start for start, stop in pairwise(edges)]
