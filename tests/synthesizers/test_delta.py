from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import rows_of
from test_calibration import base_rows

from augmint.checks import check_synthesizer, example_latents
from augmint.core.errors import UsageError
from augmint.core.types import Latents
from augmint.synthesizers.delta import NOBODY, OTHERS, Delta


def names(rows: Latents, kind: str = "data") -> dict[str, int]:
    return {f"{kind}:{name}": i for i, name in enumerate(rows.ids)}


def test_hand_computed() -> None:
    real = rows_of([[0.0, 0.0], [10.0, 1.0], [12.0, 4.0]], [0, 1, 1])
    method = Delta(strength=0.5, neighbors=1).fit(real, np.random.default_rng(0))
    draw = method.sample(real.take(np.array([0])), np.random.default_rng(0))
    np.testing.assert_allclose(draw.z, [[1.0, 1.5]])
    assert draw.refs.tolist() == [["data:r0", "data:r1", "data:r2"]]
    assert draw.label_weights.tolist() == [[1.0, 0.0, 0.0]]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=4),
    st.sampled_from(["near", "random"]),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_the_step_is_between_two_rows_of_one_other_class(counts: list[int], pairs: str, based: bool, seed: int) -> None:
    real, base = example_latents(counts), base_rows() if based else None
    draw = (
        Delta(pairs=pairs, strength=0.8)
        .fit(real, np.random.default_rng(0), base=base)
        .sample(real, np.random.default_rng(seed))
    )
    source = real if base is None else base
    at = names(source, "base" if based else "data")
    assert draw.note is not None
    for i, refs in enumerate(draw.refs):
        others = [n for c, n in enumerate(counts) if c != real.labels[i]]
        if not based and max(others) < 2:
            assert draw.note[i] == NOBODY and refs[1] == refs[2] == ""
            continue
        b1, b2 = at[str(refs[1])], at[str(refs[2])]
        assert b1 != b2 and source.labels[b1] == source.labels[b2]
        assert based or source.labels[b1] != real.labels[i]
        assert draw.note[i] == ("" if based else OTHERS)
        np.testing.assert_allclose(draw.z[i], real.z[i] + 0.8 * (source.z[b2] - source.z[b1]), atol=1e-4)


def test_near_begins_at_the_rows_nearest_to_the_anchor() -> None:
    real, base = example_latents((4, 4)), base_rows((30, 30))
    at = names(base, "base")
    method = Delta(neighbors=3, most=30).fit(real, np.random.default_rng(0), base=base)
    draw = method.sample(real.take(np.zeros(200, np.int64)), np.random.default_rng(0))
    nearest = set(np.argsort(np.linalg.norm(base.z - real.z[0], axis=1))[:3])
    assert {at[str(ref)] for ref in draw.refs[:, 1]} == nearest


def test_random_draws_classes_and_rows_evenly() -> None:
    real, base = example_latents((1, 1)), base_rows((4, 20))
    at = names(base, "base")
    method = Delta(pairs="random").fit(real, np.random.default_rng(0), base=base)
    draw = method.sample(real.take(np.zeros(8000, np.int64)), np.random.default_rng(0))
    for column in (1, 2):
        rows = np.array([at[str(ref)] for ref in draw.refs[:, column]])
        share = np.bincount(rows, minlength=24) / len(rows)
        np.testing.assert_allclose(share, np.repeat([1 / 8, 1 / 40], [4, 20]), atol=0.02)


def test_of_a_base_at_most_so_many_rows_are_kept() -> None:
    method = Delta(most=5, pairs="random").fit(example_latents(), np.random.default_rng(0), base=base_rows((20, 3, 1)))
    assert np.bincount(method.label_).tolist() == [5, 3]


def test_of_a_base_only_classes_near_to_real_rows_are_kept() -> None:
    base = base_rows((9, 9, 9))
    real = example_latents((1,))
    real = dataclasses.replace(real, z=base.z[10:11] + np.float32(0.01))
    method = Delta(neighbors=2).fit(real, np.random.default_rng(0), base=base)
    assert set(method.label_) == {1} and len(method.rows_) == 9


def test_ragged_steps_end_where_a_row_ends() -> None:
    z = np.array([[[1.0], [1.0], [1.0]], [[5.0], [5.0], [5.0]], [[7.0], [0.0], [0.0]]])
    real = dataclasses.replace(rows_of(z, [0, 1, 1]), length=np.array([3, 3, 1]))
    draw = (
        Delta(strength=1.0, neighbors=1)
        .fit(real, np.random.default_rng(0))
        .sample(real.take(np.array([0])), np.random.default_rng(0))
    )
    assert abs(draw.z[0, 0, 0] - 1.0) == pytest.approx(2.0)
    assert draw.z[0, 1:, 0].tolist() == [1.0, 1.0]


def test_a_base_of_another_space_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        Delta().fit(example_latents(), np.random.default_rng(0), base=base_rows(width=3))
    assert caught.value.code == "space-mismatch"


@pytest.mark.parametrize("pairs", ["near", "random"])
def test_the_laws_with_a_base(pairs: str) -> None:
    check_synthesizer(lambda: Delta(pairs=pairs, most=4), base=base_rows())
