"""Colour as one matrix: by hand, and against kornia's three steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augmint.classic.colours import LEVELS, adjust, grain, tint


def factors(*values: float) -> list[torch.Tensor]:
    return [torch.full((1, 1, 1), value, dtype=torch.float64) for value in values]


def test_one_leaves_a_picture_as_it_is():
    batch = torch.rand(1, 3, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(adjust(batch, *factors(1, 1, 1)), batch)


def test_by_hand():
    grey = torch.tensor([[[[0.2, 0.4]]]], dtype=torch.float64)
    assert adjust(grey, *factors(2, 1, 1)).flatten().tolist() == pytest.approx([0.4, 0.8])
    assert adjust(grey, *factors(1, 0.5, 1)).flatten().tolist() == pytest.approx([0.25, 0.35])
    assert adjust(grey, *factors(1, 1, 0)).flatten().tolist() == pytest.approx([0.2, 0.4])
    red = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64).view(1, 3, 1, 1)
    assert adjust(red, *factors(1, 1, 0)).flatten().tolist() == pytest.approx([0.299] * 3)
    assert adjust(red, *factors(3, 1, 1)).flatten().tolist() == [1, 0, 0]  # clamped


@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_as_kornias_three_steps(channels):
    enhance = pytest.importorskip("kornia.enhance")
    rng = np.random.default_rng(0)
    batch = torch.from_numpy(rng.uniform(0.3, 0.6, (4, channels, 6, 5)))  # nothing is clamped on the way
    b, c, s = torch.from_numpy(rng.uniform(0.8, 1.2, (3, 4, 1, 1)))
    step = enhance.adjust_brightness_accumulative(batch, b.flatten())
    step = enhance.adjust_contrast_with_mean_subtraction(step, c.flatten())
    expected = enhance.adjust_saturation_with_gray_subtraction(step, s.flatten())
    torch.testing.assert_close(adjust(batch, b, c, s), expected, rtol=0, atol=1e-6)


def test_factors_reach_to_both_sides_of_one_and_no_further():
    white = torch.full((400, 1, 1, 1), 0.5, dtype=torch.float64)
    brightness = tint(white, 0.2, np.random.default_rng(0)).flatten() / 0.5
    assert 0.8 <= brightness.min() < 0.81 and 1.19 < brightness.max() <= 1.2


def test_noise_has_at_most_the_deviation_asked_for():
    grey = torch.full((300, 1, 20, 20), 0.5)
    deviation = (grain(grey, 0.1, np.random.default_rng(0)) - 0.5).std(dim=(1, 2, 3))
    assert deviation.max() < 0.11 and deviation.min() < 0.01
    assert deviation.mean() == pytest.approx(0.05, abs=0.005)


def test_the_levels_of_the_noise_are_those_of_a_normal_distribution():
    assert LEVELS.mean() == pytest.approx(0, abs=1e-6) and LEVELS.std() == pytest.approx(1, abs=1e-6)
    assert (np.abs(LEVELS) < 1).mean() == pytest.approx(0.683, abs=0.01)
    assert (np.abs(LEVELS) < 2).mean() == pytest.approx(0.954, abs=0.01)
