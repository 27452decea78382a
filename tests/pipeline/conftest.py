from __future__ import annotations

import functools

import pytest

from augmint.models import load_encoder
from augmint.pipeline import workers


@pytest.fixture(scope="session")
def loaded_once():
    return functools.cache(load_encoder)


@pytest.fixture(autouse=True)
def models_load_once(monkeypatch, loaded_once):
    """Within this process each model is built once for all tests; models have no state that a run could change."""
    monkeypatch.setattr(workers, "load_encoder", loaded_once)
