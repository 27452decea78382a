from __future__ import annotations

import dataclasses
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import rows_of
from sklearn.neighbors import NearestNeighbors

from augmint.checks import check_synthesizer, example_latents
from augmint.core.types import Latents
from augmint.synthesizers import neighborhood
from augmint.synthesizers.interpolation import ALONE, Interpolation
from augmint.synthesizers.paths import line, sphere


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


@pytest.mark.parametrize("asked", [1.0, 0.1])
def test_neighbours_are_those_of_imbalanced_learn(asked: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighborhood, "SMALL_CLASS", 0)
    smote = pytest.importorskip("imblearn.over_sampling")
    rng = np.random.default_rng(0)
    z = (rng.standard_normal((500, 40)) @ rng.standard_normal((40, 64)) + 5.0).astype(np.float32)
    z[100:110] = z[90:100]
    real = rows_of(z, np.repeat([0, 1, 2], [250, 170, 80]))
    method = Interpolation(neighbors=5).fit(real, rng)
    for c in (1, 2):
        theirs = smote.SMOTE(k_neighbors=5, sampling_strategy={c: 251}, random_state=0)
        theirs.fit_resample(real.z, real.labels)
        members = np.flatnonzero(real.labels == c)
        own = np.arange(max(1, int(asked * len(members))))
        expected = theirs.nn_k_.kneighbors(real.z[members], return_distance=False)[own, 1:]
        found = method.real_.nearest_members(c, members, own, 5)
        assert (c in {key for key, _ in method.real_.near}) == (asked == 1.0)
        apart = [
            np.linalg.norm(real.z[members][at] - real.z[members][own][:, None], axis=2) for at in (found, expected)
        ]
        np.testing.assert_allclose(apart[0], apart[1], rtol=1e-5)
        gap = np.diff(np.sort(apart[1], axis=1), axis=1).min(axis=1) > 1e-5 * apart[1][:, -1]
        # The 6th may tie with the 5th; rows without ties among the first five and equal last distance agree in order.
        assert gap.mean() > 0.9
        assert (found == expected)[gap].all()


def test_few_anchors_and_many_have_the_same_partners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighborhood, "SMALL_CLASS", 0)
    real = example_latents((90, 70, 3), (5,))
    copies = dataclasses.replace(real, z=np.concatenate([real.z[:10], real.z[:80], real.z[90:]]))
    for rows in (real, copies):
        whole = Interpolation().fit(rows, np.random.default_rng(0)).sample(rows, np.random.default_rng(1))
        one = Interpolation().fit(rows, np.random.default_rng(0))
        dice = np.random.default_rng(1).random((len(rows), 3))
        for i in range(12):
            anchor = rows.take(np.array([i]))
            partner = one.real_.partners(one.real_.anchors(anchor), 5, dice[i : i + 1, 1])
            assert f"data:{rows.ids[partner[0]]}" == whole.refs[i, 1]


def test_random_partners_are_any_other_row_of_the_class() -> None:
    real = example_latents((4, 6, 1), (3,))
    anchors = real.take(np.repeat(np.arange(11), 200))
    draw = Interpolation(partner="random", neighbors=1).fit(real, np.random.default_rng(0))
    at, refs = names(real), draw.sample(anchors, np.random.default_rng(0)).refs
    for i in range(10):
        seen = Counter(at[str(ref)] for ref in refs[200 * i : 200 * (i + 1), 1])
        assert set(seen) == set(np.flatnonzero(real.labels == real.labels[i])) - {i}
        assert min(seen.values()) > 0.5 * 200 / len(seen)
    assert set(refs[2000:, 1]) == {""}
    new = dataclasses.replace(anchors, ids=np.array([f"new {i}" for i in range(len(anchors))]))
    other = draw.sample(new, np.random.default_rng(0)).refs
    assert {at[str(ref)] for ref in other[:200, 1]} == {0, 1, 2, 3}
    assert set(other[2000:, 1]) == {"data:row 010.png"}


