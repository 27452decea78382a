from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from augmint.checks import example_latents
from augmint.core.types import Latents
from augmint.numerics.base_statistics import BaseStatistics, base_statistics


def base(width: int = 6, counts: tuple[int, ...] = (60, 40, 1)) -> Latents:
    rows = example_latents(counts, (width,), seed=1)
    shape = np.random.default_rng(0).standard_normal((width, width)).astype(np.float32)
    return dataclasses.replace(rows, z=rows.z @ shape)


def test_means_and_covariances_are_exact_where_all_directions_fit() -> None:
    rows = base()
    found = base_statistics(rows, shared=6, rank=6)
    for c in (0, 1):
        own = rows.z[rows.labels == c]
        np.testing.assert_allclose(found.mean[c], own.mean(0), rtol=1e-4, atol=1e-4)
        factor = found.factor[c] @ found.basis
        np.testing.assert_allclose(factor.T @ factor, np.cov(own.T), rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(found.mean[2], rows.z[rows.labels == 2][0], rtol=1e-5)
    assert found.along.max() < 1e-2 and found.beside.max() < 1e-2 and not found.factor[2].any()


def test_made_rows_have_the_mean_and_the_low_rank_covariance() -> None:
    found = base_statistics(base(), shared=6, rank=6)
    made = found.rows()
    assert made.space == "example" and made.classes == found.classes and len(made) == 3 * 12
    for c in (0, 1):
        own = made.z[made.labels == c]
        factor = found.factor[c] @ found.basis
        np.testing.assert_allclose(own.mean(0), found.mean[c], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(np.cov(own.T), factor.T @ factor, rtol=0.05, atol=0.05 * np.trace(factor.T @ factor))
    assert np.array_equal(found.rows().z, made.z)
    assert made.ids[:2].tolist() == ["class 0#0", "class 0#1"]


@pytest.mark.parametrize(("shared", "rank"), [(2, 1), (40, 4), (8, 8)])
def test_cut_statistics_keep_all_variance(shared: int, rank: int) -> None:
    rows = base(40, (50, 50))
    found = base_statistics(rows, shared=shared, rank=rank)
    made = found.rows(beside=True)
    for c in (0, 1):
        total = rows.z[rows.labels == c].var(axis=0, ddof=1).sum()
        caught = np.square(found.factor[c]).sum() + found.loud[c] * (found.along.sum() + found.beside.sum())
        assert caught == pytest.approx(total, rel=1e-3)
        drawn = made.z[made.labels == c].var(axis=0, ddof=1).sum()
        assert drawn == pytest.approx(total, rel=0.6 if rank == 1 else 0.35)


def test_the_file_holds_the_statistics_in_half_precision() -> None:
    found = base_statistics(base())
    back = BaseStatistics.load(found.arrays(), found.classes, found.space)
    assert back.shape == (6,) and back.classes == found.classes
    np.testing.assert_allclose(back.rows().z, found.rows().z, rtol=0.02, atol=0.05)


def test_without_the_rest_only_shared_directions_move() -> None:
    found = base_statistics(base(40, (50, 50)), shared=5, rank=2)
    steps = found.rows().z - found.mean.repeat(4, axis=0)
    np.testing.assert_allclose(steps @ found.basis.T @ found.basis, steps, atol=1e-3)
    assert np.abs(found.rows(beside=True).z - found.rows().z).max() > 0.1


def test_folded_maps_have_the_statistics_of_their_averaged_cells() -> None:
    rows = example_latents((30, 20), (3, 4, 4))
    small = dataclasses.replace(rows, z=rows.z.reshape(-1, 3, 2, 2, 2, 2).mean(axis=(3, 5)))
    folded, plain = base_statistics(rows, fold=2), base_statistics(small)
    np.testing.assert_allclose(folded.mean, plain.mean, atol=1e-5)
    made = folded.rows()
    assert made.shape == (3, 4, 4)
    np.testing.assert_allclose(made.z[:, :, ::2, ::2], plain.rows().z, atol=1e-3)
    assert np.array_equal(made.z[:, :, ::2, ::2], made.z[:, :, 1::2, 1::2])


def test_maps_keep_their_shape() -> None:
    rows = example_latents((5, 5), (3, 2, 2))
    assert base_statistics(rows).rows().shape == (3, 2, 2)
