from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from augmint.checks import example_latents
from augmint.numerics.networks import Perceptron, blend
from augmint.numerics.rows import mask_padding, pack_text, strata, strata_count, unpack_text


def test_weights_come_from_the_generator_alone() -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    a = Perceptron(5, 8, 2, 3, torch.Generator().manual_seed(1))
    torch.manual_seed(7)
    b = Perceptron(5, 8, 2, 3, torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert a(torch.zeros(4, 5)).shape == (4, 3)


def test_initial_weights_keep_the_variance() -> None:
    net = Perceptron(64, 256, 4, 256, torch.Generator().manual_seed(0))
    out = net(torch.randn(512, 64, generator=torch.Generator().manual_seed(1))).detach()
    assert 0.5 < out.std().item() < 2.5


def test_blend() -> None:
    average, current = [torch.tensor([0.0, 4.0])], [torch.tensor([1.0, 0.0])]
    blend(average, current, 0.75)
    assert average[0].tolist() == pytest.approx([0.25, 3.0])


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1))
def test_names_make_the_round_trip(names: list[str]) -> None:
    assert unpack_text(pack_text(names)).tolist() == names


def test_padding() -> None:
    z = np.ones((2, 3, 2), np.float32)
    assert mask_padding(z, None) is z
    assert mask_padding(z, np.array([1, 3])).sum(axis=(1, 2)).tolist() == [2, 6]


def test_strata() -> None:
    for target, count in (("class", 3), ("soft", 3), ("multilabel", 1), ("number", 1)):
        rows = example_latents(target=target)  # type: ignore[arg-type]
        assert strata_count(rows) == count and set(strata(rows)) == set(range(count))
