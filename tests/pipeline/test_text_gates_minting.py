"""Gates on contents through the stages: what is a copy or has drifted does not become a child."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from augmint.checks import example_training
from augmint.core.errors import UsageError
from augmint.core.protocols import Encoder
from augmint.core.types import F32, Sample
from augmint.numerics.texts import texts_of, words_of
from augmint.pipeline.encodings import RowSpace
from augmint.pipeline.minting import Children, Fold, Models, mint
from augmint.pipeline.modality import MEDIA, check_method
from augmint.pipeline.plan import make_plan


class Letters(Encoder):
    """How often each letter occurs."""

    @property
    def space(self) -> str:
        return "letters"

    def encode(self, samples: Sequence[Sample]) -> F32:
        letters = "abcdefghijklmnopqrstuvwxyz"
        return np.array([[sum(t.count(c) for t in texts_of(s)) for c in letters] for s in samples], np.float32)


def minted(gates: list[str], **keys: Any) -> tuple[tuple[Sample, ...], Children]:
    train = example_training("texts", minted=0)
    classes = train.classes
    real = tuple(replace(s, target=classes[y.argmax()]) for s, y in zip(train.samples, train.y, strict=True))
    values = {"method": "classic-text", "gates": gates, "factor": 3.0, "seed": 1, "model": "", "judge": "", **keys}
    return real, mint(make_plan(values), Fold(real, classes), Models(RowSpace(), Letters()))


def said(sample: Sample) -> str:
    return " ".join(words_of(sample.content))


def test_copies_are_rejected_and_drawn_again() -> None:
    real, free = minted([])
    known = {said(sample) for sample in real}
    assert any(said(child) in known for child in free.samples)
    real, checked = minted(["copy"])
    assert checked.samples and not any(said(child) in known for child in checked.samples)
    assert checked.rejected["copy"] > 0


def test_what_has_drifted_is_rejected() -> None:
    _, loose = minted(["meaning"], gate_options={"meaning": {"quantile": 0.5}})
    _, strict = minted(["meaning"], gate_options={"meaning": {"quantile": 0.999}})
    assert strict.rejected.get("meaning", 0) > loose.rejected.get("meaning", 0)


@pytest.mark.parametrize("gate", ["copy", "meaning"])
def test_gates_on_texts_are_refused_for_pictures(gate: str) -> None:
    with pytest.raises(UsageError, match=f"gate '{gate}', which reads text samples, on pictures"):
        check_method(make_plan({"gates": [gate]}), MEDIA["image"])
