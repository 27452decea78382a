"""Scratch and finetune: sizes, depths and colours they take, what is trained, and that they learn real pictures."""

from __future__ import annotations

import copy
import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from augmint.checks import example_training
from augmint.core.errors import DataError, UsageError
from augmint.core.types import Budget, Sample, TrainingSet
from augmint.models import load_network
from augmint.students.finetune import Finetune
from augmint.students.scratch import Scratch
from augmint.students.views import changed, partners
from support import digit_images

TINY = Budget(2, 4)


def pictures(shapes: list[tuple[int, ...]], dtype: type = np.uint8) -> TrainingSet:
    rng = np.random.default_rng(0)
    top = np.iinfo(dtype).max
    contents = [rng.integers(0, top, shape, dtype=dtype, endpoint=True) for shape in shapes]
    samples = tuple(Sample(f"p{i}", content) for i, content in enumerate(contents))
    n = len(samples)
    y = np.eye(2, dtype=np.float32)[np.arange(n) % 2]
    return TrainingSet(samples, y, np.ones(n, np.float32), np.zeros(n, np.bool_), ("a", "b"))


def fitted(train: TrainingSet) -> Scratch:
    return Scratch().fit(train, TINY, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(8, 8)] * 4, (1, 16, 16)),  # small pictures are enlarged to the least size
        ([(28, 28)] * 4, (1, 28, 28)),
        ([(64, 64, 3)] * 4, (3, 32, 32)),
        ([(20, 24, 3), (24, 20), (24, 24, 4), (9, 24, 2)], (3, 24, 24)),
        ([(20, 20), (20, 20, 1), (20, 20, 2), (20, 20)], (1, 20, 20)),
        ([(16, 16, 3), (16, 16, 3), (16, 16, 3), (500, 2, 3)], (3, 16, 16)),
    ],
)
def test_working_size(shapes: list[tuple[int, ...]], expected: tuple[int, ...]) -> None:
    assert fitted(pictures(shapes)).shape_ == expected


def test_minted_pictures_do_not_set_the_size() -> None:
    train = pictures([(20, 20), (20, 20), (32, 32, 3), (32, 32, 3), (32, 32, 3)])
    train = dataclasses.replace(train, minted=np.arange(5) >= 2)
    assert fitted(train).shape_ == (1, 20, 20)


def test_depth_and_alpha_do_not_matter() -> None:
    train = pictures([(16, 16, 3)] * 6)
    deep = tuple(dataclasses.replace(s, content=s.content.astype(np.uint16) * 257) for s in train.samples)
    alpha = np.full((16, 16, 1), 9, np.uint8)
    clear = tuple(dataclasses.replace(s, content=np.concatenate([s.content, alpha], axis=2)) for s in train.samples)
    p = fitted(train).predict_proba(train.samples)
    for same in (deep, clear):
        other = fitted(dataclasses.replace(train, samples=same)).predict_proba(same)
        np.testing.assert_allclose(other, p, atol=1e-3)


def test_a_transform_sees_pictures_between_0_and_1_in_their_channels() -> None:
    for shape, channels in (((18, 18), 1), ((18, 18, 3), 3)):
        seen: list[tuple[int, ...]] = []

        def look(batch: Tensor, rng: np.random.Generator, seen: list[tuple[int, ...]] = seen) -> Tensor:
            seen.append(tuple(batch.shape))
            assert float(batch.min()) >= 0 and 0.9 < float(batch.max()) <= 1
            return batch

        fitted(dataclasses.replace(pictures([shape] * 4), transform=look))
        assert seen == [(4, channels, 18, 18)] * 2


@pytest.mark.parametrize("content", ["text", np.zeros((4, 4, 5), np.uint8), np.zeros((4, 4), np.float32)])
def test_contents_it_cannot_learn_are_refused(content: object) -> None:
    train = pictures([(16, 16)] * 4)
    odd = dataclasses.replace(train, samples=(*train.samples[:3], Sample("odd", content)))
    with pytest.raises(DataError, match="'odd'"):
        fitted(odd)


def digits(per_class: int, start: int = 0) -> TrainingSet:
    images = [(digit_images(c, start + per_class)[start:], c) for c in range(10)]
    samples = tuple(Sample(f"{c}/{start + i}", x) for found, c in images for i, x in enumerate(found))
    labels = np.array([c for found, c in images for _ in found])
    n = len(samples)
    return TrainingSet(samples, np.eye(10, dtype=np.float32)[labels], np.ones(n, np.float32), np.zeros(n, np.bool_),
                       tuple("0123456789"))  # fmt: skip


