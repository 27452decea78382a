"""One resampling for all moves: hand-computed, and against kornia's warp."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augmint.classic.moves import Moves, flips, shears, turns

ONE = np.ones(1)
NONE = np.zeros((1, 2))


def moved(pixels: list[list[int]], linear: np.ndarray, shift: np.ndarray = NONE, mode: str = "bilinear") -> list:
    batch = torch.tensor(pixels, dtype=torch.float64)[None, None] / 100
    return (Moves(linear, shift)(batch, mode)[0, 0] * 100).round(decimals=6).tolist()


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_flips_by_hand(mode):
    picture = [[1, 2, 3], [4, 5, 6]]
    assert moved(picture, flips(-ONE, ONE), mode=mode) == [[3, 2, 1], [6, 5, 4]]
    assert moved(picture, flips(ONE, -ONE), mode=mode) == [[4, 5, 6], [1, 2, 3]]
    assert moved(picture, flips(-ONE, -ONE), mode=mode) == [[6, 5, 4], [3, 2, 1]]
    assert moved(picture, flips(ONE, ONE), mode=mode) == picture


def test_a_shift_goes_right_and_down_and_mirrors_the_edge():
    picture = [[1, 2, 3, 4], [5, 6, 7, 8]]
    right = np.array([[0.25, 0.0]])
    assert moved(picture, flips(ONE, ONE), right) == [[1, 1, 2, 3], [5, 5, 6, 7]]
    assert moved(picture, flips(ONE, ONE), -2 * right) == [[3, 4, 4, 3], [7, 8, 8, 7]]
    assert moved(picture, flips(ONE, ONE), np.array([[0.0, 0.5]])) == [[1, 2, 3, 4], [1, 2, 3, 4]]


def test_a_shift_is_rounded_to_whole_pixels():
    picture = [[1, 2, 3, 4]]
    assert moved(picture, flips(ONE, ONE), np.array([[0.12, 0.3]])) == picture  # 0.48 px, 0.3 px
    assert moved(picture, flips(ONE, ONE), np.array([[0.13, 0.3]])) == [[1, 1, 2, 3]]  # 0.52 px


def test_a_quarter_turn_is_counter_clockwise():
    assert moved([[1, 2], [3, 4]], turns(90 * ONE, ONE)) == [[2, 4], [1, 3]]
    picture = np.arange(25).reshape(5, 5)
    assert moved(picture.tolist(), turns(90 * ONE, ONE)) == np.rot90(picture).tolist()
    assert moved(picture.tolist(), turns(-90 * ONE, ONE)) == np.rot90(picture, -1).tolist()


def test_zoom_above_one_is_larger():
    # Twice as large: the middle two of four pixels fill the row, with what lies between them.
    assert moved([[0, 40, 80, 120]] * 4, turns(0 * ONE, 2 * ONE))[0] == [30, 50, 70, 90]


def test_shear_moves_what_is_below_to_the_right():
    line = [[0, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert moved(line, shears(ONE, 0 * ONE)) == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    lying = [[0, 0, 0], [1, 1, 1], [0, 0, 0]]
    assert moved(lying, shears(0 * ONE, ONE)) == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_moves_are_done_one_after_the_other():
    picture = np.arange(9).reshape(3, 3)
    moves = Moves(flips(-ONE, ONE), NONE).then(turns(90 * ONE, ONE), NONE)
    both = (moves(torch.tensor(picture / 10)[None, None], "bilinear")[0, 0] * 10).round().numpy()
    assert (both == np.rot90(picture[:, ::-1])).all()


@pytest.mark.parametrize("shape", [(2, 3, 9, 14), (3, 1, 8, 5)])
def test_the_same_as_kornias_warp(shape):
    transform = pytest.importorskip("kornia.geometry.transform")
    rng = np.random.default_rng(0)
    n, height, width = shape[0], shape[2], shape[3]
    batch = torch.from_numpy(rng.random(shape))
    linear = turns(rng.uniform(-40, 40, n), rng.uniform(0.7, 1.4, n)) @ shears(rng.normal(0, 0.2, n), np.zeros(n))
    pixels = rng.integers(-3, 4, (n, 2)).astype(float)
    made = Moves(linear, pixels / [width, height])(batch, "bilinear")
    center = np.array([(width - 1) / 2, (height - 1) / 2])  # kornia counts from the first pixel's middle
    offset = center - linear @ center + pixels
    matrix = torch.from_numpy(np.concatenate([linear, offset[:, :, None]], axis=2))
    expected = transform.warp_affine(batch, matrix, (height, width), padding_mode="reflection", align_corners=False)
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-9)
