from __future__ import annotations

import copy
import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from augmint.checks import example_latents
from augmint.core.errors import UsageError
from augmint.torch import FeatureAugment
from augmint.torch.feature_augment import batch_methods

REAL = example_latents((12, 8, 4), (6,))
Z, Y = torch.from_numpy(REAL.z), torch.from_numpy(REAL.labels)


@pytest.mark.parametrize("method", batch_methods())
def test_changes_rows_in_training_and_nothing_in_evaluation(method: str) -> None:
    layer = FeatureAugment(method).fit(Z, Y)
    new, y = layer(Z, Y)
    assert new.shape == Z.shape and y.shape == (24, 3) and not torch.equal(new, Z)
    layer.eval()
    same, y = layer(Z, Y)
    assert same is Z and torch.equal(y.argmax(1), Y)


def test_the_seed_decides_and_each_call_differs() -> None:
    a, b, c = (FeatureAugment("mixup", classes=3, seed=seed) for seed in (1, 1, 2))
    first = a(Z, Y)[0]
    assert torch.equal(first, b(Z, Y)[0]) and not torch.equal(first, c(Z, Y)[0])
    assert not torch.equal(first, a(Z, Y)[0])


def test_a_generator_may_be_given() -> None:
    generator = torch.Generator().manual_seed(5)
    first = FeatureAugment("mixup", classes=3, generator=generator)(Z, Y)[0]
    assert torch.equal(first, FeatureAugment("mixup", classes=3, seed=5)(Z, Y)[0])


def test_rows_are_replaced_with_chance_p() -> None:
    z, y = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(4000, dtype=torch.long)
    new, _ = FeatureAugment("mixup", classes=2, p=0.3)(z, y)
    assert (new != z).any(dim=1).float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert FeatureAugment("mixup", classes=2, p=0.0)(z, y)[0] is z


def test_a_head_learns_behind_it_and_the_backbone_gets_gradients() -> None:
    torch.manual_seed(0)
    backbone, augment, head = nn.Linear(6, 6), FeatureAugment("mixup", classes=3), nn.Linear(6, 3)
    optimizer = torch.optim.SGD([*backbone.parameters(), *head.parameters()], 0.1)
    losses = []
    for _ in range(60):
        z, y = augment(backbone(Z), Y)
        loss = nn.functional.cross_entropy(head(z), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert backbone.weight.grad is not None and backbone.weight.grad.abs().sum() > 0
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])


def test_what_was_learned_is_copied_with_the_model_and_not_in_its_checkpoint() -> None:
    model = nn.ModuleDict({"augment": FeatureAugment("isda").fit(REAL.z, REAL.labels), "head": nn.Linear(6, 3)})
    assert set(model.state_dict()) == {"head.weight", "head.bias"}
    twin = copy.deepcopy(model)
    model["augment"](Z, Y)
    file = io.BytesIO()
    torch.save(twin, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    assert torch.equal(loaded["augment"](Z, Y)[0], twin["augment"](Z, Y)[0])


def test_half_precision_models_keep_their_type() -> None:
    layer, plain = (FeatureAugment("isda").fit(Z, Y) for _ in range(2))
    low = layer.to(torch.bfloat16)(Z.to(torch.bfloat16), Y)[0]
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), plain(Z, Y)[0], rtol=0.02, atol=0.05)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: FeatureAugment("gan"), "no batch form"),
        (lambda: FeatureAugment("mixupp"), "mixup"),
        (lambda: FeatureAugment("mixup", alpha=-1.0), "alpha"),
        (lambda: FeatureAugment("mixup", beta=1.0), "beta"),
        (lambda: FeatureAugment(p=1.5), "p = 1.5"),
        (lambda: FeatureAugment("noise", classes=3)(Z, Y), "fit"),
        (lambda: FeatureAugment("mixup")(Z, Y), "classes"),
        (lambda: FeatureAugment("mixup")(Z, Y.float()), "labels"),
        (lambda: FeatureAugment("mixup", classes=3)(Z, Y[:3]), "same n"),
        (lambda: FeatureAugment("isda").fit(Z, Y - 1), "from 0"),
        (lambda: FeatureAugment("isda", classes=2).fit(Z, Y), "0 to 1"),
        (lambda: FeatureAugment("isda").fit(Z[:0], Y[:0]), "no rows"),
    ],
)
def test_errors_say_what_to_do(call: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        call()
    assert caught.value.expected and caught.value.do


def test_import_augmint_still_loads_no_torch() -> None:
    code = "import sys, augmint; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
