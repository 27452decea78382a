"""Thumbnails: every kind of pixels, the right pixels, no larger than they need to be."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from augmint.report.thumbnails import SIDE, thumbnail
from support import pattern

SHAPES = [(8, 8), (8, 8, 1), (8, 8, 2), (8, 8, 3), (8, 8, 4), (1, 900, 3), (700, 2), (300, 200, 3), (500, 400, 4)]


def opened(picture: np.ndarray) -> Image.Image:
    kind, _, data = thumbnail(picture).address.partition(";base64,")
    assert kind in {"data:image/png", "data:image/webp"}
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("shape", SHAPES)
def test_any_picture_has_one(shape):
    small = thumbnail(pattern(shape))
    assert max(small.width, small.height) == SIDE and min(small.width, small.height) >= 1
    image = opened(pattern(shape))
    assert max(image.size) <= 144 and image.mode in {"L", "RGB"}


def test_small_pictures_keep_every_pixel():
    picture = pattern((20, 30, 3))
    assert (np.asarray(opened(picture)) == picture).all()
    assert thumbnail(picture).sharp and not thumbnail(pattern((90, 90))).sharp


def test_sixteen_bits_become_eight():
    picture = np.array([[0, 257, 65535]], np.uint16)
    assert np.asarray(opened(picture)).tolist() == [[0, 1, 255]]


def test_what_is_see_through_lies_on_white():
    picture = np.zeros((2, 2, 4), np.uint8)
    assert np.asarray(opened(picture)).min() == 255
