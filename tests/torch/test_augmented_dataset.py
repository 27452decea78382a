from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from augmint.checks import example_latents
from augmint.core.errors import UsageError
from augmint.synthesizers import TABLE
from augmint.torch import AugmentedDataset

REAL = example_latents((8, 4, 2), (6,))
Z, Y = torch.from_numpy(REAL.z), torch.from_numpy(REAL.labels)
FREE = sorted(set(TABLE) & {"noise", "interpolation", "isda", "dropout", "mixup", "moex"})


def everything(data: AugmentedDataset, **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = list(DataLoader(data, batch_size=5, **options))
    return torch.cat([z for z, _ in pairs]), torch.cat([y for _, y in pairs])


@pytest.mark.parametrize("method", FREE)
def test_real_rows_first_then_minted_ones(method: str) -> None:
    data = AugmentedDataset(Z, Y, method=method, factor=2.5)
    z, y = everything(data)
    assert len(data) == 14 + 12 + 6 + 3 and z.dtype == y.dtype == torch.float32
    assert torch.equal(z[:14], Z) and torch.equal(y[:14].argmax(1), Y)
    assert np.bincount(y.argmax(1).numpy()).tolist() == [20, 10, 5]
    assert torch.allclose(y.sum(1), torch.ones(len(y)))
    copies = sum(int((z[14:] == row).all(dim=1).sum()) for row in Z)
    assert copies < 12 if method == "dropout" else copies == 0  # which may lose none of six features


def test_workers_and_order_change_nothing() -> None:
    data = AugmentedDataset(REAL.z, REAL.labels, method="mixup", factor=3, seed=4)
    z, y = everything(data)
    apart = everything(data, num_workers=2)
    assert torch.equal(apart[0], z) and torch.equal(apart[1], y)
    for i in reversed(range(len(data))):
        assert torch.equal(data[i][0], z[i])
    again = AugmentedDataset(REAL.z, REAL.labels, method="mixup", factor=3, seed=4)
    assert torch.equal(everything(again)[0], z)
    other = AugmentedDataset(REAL.z, REAL.labels, method="mixup", factor=3, seed=5)
    assert not torch.equal(everything(other)[0][14:], z[14:])


def test_labels_are_mixed_as_the_rows_are() -> None:
    # One number, the label itself: the row tells how much of each class is in it.
    z = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    rows, y = everything(AugmentedDataset(z, z[:, 0].long(), method="mixup", factor=20))
    assert torch.allclose(rows[:, 0], y[:, 1], atol=1e-5)
    assert ((rows > 0.05) & (rows < 0.95)).any()


def test_classes_are_balanced_when_asked() -> None:
    y = everything(AugmentedDataset(Z, Y, strategy="auto"))[1]
    assert np.bincount(y.argmax(1).numpy()).tolist() == [8, 8, 8]
    y = everything(AugmentedDataset(Z, Y, strategy={2: 5}))[1]
    assert np.bincount(y.argmax(1).numpy()).tolist() == [8, 4, 5]


def test_a_data_set_of_pairs_and_numbers_as_targets() -> None:
    data = AugmentedDataset(TensorDataset(Z, Y), factor=2)
    assert torch.equal(everything(data)[0], everything(AugmentedDataset(Z, Y, factor=2))[0])
    numbers = AugmentedDataset(Z, Z[:, 0], target="number", method="mixup", factor=3)
    z, y = everything(numbers)
    assert y.shape == (42, 1) and torch.allclose(z[:, 0], y[:, 0], atol=1e-5)


def test_rows_of_a_pool_are_picked_once_each() -> None:
    pool = Z[:8] + 0.01
    data = AugmentedDataset(Z, Y, method="retrieval", factor=3, pool=pool, confidence=0.0)
    z, y = everything(data)
    assert 14 < len(data) <= 22
    assert all((pool == row).all(dim=1).any() for row in z[14:]) and len(torch.unique(z, dim=0)) == len(data)
    assert torch.equal(y[14:].argmax(1), Y[data.anchors])


def test_maps_and_no_minted_rows() -> None:
    data = AugmentedDataset(torch.randn(6, 2, 3, 3), torch.tensor([0, 0, 0, 1, 1, 1]), factor=1)
    assert len(data) == 6 and data[-1][0].shape == (2, 3, 3)
    with pytest.raises(IndexError):
        data[6]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: AugmentedDataset(Z), "without labels"),
        (lambda: AugmentedDataset(Z, Y[:2]), "same n"),
        (lambda: AugmentedDataset(Z, Y, factor=0.5), "factor"),
        (lambda: AugmentedDataset(Z, Y, method="moexx"), "moex"),
        (lambda: AugmentedDataset(Z, Y, method="isda", target="number"), "target"),
        (lambda: AugmentedDataset(Z, Z[:, 0], method="mixup", target="number", strategy="auto"), "classes"),
        (lambda: AugmentedDataset(Z, Z[:, 0]), "number"),
        (lambda: AugmentedDataset(TensorDataset(Z[:0], Y[:0])), "no rows"),
    ],
)
def test_errors_say_what_to_do(call: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        call()
    assert caught.value.expected and caught.value.do
