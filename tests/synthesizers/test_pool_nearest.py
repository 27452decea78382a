from __future__ import annotations

import numpy as np
import pytest

from augmint.checks.laws import example_latents
from augmint.checks.synthesizers import check_synthesizer
from augmint.core.types import NO_PICK, Latents
from augmint.synthesizers.gan import Gan
from augmint.synthesizers.interpolation import Interpolation
from augmint.synthesizers.noise import Noise
from augmint.synthesizers.pool_nearest import PoolNearest


def unlabelled(z: np.ndarray, space: str = "") -> Latents:
    ids = np.array([f"u{i}" for i in range(len(z))])
    return Latents(ids, z.astype(np.float32), np.zeros((len(z), 2), np.float32), ("a", "b"), space=space)


@pytest.fixture
def real() -> Latents:
    """Two classes on a line: a around 0, b around 10."""
    z = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]], np.float32)
    y = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)
    return Latents(np.array([f"r{i}" for i in range(6)]), z, y, ("a", "b"))


def test_laws() -> None:
    pool = example_latents((30, 30, 30), shape=(7,))
    check_synthesizer(lambda: PoolNearest(Noise()), pool=pool)


def test_the_nearest_free_row_of_the_class_to_what_was_drawn(real: Latents) -> None:
    pool = unlabelled(np.array([[0.4], [1.6], [3.0], [10.5], [13.0]]))
    method = PoolNearest(Noise(strength=1e-6)).fit(real, np.random.default_rng(0), pool=pool)
    anchors = real.take(np.array([1, 0, 4, 2, 2]))
    draw = method.sample(anchors, np.random.default_rng(1))
    assert draw.pick is not None
    assert draw.pick.tolist() == [0, 1, 3, 2, NO_PICK], "0.4 is nearest to 1, then only 1.6 and 3 are left for a"
    assert draw.refs[:, 0].tolist() == ["pool:u0", "pool:u1", "pool:u3", "pool:u2", ""]
    assert draw.refs[:, 1].tolist() == [f"data:{name}" for name in ("r1", "r0", "r4", "r2", "r2")]
    np.testing.assert_array_equal(draw.label_weights[:, 0], 0)
    np.testing.assert_allclose(draw.label_weights.sum(1), 1)
    np.testing.assert_array_equal(draw.z[:4, 0], np.float32([0.4, 1.6, 10.5, 3.0]))


def test_parents_of_the_drawn_row_are_told(real: Latents) -> None:
    pool = unlabelled(np.linspace(0.1, 12.1, 40)[:, None])
    draw = (
        PoolNearest(Interpolation())
        .fit(real, np.random.default_rng(0), pool=pool)
        .sample(real, np.random.default_rng(1))
    )
    plain = Interpolation().fit(real, np.random.default_rng(0))
    for i, seed in enumerate(np.random.default_rng(1).integers(2**63, size=len(real))):
        drawn = plain.sample(real.take(np.array([i])), np.random.default_rng(seed))
        assert [ref for ref in draw.refs[i, 1:] if ref] == [ref for ref in drawn.refs[0] if ref]
        np.testing.assert_allclose(draw.label_weights[i, 1 : 1 + drawn.refs.shape[1]], drawn.label_weights[0])


def test_the_first_rows_are_the_same_however_many_are_asked_for(real: Latents) -> None:
    pool = unlabelled(np.linspace(-1, 13, 60)[:, None])
    method = PoolNearest(Noise(strength=2.0)).fit(real, np.random.default_rng(0), pool=pool)
    many = real.take(np.array([0, 1, 2, 0, 1, 2, 3, 4]))
    long, short = (method.sample(rows, np.random.default_rng(3)) for rows in (many, many.take(np.arange(3))))
    assert long.refs[:3].tolist() == short.refs.tolist()


def test_a_trained_method_is_saved_with_it(real: Latents) -> None:
    pool = unlabelled(np.linspace(-1, 13, 60)[:, None])
    make = lambda: PoolNearest(Gan(steps=20, components=1))  # noqa: E731
    fitted = make().fit(real, np.random.default_rng(0), pool=pool)
    again = make().load({name: array.copy() for name, array in fitted.state().items()})
    a, b = (method.sample(real, np.random.default_rng(5)) for method in (fitted, again))
    assert a.refs.tolist() == b.refs.tolist() and a.z.tobytes() == b.z.tobytes()
    assert all(name.split(".")[0] in ("method", "pool") for name in fitted.state())
