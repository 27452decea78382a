from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augmint.checks import example_latents
from augmint.synthesizers.noise import BORROWED, Noise


def test_the_noise_has_the_stated_size() -> None:
    real = example_latents((40, 60), (50,))
    method = Noise(strength=0.5).fit(real, np.random.default_rng(0))
    anchors = real.take(np.zeros(2000, np.int64))
    step = method.sample(anchors, np.random.default_rng(1)).z - anchors.z
    own = real.z[real.labels == 0].astype(np.float64)
    expected = 0.5 * np.sqrt(own.var(axis=0, ddof=1).mean())
    assert step.std() == pytest.approx(expected, rel=0.01)
    assert abs(step.mean()) < 0.01 * expected


@settings(max_examples=25, deadline=None)
@given(st.floats(0.0, 2.0), st.floats(0.01, 2.0), st.integers(0, 2**32))
def test_more_strength_is_farther(strength: float, more: float, seed: int) -> None:
    real = example_latents((5, 5))
    far = [
        np.linalg.norm(
            Noise(strength=s).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(seed)).z - real.z
        )
        for s in (strength, strength + more)
    ]
    assert far[0] < far[1]


def test_no_strength_is_a_copy() -> None:
    real = example_latents()
    draw = Noise(strength=0.0).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert np.array_equal(draw.z, real.z)


def test_a_class_of_one_row_borrows_and_says_so() -> None:
    real = example_latents((6, 1))
    draw = Noise().fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert draw.note is not None
    assert list(draw.note) == [""] * 6 + [BORROWED]
    assert not np.array_equal(draw.z[6], real.z[6])


def test_shifted_rows_give_shifted_rows() -> None:
    real = example_latents()
    moved = dataclasses.replace(real, z=real.z + np.float32(4.0))
    a, b = (Noise().fit(r, np.random.default_rng(0)).sample(r, np.random.default_rng(3)).z for r in (real, moved))
    np.testing.assert_allclose(a + 4.0, b, atol=1e-4)


def test_padding_stays_empty() -> None:
    real = example_latents(shape=(5, 3), ragged=True)
    draw = Noise().fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert draw.length is not None
    for row, length in zip(draw.z, draw.length, strict=True):
        assert (row[length:] == 0).all() and (row[:length] != 0).all()
