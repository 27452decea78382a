from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from augmint.numerics.batches import any_partner, beside, class_partner, even_noise, stratum


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=0, max_size=12), st.integers(0, 2**32))
def test_a_partner_is_another_row_of_the_class_and_each_is_taken_once(labels: list[int], seed: int) -> None:
    label = torch.tensor(labels, dtype=torch.long)
    partner = class_partner(label, source(seed))
    assert sorted(partner.tolist()) == list(range(len(labels)))
    for i, j in enumerate(partner.tolist()):
        assert labels[i] == labels[j]
        assert (i == j) == (labels.count(labels[i]) == 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 12), st.integers(0, 2**32))
def test_any_partner_is_another_row(n: int, seed: int) -> None:
    partner = any_partner(n, source(seed)).tolist()
    assert sorted(partner) == list(range(n))
    assert n == 1 or all(i != j for i, j in enumerate(partner))


def test_partners_are_drawn_evenly() -> None:
    label, generator = torch.tensor([1, 0, 1, 1, 0, 1]), source()
    count = torch.zeros(6, 6)
    for _ in range(3000):
        count[torch.arange(6), class_partner(label, generator)] += 1
    assert (count[0, [2, 3, 5]] - 1000).abs().max() < 5 * 1000**0.5
    assert count[1, 4] == 3000


def test_stratum_and_beside() -> None:
    y = torch.tensor([[0.2, 0.8], [0.6, 0.4]])
    assert stratum(y, 2).tolist() == [1, 0] and stratum(y, 1).tolist() == [0, 0]
    assert beside(torch.ones(2), torch.zeros(2, 3, 4, dtype=torch.float64)).shape == (2, 1, 1)


def test_even_noise_has_mean_zero_and_the_spread_asked_for() -> None:
    noise = even_noise(torch.full((4001, 1), 2.0), 25, torch.Generator().manual_seed(0)) / 2.0
    assert noise.shape == (4001, 25) and noise.dtype == torch.float32
    assert abs(float(noise.mean())) < 0.01 and abs(float(noise.var()) - 1.0) < 0.01
    assert abs(float(noise.max()) - 3**0.5) < 0.02 and abs(float(noise.min()) + 3**0.5) < 0.02
    assert abs(float((noise[:, 0] * noise[:, 1]).mean())) < 0.06 and len(noise.unique()) == 128
