from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augmint.checks import example_latents
from augmint.core.types import Latents
from augmint.gates.diversity import HIGHEST, Diversity


def rows(points: list[float], labels: list[int]) -> Latents:
    y = np.eye(2, dtype=np.float32)[np.array(labels, np.int64)]
    return Latents(np.array([f"p{i}" for i in range(len(points))], np.str_), np.array(points, np.float32)[:, None], y)


NONE = rows([], [])
REAL = rows([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1])


def test_greedy_in_order_by_hand() -> None:
    gate = Diversity(closest=0.5, min_rows=2).fit(REAL)
    keep, score = gate.select(rows([0.0, 0.4, 0.6, 0.7, 0.6], [0, 0, 0, 0, 1]), NONE)
    assert keep.tolist() == [True, False, True, False, True]
    assert score == pytest.approx([HIGHEST, 0.4, 0.6, 0.1, HIGHEST], abs=1e-6)


def test_rows_accepted_before_count() -> None:
    gate = Diversity(closest=0.5, min_rows=2).fit(REAL)
    keep, _ = gate.select(rows([0.1, 2.0], [0, 0]), rows([0.0, 2.0], [0, 1]))
    assert keep.tolist() == [False, True]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 30), st.floats(0.01, 3.0), st.integers(0, 1000))
def test_units_one_after_another_are_the_same_as_at_once(cut: int, closest: float, seed: int) -> None:
    real, fake = example_latents((6, 6)), example_latents((15, 15), (7,), seed=seed)
    fake = fake.take(np.random.default_rng(seed).permutation(30))
    gate = Diversity(closest=closest).fit(real)
    none = real.take(np.arange(0))
    whole, _ = gate.select(fake, none)
    first, _ = gate.select(fake.take(np.arange(cut)), none)
    accepted = fake.take(np.flatnonzero(first))
    second, _ = gate.select(fake.take(np.arange(cut, 30)), accepted)
    assert np.array_equal(whole, np.concatenate([first, second]))


def test_a_larger_distance_keeps_fewer() -> None:
    real, fake = example_latents((6, 6)), example_latents((40, 40), seed=1)
    none = real.take(np.arange(0))
    kept = [Diversity(closest=c).fit(real).select(fake, none)[0].sum() for c in (0.0, 0.5, 1.0, 2.0)]
    assert kept == sorted(kept, reverse=True) and kept[0] == 80 and kept[-1] < 40


def test_rows_that_are_not_finite_are_rejected() -> None:
    keep, score = Diversity().fit(REAL).select(rows([float("nan"), 1.0], [0, 0]), NONE)
    assert keep.tolist() == [False, True] and score[0] == 0
