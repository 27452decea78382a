"""Candidates: all of them can be built, and the first ones are the methods as they are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from augmint.classic import TABLE as CLASSIC
from augmint.core import registry
from augmint.core.errors import UsageError
from augmint.pipeline.plan import DEFAULT_GATES, family
from augmint.pipeline.search_space import STRENGTHS, Dice, SearchSpace, name_of
from augmint.synthesizers import TABLE as METHODS

SUITED = tuple(name for name in STRENGTHS if name not in ("classic-text", "masked-lm", "ssmba"))
EVERYTHING = SearchSpace.of(SUITED, modality="image", pool=500, real=50, classes=10)


def test_every_candidate_has_a_plan() -> None:
    rng = np.random.default_rng(0)
    arms = [EVERYTHING.suggest(Dice(rng)) for _ in range(200)]
    assert {arm.method for arm in arms} == set(SUITED)
    for arm in arms:
        plan = arm.plan(0, gates=list(arm.gates or ()))
        assert (plan.method, plan.gates, plan.factor) == (arm.method, arm.gates, arm.factor)
        assert arm.method == "retrieval" or 1.5 <= arm.factor <= 6
        assert arm.needs_pool == (arm.method == "retrieval")
    assert any(arm.then for arm in arms) and not any(arm.then for arm in arms if arm.method == "classic")


def test_first_trials_are_the_methods_as_they_are() -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for params in EVERYTHING.first():
        study.enqueue_trial(params)
    for name in SUITED:
        arm = EVERYTHING.suggest(study.ask())
        room = family(name)
        table = CLASSIC if room == "classic" else METHODS
        usual = {f.name: f.default for f in dataclasses.fields(registry.lookup(room, "method", table, name))}
        assert arm.method == name and arm.then == "" and arm.gates == DEFAULT_GATES
        assert {key: usual[key] for key in arm.options} == dict(arm.options)


def test_no_more_is_asked_of_a_pool_than_it_has() -> None:
    few = SearchSpace.of(("retrieval",), modality="image", pool=30, real=20, classes=2)
    arms = [few.suggest(Dice(np.random.default_rng(seed))) for seed in range(20)]
    assert max(arm.factor for arm in arms) <= 2.5


def test_a_strategy_leaves_the_amount_alone() -> None:
    space = SearchSpace.of((), modality="", pool=0, strategy="auto")
    arm = space.suggest(Dice(np.random.default_rng(0)))
    assert name_of(arm, "auto").endswith((" auto", " auto, gates none", " auto, gates consistency"))
    assert "factor" not in space.first()[0] and "then" not in space.first()[0]


@pytest.mark.parametrize("gates", [(), ("novelty", "realism")])
def test_gates_of_the_user_are_those_of_all_candidates(gates) -> None:
    space = SearchSpace.of((), modality="image", pool=0, gates=gates)
    assert {space.suggest(Dice(np.random.default_rng(seed))).gates for seed in range(9)} == {gates}
    study = pytest.importorskip("optuna").create_study()
    study.enqueue_trial(space.first()[0])
    arm = space.suggest(study.ask())
    assert arm.gates == gates and name_of(arm).endswith(f", gates {', '.join(gates) or 'none'}")


def test_the_parts_of_the_mixture_make_as_much_as_one() -> None:
    parts = EVERYTHING.mixture()
    assert sum(part.factor - 1 for part in parts) == pytest.approx(2.0)
    assert [part.method for part in parts] == list(SUITED)


def test_methods_that_cannot_work_are_refused() -> None:
    with pytest.raises(UsageError, match="without a pool"):
        SearchSpace.of(("retrieval",), modality="image", pool=0)
    with pytest.raises(UsageError, match="on rows"):
        SearchSpace.of(("classic",), modality="", pool=0)
    with pytest.raises(UsageError, match="nois"):
        SearchSpace.of(("nois",), modality="image", pool=0)


def test_texts_have_methods_and_models_of_their_own() -> None:
    space = SearchSpace.of((), modality="text", pool=20, real=20, classes=2)
    arms = [space.suggest(Dice(np.random.default_rng(seed))) for seed in range(60)]
    models = {"retrieval": "all-MiniLM-L6-v2", "classic-text": "", "masked-lm": "tiny-text"}
    assert {arm.method: arm.model for arm in arms} == models
    assert {arm.then for arm in arms} == {"", "classic-text"}
    assert SearchSpace.of(("classic",), modality="text", pool=0).methods == ("classic-text",)
    with pytest.raises(UsageError, match="on pictures"):
        SearchSpace.of(("classic-text", "masked-lm"), modality="image", pool=0)
