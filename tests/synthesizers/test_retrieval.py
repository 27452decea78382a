from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import rows_of

from augmint.checks import check_synthesizer, example_latents
from augmint.core.errors import DataError, UsageError
from augmint.core.types import NO_PICK, Latents
from augmint.numerics.probe import Probe
from augmint.synthesizers.retrieval import EXHAUSTED, Retrieval, even

RNG = np.random.default_rng(0)


def pool_of(z: object) -> Latents:
    """Unlabelled rows with ids u0, u1, ..."""
    rows = np.asarray(z, np.float32)
    return Latents(np.array([f"u{i}" for i in range(len(rows))]), rows, np.zeros((len(rows), 2), np.float32))


def line() -> Latents:
    """Two classes around -10 and 10."""
    return rows_of([[-10.0], [-11.0], [10.0], [11.0]], [0, 0, 1, 1])


def picks(method: Retrieval, real: Latents, order: list[int], pool: Latents) -> list[int]:
    draw = method.fit(real, RNG, pool=pool).sample(real.take(np.array(order)), RNG)
    assert draw.pick is not None
    return list(draw.pick.tolist())


def test_hand_computed_k_center() -> None:
    # From 10 and 11: 20 is farthest (9), then 15.4 (4.6 from 20, 4.4 from 11), then 13 (2), then 9.5 (0.5).
    pool = pool_of([[9.5], [13.0], [20.0], [15.4], [-12.0]])
    assert picks(Retrieval(), line(), [2, 3, 2, 3, 2, 0], pool) == [2, 3, 1, 0, NO_PICK, 4]


def test_hand_computed_nearest_rows_of_the_anchor() -> None:
    # With one neighbour, each anchor takes the nearest row that is still free.
    pool = pool_of([[9.9], [13.0], [20.0], [11.2], [-12.0]])
    assert picks(Retrieval(neighbors=1), line(), [2, 3, 2, 3], pool) == [0, 3, 1, 2]
    assert picks(Retrieval(neighbors=2), line(), [2, 3, 2, 3], pool) == [3, 1, 2, 0]


def test_margin_takes_the_surest_first() -> None:
    pool = pool_of([[9.5], [13.0], [20.0], [15.4], [-12.0]])
    assert picks(Retrieval(pick="margin"), line(), [2, 3, 2, 3], pool) == [2, 3, 1, 0]


def test_provenance_and_content() -> None:
    real, pool = line(), pool_of([[12.0], [-12.0]])
    draw = Retrieval().fit(real, RNG, pool=pool).sample(real, RNG)
    assert draw.refs.tolist() == [
        ["pool:u1", "data:r0"],
        ["", "data:r1"],
        ["pool:u0", "data:r2"],
        ["", "data:r3"],
    ]
    assert (draw.label_weights == [[0, 1]] * 4).all()
    np.testing.assert_array_equal(draw.z, [[-12.0], [-11.0], [12.0], [11.0]])
    assert draw.note is not None and draw.note.tolist() == ["", EXHAUSTED, "", EXHAUSTED]


def test_unsure_rows_are_left_alone_and_a_higher_bar_leaves_more() -> None:
    real = example_latents((12, 12, 12), seed=4)
    pool = dataclasses.replace(example_latents((40, 40, 40), seed=4), ids=np.array([f"u{i}" for i in range(120)]))
    pool = dataclasses.replace(pool, z=pool.z + 4.0 * RNG.standard_normal(pool.z.shape).astype(np.float32))
    probability = Probe().fit(real.flat, real.y).predict_proba(pool.flat)
    counts = []
    for bar in (0.0, 0.6, 0.9):
        method = Retrieval(confidence=bar).fit(real, RNG, pool=pool)
        np.testing.assert_array_equal(method.place_, np.flatnonzero(probability.max(axis=1) >= bar))
        np.testing.assert_array_equal(method.label_, probability.argmax(axis=1)[method.place_])
        counts.append(len(method.place_))
    assert counts[0] == 120 and counts == sorted(counts, reverse=True) and counts[2] < counts[1] < counts[0]


