from __future__ import annotations

import numpy as np
import pytest
from made import rows_of
from test_calibration import base_rows

from augmint.checks import check_synthesizer, example_latents
from augmint.core.errors import UsageError
from augmint.synthesizers.tail import NOBODY, Tail


def cross() -> tuple[np.ndarray, np.ndarray]:
    """A head of 200 rows that is wide along x, one that is wide along y, and a tail of 3 rows beside the first."""
    rng = np.random.default_rng(0)
    heads = [rng.standard_normal((200, 2)) * scale + at for scale, at in (((3, 0.1), (0, 0)), ((0.1, 3), (50, 0)))]
    tail = rng.standard_normal((3, 2)) * 0.1 + (0, 5)
    return np.concatenate([*heads, tail]), np.repeat([0, 1, 2], [200, 200, 3])


def test_the_covariance_is_the_stated_mixture() -> None:
    x, y = cross()
    real = rows_of(x, y)
    method = Tail(strength=0.5, center=0.25, neighbors=1, worth=4.0, pull=0.0).fit(real, np.random.default_rng(0))
    anchor = real.take(np.full(50_000, 400))
    z = method.sample(anchor, np.random.default_rng(1)).z
    own, head = np.cov(x[y == 2].T), np.cov(x[y == 0].T)
    expected = 0.25 * (2 / 6 * own + 4 / 6 * head)
    np.testing.assert_allclose(np.cov(z.T), expected, atol=0.02 * np.trace(expected))
    middle = x[400] + 0.25 * (x[y == 2].mean(0) - x[400])
    np.testing.assert_allclose(z.mean(0), middle, atol=0.02)


def test_a_head_keeps_its_shape_and_a_tail_takes_the_nearest_heads() -> None:
    x, y = cross()
    method = Tail(neighbors=1).fit(rows_of(x, y), np.random.default_rng(0))
    assert method.lenders_[:, 0].tolist() == [1, 0, 0]
    assert method._shares()[0, 0] == pytest.approx(199 / 209)
    assert method._shares()[2].tolist() == pytest.approx([2 / 12, 10 / 12])


def test_the_mean_is_shrunk_by_the_count() -> None:
    x, y = cross()
    real = rows_of(x, y)
    method = Tail(strength=0.0, pull=2.0).fit(real, np.random.default_rng(0))
    z = method.sample(real, np.random.default_rng(0)).z
    tail = (3 * x[y == 2].mean(0) + 2 * x[y == 0].mean(0)) / 5
    head = (200 * x[y == 0].mean(0) + 2 * x[y == 1].mean(0)) / 202
    np.testing.assert_allclose(z[y == 2], np.tile(tail, (3, 1)), rtol=1e-4)
    np.testing.assert_allclose(z[y == 0], np.tile(head, (200, 1)), atol=1e-4)


def test_a_base_lends_and_is_named() -> None:
    real, base = example_latents((1, 4)), base_rows((20, 15))
    draw = Tail(neighbors=2).fit(real, np.random.default_rng(0), base=base).sample(real, np.random.default_rng(0))
    assert {str(ref) for ref in draw.refs[:, 1:].ravel()} & {"base:base 0", "base:base 1"}
    assert (draw.label_weights[:, 0] == 1).all()


def test_one_row_and_nobody_to_borrow_from() -> None:
    real = example_latents((1, 1))
    draw = Tail().fit(real, np.random.default_rng(0)).sample(real, np.random.default_rng(0))
    assert draw.note is not None and (draw.note == NOBODY).all() and (draw.z != real.z).all()


def test_one_class_keeps_its_own_covariance() -> None:
    real = example_latents((30,), (3,))
    method = Tail(strength=1.0, center=1.0).fit(real, np.random.default_rng(0))
    z = method.sample(real.take(np.zeros(40_000, np.int64)), np.random.default_rng(0)).z
    expected = np.cov(real.z.T)
    np.testing.assert_allclose(np.cov(z.T), expected, atol=0.03 * np.trace(expected))


def test_a_base_of_another_space_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        Tail().fit(example_latents(), np.random.default_rng(0), base=base_rows(width=3))
    assert caught.value.code == "space-mismatch"


def test_the_laws_with_a_base() -> None:
    check_synthesizer(Tail, base=base_rows())
