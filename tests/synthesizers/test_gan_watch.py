from __future__ import annotations

import numpy as np
import pytest
import torch
from made import rows_of

from augmint.checks import example_latents
from augmint.core.types import F32
from augmint.numerics.fidelity import kernel_distance
from augmint.synthesizers.gan import Gan
from augmint.synthesizers.gan_watch import Crowd, Watch, hold_out

SMALL = {"width": 16, "batch": 8}


def test_a_share_of_each_class_is_kept_aside() -> None:
    labels = np.repeat([0, 1, 2], [100, 37, 3])
    held = hold_out(labels, 0.2, np.random.default_rng(0))
    assert np.bincount(labels[held], minlength=3).tolist() == [20, 7, 0]
    assert not np.array_equal(held, hold_out(labels, 0.2, np.random.default_rng(1)))


def test_where_that_is_too_few_nothing_is() -> None:
    assert not hold_out(np.repeat([0, 1], 45), 0.2, np.random.default_rng(0)).any()  # 18 rows
    assert hold_out(np.repeat([0, 1], 50), 0.2, np.random.default_rng(0)).sum() == 20
    assert not hold_out(np.zeros(10**4, np.int64), 0.0, np.random.default_rng(0)).any()


def test_the_best_is_kept_and_patience_runs_out() -> None:
    rng = np.random.default_rng(0)
    real, other = rng.standard_normal((2, 60, 2)).astype(np.float32)
    shift = [5.0, 0.1, 3.0, 4.0, 2.0]  # how far off the network is at each look
    looks = iter(shift)
    watch = Watch(Crowd(real, np.zeros((60, 0), np.float32), lambda: other + np.float32(next(looks))), 100, 2)
    weights, gone = torch.zeros(1), []
    for step in range(1, 101):
        weights[0] = step
        gone.append(watch.go_on(step, weights))
        if not gone[-1]:
            break
    assert len(gone) == 20 and gone[:-1] == [True] * 19  # looks at 5, 10 (best), 15 and 20
    watch.restore(weights)
    assert weights.item() == 10.0


def test_a_generator_that_ignores_labels_does_not_look_good() -> None:
    rng = np.random.default_rng(0)
    y = np.eye(2, dtype=np.float32)[np.arange(200) % 2]
    real, other = (3.0 * y[:, :1] + rng.standard_normal((200, 1)).astype(np.float32) for _ in range(2))
    swapped: F32 = other.reshape(-1, 2)[:, ::-1].reshape(-1, 1)
    right, wrong = (Watch(Crowd(real, y, lambda z=z: z), 20, 1).distance() for z in (other, swapped))
    blind = Watch(Crowd(real, y[:, :0], lambda: swapped), 20, 1)
    assert wrong > 0.05 and abs(right) < wrong / 5
    assert blind.distance() == pytest.approx(kernel_distance(real, other), abs=1e-6)


def test_training_stops_early_and_the_fit_is_measured_on_rows_it_did_not_see() -> None:
    rng = np.random.default_rng(0)
    real = rows_of(rng.standard_normal((120, 3)), np.arange(120) % 2)
    told: list[float] = []
    gan = Gan(steps=2000, rate=0.2, hold_out=0.25, patience=1, **SMALL)  # a rate that cannot go on improving
    gan.fit(real, np.random.default_rng(0), progress=told.append)
    assert told[-1] < 1.0
    assert np.isfinite(gan.distance_) and 0.0 <= gan.coverage_ <= 1.0


def test_rows_kept_aside_do_not_train() -> None:
    rng = np.random.default_rng(0)
    real = rows_of(rng.standard_normal((100, 3)), np.arange(100) % 2)
    gan = Gan(steps=5, hold_out=0.2, patience=5, **SMALL).fit(real, np.random.default_rng(3))
    draws = np.random.default_rng(3)
    draws.integers(0, 2**63 - 1)
    held = hold_out(real.labels, 0.2, draws)
    assert held.sum() == 20
    assert gan.space_.mean == pytest.approx(real.z[~held].mean(axis=0), abs=1e-5)


def test_what_was_measured_is_part_of_the_state() -> None:
    real = example_latents((30, 20))
    gan = Gan(steps=10, **SMALL).fit(real, np.random.default_rng(0))
    again = Gan(**SMALL).load(gan.state())
    assert (again.distance_, again.coverage_) == (gan.distance_, gan.coverage_)
    assert 0.0 <= gan.coverage_ <= 1.0 and np.isfinite(gan.distance_)
    alone = Gan(steps=2, **SMALL).fit(example_latents((1,)), np.random.default_rng(0))
    assert np.isnan(alone.distance_) and np.isnan(alone.coverage_)


def test_looking_does_not_change_the_training() -> None:
    real = example_latents((30, 20))
    a = Gan(steps=10, hold_out=0.0, **SMALL).fit(real, np.random.default_rng(0))
    b = Gan(steps=10, hold_out=0.3, **SMALL).fit(real, np.random.default_rng(0))  # 15 rows: too few to keep aside
    assert np.array_equal(a.state()["generator.layers.0.weight"], b.state()["generator.layers.0.weight"])