def test_k_center_covers_more_than_margin() -> None:
    """Largest distance from a candidate to the nearest real row or pick: what greedy k-center makes small."""
    real = example_latents((10, 10), (5,), seed=1)
    pool = example_latents((150, 150), (5,), seed=1)
    noise = np.random.default_rng(7).standard_normal(pool.z.shape, dtype=np.float32)
    pool = dataclasses.replace(pool, z=pool.z + 0.5 * noise)
    radius = {}
    for rule in ("k-center", "margin"):
        method = Retrieval(pick=rule, confidence=0.0, neighbors=300).fit(real, RNG, pool=pool)
        draw = method.sample(real.take(np.tile(np.arange(10), 3)), RNG)
        around = np.concatenate([real.z[:10], draw.z])
        candidates = method.rows_[method.label_ == 0]
        radius[rule] = np.linalg.norm(candidates[:, None] - around[None], axis=2).min(axis=1).max()
    assert radius["k-center"] < 0.9 * radius["margin"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.integers(1, 40), st.integers(1, 12), st.integers(0, 99))
def test_no_row_twice_and_earlier_anchors_decide(counts: list[int], size: int, neighbors: int, seed: int) -> None:
    real, rng = example_latents(counts), np.random.default_rng(seed)
    z = rng.standard_normal((size, 7)) * 3
    pool = Latents(np.array([f"u{i}" for i in range(size)]), z.astype(np.float32), np.zeros((size, 1), np.float32))
    pool = dataclasses.replace(pool, space=real.space)
    method = Retrieval(neighbors=neighbors, confidence=0.3).fit(real, rng, pool=pool)
    anchors = real.take(rng.integers(0, len(real), 30))
    draw = method.sample(anchors, rng)
    assert draw.pick is not None
    taken = draw.pick[draw.pick >= 0]
    assert len(set(taken.tolist())) == len(taken)
    candidates = dict(zip(method.place_.tolist(), method.label_.tolist(), strict=True))
    assert [candidates[row] for row in taken] == anchors.labels[draw.pick >= 0].tolist()
    for c in range(len(counts)):  # as many as were asked, or all there are
        asked = int((anchors.labels == c).sum())
        assert int((anchors.labels[draw.pick >= 0] == c).sum()) == min(asked, list(candidates.values()).count(c))
    part = method.sample(anchors.take(np.arange(11)), rng)
    assert part.pick is not None and (part.pick == draw.pick[:11]).all()


def test_rows_of_the_data_set_are_never_picked() -> None:
    real = line()
    pool = pool_of([[10.0], [11.0], [12.0], [-10.0]])
    assert picks(Retrieval(), real, [2, 3, 0], pool) == [2, NO_PICK, NO_PICK]


def test_a_pool_in_which_nothing_is_sure_gives_nothing_and_survives_saving() -> None:
    real = rows_of(np.random.default_rng(0).standard_normal((20, 3)), [0, 1] * 10)
    pool = pool_of(np.random.default_rng(1).standard_normal((9, 3)))
    method = Retrieval(confidence=0.999).fit(real, RNG, pool=pool)
    assert len(method.place_) == 0
    again = Retrieval(confidence=0.999).load(method.state())
    draw = again.sample(real, RNG)
    assert draw.pick is not None and (draw.pick == NO_PICK).all()
    np.testing.assert_array_equal(draw.z, real.z)


def test_ragged_picks_keep_their_own_length() -> None:
    real = example_latents((6, 6), (5, 3), ragged=True)
    pool = example_latents((20, 20), (5, 3), ragged=True, seed=0)
    draw = Retrieval(confidence=0.0).fit(real, RNG, pool=pool).sample(real, RNG)
    assert draw.pick is not None and draw.length is not None and pool.length is not None
    there = draw.pick >= 0
    assert there.any()
    np.testing.assert_array_equal(draw.length[there], pool.length[draw.pick[there]])
    np.testing.assert_array_equal(draw.z[there], pool.z[draw.pick[there]])


