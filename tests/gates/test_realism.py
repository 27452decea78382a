from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from augmint.checks import example_latents
from augmint.core.types import Latents
from augmint.gates.realism import Realism


def line(*points: float) -> Latents:
    names = np.array([f"p{i}" for i in range(len(points))])
    return Latents(names, np.array(points, np.float32)[:, None], np.ones((len(points), 1), np.float32))


def test_hand_computed() -> None:
    gate = Realism(neighbors=1).fit(line(0.0, 1.0, 3.0))
    assert gate.radius_ == pytest.approx([1.0, 1.0, 2.0])
    # At 5: 1/5, 1/4, 2/2. At 0.5: 1/0.5. At 7: 1/7, 1/6, 2/4.
    assert gate.score(line(5.0, 0.5, 7.0)) == pytest.approx([1.0, 2.0, 0.5])


def test_leave_one_out_equals_fitting_without_the_row() -> None:
    real = example_latents((12,), (4,))
    own = []
    for i in range(12):
        rest = real.take(np.flatnonzero(np.arange(12) != i))
        own.append(Realism().fit(rest).score(real.take(np.array([i])))[0])
    assert Realism(quantile=0.3).fit(real).threshold_[0] == pytest.approx(np.quantile(own, 0.3), rel=1e-4)


def test_about_95_percent_of_unseen_rows_pass() -> None:
    everything = example_latents((600, 600), (5,), seed=3)
    odd = np.arange(1200) % 2 == 1
    gate = Realism().fit(everything.take(~odd))
    assert 0.92 <= gate.keep(everything.take(odd)).mean() <= 0.98


@pytest.mark.parametrize("counts", [(40, 40), (5, 5), (2, 2), (1, 1)])
def test_far_rows_and_rows_of_another_class_fail(counts: tuple[int, ...]) -> None:
    real = example_latents(counts, (16,))
    gate = Realism().fit(real)
    far = dataclasses.replace(real, z=real.z + np.float32(100.0))
    swapped = dataclasses.replace(real, y=np.roll(real.y, 1, axis=1))
    assert gate.keep(real).all()
    assert not gate.keep(far).any()
    assert gate.keep(swapped).mean() < 0.2


def test_duplicates_do_not_divide_by_zero() -> None:
    real = line(1.0, 1.0, 1.0, 4.0)
    gate = Realism(neighbors=1).fit(real)
    assert np.isfinite(gate.score(real)).all() and (gate.radius_ > 0).all()
