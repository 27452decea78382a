from __future__ import annotations

import functools

import pytest

from augmint.models import load_encoder, load_judge
from augmint.pipeline import workers


@pytest.fixture(scope="session")
def loaded_once():
    return functools.cache(load_encoder)


@pytest.fixture(scope="session")
def judge_loaded_once():
    return functools.cache(load_judge)


@pytest.fixture(autouse=True)
def models_load_once(monkeypatch, loaded_once, judge_loaded_once):
    """Within this process each model is built once for all tests; models have no state that a run could change."""
    monkeypatch.setattr(workers, "load_encoder", loaded_once)
    monkeypatch.setattr(workers, "load_judge", judge_loaded_once)
