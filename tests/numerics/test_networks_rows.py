from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from augmint.checks import example_latents
from augmint.core.types import F32
from augmint.numerics.networks import Descent, Passes, Perceptron, cosine, memory
from augmint.numerics.rows import in_blocks, mask_padding, pack_text, strata, strata_count, unpack_text
from augmint.numerics.spectral import Spectral


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


def test_passes_agree_with_autograd() -> None:
    """A score, its slope, and the gradient of both to every weight, against torch's double differentiation."""
    random = torch.Generator().manual_seed(0)
    net = Perceptron(5, 7, 3, 2, random)
    for layer in net.linear:
        torch.nn.init.normal_(layer.bias, generator=random)
    x, v = torch.randn(6, 5, generator=random).requires_grad_(), torch.randn(6, 3, generator=random)
    s, c = torch.randn(6, generator=random), torch.randn(6, 2, generator=random)
    score = (net(x) * c).sum(dim=1)
    (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    expected = torch.autograd.grad((s * score).sum() + (v * slope[:, :3]).sum(), list(net.parameters()))
    passes = Passes(net)
    trace = passes.forward(x.detach())
    deltas = passes.pull(trace, c)
    below = [s[:, None] * h for h in trace[:-1]]
    for h, t in zip(below, passes.push(trace, v), strict=True):
        h[:, : t.shape[1]] += t
    passes.collect(deltas, below, s)
    found = [part for layer in passes.gradients for part in layer]
    torch.testing.assert_close((trace[-1] * c).sum(dim=1), score.detach())
    torch.testing.assert_close(passes.input_slope(deltas, 5), slope.detach())
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_the_network_follows_the_vector_of_its_weights() -> None:
    net = Perceptron(2, 3, 1, 1, torch.Generator().manual_seed(0))
    passes, x = Passes(net), torch.ones(1, 2)
    before = net(x)
    torch.testing.assert_close(passes.forward(x)[-1], before)
    passes.weights.zero_()
    passes.weights[-1] = 3.0  # the last bias
    assert net(x).item() == passes.forward(x)[-1].item() == 3.0
    assert before.item() != 3.0


def test_descent_is_adam() -> None:
    weights, slopes = torch.tensor([1.0, -2.0]), torch.tensor([0.5, -4.0])
    descent = Descent(weights, slopes, (0.0, 0.95))
    descent.step(0.1)  # the first step of Adam is the rate along the sign of the slope
    torch.testing.assert_close(weights, torch.tensor([0.9, -1.9]), rtol=0, atol=1e-6)
    slopes.copy_(torch.tensor([1.0, 0.0]))
    descent.step(0.1)
    second = (0.95 * 0.05 * 0.25 + 0.05 * 1.0) / (1 - 0.95**2)
    assert weights[0].item() == pytest.approx(0.9 - 0.1 / second**0.5, abs=1e-5)
    assert weights[1].item() == pytest.approx(-1.9)


def test_rate_and_memory() -> None:
    assert [cosine(2.0, done) for done in (0.0, 0.5, 1.0, 3.0)] == pytest.approx([2.0, 1.01, 0.02, 0.02])
    assert [memory(step) for step in (0, 10, 10**6)] == pytest.approx([0.1, 0.55, 0.998])


def test_spectral_layers_have_size_one_and_the_right_gradient() -> None:
    random = torch.Generator().manual_seed(0)
    net = Perceptron(6, 5, 2, 1, random)
    passes = Passes(net)
    raw = passes.weights.clone()
    spectral = Spectral(passes, random)
    for _ in range(200):
        spectral.divide(passes)
    for weight, _ in passes.layers:
        assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1.0, abs=1e-4)
    x = torch.randn(4, 6, generator=random)
    trace = passes.forward(x)
    passes.collect(passes.pull(trace, torch.ones(4, 1)), trace[:-1])
    spectral.correct(passes)
    leaf = raw.clone().requires_grad_()
    h = x
    for i, (weight, bias) in enumerate(passes.views(leaf)):
        h = torch.nn.functional.linear(h, weight / torch.linalg.matrix_norm(weight, 2), bias)
        h = torch.nn.functional.leaky_relu(h, 0.2) if i < 2 else h
    (expected,) = torch.autograd.grad(h.sum(), leaf)
    torch.testing.assert_close(passes.slopes, expected, rtol=1e-3, atol=1e-4)


def test_blocks_are_always_full() -> None:
    seen: list[int] = []

    def work(block: F32) -> F32:
        seen.append(len(block))
        return block[:, :1] + 1

    rows = np.arange(10, dtype=np.float32).reshape(5, 2)
    assert in_blocks(work, rows, 4).tolist() == [[1.0], [3.0], [5.0], [7.0], [9.0]]
    assert in_blocks(work, rows[:0], 4).shape == (0, 1)
    assert seen == [4, 4, 4]


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