def test_a_quarter_turn_on_the_sphere() -> None:
    real = rows_of([[2.0, 0.0, 0.0], [0.0, 4.0, 0.0]], [0, 0])
    half = Interpolation(path="sphere", low=0.5, high=0.5).fit(real, np.random.default_rng(0))
    draw = half.sample(real, np.random.default_rng(0))
    np.testing.assert_allclose(draw.z, [[3 / np.sqrt(2)] * 2 + [0.0]] * 2, rtol=1e-6)
    third = Interpolation(path="sphere", low=1 / 3, high=1 / 3).fit(real, np.random.default_rng(0))
    expected = (2 * 2 / 3 + 4 / 3) * np.array([np.cos(np.pi / 6), np.sin(np.pi / 6), 0.0])
    np.testing.assert_allclose(third.sample(real, np.random.default_rng(0)).z[0], expected, rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.0, 1.0), st.floats(0.1, 10.0))
def test_the_sphere_turns_evenly_and_keeps_length(seed: int, u: float, size: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, 1, 6)).astype(np.float32)
    b *= np.float32(size)
    z = sphere(a, b.copy(), np.array([u], np.float32)).astype(np.float64)[0]
    assert np.linalg.norm(z) == pytest.approx((1 - u) * np.linalg.norm(a) + u * np.linalg.norm(b), rel=1e-4)

    def angle(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.arccos(np.clip(x @ y / np.linalg.norm(x) / np.linalg.norm(y), -1, 1)))

    assert angle(a[0].astype(np.float64), z) == pytest.approx(u * angle(a[0], b[0]), abs=2e-3)


def test_the_sphere_is_the_line_where_there_is_no_arc() -> None:
    a = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 2.0], [0.0, 0.0]], np.float32)
    b = np.array([[3.0, 0.0], [-2.0, 0.0], [2.0, 4.0], [0.0, 0.0], [0.0, 0.0]], np.float32)
    u = np.array([0.25, 0.5, 0.5, 0.25, 0.5], np.float32)
    np.testing.assert_allclose(sphere(a, b.copy(), u), line(a, b.copy(), u), atol=1e-6)
    near = np.array([[1.0, 5e-4]], np.float32)
    np.testing.assert_allclose(sphere(a[:1], near.copy(), u[:1]), line(a[:1], near.copy(), u[:1]), atol=1e-6)


def test_the_sphere_leaves_a_ragged_anchor_where_its_partner_has_ended() -> None:
    z = np.array([[[2.0], [0.0], [7.0]], [[0.0], [4.0], [0.0]]])
    real = dataclasses.replace(rows_of(z, [0, 0]), length=np.array([3, 2]))
    draw = (
        Interpolation(path="sphere", low=0.5, high=0.5)
        .fit(real, np.random.default_rng(0))
        .sample(real, np.random.default_rng(0))
    )
    half = 3 / np.sqrt(2)
    assert draw.z[0, :, 0] == pytest.approx([half, half, 7.0])
    assert draw.z[1, :2, 0] != pytest.approx([half, half]) and draw.z[1, 2, 0] == 0.0


@pytest.mark.parametrize(
    "options", [{"path": "sphere"}, {"partner": "random"}, {"path": "sphere", "partner": "random"}]
)
def test_the_laws_hold_with_other_partners_and_paths(options: dict[str, str]) -> None:
    check_synthesizer(lambda: Interpolation(**options))  # type: ignore[arg-type]


def test_sixty_thousand_rows_are_named_in_no_time() -> None:
    real = rows_of(np.random.default_rng(0).standard_normal((1000, 2)), np.arange(1000) % 3)
    anchors = real.take(np.resize(np.arange(1000), 60_000))
    method = Interpolation().fit(real, np.random.default_rng(0))
    begin = time.perf_counter()
    draw = method.sample(anchors, np.random.default_rng(0))
    assert time.perf_counter() - begin < 1.0
    assert draw.refs.shape == (60_000, 2)


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
