"""What both methods that train on the spot keep: a fit can be stopped, and forecast."""

from __future__ import annotations

import numpy as np
import pytest

from augmint.checks import example_latents
from augmint.synthesizers.diffusion import Diffusion
from augmint.synthesizers.gan import Gan


@pytest.mark.parametrize("kind", [Gan, Diffusion])
def test_progress_may_stop_the_fit(kind: type[Gan] | type[Diffusion]) -> None:
    told: list[float] = []

    def stop(share: float) -> None:
        told.append(share)
        if share >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kind(steps=200, width=8, batch=4).fit(example_latents(), np.random.default_rng(0), progress=stop)
    assert told == [0.25, 0.5]


@pytest.mark.parametrize(("kind", "learned"), [(Gan, "generator_"), (Diffusion, "network_")])
def test_the_forecast_is_of_the_right_size_and_learns_nothing(kind: type[Gan] | type[Diffusion], learned: str) -> None:
    method = kind(steps=100, width=32, batch=16)
    assert 0.0 < method.fit_seconds(example_latents()) < 60.0
    assert not hasattr(method, learned)
