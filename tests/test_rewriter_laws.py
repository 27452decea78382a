"""The laws of a rewriter catch those who break them: each broken one below is wrong in one way only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from augmint.checks import check_rewriter
from augmint.core.protocols import Rewriter
from augmint.core.types import Sample


@dataclass
class Right(Rewriter):
    """Adds a random number to each picture."""

    strength: int = 9

    def fit(self, samples, rng):
        return self

    def rewrite(self, samples, rngs):
        return [self.child(sample, rng) for sample, rng in zip(samples, rngs, strict=True)]

    def child(self, sample, rng):
        return dataclasses.replace(sample, id="", raw=None, content=sample.content + np.uint8(self.number(rng)))

    def number(self, rng):
        return rng.integers(self.strength)


class Named(Right):
    def child(self, sample, rng):
        return dataclasses.replace(super().child(sample, rng), id=sample.id)


class Bare(Right):
    def child(self, sample, rng):
        return dataclasses.replace(super().child(sample, rng), target=None)


class KeepsBytes(Right):
    def child(self, sample, rng):
        return dataclasses.replace(super().child(sample, rng), raw=sample.raw)


class Deep(Right):
    def child(self, sample, rng):
        child = super().child(sample, rng)
        return dataclasses.replace(child, content=child.content.astype(np.float32))


class GlobalRandom(Right):
    def number(self, rng):
        return np.random.randint(9)


class InPlace(Right):
    def child(self, sample, rng):
        sample.content[:] = 0
        return super().child(sample, rng)


class Remembers(Right):
    def number(self, rng):
        self.calls = getattr(self, "calls", 0) + 1
        return self.calls


class OneStream(Right):
    def rewrite(self, samples, rngs):
        return [self.child(sample, rngs[0]) for sample in samples]


class Fickle(Right):
    changeable = frozenset({"speed"})


class Short(Right):
    def rewrite(self, samples, rngs):
        return super().rewrite(samples, rngs)[1:]


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (Named, "has no id"),
        (Bare, "target, group and split"),
        (KeepsBytes, "no stored bytes"),
        (Deep, "size and depth"),
        (GlobalRandom, "no global random"),
        (InPlace, "inputs are not changed"),
        (Remembers, "the same bytes"),
        (OneStream, "neighbours"),
        (Short, "one child for each"),
        (Fickle, "what may change is an option"),
        (object, "is a Rewriter"),
    ],
)
def test_a_rewriter_that_breaks_a_law_is_caught(broken: Callable[[], Rewriter], law: str) -> None:
    rng = np.random.default_rng(0)
    pictures = [
        Sample(f"{i}", rng.integers(0, 99, (2, 2 + i), dtype=np.uint8), target="a", raw=b"bytes") for i in range(4)
    ]
    check_rewriter(Right, pictures)
    with pytest.raises(AssertionError, match=law):
        check_rewriter(broken, pictures)
