"""Every method of the table keeps the laws; options out of range are refused."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from augmint.checks import check_synthesizer, example_latents
from augmint.core.errors import UsageError
from augmint.core.registry import build, lookup
from augmint.core.types import Draw, Latents
from augmint.numerics.rows import position_refs
from augmint.synthesizers import TABLE

SMALL: dict[str, dict[str, Any]] = {
    "diffusion": {"steps": 4, "width": 16, "batch": 8, "sampling_steps": 2},
    "gan": {"steps": 4, "width": 16, "batch": 8},
}
POOL = example_latents((30, 20, 10), seed=0)
SECOND: dict[str, dict[str, Any]] = {"retrieval": {"pool": dataclasses.replace(POOL, z=POOL.z + np.float32(0.1))}}


def maker(name: str) -> Callable[[], Any]:
    found = lookup("synthesizers", "method", TABLE, name)
    return lambda: found(**SMALL.get(name, {}))


@pytest.mark.parametrize("name", sorted(TABLE))
def test_the_laws(name: str) -> None:
    check_synthesizer(maker(name), **SECOND.get(name, {}))


def named(draw: Draw, real: Latents) -> Draw:
    """With the names of its parents."""
    if draw.parents is None:
        return draw
    assert draw.refs.shape == (len(draw), 0)
    return dataclasses.replace(draw, refs=position_refs(real.ids, draw.parents), parents=None)


@pytest.mark.parametrize("name", sorted(TABLE))
@pytest.mark.parametrize("ragged", [False, True])
def test_fitted_rows_made_in_place_are_the_same_rows(name: str, ragged: bool) -> None:
    real = POOL if not ragged else example_latents((9, 6, 1), (5, 3), ragged=True)
    second = {} if ragged else SECOND.get(name, {})
    if ragged and name in SECOND:
        pytest.skip("its pool is not ragged")
    method = maker(name)().fit(real, np.random.default_rng(1), **second)
    at, out = np.array([3, 0, 3, len(real) - 1]), np.zeros((4, *real.shape), np.float32)
    blocks = [(some, np.random.default_rng(2)) for some in (at[:1], at[1:])]
    drawn = list(method.sample_fitted(real, blocks, out))
    assert np.array_equal(np.concatenate([rows for rows, _ in drawn]), at)
    assert not out.any() or (len(drawn) == 1 and drawn[0][1].z is out)
    there = [named(draw, real) for _, draw in drawn]
    taken = [method.sample(real.take(some), np.random.default_rng(2)) for some in (at[:1], at[1:])]
    for field in dataclasses.fields(taken[0]):
        found, wanted = ([getattr(draw, field.name) for draw in draws] for draws in (there, taken))
        if wanted[0] is None:
            assert all(value is None for value in [*found, *wanted])
        else:
            np.testing.assert_array_equal(np.concatenate(found), np.concatenate(wanted))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("noise", {"strength": -0.1}),
        ("noise", {"strength": float("nan")}),
        ("interpolation", {"neighbors": 0}),
        ("interpolation", {"low": 0.9, "high": 0.1}),
        ("interpolation", {"fallback_strength": -1.0}),
        ("dropout", {"share": 1.0}),
        ("dropout", {"fill": "median"}),
        ("interpolation", {"partner": "far"}),
        ("interpolation", {"path": "curve"}),
        ("extrapolation", {"neighbors": 0}),
        ("extrapolation", {"strength": -0.5}),
        ("extrapolation", {"fallback_strength": float("nan")}),
        ("gan", {"steps": 0}),
        ("gan", {"rate": 0.0}),
        ("gan", {"vicinity": -1.0}),
        ("isda", {"strength": -0.1}),
        ("isda", {"prior": float("inf")}),
        ("isda", {"terms": 0}),
        ("mixup", {"alpha": 0.0}),
        ("moex", {"share": 0.5}),
        ("calibration", {"neighbors": 0}),
        ("calibration", {"dispersion": -0.1}),
        ("calibration", {"power": 0.0}),
        ("delta", {"pairs": "far"}),
        ("delta", {"strength": -1.0}),
        ("delta", {"most": 0}),
        ("tail", {"center": 1.5}),
        ("tail", {"worth": -1.0}),
        ("tail", {"rank": 0}),
        ("density", {"kind": "normal"}),
        ("density", {"bandwidth": "silver"}),
        ("density", {"components": 0}),
        ("retrieval", {"pick": "dpp"}),
        ("retrieval", {"confidence": 1.0}),
        ("retrieval", {"neighbors": 0}),
        ("gan", {"loss": "wasserstein"}),
        ("gan", {"condition": "film"}),
        ("gan", {"auxiliary": -0.1}),
        ("gan", {"hold_out": 0.7}),
        ("gan", {"patience": 0}),
        ("diffusion", {"steps": 0}),
        ("diffusion", {"guidance": -0.5}),
        ("diffusion", {"sampling_steps": 0}),
        ("diffusion", {"rate": float("nan")}),
    ],
)
def test_options_out_of_range_name_the_option(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        build("synthesizers", "method", TABLE, name, options)


def test_the_table_loads_no_torch() -> None:
    code = "import sys, augmint.synthesizers, augmint.gates; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
