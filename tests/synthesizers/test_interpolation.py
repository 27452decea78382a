from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import rows_of
from sklearn.neighbors import NearestNeighbors

from augmint.checks import example_latents
from augmint.core.types import Latents
from augmint.synthesizers.interpolation import ALONE, Interpolation


def names(real: Latents) -> dict[str, int]:
    return {f"data:{name}": i for i, name in enumerate(real.ids)}


def test_hand_computed() -> None:
    real = rows_of([[0.0, 0.0], [4.0, 2.0], [9.0, 9.0]], [0, 0, 1])
    method = Interpolation(low=0.25, high=0.25).fit(real, np.random.default_rng(0))
    draw = method.sample(real.take(np.array([0, 1])), np.random.default_rng(0))
    np.testing.assert_allclose(draw.z, [[1.0, 0.5], [3.0, 1.5]])
    assert draw.refs.tolist() == [["data:r0", "data:r1"], ["data:r1", "data:r0"]]
    np.testing.assert_allclose(draw.label_weights, [[0.75, 0.25], [0.75, 0.25]])


def test_neighbours_are_those_of_sklearn() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    real = rows_of(rng.standard_normal((80, 6)), labels)
    at = names(real)
    draw = Interpolation(neighbors=4).fit(real, rng).sample(real.take(np.repeat(np.arange(80), 60)), rng)
    seen: dict[int, set[int]] = {}
    for anchor, partner in draw.refs:
        seen.setdefault(at[str(anchor)], set()).add(at[str(partner)])
    for c in (0, 1):
        own = np.flatnonzero(labels == c)
        found = NearestNeighbors(n_neighbors=5).fit(real.z[own]).kneighbors(real.z[own], return_distance=False)
        for row, near in zip(own, found, strict=True):
            assert seen[row] == set(own[near]) - {row}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=4), st.integers(1, 9), st.integers(0, 2**32))
def test_between_rows_of_one_class(counts: list[int], neighbors: int, seed: int) -> None:
    real = example_latents(counts)
    at = names(real)
    draw = (
        Interpolation(neighbors=neighbors).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(seed))
    )
    assert draw.note is not None
    for i in range(len(draw)):
        if counts[real.labels[i]] == 1:
            assert draw.note[i] == ALONE and draw.refs[i, 1] == "" and draw.label_weights[i, 0] == 1
            continue
        a, b = (at[str(ref)] for ref in draw.refs[i])
        assert a == i and b != i and real.labels[a] == real.labels[b] and draw.note[i] == ""
        expected = real.z[a] + draw.label_weights[i, 1] * (real.z[b] - real.z[a])
        np.testing.assert_allclose(draw.z[i], expected, rtol=1e-4, atol=1e-4)


def test_larger_u_is_farther_from_the_anchor() -> None:
    real = example_latents((9, 9))
    far = []
    for low, high in ((0.0, 0.3), (0.3, 0.6), (0.6, 1.0), (1.0, 1.5)):
        method = Interpolation(low=low, high=high).fit(real, np.random.default_rng(0))
        far.append(np.linalg.norm(method.sample(real, np.random.default_rng(1)).z - real.z))
    assert far == sorted(far)


def test_extrapolation_keeps_label_weights_in_range() -> None:
    real = example_latents((6, 6))
    draw = Interpolation(low=1.2, high=1.5).fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert (draw.label_weights == np.array([0.0, 1.0], np.float32)).all()


def test_duplicates_are_neighbours_but_never_the_row_itself() -> None:
    real = rows_of([[1.0, 1.0]] * 3, [0, 0, 0])
    draw = Interpolation().fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert (draw.refs[:, 0] != draw.refs[:, 1]).all()


def test_a_row_that_was_not_fitted_is_matched_with_its_class() -> None:
    real = example_latents((6, 6))
    other = example_latents((2, 2), seed=9)
    other = dataclasses.replace(other, ids=np.array([f"new {i}" for i in range(4)]))
    draw = Interpolation().fit(real, np.random.default_rng(0)).sample(other, np.random.default_rng(0))
    at = names(real)
    assert [real.labels[at[str(r)]] for r in draw.refs[:, 1]] == list(other.labels)


def test_ragged_rows_are_mixed_where_both_are_valid() -> None:
    z = np.array([[[1.0], [1.0], [1.0]], [[3.0], [0.0], [0.0]]])
    real = dataclasses.replace(rows_of(z, [0, 0]), length=np.array([3, 1]))
    method = Interpolation(low=0.5, high=0.5).fit(real, np.random.default_rng(0))
    draw = method.sample(real, np.random.default_rng(0))
    assert draw.z[0, :, 0] == pytest.approx([2.0, 1.0, 1.0])
    assert draw.z[1, :, 0] == pytest.approx([2.0, 0.0, 0.0])
    assert draw.length is not None and draw.length.tolist() == [3, 1]
