"""A network to be trained further is the encoder's own."""

from __future__ import annotations

import numpy as np
import torch

from augmint.core.types import Sample
from augmint.models import load_encoder, load_network
from augmint.numerics.frames import to_frames
from support import pattern


def test_the_network_gives_the_encoders_rows() -> None:
    samples = [Sample(str(i), pattern((40, 30, 3), seed=i)) for i in range(3)]
    before = torch.random.get_rng_state()
    net, width = load_network("tiny-judge")
    assert torch.equal(torch.random.get_rng_state(), before)
    with torch.inference_mode():
        found = net(to_frames(samples, 64)).numpy()
    assert found.shape == (3, width)
    np.testing.assert_allclose(found, load_encoder("tiny-judge").encode(samples), atol=1e-4)


def test_each_call_gives_a_network_of_its_own() -> None:
    first, second = load_network("tiny-judge")[0], load_network("tiny-judge")[0]
    weight = next(first.parameters())
    with torch.no_grad():
        weight.zero_()
    assert next(second.parameters()).abs().sum() > 0
