"""What rewriters that write share: the parts of a pair, bounds on what is written, and what happens outside them.

    child = the first of `tries` proposals that is not empty, not its parent's text again and not too long;
            where there is none, the parent's text with a note, which the gate against copies turns away

A proposal is stripped, and white space becomes single spaces where the parent is one line.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from augmint.core.errors import DataError, UsageError
from augmint.core.protocols import Modality, Rewriter
from augmint.core.types import Child, Sample
from augmint.numerics.texts import texts_of, with_texts

EXTRA = 40
"""Characters that a proposal may have beyond `longest` times those of its parent."""


UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")
"""What no data set can hold: NUL, and half a surrogate pair, which an answer in JSON may spell."""

NOTHING = "fallback: its parent's text, nothing else was written"
AGAIN = "fallback: its parent's text, which was written again"
LONG = "fallback: its parent's text, what was written is too long"
ODD = "fallback: its parent's text, what was written holds characters that no file of texts can"
CUT = "fallback: its parent's text, what was written had no end"
TOO_LONG = "fallback: its parent's text, which is longer than the model reads"
"""Notes on children that are their parents again; the last two are told by a method, as `Proposal.fault`."""


class Piece(NamedTuple):
    """A text to be rewritten, and the sample that it is (a part of)."""

    text: str
    sample: Sample


class Proposal(NamedTuple):
    """What could become a child's text; ``parents`` as in `Child`; ``fault``: why there is no text, if it is known."""

    text: str
    parents: tuple[tuple[str, float], ...] = ()
    fault: str = ""


@dataclass
class Generating(Rewriter):
    """A rewriter whose children are written by a model, one text a sample.

    Attributes:
        tries: proposals for one text.
    """

    modalities: ClassVar[frozenset[Modality]] = frozenset({"text"})

    tries: int = 3

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError(f"tries = {self.tries} must be >= 1")

    @abstractmethod
    def propose(self, pieces: Sequence[Piece], rngs: Sequence[np.random.Generator]) -> list[Proposal]:
        """One proposal for each piece, which depends on its own sample and stream alone; a stream is used on."""

    def fit(self, samples: Sequence[Sample], rng: np.random.Generator) -> Self:
        """Nothing is learned."""
        self.check()
        return self

    def check(self) -> None:
        """Raises UsageError unless the model at hand is one that the method works with."""
        if self.model_kinds:
            check_model(self, getattr(self, "lm", None))

    @property
    def varies(self) -> bool:
        """Whether a second try can differ from the first."""
        return True

    def fault(self, text: str, parent: str) -> str:
        """Why a proposal cannot be the child of this text; "" when it can."""
        if not text:
            return NOTHING
        if UNSTORABLE.search(text):
            return ODD
        return AGAIN if same(text, parent) else ""

    def tidied(self, text: str, parent: str) -> str:
        """What is kept of a proposal's text."""
        return tidy(text, parent)

    def places(self, sample: Sample) -> list[int]:
        """Which of the sample's texts are rewritten; raises DataError for a sample that the method cannot take."""
        refuse_spans(sample)
        if isinstance(sample.content, dict):
            raise DataError(
                f"sample {sample.id!r} of {len(sample.content)} texts ({', '.join(sample.content)})",
                expected="one text a sample: this method would lose what holds between them",
                do="use a method that rewrites (span-infill, paraphrase, round-trip, endpoint), with part: COLUMN",
                code="pair",
            )
        return [0]

    def taken(self, sample: Sample) -> Sample:
        """The sample; raises DataError for one that the method cannot take."""
        self.places(sample)
        return sample

    def rewrite(self, samples: Sequence[Sample], rngs: Sequence[np.random.Generator]) -> list[Sample]:
        """One child for each sample."""
        return [child.sample for child in self.children(samples, rngs)]

    def children(self, samples: Sequence[Sample], rngs: Sequence[np.random.Generator]) -> list[Child]:
        """One child for each sample, with a note where its text is its parent's."""
        self.check()
        at = [self.places(sample) for sample in samples]
        pieces = [Piece(texts_of(sample)[i], sample) for sample, own in zip(samples, at, strict=True) for i in own]
        seeds = [seed for rng, own in zip(rngs, at, strict=True) for seed in rng.integers(0, 2**63 - 1, len(own))]
        settled = iter(self._settled(pieces, [np.random.default_rng(seed) for seed in seeds]))
        return [_child(sample, own, [next(settled) for _ in own]) for sample, own in zip(samples, at, strict=True)]

    def _settled(self, pieces: Sequence[Piece], rngs: Sequence[np.random.Generator]) -> list[tuple[Proposal, str]]:
        """Text and note of each piece."""
        found = [(Proposal(piece.text), "") for piece in pieces]
        todo = list(range(len(pieces)))
        for _ in range(self.tries if self.varies else 1):
            proposals = self.propose([pieces[i] for i in todo], [rngs[i] for i in todo]) if todo else []
            for i, proposal in zip(todo, proposals, strict=True):
                parent = pieces[i].text
                text = self.tidied(proposal.text, parent)
                fault = proposal.fault or self.fault(text, parent)
                found[i] = (Proposal(parent), fault) if fault else (proposal._replace(text=text), "")
            todo = [i for i in todo if found[i][1]]
        return found


