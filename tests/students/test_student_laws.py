"""Every student of the table keeps the laws, on the inputs it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from augmint.checks import check_student, example_training
from augmint.core.protocols import Encoder, Student
from augmint.core.registry import lookup
from augmint.core.types import F32, Budget, Sample, TrainingSet
from augmint.numerics.frames import to_frames
from augmint.numerics.texts import texts_of
from augmint.students import TABLE
from augmint.students.finetune import Finetune
from augmint.students.probe import LinearProbe
from augmint.students.scratch import Scratch
from augmint.students.tfidf import Tfidf
from augmint.students.word_cnn import WordCNN


class Bands(Encoder):
    """Mean brightness of each of six bands."""

    @property
    def space(self) -> str:
        return "bands"

    def encode(self, samples: Sequence[Sample]) -> F32:
        return to_frames(samples, 12).mean(1).reshape(len(samples), 6, 24).mean(2).numpy()


class Small(nn.Module):
    """A pretrained network in miniature, with the batch norm and dropout that a student must leave alone."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, 2, 1)
        self.norm = nn.BatchNorm2d(6)
        generator = torch.Generator().manual_seed(0)
        nn.init.normal_(self.conv.weight, 0.0, 0.3, generator=generator)
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        out = nn.functional.dropout(self.norm(self.conv(x)).relu(), 0.5, self.training)
        return nn.functional.adaptive_avg_pool2d(out, 4).flatten(1)


class SmallText(nn.Module):
    """A pretrained network of texts in miniature: letters have vectors, a text has their mean."""

    def __init__(self) -> None:
        super().__init__()
        vectors = torch.randn(128, 12, generator=torch.Generator().manual_seed(0))
        self.vectors = nn.Embedding.from_pretrained(vectors)

    def tokens(self, texts: Sequence[Sequence[str]], width: int) -> Tensor:
        out = torch.zeros(len(texts), 2, width, dtype=torch.int64)
        for row, own in zip(out, texts, strict=True):
            letters = torch.tensor([ord(c) % 128 for c in "|".join(own)][:width], dtype=torch.int64)
            row[0, : len(letters)], row[1, : len(letters)] = letters, 1
        return out

    def forward(self, x: Tensor) -> Tensor:
        letters, mask = x.unbind(1)
        rows: Tensor = self.vectors(letters) * mask[:, :, None]
        return rows.sum(1) / mask.sum(1, keepdim=True).clamp(1)


class Letters(Encoder):
    """How often each of a few letters occurs."""

    @property
    def space(self) -> str:
        return "letters"

    def encode(self, samples: Sequence[Sample]) -> F32:
        return np.array([[sum(t.count(c) for t in texts_of(s)) for c in "abceghnorstw"] for s in samples], np.float32)


CASES: dict[str, tuple[Callable[[], Student], str, int]] = {
    "probe": (LinearProbe, "rows", 60),
    "probe-encoder": (partial(LinearProbe, encoder=Bands()), "images", 60),
    "probe-texts": (partial(LinearProbe, encoder=Letters()), "texts", 60),
    "probe-pairs": (partial(LinearProbe, encoder=Letters()), "pairs", 60),
    "scratch": (Scratch, "images", 25),
    "scratch-rows": (Scratch, "rows", 40),
    "scratch-texts": (Scratch, "texts", 60),
    "scratch-pairs": (Scratch, "pairs", 60),
    "tfidf": (Tfidf, "texts", 60),
    "scratch-cnn": (WordCNN, "texts", 40),
    "scratch-cnn-pairs": (WordCNN, "pairs", 40),
    "finetune-texts": (partial(Finetune, network=SmallText, rate=3e-3, head=3.0), "texts", 60),
    "finetune-pairs": (partial(Finetune, network=SmallText, rate=3e-3, head=3.0), "pairs", 60),
    "finetune": (partial(Finetune, network=Small, size=18, rate=1e-3, head=10.0), "images", 25),
}


def test_every_student_is_checked() -> None:
    checked = {type(make()) for make, _, _ in CASES.values()}
    assert checked >= {lookup("students", "student", TABLE, name) for name in TABLE}


@pytest.mark.parametrize("case", CASES)
def test_laws(case: str) -> None:
    make, kind, updates = CASES[case]
    check_student(make, example_training(kind), updates)  # type: ignore[arg-type]


@dataclass
class Careless(Student):
    """A probe with one fault."""

    fault: str = "global generator"
    probe: LinearProbe = field(default_factory=LinearProbe)

    def fit(self, train: TrainingSet, budget: Budget, rng: np.random.Generator) -> Careless:
        if self.fault == "global generator":
            np.random.rand()
        if self.fault == "inputs":
            train.weight[:] = 1.5
        if self.fault == "labels":
            train = replace(train, y=np.eye(train.y.shape[1], dtype=np.float32)[train.y.argmax(axis=1)])
        if self.fault == "weights":
            train = replace(train, weight=np.ones_like(train.weight))
        if self.fault == "classes":
            train = replace(train, y=train.y * 0.9 + 0.1 * np.eye(train.y.shape[1], dtype=np.float32)[0])
        if self.fault == "transform":
            train = replace(train, transform=None)
        self.probe.fit(train, budget, rng)
        return self

    def predict_proba(self, samples: Sequence[Sample]) -> F32:
        p = self.probe.predict_proba(samples)
        if self.fault == "batch" and len(p):
            p = p * 0.9 + 0.1 * p.mean(axis=0)
        return p if self.fault != "sum" else p * np.float32(1.1)


FAULTS = {
    "global generator": "no global random numbers",
    "inputs": "inputs are not changed",
    "labels": "labels that say nothing",
    "weights": "rows of more weight",
    "classes": "the order of the classes",
    "transform": "a transform is used",
    "batch": "does not depend on the batch",
    "sum": "probabilities sum to 1",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_laws_find_a_fault(fault: str) -> None:
    with pytest.raises(AssertionError, match=FAULTS[fault]):
        check_student(lambda: Careless(fault), example_training())
