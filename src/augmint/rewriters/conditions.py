"""What tells a masked language model the label of the text that it completes.

    none      nothing
    prepend   the words of the label in front of the text; the model is fitted to the set in that form (Kumar et al.
              2020, Data Augmentation using Pre-trained Transformer Models, arXiv:2003.02245)
    cbert     a vector for each label in the place of the segment vector (Wu et al. 2019, Conditional BERT Contextual
              Augmentation, arXiv:1812.06705)

Both papers tune all weights; here it is thin matrices on the last layers (`models.thin`), and the label vectors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from augmint.core.errors import DataError
from augmint.core.protocols import State
from augmint.core.types import Sample
from augmint.numerics.marks import MARKS
from augmint.rewriters.slots import Slots, slots_of

NAMES = ("none", "prepend", "cbert")
CLASSES = "classes"
"""Key of the state: the class names in the order of the label vectors, as the bytes of a JSON list."""

MOST = 2000
"""Texts that a model is fitted to at most."""


def label_words(label: str) -> str:
    """``AddToPlaylist`` or ``add_to-playlist`` -> ``add to playlist``."""
    return " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])|(?:_|[^\w" + MARKS + r"])+", " ", label).lower().split())


def label_of(sample: Sample) -> str:
    """The class name of a sample; raises DataError for other targets."""
    if isinstance(sample.target, str):
        return sample.target
    raise DataError(
        f"sample {sample.id!r} without a class ({type(sample.target).__name__})",
        expected="a class name as label",
        do="use condition: none",
        code="no-class",
    )


def heads(lm: Any, condition: str, samples: Sequence[Sample]) -> list[list[int]]:
    """Tokens to show in front of each text."""
    if condition != "prepend":
        return [[] for _ in samples]
    known = {label: lm.pieces(label_words(label)) for label in {label_of(sample) for sample in samples}}
    return [known[label_of(sample)] for sample in samples]


def numbers(condition: str, classes: Sequence[str], samples: Sequence[Sample]) -> list[int | None]:
    """Number of each sample's label vector; None where there is none."""
    if condition != "cbert":
        return [None] * len(samples)
    names = [label_of(sample) for sample in samples]
    for sample, name in zip(samples, names, strict=True):
        if name not in classes:
            raise DataError(
                f"class {name!r} of sample {sample.id!r}",
                expected=f"one of those fitted: {', '.join(classes)}",
                do="fit on samples of all classes",
                code="unknown-class",
            )
    return [classes.index(name) for name in names]


def learn(
    lm: Any, condition: str, texts: Sequence[tuple[str, Sample]], rng: np.random.Generator, steps: int, rate: float
) -> State:
    """What the model learns of these texts with their labels, and the class names."""
    classes = sorted({label_of(sample) for _, sample in texts})
    some = sorted(rng.permutation(len(texts))[:MOST].tolist())
    samples = [texts[i][1] for i in some]
    slots = slots_of(lm, [texts[i][0] for i in some], heads(lm, condition, samples))
    shown = [(own, *own.tokens({cell: own.cells[cell] for cell in usable(own, lm.words)})) for own in slots]
    vectors = numbers(condition, classes, samples)
    learned: State = lm.tune(
        [row for _, row, _ in shown],
        [list(places.values()) for _, _, places in shown],
        rng,
        labels=vectors if condition == "cbert" else None,
        steps=steps,
        rate=rate,
    )
    return {**learned, CLASSES: np.frombuffer(json.dumps(classes).encode(), np.uint8).copy()}


def usable(slots: Slots, words: Sequence[str]) -> list[int]:
    """Words of one token that is a whole word: such as can be put there, too."""
    return [cell for cell in slots.plain if len(slots.cells[cell]) == 1 and words[slots.cells[cell][0]]]


def classes_of(state: State) -> list[str]:
    """The class names of a state."""
    names: list[str] = json.loads(state[CLASSES].tobytes()) if CLASSES in state else []
    return names


def network_of(state: State) -> State:
    """The arrays of a state that are the model's."""
    return {name: value for name, value in state.items() if name != CLASSES}
