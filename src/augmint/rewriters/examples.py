"""Real texts that a method keeps by class, as partners and examples for others; as arrays they travel with the fit."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from augmint.core.protocols import State
from augmint.core.types import Sample
from augmint.numerics.texts import texts_of


class Example(NamedTuple):
    """A real text and its id."""

    id: str
    text: str


Examples = dict[str, list[Example]]
"""By class name; in the order in which they came."""


def kept_examples(samples: Iterable[Sample], most: int, rng: np.random.Generator) -> Examples:
    """At most ``most`` labelled texts of each class, all equally likely; one pass, of which no more is held."""
    kept: Examples = {}
    seen: dict[str, int] = {}
    for sample in samples:
        if sample.target is None:
            continue
        label = str(sample.target)
        own, count = kept.setdefault(label, []), seen.get(label, 0)
        seen[label] = count + 1
        # Vitter's reservoir: the n-th text takes a place with probability most / n.
        example = Example(sample.id, texts_of(sample)[0])
        if count < most:
            own.append(example)
        elif (place := int(rng.integers(count + 1))) < most:
            own[place] = example
    return kept


def to_state(examples: Examples) -> State:
    """One array of bytes: states hold numbers only."""
    return {"examples": np.frombuffer(json.dumps(examples, ensure_ascii=False).encode("utf8"), np.uint8).copy()}


def from_state(state: State) -> Examples:
    """The examples in a state made by `to_state`."""
    found = json.loads(state["examples"].tobytes().decode("utf8"))
    return {label: [Example(*example) for example in own] for label, own in found.items()}


def others(examples: Examples, sample: Sample) -> list[Example]:
    """The examples of a sample's class but itself."""
    return [example for example in examples.get(str(sample.target), []) if example.id != sample.id]
