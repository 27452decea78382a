from __future__ import annotations

import numpy as np
import pytest
from made import rows_of

from augmint.checks import example_latents
from augmint.core.types import Latents
from augmint.synthesizers.mixup import ALONE
from augmint.synthesizers.moex import Moex


def by_hand(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    """Equation 3 of the paper with its positional normalisation, float64."""
    mean_a, mean_b = a.mean(axis=axis, keepdims=True), b.mean(axis=axis, keepdims=True)
    std_a = np.sqrt(((a - mean_a) ** 2).mean(axis=axis, keepdims=True) + 1e-5)
    std_b = np.sqrt(((b - mean_b) ** 2).mean(axis=axis, keepdims=True) + 1e-5)
    return np.asarray(std_b * (a - mean_a) / std_a + mean_b)


@pytest.mark.parametrize(("shape", "axis"), [((16,), 0), ((5, 3, 4), 0), ((7, 6), 1)])
def test_equals_the_paper_written_down(shape: tuple[int, ...], axis: int) -> None:
    real = example_latents((6, 5), shape)
    draw = Moex().fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(1))
    at = {f"data:{name}": i for i, name in enumerate(real.ids)}
    for i, (anchor, partner) in enumerate(draw.refs):
        assert at[str(anchor)] == i != at[str(partner)]
        a, b = (real.z[at[str(ref)]].astype(np.float64) for ref in (anchor, partner))
        np.testing.assert_allclose(draw.z[i], by_hand(a, b, axis), rtol=1e-4, atol=1e-4)
    assert np.allclose(draw.label_weights, [0.9, 0.1])


def test_by_hand_on_two_rows() -> None:
    # Mean 0 and spread 1 become mean 10 and spread 2; and back.
    real = rows_of([[-1.0, 1.0, -1.0, 1.0], [8.0, 8.0, 12.0, 12.0]], [0, 1])
    z = Moex().fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0)).z
    np.testing.assert_allclose(z, [[8.0, 12.0, 8.0, 12.0], [-1.0, -1.0, 1.0, 1.0]], atol=1e-3)


def test_equal_features_are_not_divided_by_zero() -> None:
    real = rows_of([[3.0, 3.0, 3.0], [1.0, 2.0, 6.0]], [0, 1])
    z = Moex().fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0)).z
    assert z[0] == pytest.approx([3.0, 3.0, 3.0])


def test_one_row_is_copied_with_its_own_label() -> None:
    real = example_latents((1,))
    draw = Moex().fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert np.array_equal(draw.z, real.z)
    assert draw.note is not None and list(draw.note) == [ALONE] and draw.label_weights.tolist() == [[1.0, 0.0]]


def test_where_a_ragged_partner_has_ended_own_moments_stay() -> None:
    z = np.array([[[1.0, 3.0], [5.0, 9.0]], [[10.0, 30.0], [0.0, 0.0]]])
    made = rows_of(z, [0, 1])
    real = Latents(made.ids, made.z, made.y, length=np.array([2, 1]))
    draw = Moex().fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    np.testing.assert_allclose(draw.z[0], [[10.0, 30.0], [5.0, 9.0]], atol=1e-3)
    np.testing.assert_allclose(draw.z[1], [[1.0, 3.0], [0.0, 0.0]], atol=1e-3)
