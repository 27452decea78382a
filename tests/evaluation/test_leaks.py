from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from augmint.core.types import Sample
from augmint.evaluation.leaks import CLOSEST, SAME, LeakFinder
from augmint.numerics.frames import small_maps
from near_copies import PLANTED, plant


def maps_of(pictures):
    return small_maps([Sample(str(i), picture) for i, picture in enumerate(pictures)])


@pytest.fixture(scope="module")
def digits():
    pixels = load_digits().images * (255 / 16)
    return [np.kron(image, np.ones((3, 3))).round().astype(np.uint8) for image in pixels]


@pytest.fixture(scope="module")
def finder(digits):
    return LeakFinder(maps_of(digits[:200]))


@pytest.mark.parametrize("kind", PLANTED)
def test_planted_copies_are_found_with_their_source(digits, finder, kind):
    at = np.arange(0, 200, 10)
    found = finder.find(maps_of([plant(kind, digits[i], np.random.default_rng(i)) for i in at]))
    hits = found.near & (found.source == at)
    assert hits.sum() >= 19


def test_real_pictures_are_rarely_taken_for_copies(digits, finder):
    found = finder.find(maps_of(digits[200:500]))
    assert found.near.mean() <= 0.01
    assert 0 < finder.bar <= CLOSEST
    assert (found.score[~found.near] >= found.threshold[~found.near]).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_noise_is_a_copy_of_nothing(finder, seed):
    rng = np.random.default_rng(seed)
    assert not finder.find(maps_of(list(rng.integers(0, 256, (4, 24, 24), np.uint8)))).near.any()


def test_order_and_repeats_of_held_out_pictures_change_nothing(digits, finder):
    order = np.random.default_rng(0).permutation(200)
    again = LeakFinder(maps_of([digits[i] for i in [*order, *order[:50]]]))
    assert again.bar == finder.bar
    copies = maps_of([plant("crop", digits[i], np.random.default_rng(i)) for i in range(8)])
    one, two = finder.find(copies), again.find(copies)
    np.testing.assert_array_equal(one.score, two.score)
    assert [order[i] for i in two.source] == one.source.tolist()


def test_copies_of_a_picture_that_is_there_many_times_are_found(digits):
    rng = np.random.default_rng(0)
    burst = [np.clip(digits[0] + rng.normal(0, 2, (24, 24)), 0, 255).astype(np.uint8) for _ in range(31)]
    # All of them are as near as the nearest, so that the ratio tells nothing.
    found = LeakFinder(maps_of(digits[:40] + burst[:30])).find(maps_of([burst[30][:, ::-1]]))
    assert found.near[0] and found.score[0] < SAME == pytest.approx(found.threshold[0])


def test_few_held_out_pictures_only_the_same_picture_is_a_copy(digits):
    few = LeakFinder(maps_of(digits[:6]))
    assert few.bar == 0
    same = few.find(maps_of([digits[3], digits[3][:, ::-1], digits[30]]))
    assert same.near.tolist() == [True, True, False] and same.source[:2].tolist() == [3, 3]
    assert same.score[0] == 0 and np.isfinite(same.score).all()


def test_equal_flat_pictures_are_the_same(digits):
    blank = np.full((24, 24), 80, np.uint8)
    found = LeakFinder(maps_of([*digits[:30], blank])).find(maps_of([blank, blank + 40]))
    assert found.near.tolist() == [True, False] and found.source[0] == 30
