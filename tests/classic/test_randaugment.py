"""RandAugment's operations against Pillow's, and who gets which."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

pytest.importorskip("kornia")

from augmint.classic.moves import Moves
from augmint.classic.randaugment import BLEND, BLENDS, MOVES, NAMES, PIXELS, Policy

PICTURE = np.random.default_rng(0).integers(20, 200, (9, 7, 3)).astype(np.uint8)


def painted(name: str, level: float, pixels: np.ndarray = PICTURE) -> np.ndarray:
    batch = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).float() / 255
    policy = Policy(np.array([[NAMES.index(name)]]), np.array([[level]]))
    return (policy.paint(batch)[0].permute(1, 2, 0) * 255).numpy()


def pillow(name: str, level: float) -> np.ndarray:
    image = Image.fromarray(PICTURE)
    enhancers = {
        "brightness": ImageEnhance.Brightness,
        "contrast": ImageEnhance.Contrast,
        "saturation": ImageEnhance.Color,
        "sharpness": ImageEnhance.Sharpness,
    }
    if name in enhancers:
        return np.asarray(enhancers[name](image).enhance(1 + BLEND * level))
    made = {
        "identity": lambda: image,
        "autocontrast": lambda: ImageOps.autocontrast(image),
        "equalize": lambda: ImageOps.equalize(image),
        "solarize": lambda: ImageOps.solarize(image, round(255 * (1 - abs(level)))),
        "posterize": lambda: ImageOps.posterize(image, 8 - round(4 * abs(level))),
    }
    return np.asarray(made[name]())


@pytest.mark.parametrize("level", [0.5, -0.5])
@pytest.mark.parametrize("name", ["identity", *BLENDS, *PIXELS])
def test_the_same_as_pillow(name, level):
    # Pillow rounds on the way (the mean of the picture to a whole number, each blend down).
    difference = np.abs(painted(name, level) - pillow(name, level))
    assert difference.max() <= 2.0


@pytest.mark.parametrize("name", PIXELS)
def test_pictures_of_one_value_and_of_one_pixel_live(name):
    for shape in ((1, 1, 3), (1, 5, 1), (4, 4, 3)):
        flat = np.full(shape, 100, np.uint8)
        made = painted(name, 0.3, flat)
        assert made.shape == shape and np.isfinite(made).all()
        if name in ("autocontrast", "equalize", "sharpness"):
            np.testing.assert_allclose(made, 100, atol=1e-3)


def test_each_picture_has_its_own_operations():
    batch = torch.rand(3, 3, 6, 6)
    names = np.array([[NAMES.index("identity")], [NAMES.index("solarize")], [NAMES.index("rotate")]])
    policy = Policy(names, np.full((3, 1), 0.5))
    made = policy.paint(batch)
    assert torch.equal(made[0], batch[0]) and torch.equal(made[2], batch[2])
    assert torch.equal(made[1], torch.where(batch[1] < 0.5, batch[1], 1 - batch[1]))
    still = np.tile(np.eye(2), (3, 1, 1))
    linear = policy.move(Moves(still, np.zeros((3, 2)))).linear
    assert (linear[:2] == still[:2]).all()
    cos, sin = np.cos(np.pi / 12), np.sin(np.pi / 12)
    np.testing.assert_allclose(linear[2], [[cos, sin], [-sin, cos]])


def test_operations_come_in_their_order():
    picture = torch.rand(1, 1, 5, 5)
    first, second = NAMES.index("solarize"), NAMES.index("brightness")
    there = Policy(np.array([[first, second]]), np.array([[0.4, 0.4]])).paint(picture)
    back = Policy(np.array([[second, first]]), np.array([[0.4, 0.4]])).paint(picture)
    by_hand = (torch.where(picture < 0.6, picture, 1 - picture) * (1 + BLEND * 0.4)).clamp(0, 1)
    torch.testing.assert_close(there, by_hand)
    assert not torch.allclose(there, back)


def test_a_draw_takes_all_fourteen_at_both_sides():
    policy = Policy.draw(4000, 2, 9.0, np.random.default_rng(0))
    assert len(NAMES) == 14 and set(MOVES) < set(NAMES)
    share = np.bincount(policy.names.ravel(), minlength=14) / policy.names.size
    np.testing.assert_allclose(share, 1 / 14, atol=0.015)
    assert set(np.unique(policy.levels)) == {-0.3, 0.3}
