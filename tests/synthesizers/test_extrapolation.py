from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made import rows_of

from augmint.checks import example_latents
from augmint.synthesizers.extrapolation import ALONE, Extrapolation
from augmint.synthesizers.interpolation import Interpolation


def test_hand_computed() -> None:
    real = rows_of([[0.0, 0.0], [4.0, 2.0], [9.0, 9.0]], [0, 0, 1])
    draw = Extrapolation(strength=0.5).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    np.testing.assert_allclose(draw.z[:2], [[-2.0, -1.0], [6.0, 3.0]])
    assert draw.refs[:2].tolist() == [["data:r0", "data:r1"], ["data:r1", "data:r0"]]
    assert draw.label_weights.tolist() == [[1.0, 0.0]] * 3
    assert draw.note is not None and draw.note.tolist() == ["", "", ALONE]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(2, 7), min_size=1, max_size=4), st.floats(0.0, 3.0), st.integers(0, 2**32))
def test_the_anchor_lies_between_neighbour_and_point(counts: list[int], strength: float, seed: int) -> None:
    real = example_latents(counts)
    at = {f"data:{name}": i for i, name in enumerate(real.ids)}
    method = Extrapolation(strength=strength, neighbors=2).fit(real, np.random.default_rng(0))
    draw = method.sample(real, np.random.default_rng(seed))
    other = np.array([at[str(ref)] for ref in draw.refs[:, 1]])
    assert (real.labels[other] == real.labels).all() and (other != np.arange(len(real))).all()
    expected = real.z + strength * (real.z.astype(np.float64) - real.z[other])
    np.testing.assert_allclose(draw.z, expected, rtol=1e-4, atol=1e-4)


def test_it_leaves_what_the_class_has_shown_and_interpolation_does_not() -> None:
    circle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.stack([np.cos(circle), np.sin(circle)], axis=1)
    for z in (ring, np.random.default_rng(0).standard_normal((300, 2))):
        real = rows_of(z, np.zeros(len(z), np.int64))
        outside, inside = (
            kind.fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0)).z
            for kind in (Extrapolation(), Interpolation())
        )
        assert outside.std() > real.z.std() > inside.std()


def test_no_strength_is_a_copy() -> None:
    real = example_latents((5, 4))
    draw = Extrapolation(strength=0.0).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert np.array_equal(draw.z, real.z)
