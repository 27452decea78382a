from __future__ import annotations

import numpy as np
import pytest

from augmint.numerics import weighted_sums
from augmint.numerics.weighted_sums import add_weighted


@pytest.mark.parametrize("own", [True, False], ids=["in place", "by the public product"])
def test_sums_are_added(monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    if not own:
        monkeypatch.setattr(weighted_sums, "csr_matvecs", None)
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 33), dtype=np.float32)
    at, weights = rng.integers(0, 40, (300, 3)), rng.standard_normal((300, 3)).astype(np.float32)
    out = np.ones((310, 33), np.float32)
    add_weighted(rows, at, weights, out[5:305])
    expected = 1 + (weights[:, :, None].astype(np.float64) * rows[at]).sum(axis=1)
    np.testing.assert_allclose(out[5:305], expected, atol=1e-5)
    assert (out[:5] == 1).all() and (out[305:] == 1).all()


def test_both_ways_give_the_same_bits_on_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((9, 20), dtype=np.float32)
    at, weights = rng.integers(0, 9, (50, 2)), rng.random((50, 2)).astype(np.float32)
    found = np.zeros((2, 50, 20), np.float32)
    add_weighted(rows, at, weights, found[0])
    monkeypatch.setattr(weighted_sums, "csr_matvecs", None)
    add_weighted(rows, at, weights, found[1])
    assert np.array_equal(found[0], found[1])


def test_no_row_at_all() -> None:
    out = np.zeros((0, 4), np.float32)
    add_weighted(np.ones((3, 4), np.float32), np.zeros((0, 2), np.int64), np.zeros((0, 2), np.float32), out)
    assert out.shape == (0, 4)
