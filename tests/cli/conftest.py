from __future__ import annotations

import functools
import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from augmint.cli import main
from augmint.models import load_encoder, load_judge
from augmint.pipeline import workers


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Stdout as exactly one JSON object."""
        found = json.loads(self.out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
        assert isinstance(found, dict) and found["schema_version"] == 1
        return found


@pytest.fixture(scope="session")
def loaded_once():
    return functools.cache(load_encoder)


@pytest.fixture(scope="session")
def judge_loaded_once():
    return functools.cache(load_judge)


@pytest.fixture
def augmint(capsys, monkeypatch, loaded_once, judge_loaded_once) -> Callable[..., Answer]:
    """The command line within this process."""
    monkeypatch.setattr(workers, "load_encoder", loaded_once)
    monkeypatch.setattr(workers, "load_judge", judge_loaded_once)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def call(*words: object) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        finally:
            signal.signal(signal.SIGINT, before[0])
            signal.signal(signal.SIGTERM, before[1])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Answer(code, captured.out, captured.err)

    return call
