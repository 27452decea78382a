from __future__ import annotations

import random
from itertools import product

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from augmint.core.seeds import stream, stream_key, torch_seed

KEY = "bcfb33ba643c6ce9d61b34e97afa510aa13e3f2e69db970099452bb103dcf0f6"
NUMBERS = [697, 130, 337, 649, 859]

word = st.one_of(st.text(max_size=6), st.integers(-5, 5))
address = st.tuples(st.integers(0, 3), st.lists(word, max_size=4))


def test_known_answer():
    # BLAKE2b-256 over length-prefixed "int:7", "str:draw", "str:cat", "int:0"; written down once, never to change.
    assert stream_key(7, "draw", "cat", 0).hex() == KEY
    assert stream(7, "draw", "cat", 0).integers(0, 1000, 5).tolist() == NUMBERS


@given(address, address)
def test_different_addresses_have_different_keys(a, b):
    # 1 and "1" are different words; ("ab", "c") and ("a", "bc") different addresses.
    def typed(x):
        return (x[0], [(type(w), w) for w in x[1]])

    assert (stream_key(a[0], *a[1]) == stream_key(b[0], *b[1])) == (typed(a) == typed(b))


def test_neighbouring_addresses_do_not_collide():
    keys = {stream_key(seed, op, unit, round_) for seed, op, unit, round_ in
            product(range(5), ("draw", "fit", "1"), range(40), range(5))}  # fmt: skip
    assert len(keys) == 5 * 3 * 40 * 5
    assert (
        len({stream_key(0, "ab", "c"), stream_key(0, "a", "bc"), stream_key(0, "abc"), stream_key(0, "abc", "")}) == 4
    )
    assert len({stream_key(1, 2), stream_key(1, "2"), stream_key(12)}) == 3


def test_streams_know_nothing_of_global_state_and_leave_it_alone():
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    first = stream(0, "x").random(8)
    states = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()
    second = stream(0, "x").random(8)
    torch_seed(stream(0, "x"))
    assert (first == second).all()
    assert states == (random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes())


def test_streams_of_near_addresses_are_unrelated():
    a, b = stream(0, "draw", "cat", 0).standard_normal(4000), stream(0, "draw", "cat", 1).standard_normal(4000)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.06  # 4 sigma of 1/sqrt(4000) is 0.063


def test_torch_seed_is_in_range_and_follows_the_stream():
    assert torch_seed(stream(0, "a")) == torch_seed(stream(0, "a"))
    seeds = {torch_seed(stream(0, "a", i)) for i in range(200)}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    torch.Generator().manual_seed(max(seeds))


def test_names_that_are_not_unicode_have_streams_too():
    assert stream_key(0, "a\ud800") != stream_key(0, "a")
