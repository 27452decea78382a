from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import rows_of

from augmint.checks import example_latents
from augmint.synthesizers.dropout import BORROWED, Dropout


def test_lost_features_are_the_mean_of_the_class() -> None:
    real = rows_of([[0.0, 0.0], [2.0, 4.0], [10.0, 10.0], [30.0, 50.0]], [0, 0, 1, 1])
    draw = Dropout(share=0.5).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(1))
    mean = np.array([[1.0, 2.0]] * 2 + [[20.0, 30.0]] * 2)
    lost = draw.z != real.z
    assert lost.any() and not lost.all()
    assert np.array_equal(draw.z[lost], mean[lost])


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 0.95), st.integers(0, 2**32))
def test_the_share_is_lost(share: float, seed: int) -> None:
    real = example_latents((50,), (200,))
    for fill in ("mean", "zero"):
        method = Dropout(share=share, fill=fill).fit(real, np.random.default_rng(0))
        z = method.sample(real, np.random.default_rng(seed)).z
        kept = z / real.z if fill == "zero" else (z == real.z)
        assert np.isclose(kept, 1 / (1 - share) if fill == "zero" else 1.0, rtol=1e-3).mean() == pytest.approx(
            1 - share, abs=0.03
        )


def test_zero_keeps_the_mean_over_draws() -> None:
    real = example_latents((4,), (3,))
    anchors = real.take(np.zeros(20_000, np.int64))
    z = Dropout(share=0.4, fill="zero").fit(real, np.random.default_rng(0)).sample(anchors, np.random.default_rng(0)).z
    np.testing.assert_allclose(z.mean(axis=0), real.z[0], rtol=0.05)


def test_a_map_loses_channels_and_a_sequence_columns() -> None:
    for shape, axes in (((6, 4, 4), (2, 3)), ((4, 6), (1,))):
        real = example_latents((8, 8), shape)
        draw = Dropout(share=0.5).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
        lost = (draw.z != real.z).mean(axis=axes)
        assert set(np.unique(lost)) == {0.0, 1.0}


def test_a_class_of_one_row_takes_the_mean_of_all_and_says_so() -> None:
    real = example_latents((6, 1), (40,))
    draw = Dropout(share=0.5).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert draw.note is not None and list(draw.note) == [""] * 6 + [BORROWED]
    lost = draw.z[6] != real.z[6]
    np.testing.assert_allclose(draw.z[6][lost], real.z.mean(axis=0)[lost], rtol=1e-4, atol=1e-5)


def test_nothing_lost_is_a_copy() -> None:
    real = example_latents()
    draw = Dropout(share=0.0).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert np.array_equal(draw.z, real.z)
