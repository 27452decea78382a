from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.neighbors import NearestNeighbors

from augmint.numerics import candidates, neighbors
from augmint.numerics.neighbors import class_spacing, distances, nearest, nearest_rows

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


@settings(max_examples=100, deadline=None)
@given(GRID, st.integers(1, 14))
def test_rows_alone_are_those_found_with_distances(pair: tuple[np.ndarray, np.ndarray], k: int) -> None:
    query, rows = pair
    assert np.array_equal(nearest_rows(query, rows, k), nearest(query, rows, k)[1])
    assert np.array_equal(nearest_rows(rows, rows, k, same=True), nearest(rows, rows, k, same=True)[1])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32), st.integers(2, 400), st.sampled_from([1, 2, 30, 600]), st.integers(1, 9),
    st.sampled_from([1e-25, 1e-3, 1.0, 1e25]), st.sampled_from([0.0, 300.0]), st.sampled_from([1 << 22, 4000]),
)  # fmt: skip
def test_rows_alone_of_any_size(seed: int, m: int, d: int, k: int, size: float, offset: float, block: int) -> None:
    """Rows by the hundred in one column lie so near to each other that the product cannot tell them apart."""
    rng = np.random.default_rng(seed)
    rows, query = ((size * (rng.standard_normal((c, d)) + offset)).astype(np.float32) for c in (m, 7))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "BLOCK_NUMBERS", block)
        assert np.array_equal(nearest_rows(query, rows, k), nearest(query, rows, k)[1])
        assert np.array_equal(nearest_rows(rows, rows, k, same=True), nearest(rows, rows, k, same=True)[1])


def test_differences_are_taken_of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    exact = neighbors.pair_squares

    def counted(query: np.ndarray, rows: np.ndarray, pairs: candidates.Pairs) -> np.ndarray:
        taken.append(len(pairs.query))
        return exact(query, rows, pairs)

    monkeypatch.setattr(neighbors, "pair_squares", counted)
    rows = np.random.default_rng(0).standard_normal((600, 512), dtype=np.float32)
    nearest_rows(rows, rows, 5, same=True)
    few = sum(taken)
    nearest(rows, rows, 5, same=True)
    assert few < 0.3 * (sum(taken) - few)


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
    rows, query = (rng.standard_normal((n, 33)).astype(np.float32) for n in (270, 41))
    whole = nearest(query, rows, 5)
    alone = [nearest(query[i : i + 1], rows, 5) for i in range(len(query))]
    monkeypatch.setattr(candidates, "BLOCK_NUMBERS", 1500)
    blocks = nearest(query, rows, 5)
    for part in (0, 1):
        assert np.array_equal(whole[part], blocks[part])
        assert np.array_equal(whole[part], np.concatenate([a[part] for a in alone]))


@pytest.mark.parametrize("held", [1 << 20, 900, 10])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_half_the_matrix_gives_the_same(monkeypatch: pytest.MonkeyPatch, held: int, k: int) -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.standard_normal((250, 9)), np.ones((50, 9)), rng.integers(0, 2, (100, 9))])
    rows = rows[rng.permutation(400)].astype(np.float32)
    whole = nearest(rows, rows, k, same=True)
    found, expected = nearest(rows, rows, k + 1), brute(rows, rows, 400)
    for i in range(400):
        rest = expected[1][i][expected[1][i] != i][:k]
        assert np.array_equal(whole[1][i], rest)
        assert set(found[1][i]) - {i} <= set(expected[1][i][: k + 1])
    monkeypatch.setattr(candidates, "BLOCK_NUMBERS", 4000)
    monkeypatch.setattr(candidates, "HELD_PAIRS", held)
    blocks = nearest(rows, rows, k, same=True)
    assert np.array_equal(whole[0], blocks[0]) and np.array_equal(whole[1], blocks[1])


def test_nothing_but_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.full((300, 4), 7.0, np.float32)
    monkeypatch.setattr(candidates, "BLOCK_NUMBERS", 4000)
    monkeypatch.setattr(candidates, "HELD_PAIRS", 500)
    apart, index = nearest(rows, rows, 3, same=True)
    assert (apart == 0).all()
    assert index[0].tolist() == [1, 2, 3] and index[2].tolist() == [0, 1, 3] and index[299].tolist() == [0, 1, 2]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.integers(1, 9),
    st.sampled_from([1e-25, 1e-9, 1.0, 1e9, 1e25]), st.sampled_from([0.0, 1.0, 300.0]),
)  # fmt: skip
def test_equals_sklearn_up_to_ties(seed: int, n: int, m: int, d: int, k: int, size: float, offset: float) -> None:
    rng = np.random.default_rng(seed)
    rows, query = ((size * (rng.standard_normal((c, d)) + offset)).astype(np.float32) for c in (m, n))
    k = min(k, m)
    apart, index = nearest(query, rows, k)
    other, _ = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(rows.astype(np.float64)).kneighbors(query)
    own = np.sqrt(np.square(query[:, None].astype(np.float64) - rows[index]).sum(axis=-1))
    np.testing.assert_allclose(own, other, rtol=1e-5)
    np.testing.assert_allclose(apart, other, rtol=1e-5)


def test_rows_of_very_different_size() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((400, 30)) * 10.0 ** rng.integers(-4, 5, (400, 1))).astype(np.float32)
    query = (rng.standard_normal((40, 30)) * 10.0 ** rng.integers(-4, 8, (40, 1))).astype(np.float32)
    apart, expected = nearest(query, rows, 6)[0], brute(query, rows, 6)[0]
    np.testing.assert_allclose(apart, expected, rtol=1e-6)


@pytest.mark.parametrize("same", [True, False])
def test_memory_is_bounded(same: bool) -> None:
    rows = np.random.default_rng(0).standard_normal((12_000, 16)).astype(np.float32)
    query = rows if same else rows + np.float32(0.1)
    tracemalloc.start()
    nearest(query, rows, 5, same=same)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The matrix of distances alone would be 576 MB.
    assert peak < 4 * (4 * candidates.BLOCK_NUMBERS) + 40 * candidates.HELD_PAIRS + 4 * rows.nbytes


def test_rows_among_themselves_have_no_second_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "BLOCK_NUMBERS", 1 << 20)
    monkeypatch.setattr(candidates, "HELD_PAIRS", 1 << 17)
    rows = np.random.default_rng(0).standard_normal((12_000, 512)).astype(np.float32)
    peaks = []
    for some in (rows[:6000], rows):
        tracemalloc.start()
        nearest(some, some, 2, same=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 0.75 * (rows.nbytes / 2), peaks  # a copy would be 1.0 and some pairs for each row


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
