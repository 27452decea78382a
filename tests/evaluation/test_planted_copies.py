"""A generator that copies a known share of real images, seen through the judge that ships with augmint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from augmint.evaluation.memorization import copying, membership
from augmint.models import load_encoder

NEAR, EXACT, EXPOSED = "near copies of training rows", "exact copies of training rows", "training rows copied"


def digit_images() -> np.ndarray:
    return np.round(load_digits().images * (255 / 16)).astype(np.uint8)


def archive(path: Path, key: str, count: int) -> np.ndarray:
    with np.load(path) as data:
        return data[key][:count]


def noisy(images: np.ndarray) -> np.ndarray:
    moved = images + np.random.default_rng(1).normal(0, 0.005 * 255, images.shape)
    return np.clip(np.round(moved), 0, 255).astype(np.uint8)


def check(images: np.ndarray) -> None:
    """Shares 0, 5, 20 and 100 %, as exact and as near copies, are measured within two points."""
    judge = load_encoder("tiny-judge")
    images = images[np.random.default_rng(0).permutation(len(images))]
    part = len(images) * 3 // 8
    with torch.inference_mode():
        rows, moved = judge.encode(images), judge.encode(noisy(images[:part]))
    train, unseen, held_out = rows[:part], rows[part : 2 * part], rows[2 * part :]
    for share in (0.0, 0.05, 0.2, 1.0):
        count = round(share * part)
        for copies, exact in ((train, share), (moved, 0.0)):
            minted = np.concatenate([copies[:count], unseen[count:]])
            found = copying(train, minted, held_out)
            assert found[NEAR].value == pytest.approx(share, abs=0.02)
            assert found[EXACT].value == pytest.approx(exact, abs=0.002)
            assert found[EXPOSED].value == pytest.approx(share, abs=0.02)
            assert found[NEAR].reference <= 0.02
            guess = membership(train, held_out, minted, splits=0)
            assert guess.interval is not None
            assert share > 0 or guess.interval[0] <= 0.5 <= guess.interval[1]
            assert share < 1 or guess.value > 0.8


def test_digits() -> None:
    check(digit_images()[:600])


@pytest.mark.shared
def test_photographs(shared_data: Path) -> None:
    check(archive(shared_data / "images/cifar10_5k_2k.npz", "x_train", 1000))


@pytest.mark.shared
def test_blood_cells(shared_data: Path) -> None:
    check(archive(shared_data / "images/bccd_cells_64.npz", "x", 1000))