def test_scratch_reads_digits_from_ten_of_each() -> None:
    train, test = digits(10), digits(20, start=100)
    student = Scratch().fit(train, Budget(150), np.random.default_rng(0))
    right = student.predict_proba(test.samples).argmax(axis=1) == test.y.argmax(axis=1)
    assert right.mean() > 0.85


class Small(nn.Module):
    """A network with something to freeze."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4)
        nn.init.uniform_(self.conv.weight, 0.0, 0.2, generator=torch.Generator().manual_seed(0))
        nn.init.constant_(self.conv.bias, 0.1)  # no channel is dead, whatever the global generator draws
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[1] == 3
        return self.norm(self.conv(x)).relu().mean((2, 3))


def test_finetune_trains_the_whole_network_and_leaves_batch_norm_statistics() -> None:
    template = Small()
    template.norm.running_mean.fill_(0.1)
    before = copy.deepcopy(template.state_dict())
    train = example_training("images")
    student = Finetune(partial(copy.deepcopy, template), size=16, rate=1e-3).fit(
        train, Budget(5, 8), np.random.default_rng(0)
    )
    body = student.net_[0][1]  # type: ignore[index]
    for name, value in body.state_dict().items():
        changed_ = not torch.equal(value, before[name])
        assert changed_ == (name in ("conv.weight", "conv.bias", "norm.weight", "norm.bias")), name
    for name, value in template.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_head_has_a_larger_rate() -> None:
    groups = Finetune(Small, rate=1e-3, head=10.0)._groups(nn.Sequential(Small(), nn.Identity(), nn.Linear(4, 2)), 2e-3)
    assert [group["lr"] for group in groups] == [2e-3, pytest.approx(2e-2)]
    assert len(groups[0]["params"]) == 4 and len(groups[1]["params"]) == 2


def test_finetune_takes_grey_pictures_and_leaves_them_grey_for_a_transform() -> None:
    shapes: list[int] = []

    def look(batch: Tensor, rng: np.random.Generator) -> Tensor:
        shapes.append(batch.shape[1])
        return batch

    train = dataclasses.replace(pictures([(18, 18)] * 4), transform=look)
    Finetune(Small, size=16).fit(train, TINY, np.random.default_rng(0))
    assert shapes == [1, 1]


def test_finetune_without_a_network_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="pretrained network"):
        Finetune().fit(pictures([(18, 18)] * 4), TINY, np.random.default_rng(0))


def test_a_model_of_the_hub_is_trained_further() -> None:
    net, width = load_network("tiny-judge")
    train = digits(2)
    student = Finetune(partial(copy.deepcopy, net), size=32).fit(train, Budget(2, 4), np.random.default_rng(0))
    assert width == 768 and student.predict_proba(train.samples[:3]).shape == (3, 10)


def test_networks_that_cannot_be_trained_further_are_refused() -> None:
    with pytest.raises(UsageError, match="an encoder"):
        load_network("tiny-image")


def test_views_keep_size_depth_and_order_and_come_in_batches_of_one_shape() -> None:
    train = example_training("images")
    batches: list[tuple[int, ...]] = []

    def brighter(batch: Tensor, rng: np.random.Generator) -> Tensor:
        batches.append(tuple(batch.shape))
        return batch + 0.25

    found = changed(train.samples, brighter, np.random.default_rng(0))
    assert len(batches) < len(found) and sum(shape[0] for shape in batches) == len(found)
    for view, sample in zip(found, train.samples, strict=True):
        top = np.iinfo(sample.content.dtype).max
        assert view.id == "" and view.content.dtype == sample.content.dtype
        expected = np.minimum(sample.content.astype(np.float64) + 0.25 * top, top)
        np.testing.assert_allclose(view.content, expected, atol=1 + top * 1e-5)


def test_partners_are_drawn_by_weight_and_shares_are_even() -> None:
    partner, share = partners(np.array([1.0, 0.0001, 3.0] * 700), 0.5, np.random.default_rng(0))
    counts = np.bincount(partner % 3, minlength=3) / len(partner)
    np.testing.assert_allclose(counts, [0.25, 0.0, 0.75], atol=0.04)
    assert abs(share.mean() - 0.5) < 0.03 and share.std() == pytest.approx(np.sqrt(0.125), abs=0.02)
