"""The convolutional network on words: what it reads, and that word order can tell it something."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from augmint.checks import example_training
from augmint.core.types import Budget, Sample, TrainingSet
from augmint.students.text_views import TextViews, usual_length
from augmint.students.word_cnn import MARK, UNKNOWN, WordCNN


def fitted(train: TrainingSet, updates: int = 3) -> WordCNN:
    return WordCNN().fit(train, Budget(updates, 8), np.random.default_rng(0))


def training(texts: list[object], labels: list[int]) -> TrainingSet:
    n = len(texts)
    samples = tuple(Sample(f"t{i}", text) for i, text in enumerate(texts))
    return TrainingSet(
        samples, np.eye(2, dtype=np.float32)[labels], np.ones(n, np.float32), np.zeros(n, np.bool_), ("a", "b")
    )


def test_words_have_numbers_and_strangers_share_one() -> None:
    student = fitted(training(["rain now", "Snow, snow!"], [0, 1]))
    assert student.place_ == {"now": 3, "rain": 4, "snow": 5}
    assert student._numbers([("SNOW fog now",), ("",)]).tolist() == [[5, UNKNOWN, 3, 0, 0, 0, 0, 0], [0] * 8]
    pair = fitted(training([{"a": "rain", "b": "now"}, {"a": "snow", "b": "now"}], [0, 1]))
    assert pair._numbers([("rain", "now")])[0, :3].tolist() == [pair.place_["rain"], MARK, pair.place_["now"]]


def test_length_is_what_most_real_texts_have() -> None:
    assert usual_length([3] * 99 + [500], 128) == 8
    assert usual_length([9, 9, 9], 128) == 16 and usual_length([900], 128) == 128
    train = training(["a b c"] * 6 + ["word " * 60], [0, 1] * 3 + [1])
    assert fitted(dataclasses.replace(train, minted=np.arange(7) == 6)).length_ == 8


def test_the_order_of_words_matters() -> None:
    """Which word comes first is the class: a bag of words has nothing to go by."""
    first, second = "not bad good", "not good bad"
    train = training([first, second] * 8, [0, 1] * 8)
    p = fitted(train, 80).predict_proba([Sample("", first), Sample("", second)])
    assert p[0, 0] > 0.8 and p[1, 1] > 0.8


def test_views_are_drawn_afresh_and_keep_to_their_rows() -> None:
    train = example_training("texts")
    count = iter(range(100))
    views = TextViews.of(dataclasses.replace(train, transform=lambda batch, rng: [f"{next(count)}"] * len(batch)),
                         np.random.default_rng(0))  # fmt: skip
    assert len(views.views) == 32 and views.views[0][0] == (train.samples[0].content,)
    x, afresh = views.numbers(lambda rows: torch.arange(len(rows))[:, None] + 1000 * (rows[0][0].isdigit()))
    found = afresh(torch.tensor([4, 4, 7] * 50), np.random.default_rng(0))
    assert (found[:, 0] - 1000).tolist() == [4, 4, 7] * 50 and x[:, 0].tolist() == list(range(len(train)))


@pytest.mark.parametrize("fields", [{"rate": 0.0}, {"width": 0}, {"longest": 2}])
def test_options_that_cannot_be(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="longest"):
        WordCNN(**fields)  # type: ignore[arg-type]
