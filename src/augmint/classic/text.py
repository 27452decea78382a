"""The changes that everybody knows, for texts: synonyms, insertion, swap, deletion, spelling, case, punctuation.

A child is one real text with a few words changed by hand-made rules; no model is needed. The preset ``eda`` is Wei and
Zou 2019 (EDA, arXiv:1901.11196): one of four operations, drawn at random, on max(1, int(0.1 * n)) of n words, deletion
taking each word with probability 0.1; where it finds nothing to change, another one is tried. A text in which none of
them does (one word without a synonym) comes back as it is, with a note.

Spaces, punctuation and capitals stay as they are. Spans are carried along: no word of theirs is touched, and no word
comes into them. Texts of a pair are changed one by one, the first column first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np

from augmint.classic import wording
from augmint.classic.text_strengths import TEXT_PRESETS, TextStrengths
from augmint.classic.thesaurus import Thesaurus, load_thesaurus
from augmint.classic.words import Words, spans_of
from augmint.core.errors import DataError
from augmint.core.protocols import Modality, Rewriter, State
from augmint.core.types import F32, Child, Sample, Transform
from augmint.numerics.texts import texts_of, with_texts

MOST = 1000
"""Texts that the fit looks at, evenly spread over those that there are."""

UNCHANGED = "fallback: its parent's text, in which there was nothing to change"

FEW = 0.05
"""A thesaurus that knows a smaller share of the words is of another language or field, and the run says so."""


@dataclass
class ClassicText(Rewriter):
    """Hand-made changes of texts: synonyms, insert, swap, delete, spelling, case, punctuation; None: as the preset.

    Attributes:
        preset: eda, light (synonyms alone), heavy (all of eda and spelling, at once), or spelling.
        synonyms, insert, swap, delete, spelling, case, punctuation, one: see :class:`TextStrengths`.
        thesaurus: where synonyms come from: auto (augmint's own, English), none, nltk, or the path of a list or a
            WordNet (:mod:`augmint.classic.thesaurus`).
        known_: (1,) share of the words of the data that have a synonym there.
        thesaurus_: (32,) uint8, sha256 of the thesaurus, so that another is never taken for it.
    """

    modalities: ClassVar[frozenset[Modality]] = frozenset({"text"})

    preset: str = "eda"
    synonyms: float | None = None
    insert: float | None = None
    swap: float | None = None
    delete: float | None = None
    spelling: float | None = None
    case: float | None = None
    punctuation: float | None = None
    one: bool | None = None
    thesaurus: str = "auto"
    known_: F32 = field(init=False, repr=False)
    thesaurus_: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.preset not in TEXT_PRESETS:
            raise ValueError(f"preset = {self.preset!r} must be one of: {', '.join(TEXT_PRESETS)}")
        for name in (f.name for f in dataclasses.fields(TextStrengths)):
            value = getattr(self, name)
            if value is None:
                continue
            if name == "one":
                if not isinstance(value, bool):
                    raise ValueError(f"one = {value!r} must be true or false")
            elif not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
                raise ValueError(f"{name} = {value!r} must be a number from 0 to 1")

    @property
    def strengths(self) -> TextStrengths:
        """The preset's strengths, and over them those that were given."""
        given = {f.name: getattr(self, f.name) for f in dataclasses.fields(TextStrengths)}
        return dataclasses.replace(TEXT_PRESETS[self.preset], **{k: v for k, v in given.items() if v is not None})

    @property
    def _thesaurus(self) -> Thesaurus | None:
        """The thesaurus where it is used; raises DataError where it is another one than that of the fit."""
        strengths = self.strengths
        found = load_thesaurus(self.thesaurus) if strengths.synonyms or strengths.insert else None
        if hasattr(self, "thesaurus_") and _digest(found).tobytes() != self.thesaurus_.tobytes():
            raise DataError(
                f"thesaurus {self.thesaurus!r} with other content than at the fit",
                expected="the same synonyms",
                do="put the old file back (auto: install the old version), or run anew with --fresh",
                code="thesaurus",
            )
        return found

    def fit(self, samples: Sequence[Sample], rng: np.random.Generator) -> Self:
        """Find out how many words of the data the thesaurus knows; nothing is learned from them."""
        if hasattr(self, "thesaurus_"):
            del self.thesaurus_
        found = self._thesaurus
        step = max(1, -(-len(samples) // MOST))
        texts = [text for at in range(0, len(samples), step) for text in texts_of(samples[at])]
        self.known_ = np.array([wording.share_known(texts, found)], dtype=np.float32)
        self.thesaurus_ = _digest(found)
        return self

    def told(self) -> list[str]:
        """That there is no thesaurus, or one that knows too little; it is no error, the other changes go on."""
        strengths = self.strengths
        if not (strengths.synonyms or strengths.insert) or self.known_[0] >= FEW:
            return []
        if self.thesaurus == "none":
            return ["no thesaurus, so no word is replaced by or joined with a synonym (thesaurus: none)"]
        share = f"{100 * self.known_[0]:.0f} %"
        return [f"warning: the thesaurus {self.thesaurus} knows {share} of the words, so there are few synonyms"]

    def rewrite(self, samples: Sequence[Sample], rngs: Sequence[np.random.Generator]) -> list[Sample]:
        """One child for each text or pair, its spans where their text is now.

        Raises DataError for content that is not text, or a span outside its text.
        """
        found = self._thesaurus
        return [_child(sample, rng, self.strengths, found) for sample, rng in zip(samples, rngs, strict=True)]

    def children(self, samples: Sequence[Sample], rngs: Sequence[np.random.Generator]) -> list[Child]:
        """The same children, with a note where no operation found anything to change."""
        made = zip(samples, self.rewrite(samples, rngs), strict=True)
        return [Child(child, note=UNCHANGED if child.content == parent.content else "") for parent, child in made]

    def transform(self) -> Transform:
        """The same on the fly: a list of contents (strings, or strings by name) and a generator -> the changed ones."""
        return partial(_changed_batch, strengths=self.strengths, thesaurus=self._thesaurus)

    def state(self) -> State:
        """Share of known words, and which thesaurus."""
        return {"known": self.known_, "thesaurus": self.thesaurus_}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.known_, self.thesaurus_ = state["known"], state["thesaurus"]
        return self


def change(words: Words, rng: np.random.Generator, strengths: TextStrengths, thesaurus: Thesaurus | None) -> Words:
    """One operation that changes something, or all of them in turn."""
    operations = [name for name in _OPERATIONS if getattr(strengths, name)]
    if strengths.one:
        operations = [operations[i] for i in rng.permutation(len(operations))]
    for name in operations:
        edits = _OPERATIONS[name](words, getattr(strengths, name), rng, thesaurus)
        words = words.apply(edits)
        if edits and strengths.one:
            break
    return words


_OPERATIONS: dict[str, Any] = {
    "synonyms": wording.synonyms,
    "insert": wording.insert,
    "swap": lambda words, share, rng, _: wording.swap(words, share, rng),
    "delete": lambda words, share, rng, _: wording.delete(words, share, rng),
    "spelling": lambda words, share, rng, _: wording.spelling(words, share, rng),
    "case": lambda words, share, rng, _: wording.case(words, share, rng),
    "punctuation": lambda words, share, rng, _: wording.punctuation(words, share, rng),
}


def _child(sample: Sample, rng: np.random.Generator, strengths: TextStrengths, thesaurus: Thesaurus | None) -> Sample:
    texts = texts_of(sample)
    names = list(sample.content) if isinstance(sample.content, dict) else [""]
    changed: list[str] = []
    moved: dict[int, Any] = {}
    for name, text in zip(names, texts, strict=True):
        own = [at for at, span in enumerate(sample.spans) if _column(span, names, sample.id) == name]
        words = Words.of(text, spans_of([sample.spans[at] for at in own], text, sample.id))
        words = change(words, rng, strengths, thesaurus)
        changed.append(words.text)
        moved |= zip(own, words.spans, strict=True)
    return with_texts(sample, changed, tuple(moved[at] for at in sorted(moved)))


def _column(span: Any, names: list[str], sample: str) -> str:
    """The column that a span is in: its fourth value, or the first column."""
    named = span[3] if isinstance(span, (tuple, list)) and len(span) > 3 and names != [""] else names[0]
    if named not in names:
        raise DataError(
            f"span {span!r} of sample {sample!r}",
            expected=f"one of the columns {', '.join(names)}",
            do="correct the span",
            code="span",
        )
    return str(named)


def _changed_batch(
    contents: Sequence[Any], rng: np.random.Generator, strengths: TextStrengths, thesaurus: Thesaurus | None
) -> list[Any]:
    return [_child(Sample("", content), rng, strengths, thesaurus).content for content in contents]


def _digest(thesaurus: Thesaurus | None) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(thesaurus.sha256) if thesaurus else bytes(32), dtype=np.uint8).copy()
