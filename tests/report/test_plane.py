"""The map's plane: the directions of largest variance of the real rows, the others laid upon it."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from augmint.report.plane import lay_out


def test_it_is_the_plane_of_scikit_learn():
    rng = np.random.default_rng(0)
    scale = np.array([5.0, 3.0, 1.0, 0.5, 0.1])
    real, minted = (rng.normal(size=(n, 5)) * scale + 7 for n in (60, 20))
    found = lay_out("s", {"real": real.astype("f4"), "minted": minted.astype("f4")}, {"real": 60, "minted": 20})
    other = PCA(2).fit(real)
    np.testing.assert_allclose(found.share, other.explained_variance_ratio_, atol=1e-5)
    for cloud, rows in zip(found.clouds, (real, minted), strict=True):
        np.testing.assert_allclose(np.abs(cloud.at), np.abs(other.transform(rows)), atol=1e-3)


def test_minted_rows_do_not_move_it():
    rng = np.random.default_rng(1)
    real = rng.normal(size=(30, 4)).astype("f4")
    alone = lay_out("s", {"real": real}, {"real": 30})
    both = lay_out("s", {"real": real, "minted": 100 + real}, {"real": 30, "minted": 30})
    np.testing.assert_array_equal(alone.clouds[0].at, both.clouds[0].at)
    assert [cloud.kind for cloud in both.clouds] == ["real", "minted"]


def test_flat_and_narrow_rows():
    same = lay_out("s", {"real": np.ones((5, 3), "f4")}, {"real": 5})
    assert (same.clouds[0].at == 0).all() and same.share == (0.0, 0.0)
    narrow = lay_out("s", {"real": np.arange(5, dtype="f4")[:, None]}, {"real": 5})
    assert narrow.share == (1.0, 0.0) and (narrow.clouds[0].at[:, 1] == 0).all()
