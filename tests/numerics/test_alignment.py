from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augmint.numerics.alignment import FOUND, Windows, aligned, mirrored, normed, window_grid

SIDE = 32
WHOLE = np.array([[0.0, 1.0, 0.0, 1.0]], np.float32)


def waves(seed: int, channels: int = 3, fine: int = 6) -> np.ndarray:
    """A smooth picture that can be read at any place: (y, x) in 0..1 -> (channels, ...) values."""
    rng = np.random.default_rng(seed)
    wave = rng.uniform(-fine, fine, (8, 2)), rng.uniform(0, 6.3, 8), rng.normal(size=(channels, 8))

    def read(top: float = 0, height: float = 1, left: float = 0, width: float = 1) -> np.ndarray:
        at = (np.arange(SIDE) + 0.5) / SIDE
        y, x = np.meshgrid(top + height * at, left + width * at, indexing="ij")
        phase = 2 * np.pi * (wave[0][:, 0, None, None] * y + wave[0][:, 1, None, None] * x) / 2 + wave[1][:, None, None]
        return np.einsum("cw,wij->cij", wave[2], np.sin(phase)).astype(np.float32)

    return read


def test_normed_by_hand():
    maps = np.array([[[[1.0, 3.0]], [[5.0, 5.0]]]], np.float32)
    # The first channel becomes -1, 1, the second 0, 0; the length is the square root of 2.
    np.testing.assert_allclose(normed(maps), [[[[-(0.5**0.5), 0.5**0.5]], [[0, 0]]]], rtol=1e-6)
    assert np.abs(normed(np.full((1, 1, 4, 4), 7, np.float32))).max() == 0


def test_the_distance_is_that_of_the_correlation():
    a, b = waves(0)()[None], waves(1)()[None]

    def soft(x):
        return x.reshape(1, 3, 16, 2, 16, 2).mean((3, 5))

    r = max(np.corrcoef(np.ravel(soft(a) - soft(a).mean((2, 3), keepdims=True)),
                        np.ravel(soft(b) - soft(b).mean((2, 3), keepdims=True)))[0, 1], -1)  # fmt: skip
    # Nothing that follows the gradient ends farther away than where it began, and the same map is at 0.
    assert aligned(a, b, WHOLE)[0] <= np.sqrt(2 - 2 * r) + 1e-3
    assert aligned(a, a, WHOLE)[0] < 2e-3


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    side=st.floats(0.76, 1.0),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    gain=st.floats(0.3, 3.0),
    mirror=st.integers(0, 3),
)
def test_a_piece_of_a_map_is_found_whatever_its_brightness_and_side(seed, side, at, gain, mirror):
    pictures = [waves(seed + k) for k in range(40)]
    windows = Windows(np.stack([read() for read in pictures]))
    piece = pictures[7](at[0] * (1 - side), side, at[1] * (1 - side), side)
    found = windows.find(mirrored(gain * piece[None] + 0.2)[mirror])
    assert found.index[0, 0] == 7
    assert found.distance[0, 0] < 0.15 < 0.4 < found.distance[0, 1]


def test_distances_ascend_and_a_map_is_not_compared_with_itself():
    maps = np.stack([waves(k)() for k in range(30)])
    windows = Windows(maps)
    found = windows.find(maps[[3, 9]])
    assert found.index[:, 0].tolist() == [3, 9] and found.index.shape == (2, FOUND)
    assert (np.diff(found.distance, axis=1) >= 0).all()
    own = windows.find(maps[[3, 9]], np.array([3, 9]))
    assert 3 not in own.index[0] and 9 not in own.index[1]
    np.testing.assert_array_equal(own.index[0, :5], found.index[0, 1:6])


def test_what_is_found_for_a_map_does_not_depend_on_the_others_asked_for():
    maps = np.stack([waves(k)() for k in range(30)])
    queries = np.stack([waves(100 + k)() for k in range(4)])
    windows = Windows(maps)
    together = windows.find(queries)
    for i in range(4):
        alone = windows.find(queries[i : i + 1])
        np.testing.assert_array_equal(alone.index[0], together.index[i])
        np.testing.assert_allclose(alone.distance[0], together.distance[i], atol=1e-5)


def test_grey_maps_are_kept_once_and_asked_for_in_colour():
    grey = np.stack([np.repeat(waves(k, 1)(), 3, axis=0) for k in range(8)])
    windows = Windows(grey)
    assert windows.maps.shape == (8, 1, SIDE, SIDE)
    tinted = grey[5:6] * np.array([0.9, 1.1, 1.0], np.float32)[:, None, None]
    assert windows.find(tinted).index[0, 0] == 5


def test_flat_maps_are_near_nothing():
    maps = np.concatenate([np.full((1, 3, SIDE, SIDE), 0.5, np.float32), np.stack([waves(k)() for k in range(3)])])
    found = Windows(maps).find(np.full((1, 3, SIDE, SIDE), 0.9, np.float32))
    assert found.distance.min() == pytest.approx(2**0.5, abs=1e-3) and np.isfinite(found.distance).all()


def test_the_grid_of_windows():
    grid = window_grid()
    assert len(grid) == sum(n * n for n in (1, 2, 3, 4, 5, 6)) and grid[0].tolist() == [0, 1, 0, 1]
    ends = grid[:, [0, 2]] + grid[:, [1, 3]]
    assert grid.min() >= 0 and ends.max() <= 1 + 1e-6
