"""Base statistics that ship with an embedded model: what it saw of the classes it was pretrained on."""

from __future__ import annotations

import json

from safetensors import safe_open

from augmint.core.errors import ModelError
from augmint.models.hub import WEIGHTS, verify
from augmint.models.lookup import get_card
from augmint.numerics.base_statistics import BaseStatistics


def base_statistics(name: str, size: int) -> BaseStatistics | None:
    """Statistics of the classes that the model of this card was pretrained on, in its space at this working size.

    None when none ship for this model and size. Raises ModelError when they are damaged, or were taken with other
    weights than the model's: ``python recipes/base_statistics.py`` takes them again.
    """
    card = get_card(name)
    base = next((base for base in card.bases if base.size == size), None)
    if base is None:
        return None
    path = WEIGHTS / base.file.name
    verify(path, base.file, card)
    with safe_open(path, "numpy") as file:
        arrays, header = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    found = BaseStatistics.load(arrays, tuple(json.loads(header["classes"])), header["space"])
    if found.space != f"{card.tag}/{size}":
        raise ModelError(
            f"{path.name} for space {found.space!r}",
            expected=f"{card.tag}/{size}, the space of {name!r}",
            do="run recipes/base_statistics.py after every change of the weights",
            code="space-mismatch",
        )
    return found
