"""The training loop: which rows are drawn, how labels are mixed, how the rate moves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from augmint.checks import example_training
from augmint.core.types import Budget, TrainingSet
from augmint.students.loop import BLOCK, Recipe, Standard, answers, batches, draw, fit_network, one_cycle, probabilities


def test_rows_are_drawn_by_weight() -> None:
    found = draw(np.array([1.0, 3.0, 4.0]), (4000, 10), np.random.default_rng(0))
    share = np.bincount(found.ravel(), minlength=3) / found.size
    np.testing.assert_allclose(share, [1 / 8, 3 / 8, 4 / 8], atol=4 * 0.5 / np.sqrt(found.size))


def test_copies_that_share_a_weight_are_drawn_as_the_row_was() -> None:
    weight = np.array([0.3, 1.0, 2.0])
    once = draw(weight, (50, 8), np.random.default_rng(1))
    twice = draw(np.repeat(weight / 2, 2), (50, 8), np.random.default_rng(1))
    assert (twice // 2 == once).all()


def test_the_last_row_is_in_reach_and_none_beyond() -> None:
    class High:
        def random(self, shape: tuple[int, ...]) -> np.ndarray:
            return np.full(shape, np.nextafter(1.0, 0.0))

    assert draw(np.full(7, 0.1), (3,), High()).tolist() == [6, 6, 6]  # type: ignore[arg-type]


def batch_list(train: TrainingSet, x: Tensor, updates: int = 200, use: np.ndarray | None = None):
    use = np.ones(len(train), np.bool_) if use is None else use
    found = batches(x, torch.from_numpy(train.y), train, use, Budget(updates, 8), np.random.default_rng(0))
    return [(mix(inputs), mix(labels)) for inputs, labels, mix in found]


def numbered(train: TrainingSet) -> Tensor:
    return torch.arange(len(train), dtype=torch.float32)[:, None]


def test_a_budget_is_updates_whatever_the_rows() -> None:
    for counts in ((2, 2), (40, 30)):
        train = example_training(counts=counts)
        found = batch_list(train, numbered(train), 17)
        assert len(found) == 17 and all(len(x) == len(y) == 8 for x, y in found)


def test_rows_out_of_use_are_not_drawn_and_labels_stay_with_their_rows() -> None:
    train = example_training()
    use = np.arange(len(train)) % 3 != 0
    for x, y in batch_list(train, numbered(train), use=use):
        at = x[:, 0].long().numpy()
        assert use[at].all()
        np.testing.assert_array_equal(y.numpy(), train.y[at])


def test_mixup_mixes_inputs_and_labels_alike() -> None:
    train = dataclasses.replace(example_training(), mixup=0.5)
    for x, y in batch_list(train, torch.from_numpy(train.y) * 7.0, 50):
        assert x.dtype == y.dtype == torch.float32
        np.testing.assert_allclose(x.numpy() / 7.0, y.numpy(), atol=1e-6)
        np.testing.assert_allclose(y.numpy().sum(axis=1), 1.0, atol=1e-6)
    mixed = np.concatenate([y.numpy().max(axis=1) for _, y in batch_list(train, numbered(train), 50)])
    assert 0.2 < np.mean(mixed < 0.99) < 0.8


def test_mixup_without_spread_leaves_rows_alone() -> None:
    train = example_training()
    tiny = dataclasses.replace(train, mixup=1e-3)  # Beta(0.001, 0.001) is nearly always 0 or 1
    x = np.concatenate([x.numpy() for x, _ in batch_list(tiny, numbered(train), 50)])
    assert np.mean(np.abs(x - np.rint(x)) < 1e-3) > 0.97


def test_the_rate_goes_up_and_down() -> None:
    rate = [one_cycle(done) for done in np.linspace(0, 1, 101)]
    assert rate[0] == pytest.approx(0.04) and rate[30] == pytest.approx(1.0) and rate[100] == pytest.approx(1e-4)
    assert (np.diff(rate[:31]) > 0).all() and (np.diff(rate[30:]) < 0).all()


def test_answers_have_the_same_bits_beside_any_neighbours() -> None:
    net = nn.Sequential(nn.Linear(5, 40), nn.ReLU(), nn.Linear(40, 3)).eval()
    x = torch.randn(BLOCK + 9, 5, generator=torch.Generator().manual_seed(0))
    whole = answers(net, x)
    assert whole.shape == (BLOCK + 9, 3) and answers(net, x[:0]).shape == (0, 3)
    for i in (0, 3, BLOCK, BLOCK + 8):
        assert (answers(net, x[i : i + 1])[0] == whole[i]).all()


def test_absent_classes_have_no_probability() -> None:
    p = probabilities(nn.Identity(), torch.tensor([[1.0, 5.0, 2.0]]), np.array([True, False, True]))
    np.testing.assert_allclose(p, [[1 / (1 + np.e), 0.0, np.e / (1 + np.e)]], rtol=1e-5)


def test_standard_by_hand() -> None:
    layer = Standard(torch.tensor([[1.0, 4.0], [3.0, 4.0]]))
    np.testing.assert_allclose(layer(torch.tensor([[3.0, 5.0]])).numpy(), [[1.0, 1.0]])  # no deviation counts as 1
    images = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    out = Standard(images)(images)
    np.testing.assert_allclose(out.mean((0, 2, 3)).numpy(), 0, atol=1e-5)
    np.testing.assert_allclose(out.std((0, 2, 3), correction=0).numpy(), 1, atol=1e-5)


class Spy(nn.Module):
    """A linear layer that writes down the rows it is asked about outside training."""

    def __init__(self, seen: list[np.ndarray]) -> None:
        super().__init__()
        self.layer, self.seen = nn.utils.skip_init(nn.Linear, 1, 3), seen
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            self.seen.append(x[:, 0].numpy().copy())
        return self.layer(x)


@pytest.mark.parametrize("minted", [0, 12])
def test_the_rate_is_chosen_on_real_rows_that_minted_ones_do_not_change(minted: int) -> None:
    train = example_training(counts=(6, 6, 6), minted=minted)
    seen: list[np.ndarray] = []
    recipe = Recipe(lambda g: Spy(seen), lambda net, rate: [{"params": list(net.parameters()), "lr": rate}], 0.01)
    fit_network(recipe, 1.0 + numbered(train), train, Budget(4, 8, trials=3), np.random.default_rng(0))
    held_out = {int(row) - 1 for block in seen for row in block if row > 0}
    assert held_out == {0, 3, 6, 9, 12, 15}


def test_trials_choose_a_rate_that_learns() -> None:
    train = example_training(counts=(12, 12, 12))
    x = torch.from_numpy(np.stack([s.content for s in train.samples]))

    def fitted(rate: float, trials: int) -> float:
        def make(generator: torch.Generator) -> nn.Module:
            layer = nn.utils.skip_init(nn.Linear, 6, 3)
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
            return layer

        recipe = Recipe(make, lambda net, lr: [{"params": list(net.parameters()), "lr": lr}], rate)
        net = fit_network(recipe, x, train, Budget(20, 16, trials), np.random.default_rng(0))
        p = probabilities(net, x, np.ones(3, np.bool_))
        return float(-np.log((p * train.y).sum(axis=1)).mean())

    assert fitted(0.003, 3) < fitted(0.003, 1)  # too small by far: the largest of the three is chosen
