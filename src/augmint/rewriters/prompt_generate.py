"""A causal language model goes on with a list of examples of a class; nothing is trained.

    Texts of the class LABEL:
    - example 1
    ...
    - the parent
    -

The next line is the child. Examples are drawn for each child by its own stream; all are its parents, with equal shares
in its label, which is the same in all. Brown et al. (2020), Language Models are Few-Shot Learners; as augmentation: Yoo
et al. (2021), GPT3Mix, arXiv:2104.08826.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from augmint.core.protocols import State
from augmint.core.types import Sample
from augmint.numerics.decoding import Decoding
from augmint.rewriters.examples import Example, Examples, from_state, kept_examples, others, to_state
from augmint.rewriters.generating import CUT, TOO_LONG, Generating, Piece, Proposal


@dataclass
class PromptGenerate(Generating):
    """Show a causal language model a few texts of a class and let it write the next.

    Attributes:
        shots: examples shown, the parent among them; fewer where the class, or what the model reads, has not as many.
        header: first line; {label} is replaced by the label.
        keep: texts of a class that examples are drawn from.
        most: tokens of a text at most.
        temperature: of the draw, 0 for the likeliest text.
        top_k: tokens that may be drawn, 0 for all.
        top_p: share of the probability that may be drawn from.
        lm: GPT-2 or one like it.
        examples_: texts by class.
    """

    model_kinds: ClassVar[frozenset[str]] = frozenset({"causal-lm"})

    shots: int = 5
    header: str = "Texts of the class {label}:"
    keep: int = 100
    most: int = 64
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 0.9
    lm: Any = field(default=None, repr=False)
    examples_: Examples = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.shots, self.keep, self.most) < 1:
            raise ValueError(f"shots = {self.shots}, keep = {self.keep}, most = {self.most}; all must be >= 1")
        self._decoding = Decoding(1, self.temperature, self.top_k, self.top_p, most=self.most, stop="\n")

    def fit(self, samples: Sequence[Sample], rng: np.random.Generator) -> Self:
        """Keep texts of each class."""
        self.check()
        self.examples_ = kept_examples(map(self.taken, samples), self.keep, rng)
        return self

    def propose(self, pieces: Sequence[Piece], rngs: Sequence[np.random.Generator]) -> list[Proposal]:
        """The line that comes after the examples of each piece's class."""
        shown = [self._shown(piece, rng) for piece, rng in zip(pieces, rngs, strict=True)]
        todo = [i for i, examples in enumerate(shown) if examples]
        prompts = [self._prompt(pieces[i].sample, shown[i]) for i in todo]
        written = iter(self.lm.continuations(prompts, [rngs[i] for i in todo], self._decoding))
        return [_proposal(next(written), examples) if examples else Proposal("", fault=TOO_LONG) for examples in shown]

    def _shown(self, piece: Piece, rng: np.random.Generator) -> list[Example]:
        """Examples and, last, the parent: as many as the model reads, from the end; none where not even the parent."""
        pool = others(self.examples_, piece.sample)
        chosen = rng.permutation(len(pool))[: self.shots - 1]
        examples = [*(pool[i] for i in chosen), Example(piece.sample.id, piece.text)]
        prompts = [self._prompt(piece.sample, examples[first:]) for first in range(len(examples))]
        sizes = self.lm.lengths(prompts)
        fitting = [first for first, size in enumerate(sizes) if size <= self.lm.size]
        return examples[fitting[0] :] if fitting else []

    def _prompt(self, sample: Sample, examples: Sequence[Example]) -> str:
        lines = [f"- {' '.join(example.text.split())}" for example in examples]
        return "\n".join([self.header.replace("{label}", str(sample.target)), *lines, "-"])

    def state(self) -> State:
        """The texts kept."""
        return to_state(self.examples_)

    def load(self, state: State) -> Self:
        """Take a state made by :meth:`state`."""
        self.examples_ = from_state(state)
        return self


def _proposal(found: Any, examples: Sequence[Example]) -> Proposal:
    """What was written in sight of these examples, which are its parents; nothing where it has no end."""
    parents = tuple((example.id, 1 / len(examples)) for example in examples)
    return Proposal(found.text, parents) if found.ended else Proposal("", fault=CUT)
