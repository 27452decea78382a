"""The network of a text encoder that is trained further."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from augmint.checks import example_training
from augmint.core.types import Budget, Sample
from augmint.models import load_encoder, load_network
from augmint.models.text_network import TextNetwork
from augmint.students.finetune import Finetune
from tiny_folders import write_folder

TEXTS = ["the cat sat on a mat", "some old dog ran far away", "", "hungry"]


@pytest.mark.parametrize("family", ["bert", "roberta", "t5"])
def test_its_rows_are_the_encoders(family: str, tmp_path: Path) -> None:
    folder = str(write_folder(family, tmp_path / family))
    net, width = load_network(folder)
    assert isinstance(net, TextNetwork)
    rows = net(net.tokens([(text,) for text in TEXTS], 24)).numpy()
    np.testing.assert_allclose(rows, load_encoder(folder).encode(TEXTS), atol=1e-5)
    assert rows.shape == (4, width)
    pairs = [Sample("", {"a": a, "b": b}) for a, b in zip(TEXTS, TEXTS[::-1], strict=True)]
    rows = net(net.tokens([tuple(pair.content.values()) for pair in pairs], 32)).numpy()
    np.testing.assert_allclose(rows, load_encoder(folder).encode(pairs), atol=1e-5)


def test_long_texts_are_cut_and_none_are_no_rows(tmp_path: Path) -> None:
    net, _ = load_network(str(write_folder("bert", tmp_path / "bert")))
    assert isinstance(net, TextNetwork)
    assert net.tokens([("the cat " * 50,)], 16).shape == (1, 2, 16)
    assert net.tokens([], 16).shape == (0, 2, 16)


@pytest.mark.parametrize("kind", ["texts", "pairs"])
def test_finetune_trains_every_weight_and_learns(kind: str, tmp_path: Path) -> None:
    folder = str(write_folder("bert", tmp_path / "bert"))
    train = example_training(kind)  # type: ignore[arg-type]
    student = Finetune(lambda: load_network(folder)[0], rate=3e-3).fit(train, Budget(40, 8), np.random.default_rng(0))
    right = student.predict_proba(train.samples).argmax(axis=1) == train.y.argmax(axis=1)
    assert right.mean() > 0.7
    before = dict(load_network(folder)[0].named_parameters())
    body = student.net_[0][1]  # type: ignore[index]
    same = [name for name, value in body.named_parameters() if torch.equal(value, before[name])]
    assert all("pooler" in name or "position" in name or "token_type" in name for name in same), same


def test_finetune_learns_under_a_transform_and_mixup(tmp_path: Path) -> None:
    folder = str(write_folder("bert", tmp_path / "bert"))
    train = example_training("texts")
    changed = partial(type(train), transform=lambda batch, rng: [text + " mat" for text in batch], mixup=0.3)
    train = changed(train.samples, train.y, train.weight, train.minted, train.classes)
    student = Finetune(lambda: load_network(folder)[0], rate=3e-3).fit(train, Budget(40, 8), np.random.default_rng(0))
    assert np.mean(student.predict_proba(train.samples).argmax(axis=1) == train.y.argmax(axis=1)) > 0.6
