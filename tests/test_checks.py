"""The laws catch those who break them: each broken method below is wrong in one way only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from augmint.checks import check_codec, check_encoder, check_row_gate, check_set_gate, check_synthesizer
from augmint.core.protocols import Codec, RowGate, SetGate, Synthesizer
from augmint.core.types import Draw, Sample
from augmint.numerics.rows import checked, finite_rows, flat32


@dataclass
class Right(Synthesizer):
    """A method that keeps all laws: each anchor plus its own noise."""

    scope = "row"
    targets = frozenset(("class", "number"))

    strength: float = 0.1
    size_: Any = field(init=False, repr=False)

    def fit(self, real, rng, *, pool=None, base=None, progress=None):
        self.size_ = np.asarray([checked(real, "right").std()], np.float32)
        return self

    def sample(self, anchors, rng):
        z = anchors.z.astype(np.float32) + self.size_ * np.float32(self.strength) * self.noise(anchors, rng)
        refs = np.array([f"data:{name}" for name in anchors.ids], dtype=np.str_).reshape(-1, 1)
        return self.finish(Draw(z, refs, np.ones((len(z), 1), np.float32), anchors.length))

    def noise(self, anchors, rng):
        return rng.standard_normal(anchors.z.shape, dtype=np.float32)

    def finish(self, draw):
        return draw

    def state(self):
        return {"size": self.size_}

    def load(self, state):
        self.size_ = state["size"]
        return self


class GlobalRandom(Right):
    def noise(self, anchors, rng):
        return np.random.standard_normal(anchors.z.shape).astype(np.float32)


class GlobalRandomInFit(Right):
    def fit(self, real, rng, **second):
        np.random.random()
        return super().fit(real, rng)


class ChangesRealRows(Right):
    def fit(self, real, rng, **second):
        super().fit(real, rng)
        real.z[:] -= real.z.mean()
        return self


class ChangesAnchors(Right):
    def sample(self, anchors, rng):
        draw = super().sample(anchors, rng)
        anchors.z[:] = draw.z
        return draw


class WeightsNotOne(Right):
    def finish(self, draw):
        return dataclasses.replace(draw, label_weights=draw.label_weights * np.float32(0.9))


class NegativeWeights(Right):
    def finish(self, draw):
        weights = np.concatenate([2 * draw.label_weights, -draw.label_weights], axis=1)
        return dataclasses.replace(draw, refs=np.repeat(draw.refs, 2, axis=1), label_weights=weights)


class HiddenState(Right):
    def noise(self, anchors, rng):
        self.calls = getattr(self, "calls", 0) + 1
        return super().noise(anchors, rng) * self.calls


class BatchOrder(Right):
    def finish(self, draw):
        return dataclasses.replace(draw, z=draw.z - draw.z.mean(axis=0, keepdims=True) if len(draw) else draw.z)


class NumbersAfterTheBatch(Right):
    def noise(self, anchors, rng):
        rng.random(len(anchors))
        return super().noise(anchors, rng)


class InventsRefs(Right):
    def finish(self, draw):
        return dataclasses.replace(draw, refs=np.full(draw.refs.shape, "data:nobody"))


class NoPrefix(Right):
    def finish(self, draw):
        return dataclasses.replace(draw, refs=np.char.replace(draw.refs, "data:", ""))


class ReturnsNan(Right):
    def finish(self, draw):
        z = draw.z.copy()
        z[-1:] = np.nan
        return dataclasses.replace(draw, z=z)


class Doubles(Right):
    def finish(self, draw):
        return dataclasses.replace(draw, z=draw.z.astype(np.float64))


class ForgetsState(Right):
    def load(self, state):
        self.size_ = np.ones(1, np.float32)
        return self


class StateOfText(Right):
    def state(self):
        return {"size": self.size_, "name": np.array(["a"])}


class LearnsFromNames(Right):
    def fit(self, real, rng, **second):
        super().fit(real, rng)
        self.size_ = self.size_ * np.float32(len(real.space))
        return self


class OtherClass(Right):
    scope = "global"

    def fit(self, real, rng, **second):
        super().fit(real, rng)
        self.first = str(real.ids[0])
        return self

    def finish(self, draw):
        return dataclasses.replace(draw, refs=np.full(draw.refs.shape, f"data:{self.first}"))


class DropsLength(Right):
    def finish(self, draw):
        return dataclasses.replace(draw, length=None)


class NoRowsIsFine(Right):
    def fit(self, real, rng, **second):
        self.size_ = np.ones(1, np.float32)
        return self


class NoSelf(Right):
    def fit(self, real, rng, **second):
        super().fit(real, rng)


class FailsOnNone(Right):
    def noise(self, anchors, rng):
        assert anchors.z.max(initial=-np.inf) > -np.inf
        return super().noise(anchors, rng)


BROKEN = {
    GlobalRandom: "no global random numbers",
    GlobalRandomInFit: "no global random numbers",
    ChangesRealRows: "inputs are not changed",
    ChangesAnchors: "inputs are not changed",
    WeightsNotOne: "label weights sum to 1",
    NegativeWeights: "label weights are not negative",
    HiddenState: "sample has no hidden state",
    BatchOrder: "a row does not depend on the batch",
    NumbersAfterTheBatch: "a row does not depend on the batch",
    InventsRefs: "refs are rows that exist",
    NoPrefix: "refs are rows that exist",
    ReturnsNan: "rows are finite",
    Doubles: "rows are float32",
    ForgetsState: "state makes the round trip",
    StateOfText: "state is a dict of arrays",
    LearnsFromNames: "names of space and classes do not change the numbers",
    OtherClass: "the new row has the anchor's class",
    DropsLength: "the length comes from the anchor",
    NoRowsIsFine: "no rows is a UsageError",
    NoSelf: "fit returns self",
}


def test_a_method_that_keeps_the_laws_passes() -> None:
    check_synthesizer(Right)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda c: c.__name__)
def test_a_method_that_breaks_a_law_is_caught(broken: type[Right]) -> None:
    with pytest.raises(AssertionError, match=BROKEN[broken]):
        check_synthesizer(broken)


def test_a_method_that_fails_on_no_anchors_is_caught() -> None:
    with pytest.raises(AssertionError):
        check_synthesizer(FailsOnNone)


def test_options_without_default_are_caught() -> None:
    made = dataclasses.make_dataclass("Bare", [("x", float)], bases=(Right,), kw_only=True)
    with pytest.raises(AssertionError, match="default"):
        check_synthesizer(lambda: made(x=1.0))


@dataclass
class RightGate(RowGate):
    """Closeness to the mean of all rows."""

    mean_: Any = field(init=False, repr=False)
    threshold_: Any = field(init=False, repr=False)

    def fit(self, real):
        self.mean_ = checked(real, "gate").mean(axis=0)
        self.threshold_ = np.full(real.y.shape[1], -3.0, np.float32)
        return self

    def score(self, fake):
        rows = flat32(fake)
        away = -np.linalg.norm(rows - self.mean_, axis=1).astype(np.float32)
        return np.where(finite_rows(rows), away, np.float32(-1e9))

    def state(self):
        return {"mean": self.mean_, "threshold": self.threshold_}

    def load(self, state):
        self.mean_, self.threshold_ = state["mean"], state["threshold"]
        return self


class GateNan(RightGate):
    def score(self, fake):
        return -np.linalg.norm(flat32(fake) - self.mean_, axis=1).astype(np.float32)


class GateThreshold(RightGate):
    def fit(self, real):
        super().fit(real)
        self.threshold_ = self.threshold_[:1]
        return self


class GateBatch(RightGate):
    def score(self, fake):
        score = super().score(fake)
        return score - score.mean() if len(score) else score


class GateRandom(RightGate):
    def score(self, fake):
        return super().score(fake) + np.float32(np.random.random())


class GateForgets(RightGate):
    def load(self, state):
        super().load(state)
        self.mean_ = np.zeros_like(self.mean_)
        return self


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (GateNan, "scores are finite"),
        (GateThreshold, "threshold_ is"),
        (GateBatch, "a score does not depend on the batch"),
        (GateRandom, "no global random numbers"),
        (GateForgets, "state makes the round trip"),
    ],
)
def test_a_gate_that_breaks_a_law_is_caught(broken: type[RightGate], law: str) -> None:
    check_row_gate(RightGate)
    with pytest.raises(AssertionError, match=law):
        check_row_gate(broken)


@dataclass
class RightSet(SetGate):
    """Keeps all."""

    width_: Any = field(init=False, repr=False)

    def fit(self, real):
        self.width_ = np.asarray([checked(real, "set").shape[1]])
        return self

    def select(self, fake, accepted):
        return np.ones(len(fake), np.bool_), np.ones(len(fake), np.float32)

    def state(self):
        return {"width": self.width_}

    def load(self, state):
        self.width_ = state["width"]
        return self


class SetRemembers(RightSet):
    def select(self, fake, accepted):
        keep, score = super().select(fake, accepted)
        if getattr(self, "seen", False):
            keep[:] = False
        self.seen = True
        return keep, score


class SetScalar(RightSet):
    def select(self, fake, accepted):
        return super().select(fake, accepted)[0], np.float32(1.0)


def test_a_set_gate_that_breaks_a_law_is_caught() -> None:
    check_set_gate(RightSet)
    with pytest.raises(AssertionError, match="hidden state"):
        check_set_gate(SetRemembers)
    with pytest.raises(AssertionError, match="scores"):
        check_set_gate(SetScalar)


@dataclass
class RightCodec(Codec):
    """Pixels as they are."""

    @property
    def space(self):
        return "pixels"

    def encode(self, samples):
        if not samples:
            return np.zeros((0, 4), np.float32)
        return np.stack([s.content.reshape(-1) for s in samples]).astype(np.float32)

    def decode(self, z, like):
        return [
            Sample(id=s.id, content=row.reshape(2, 2).astype(s.content.dtype)) for row, s in zip(z, like, strict=True)
        ]


class BatchEncoder(RightCodec):
    def encode(self, samples):
        z = super().encode(samples)
        return z - z.mean(axis=0) if len(z) else z


class CodecDepth(RightCodec):
    def decode(self, z, like):
        return [dataclasses.replace(s, content=s.content.astype(np.float32)) for s in super().decode(z, like)]


class CodecChanges(RightCodec):
    def decode(self, z, like):
        z += 1
        return super().decode(z, like)


class NamedByAddress(RightCodec):
    @property
    def space(self):
        return f"pixels {id(self)}"


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (BatchEncoder, "a row does not depend on the batch"),
        (CodecDepth, "size and depth"),
        (CodecChanges, "inputs are not changed"),
        (NamedByAddress, "share the space"),
    ],
)
def test_a_codec_that_breaks_a_law_is_caught(broken: Callable[[], Codec], law: str) -> None:
    rng = np.random.default_rng(0)
    samples = [Sample(id=f"{i}", content=rng.integers(0, 255, (2, 2), dtype=np.uint8)) for i in range(5)]
    check_codec(RightCodec, samples)
    with pytest.raises(AssertionError, match=law):
        check_codec(broken, samples)


def test_not_an_encoder_is_said() -> None:
    with pytest.raises(AssertionError, match="is an Encoder"):
        check_encoder(object, [])  # type: ignore[arg-type, type-var]
