from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import rows_of
from scipy.stats import beta

from augmint.checks import example_latents
from augmint.core.types import Draw, Latents
from augmint.synthesizers.mixup import ALONE, Mixup


def drawn(real: Latents, times: int = 1, **options: float | bool) -> tuple[Latents, Draw]:
    anchors = real.take(np.tile(np.arange(len(real)), times))
    method = Mixup(**options).fit(real, np.random.default_rng(0))  # type: ignore[arg-type]
    return anchors, method.sample(anchors, np.random.default_rng(1))


def parents(real: Latents, draw: Draw) -> np.ndarray:
    """(n, 2) positions of anchor and partner."""
    at = {f"data:{name}": i for i, name in enumerate(real.ids)}
    return np.array([[at[str(ref)] for ref in row] for row in draw.refs])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=2, max_size=4), st.floats(0.05, 5.0), st.integers(0, 2**32))
def test_rows_and_labels_are_mixed_alike(counts: list[int], alpha: float, seed: int) -> None:
    real = example_latents(counts)
    draw = Mixup(alpha=alpha).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(seed))
    a, b = parents(real, draw).T
    assert (a == np.arange(len(real))).all() and (a != b).all()
    share = draw.label_weights
    expected = share[:, :1] * real.z[a] + share[:, 1:] * real.z[b]
    np.testing.assert_allclose(draw.z, expected, rtol=1e-4, atol=1e-4)
    labels = share[:, :1] * real.y[a] + share[:, 1:] * real.y[b]
    assert (labels.argmax(axis=1) == real.labels).all()


@pytest.mark.parametrize("alpha", [0.05, 0.4, 1.0, 4.0])
def test_shares_have_the_larger_half_of_a_beta_distribution(alpha: float) -> None:
    share = drawn(example_latents((5, 5)), 600, alpha=alpha)[1].label_weights[:, 0]
    assert share.min() > 0.5
    for most in (0.55, 0.7, 0.9, 0.99, 0.9999):  # max(l, 1 - l) <= s when 1 - s <= l <= s
        assert (share <= most).mean() == pytest.approx(1 - 2 * beta.cdf(1 - most, alpha, alpha), abs=0.03)


def test_partners_are_drawn_evenly_among_the_others() -> None:
    real = example_latents((3, 2, 2), (2,))
    pair = parents(real, drawn(real, 7000)[1])
    count = np.zeros((7, 7))
    np.add.at(count, (pair[:, 0], pair[:, 1]), 1)
    assert (np.diag(count) == 0).all()
    off = count[~np.eye(7, dtype=np.bool_)]
    assert np.abs(off - 7000 / 6).max() < 5 * np.sqrt(7000 / 6)


def test_within_the_class_only_when_told() -> None:
    real = example_latents((5, 4))
    pair = parents(real, drawn(real, 50, across=False)[1])
    assert (real.labels[pair[:, 0]] == real.labels[pair[:, 1]]).all()
    pair = parents(real, drawn(real, 50)[1])
    assert (real.labels[pair[:, 0]] != real.labels[pair[:, 1]]).any()


def test_a_row_without_another_is_copied_and_says_so() -> None:
    real = example_latents((4, 1))
    _, draw = drawn(real, across=False)
    assert draw.note is not None and list(draw.note) == [""] * 4 + [ALONE]
    assert np.array_equal(draw.z[4], real.z[4])
    assert draw.refs[4].tolist() == [f"data:{real.ids[4]}", ""] and draw.label_weights[4].tolist() == [1.0, 0.0]


def test_ragged_rows_are_mixed_where_both_are_valid() -> None:
    z = np.array([[[1.0], [1.0], [1.0]], [[3.0], [0.0], [0.0]]])
    made = rows_of(z, [0, 1])
    real = Latents(made.ids, made.z, made.y, length=np.array([3, 1]))
    _, draw = drawn(real)
    rest = draw.label_weights[:, 1]
    assert draw.z[0, :, 0] == pytest.approx([1 + 2 * rest[0], 1.0, 1.0])
    assert draw.z[1, :, 0] == pytest.approx([3 - 2 * rest[1], 0.0, 0.0])
