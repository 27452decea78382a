"""The largest numbers of a row are those of `torch.topk`."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from augmint.models.largest import WIDTH, largest


@given(st.integers(1, 5), st.integers(1, 40 * WIDTH), st.integers(0, 2**31), st.booleans(), st.data())
def test_as_topk(rows: int, width: int, seed: int, ties: bool, data: st.DataObject) -> None:
    """Values and what stands at the places, with few and many groups, a rest, and equal numbers."""
    count = data.draw(st.integers(1, width))
    scores = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))
    scores = scores.round() if ties else scores
    values, places = largest(scores, count)
    assert torch.equal(values, scores.topk(count).values)
    assert torch.equal(scores.gather(1, places), values)
    assert all(len(set(row)) == count for row in places.tolist())


def test_places_of_a_known_row() -> None:
    """By hand: the last number stands outside the groups."""
    scores = torch.zeros(1, 2 * WIDTH + 1)
    scores[0, [3, 2 * WIDTH]] = torch.tensor([5.0, 7.0])
    assert [part.tolist() for part in largest(scores, 2)] == [[[7.0, 5.0]], [[2 * WIDTH, 3]]]
