"""Mirror images: allowed where they keep the label, refused where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from augmint.classic.mirror import compare, may_mirror, thumbnail
from augmint.core.types import Sample
from support import digit_images


def labelled(pictures: dict[str, list[np.ndarray]]) -> list[Sample]:
    return [Sample("", picture, target=name) for name, group in pictures.items() for picture in group]


def arrows(count: int, seed: int, mirrored: bool = False) -> list[np.ndarray]:
    """A wedge that points left, with noise."""
    wedge = np.abs(np.arange(16)[:, None] - 8) < np.arange(16)[None, :]
    noise = np.random.default_rng(seed).normal(0, 30, (count, 16, 16))
    picture = (wedge[:, ::-1] if mirrored else wedge) * 150 + 50
    return list(np.clip(picture + noise, 0, 255).astype(np.uint8))


def test_left_and_right_arrows_are_not_mirrored():
    assert not may_mirror(labelled({"left": arrows(5, 0), "right": arrows(5, 1, mirrored=True)}))


def test_arrows_of_both_directions_in_one_class_are():
    dark = [picture // 3 for picture in arrows(6, 0) + arrows(6, 1, True)]
    assert may_mirror(labelled({"bright": arrows(6, 2) + arrows(6, 3, True), "dark": dark}))


def test_digits_are_not_mirrored_from_five_a_class_on():
    for shots in (5, 20, 100):
        assert not may_mirror(labelled({str(label): digit_images(label, shots) for label in range(10)}))


def test_classes_of_one_picture_and_of_none_say_nothing():
    assert not may_mirror([])
    assert not may_mirror(labelled({"a": arrows(1, 0), "b": arrows(1, 1)}))
    assert not may_mirror([Sample("", picture) for picture in arrows(9, 0)])  # unlabelled


def test_one_class_alone_is_enough():
    assert not may_mirror(labelled({"a": arrows(8, 0)}))
    assert may_mirror(labelled({"a": arrows(8, 0) + arrows(8, 1, True)}))


def test_few_pictures_need_clear_evidence():
    assert may_mirror(labelled({"a": arrows(3, 0)}))  # three of three by chance: 1 in 8
    assert not may_mirror(labelled({"a": arrows(4, 0)}))


def test_comparison_by_hand():
    # Distances of picture and mirror image to the nearest other of the class:
    thumbs = np.array([[[0.0, 1.0]], [[0.0, 0.9]], [[1.0, 0.0]], [[0.5, 0.5]]], np.float32)
    one_class = np.zeros(4, np.int64)
    # 0: 0.1 (to 1), mirrored 0 (to 2), nearer. 1: 0.1, mirrored (0.9, 0) 0.1 to 2, equal. 2: 0.71 (to 3), mirrored
    # (0, 1) 0, nearer. 3: its own mirror image, equal.
    assert compare(thumbs, one_class) == (0, 2)
    # 0 and 1 alone: mirrored ones are far; 2 and 3: 2 is at 0.71 either way, 3 is its own mirror image.
    assert compare(thumbs, np.array([0, 0, 1, 1])) == (2, 0)
    assert compare(thumbs, np.arange(4)) == (0, 0)  # no other of any class


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "mirrors"), [("cifar10_5k_2k", True), ("bccd_cells_64", True), ("mnist_5k_10k", False)]
)
def test_real_pictures(name, mirrors, shared_data):
    with np.load(shared_data / "images" / f"{name}.npz") as file:
        x, y = (file[f"{key}_train"] if f"{key}_train" in file else file[key] for key in "xy")
    said = []
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(x))
        rows = [row for c in np.unique(y) for row in order[y[order] == c][:10]]
        said.append(may_mirror([Sample("", x[row], target=str(y[row])) for row in rows]))
    assert sum(said) >= 8 if mirrors else not any(said)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (40, 3), (16, 16, 4), (5, 7, 2)])
def test_a_thumbnail_of_anything(shape, dtype):
    top = np.iinfo(dtype).max
    picture = np.full(shape, top, dtype)
    if len(shape) == 3:
        picture[:, :, -1] = 0  # alpha is not looked at
    thumb = thumbnail(Sample("", picture))
    assert thumb.shape == (16, 16) and np.allclose(thumb, 1)
