"""Laws of all gates, and what they share: the table, options out of range, odd sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from augmint.checks import check_content_gate, check_row_gate, check_set_gate, example_latents, example_training
from augmint.core.errors import DataError, UsageError
from augmint.core.protocols import ContentGate, SetGate
from augmint.core.registry import build, lookup
from augmint.gates import TABLE

TEXTS = example_training("texts").samples
ON_ROWS = [name for name in sorted(TABLE) if not issubclass(lookup("gates", "gate", TABLE, name), ContentGate)]


@pytest.mark.parametrize("name", sorted(TABLE))
def test_the_laws(name: str) -> None:
    found = lookup("gates", "gate", TABLE, name)
    if getattr(found, "model_kinds", None):
        pytest.skip("reads through a model of its own: its laws stand in test_text_gates.py, with a small one")
    if issubclass(found, ContentGate):
        check_content_gate(found, TEXTS)
    elif issubclass(found, SetGate):
        check_set_gate(found)
    else:
        check_row_gate(found)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("consistency", {"quantile": 1.0}),
        ("consistency", {"folds": 1}),
        ("novelty", {"floor": 0.0}),
        ("novelty", {"closest": 0.001}),
        ("realism", {"neighbors": 0}),
        ("diversity", {"closest": -1.0}),
    ],
)
def test_options_out_of_range_name_the_option(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        build("gates", "gate", TABLE, name, options)


@pytest.mark.parametrize("name", ON_ROWS)
def test_rows_of_another_space_are_refused(name: str) -> None:
    gate = lookup("gates", "gate", TABLE, name)().fit(example_latents())
    other = example_latents(shape=(4,))
    with pytest.raises(UsageError, match="7"):
        gate.select(other, other) if isinstance(gate, SetGate) else gate.score(other)


@pytest.mark.parametrize("name", ON_ROWS)
def test_real_rows_that_are_not_finite_are_named(name: str) -> None:
    real = example_latents()
    real.z[3, 0] = np.inf
    with pytest.raises(DataError, match=r"row 003\.png"):
        lookup("gates", "gate", TABLE, name)().fit(real)


@pytest.mark.parametrize("name", ["novelty", "realism", "diversity"])
@pytest.mark.parametrize("target", ["soft", "multilabel", "number"])
def test_targets_without_classes_are_one_group(name: str, target: Any) -> None:
    real, fake = example_latents(target=target), example_latents(target=target, seed=4)
    gate = lookup("gates", "gate", TABLE, name)().fit(real)
    keep = gate.select(fake, real)[0] if isinstance(gate, SetGate) else gate.keep(fake)
    assert keep.shape == (len(fake),)


def test_consistency_wants_classes() -> None:
    with pytest.raises(UsageError, match="number"):
        build("gates", "gate", TABLE, "consistency", {}).fit(example_latents(target="number"))
