from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.neighbors import NearestNeighbors

from augmint.numerics import neighbors
from augmint.numerics.neighbors import class_spacing, distances, nearest

# Few values and few columns: ties and duplicates in nearly every example.
GRID = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 3)).flatmap(
    lambda s: st.tuples(
        arrays(np.float32, (s[0], s[2]), elements=st.integers(-2, 2).map(float)),
        arrays(np.float32, (s[1], s[2]), elements=st.integers(-2, 2).map(float)),
    )
)


def brute(query: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    apart = np.sqrt(np.square(query[:, None].astype(np.float64) - rows[None]).sum(axis=-1))
    order = np.argsort(apart, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(apart, order, axis=1), order


@settings(max_examples=150, deadline=None)
@given(GRID, st.integers(1, 14))
def test_equals_brute_force_with_ties_by_index(pair: tuple[np.ndarray, np.ndarray], k: int) -> None:
    query, rows = pair
    found, expected = nearest(query, rows, k), brute(query, rows, min(k, len(rows)))
    assert np.array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)


@settings(max_examples=100, deadline=None)
@given(GRID, st.integers(1, 14))
def test_same_leaves_out_the_row_itself_only(pair: tuple[np.ndarray, np.ndarray], k: int) -> None:
    rows = pair[1]
    _, index = nearest(rows, rows, k, same=True)
    assert index.shape == (len(rows), min(k, len(rows) - 1))
    for i, found in enumerate(index):
        rest = np.delete(np.arange(len(rows)), i)
        assert np.array_equal(found, rest[brute(rows[i : i + 1], rows[rest], k)[1][0]])


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_equals_sklearn_also_far_from_the_origin(offset: float) -> None:
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((300, 20)) + offset).astype(np.float32)
    query = (rng.standard_normal((50, 20)) + offset).astype(np.float32)
    apart, index = nearest(query, rows, 7)
    other = NearestNeighbors(n_neighbors=7, algorithm="kd_tree").fit(rows.astype(np.float64)).kneighbors(query)
    assert np.array_equal(index, other[1])
    np.testing.assert_allclose(apart, other[0], rtol=1e-5)


def test_blocks_and_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows, query = (rng.standard_normal((n, 33)).astype(np.float32) for n in (70, 41))
    whole = nearest(query, rows, 5)
    alone = [nearest(query[i : i + 1], rows, 5) for i in range(len(query))]
    monkeypatch.setattr(neighbors, "BLOCK_NUMBERS", 150)
    blocks = nearest(query, rows, 5)
    for part in (0, 1):
        assert np.array_equal(whole[part], blocks[part])
        assert np.array_equal(whole[part], np.concatenate([a[part] for a in alone]))


def test_nothing_to_find() -> None:
    none, some = np.zeros((0, 3), np.float32), np.zeros((2, 3), np.float32)
    assert nearest(none, some, 3)[0].shape == (0, 2)
    assert nearest(some, none, 3)[0].shape == (2, 0)
    assert nearest(some[:1], some[:1], 3, same=True)[0].shape == (1, 0)


def test_a_copy_is_at_distance_zero() -> None:
    rows = np.random.default_rng(0).standard_normal((20, 500)).astype(np.float32) + 100
    apart, index = nearest(rows, rows, 1)
    assert (apart == 0).all() and np.array_equal(index[:, 0], np.arange(20))


def test_all_distances() -> None:
    a, b = np.array([[0.0, 0.0]], np.float32), np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    np.testing.assert_allclose(distances(a, b), [[5.0, 0.0]], atol=1e-6)


def test_spacing_of_classes() -> None:
    rows = np.array([[0.0], [1.0], [10.0], [14.0], [100.0]], np.float32)
    labels = np.array([0, 0, 1, 1, 2])
    found = class_spacing(rows, labels, 4, within=True, min_rows=2)
    assert found == pytest.approx([1.0, 4.0, 2.5, 2.5])
    assert class_spacing(rows, labels, 3, within=False, min_rows=9) == pytest.approx([4.0] * 3)
    assert class_spacing(rows[[0, 2]], np.array([0, 1]), 2, within=True, min_rows=2) == pytest.approx([5.0, 5.0])
    assert (class_spacing(rows[:1], labels[:1], 2, within=True, min_rows=2) > 0).all()