@dataclass
class Rewording(Generating):
    """A rewriter that says what a text says in other words, so that each text of a pair can be rewritten by itself.

    Attributes:
        part: of a pair, the one column to rewrite; "" for all, each by itself.
        longest: most characters of a proposal, as a multiple of its parent's (and 40 more).
    """

    part: str = ""
    longest: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.longest <= 0:
            raise ValueError(f"longest = {self.longest} must be > 0")

    def fault(self, text: str, parent: str) -> str:
        """Why a proposal cannot be the child of this text; "" when it can."""
        return super().fault(text, parent) or (LONG if len(text) > self.longest * len(parent) + EXTRA else "")

    def places(self, sample: Sample) -> list[int]:
        """Which of the sample's texts are rewritten."""
        refuse_spans(sample)
        columns = list(sample.content) if isinstance(sample.content, dict) else []
        if self.part and self.part not in columns:
            raise DataError(
                f"part {self.part!r}, sample {sample.id!r} has {', '.join(columns) or 'one text'}",
                expected="a text column of a pair",
                do="correct part" if columns else "leave part out",
                code="unknown-part",
            )
        return [columns.index(self.part)] if self.part else list(range(len(texts_of(sample))))


def refuse_spans(sample: Sample) -> None:
    """Raises DataError for a sample with labelled spans."""
    if sample.spans:
        raise DataError(
            f"sample {sample.id!r} with labelled spans",
            expected="texts without spans: what is written anew has no place for them",
            do="use --method classic-text, which carries spans along, or leave the spans column out",
            code="spans",
        )


def check_model(method: Rewriter, lm: Any) -> None:
    """Raises UsageError unless the model is of a kind that the method works with."""
    if lm is None or lm.kind not in method.model_kinds:
        kinds = " or ".join(sorted(method.model_kinds))
        raise UsageError(
            "no model" if lm is None else f"model {lm.name!r}, of kind {lm.kind}",
            expected=f"a model of kind {kinds}",
            do="name one: --model FOLDER (augmint models list)",
            code="wrong-model",
        )


def tidy(text: str, parent: str) -> str:
    """The text without space at its ends, and on one line where its parent is."""
    return text.strip() if "\n" in parent.strip() else " ".join(text.split())


def same(text: str, other: str) -> bool:
    """Whether two texts are the same but for case and space."""
    return text.casefold().split() == other.casefold().split()


def _child(sample: Sample, at: Sequence[int], settled: Sequence[tuple[Proposal, str]]) -> Child:
    texts = list(texts_of(sample))
    for i, (proposal, _) in zip(at, settled, strict=True):
        texts[i] = proposal.text
    parents = settled[0][0].parents if len(settled) == 1 else ()
    # A pair of which one text is new is a new sample.
    notes = {note for _, note in settled}
    return Child(with_texts(sample, texts), parents, "" if "" in notes else min(notes))