def test_no_pool_another_space_and_damage_are_refused() -> None:
    real = example_latents()
    with pytest.raises(UsageError, match="no pool") as caught:
        Retrieval().fit(real, RNG)
    assert caught.value.code == "no-pool"
    with pytest.raises(UsageError, match="without rows"):
        Retrieval().fit(real, RNG, pool=real.take(np.arange(0)))
    with pytest.raises(UsageError) as caught:
        Retrieval().fit(real, RNG, pool=dataclasses.replace(real, space="elsewhere"))
    assert caught.value.code == "space-mismatch"
    with pytest.raises(DataError, match="retrieval: pool"):
        Retrieval().fit(real, RNG, pool=dataclasses.replace(real, z=real.z * np.float32("nan")))


def test_a_method_that_picks_twice_breaks_the_law() -> None:
    class Twice(Retrieval):
        def sample(self, anchors: Latents, rng: np.random.Generator):  # type: ignore[no-untyped-def]
            draw = super().sample(anchors, rng)
            assert draw.pick is not None
            first = np.flatnonzero(draw.pick >= 0)[:1]
            return dataclasses.replace(draw, pick=np.where(draw.pick >= 0, draw.pick[first], draw.pick))

    pool = example_latents((30, 20, 10), seed=0)
    with pytest.raises(AssertionError, match="twice"):
        check_synthesizer(Twice, pool=dataclasses.replace(pool, z=pool.z + np.float32(0.1)))


def test_soft_labels_are_even_and_add_up() -> None:
    # Nearly all of the pool is on the right; half of the weight goes to each class all the same.
    real, pool = line(), pool_of(np.linspace(2.0, 30.0, 40)[:, None])
    method = Retrieval(labels="soft", confidence=0.0).fit(real, RNG, pool=pool)
    left = np.where(method.label_ == 0, method.share_[:, 0], method.share_[:, 1])
    assert np.allclose(method.share_.sum(axis=1), 1.0)
    assert left.mean() == pytest.approx(0.5, abs=1e-3)
    assert np.all(np.diff(left) < 0), "the farther to the right, the less of the left class"
    hard = Retrieval(confidence=0.0).fit(real, RNG, pool=pool)
    assert (hard.label_ == 1).all()


def test_soft_labels_have_parents_of_the_other_classes() -> None:
    real, pool = line(), pool_of([[-9.0], [12.0]])
    draw = Retrieval(labels="soft", confidence=0.0).fit(real, RNG, pool=pool).sample(real.take(np.array([0, 2])), RNG)
    assert draw.refs.tolist() == [["pool:u0", "data:r0", "data:r2"], ["pool:u1", "data:r2", "data:r0"]] or (
        draw.refs.tolist() == [["pool:u0", "data:r0", "data:r2"], ["pool:u1", "data:r2", "data:r1"]]
    )
    assert np.allclose(draw.label_weights.sum(axis=1), 1.0)
    assert (draw.label_weights[:, 0] == 0).all()
    assert (draw.label_weights[:, 1] > draw.label_weights[:, 2]).all()


def test_even_shares_by_hand() -> None:
    # log-odds 1 and 3, centred -1 and 1, with deviation 1/2 in each column: scores -2 and 2, a share of 1 / (1 + e^4).
    p = np.array([1.0, 3.0])
    rows = np.stack([1 / (1 + np.exp(p)), 0 * p, 1 / (1 + np.exp(-p))], axis=1).astype(np.float32)
    own = 1 / (1 + np.exp(-4.0))
    assert np.allclose(even(rows), [[own, 0.0, 1 - own], [1 - own, 0.0, own]], atol=1e-5)


def test_soft_labels_keep_the_laws() -> None:
    pool = example_latents((30, 20, 10), seed=0)
    pool = dataclasses.replace(pool, z=pool.z + np.float32(0.1))
    check_synthesizer(lambda: Retrieval(labels="soft", confidence=0.0), pool=pool)


def test_refuses_other_labels() -> None:
    with pytest.raises(ValueError, match="labels"):
        Retrieval(labels="hard")
