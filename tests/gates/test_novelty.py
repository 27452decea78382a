from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from augmint.checks import example_latents
from augmint.core.types import Latents
from augmint.gates.novelty import Novelty
from augmint.synthesizers.noise import Noise


def test_hand_computed() -> None:
    real = Latents(np.array(["a", "b", "c"]), np.array([[0.0], [2.0], [6.0]], np.float32), np.ones((3, 1), np.float32))
    gate = Novelty(min_rows=2).fit(real)
    fake = Latents(np.array(["x", "y"]), np.array([[1.0], [10.0]], np.float32), np.ones((2, 1), np.float32))
    # Nearest distances are 2, 2 and 4, their median 2.
    assert gate.score(fake) == pytest.approx([0.5, 2.0])
    assert gate.threshold_ == pytest.approx([0.1])


@pytest.mark.parametrize("counts", [(20, 20), (5, 5), (2, 2), (1, 1), (1,)])
def test_copies_are_rejected_and_mild_noise_passes(counts: tuple[int, ...]) -> None:
    real = example_latents(counts, (64,))
    gate = Novelty().fit(real)
    assert not gate.keep(real).any()
    near = dataclasses.replace(real, z=real.z * np.float32(1.0001))
    assert not gate.keep(near).any()
    mild = Noise(strength=0.25).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(1)).z
    assert gate.keep(dataclasses.replace(real, z=mild)).all()


def test_duplicates_among_the_real_rows_do_not_open_the_gate() -> None:
    real = example_latents((10,))
    twice = real.take(np.concatenate([np.arange(10), np.arange(10)]))
    gate = Novelty().fit(twice)
    assert gate.threshold_ == pytest.approx([0.02])
    assert not gate.keep(twice).any()


def test_a_copy_of_another_class_is_a_copy() -> None:
    real = example_latents((10, 10))
    fake = dataclasses.replace(real, y=real.y[:, ::-1].copy())
    assert not Novelty().fit(real).keep(fake).any()


def test_scale_and_shift_of_the_space_do_not_matter() -> None:
    real, fake = example_latents((9, 9)), example_latents((9, 9), seed=2)
    moved = [dataclasses.replace(x, z=x.z * np.float32(3.0) + np.float32(5.0)) for x in (real, fake)]
    np.testing.assert_allclose(Novelty().fit(real).score(fake), Novelty().fit(moved[0]).score(moved[1]), rtol=1e-4)
