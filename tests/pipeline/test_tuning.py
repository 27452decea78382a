"""A search, its proof, and runs that follow: ships, abstains, resumes, keeps to its time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from linear import CLASSES, Linear, cloud

from augmint.core.errors import ModelError, UsageError
from augmint.core.types import Budget, Sample
from augmint.pipeline import search, validation
from augmint.pipeline.arms import Arm
from augmint.pipeline.augment import augment
from augmint.pipeline.config import read_config
from augmint.pipeline.minting import Children, Fold
from augmint.pipeline.plan import Plan, make_plan
from augmint.pipeline.replay import replay
from augmint.pipeline.tune import Scheme
from augmint.pipeline.tuning import Tuned, Tuning, tune
from augmint.pipeline.verify import verify
from augmint.pipeline.workshop import Workshop
from support import save

pytest.importorskip("optuna")

SMALL = Tuning(trials=4, methods=("noise", "interpolation"), budget=Budget(updates=80), scheme=Scheme(4, 2))
PLAN = Plan(size=64)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return written(tmp_path_factory.mktemp("tuning") / "clouds", 8)


def written(folder: Path, shots: int) -> Path:
    for sample in clouds(0, shots):
        save(folder / str(sample.target) / f"{sample.id}.png", sample.content)
    return folder


def clouds(seed: int, shots: int) -> list[Sample]:
    """Pictures that differ from class to class by less than within a class."""
    rows = cloud(np.random.default_rng(seed), shots, width=64, spread=0.25)
    return [replace(s, content=np.clip(128 + 160 * s.content, 0, 255).astype(np.uint8).reshape(8, 8)) for s in rows]


@pytest.fixture(autouse=True)
def quick_student(monkeypatch) -> None:
    monkeypatch.setattr(Workshop, "student", lambda shop, name: Linear())


def children(fold: Fold, pictures: list[tuple[str, np.ndarray]]) -> Children:
    samples = tuple(Sample("", pixels, name) for name, pixels in pictures)
    y = np.array([[s.target == name for name in fold.classes] for s in samples], np.float32).reshape(-1, len(CLASSES))
    return Children(samples, y, tuple([("pool:", 1.0)] for _ in samples))


@pytest.fixture
def true_rows(monkeypatch) -> list[str]:
    """``noise`` adds further true pictures, other methods copies; the names of the arms that were made."""
    made: list[str] = []

    def mint(shop: Workshop, arm: Arm, fold: Fold, seed: int) -> Children:
        if not arm.method:
            return children(fold, [])
        made.append(arm.name)
        if arm.method == "noise":
            return children(fold, [(str(s.target), s.content) for s in clouds(1, 60)])
        return children(fold, [(str(sample.target), sample.content) for sample in fold.real])

    monkeypatch.setattr(Workshop, "children", mint)
    return made


@pytest.fixture
def wrong_rows(monkeypatch) -> None:
    """Every method adds pictures with another class's label."""

    def mint(shop: Workshop, arm: Arm, fold: Fold, seed: int) -> Children:
        after = dict(zip(CLASSES, (*CLASSES[1:], CLASSES[0]), strict=True))
        return children(fold, [(after[str(s.target)], s.content) for s in fold.real * bool(arm.method)])

    monkeypatch.setattr(Workshop, "children", mint)


def searched(data: Path, out: Path, tuning: Tuning = SMALL) -> Tuned:
    return tune(PLAN, data, out, tuning)


def lasting(facts: dict) -> dict:
    """What is the same in every search of the same kind; times and the number of trainings are not."""
    trials = [{**trial, "seconds": 0} for trial in facts["trials"]]
    return {**facts, "trials": trials, "seconds": 0, "trained": 0}


def test_what_helps_ships(data, tmp_path, true_rows) -> None:
    found = searched(data, tmp_path / "o")
    assert not found.plan.abstained and found.plan.method == "noise"
    facts = json.loads((tmp_path / "o" / "tune.json").read_bytes())
    assert facts == found.facts and not facts["abstained"]
    assert [trial["number"] for trial in facts["trials"]] == [0, 1, 2, 3]
    assert facts["trials"][0]["name"].startswith("noise(strength=0.5) x3")
    assert facts["proof"]["ship"] and facts["proof"]["hits"]["mean"] > 0
    best, random, mixture = facts["proof"]["controls"]
    assert (random["name"], mixture["name"]) == ("random candidate", "equal mixture")
    assert best["information"]["mean"] >= mixture["information"]["mean"] - 0.5
    plan = make_plan(read_config(tmp_path / "o" / "config.yaml")[0])
    assert plan == found.plan and plan.factor == facts["trials"][0]["arm"]["factor"]


def test_a_finished_search_answers_without_training(data, tmp_path, true_rows) -> None:
    first = searched(data, tmp_path / "o")
    true_rows.clear()
    again = searched(data, tmp_path / "o")
    assert again.facts["trained"] == 0 and not true_rows
    assert lasting(again.facts) == lasting(first.facts)


def test_a_search_that_was_stopped_goes_on_to_the_same_end(data, tmp_path, true_rows, monkeypatch) -> None:
    whole = searched(data, tmp_path / "whole")
    mint = Workshop.children

    def stopping(shop: Workshop, arm: Arm, fold: Fold, seed: int) -> Children:
        if len(true_rows) >= 6:
            raise KeyboardInterrupt
        return mint(shop, arm, fold, seed)

    true_rows.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Workshop, "children", stopping)
        with pytest.raises(KeyboardInterrupt):
            searched(data, tmp_path / "o")
    rest = searched(data, tmp_path / "o")
    assert 0 < rest.facts["trained"] < whole.facts["trained"]
    assert lasting(rest.facts) == lasting(whole.facts)


def test_more_trials_go_on_from_the_first(data, tmp_path, true_rows) -> None:
    few = searched(data, tmp_path / "o")
    more = searched(data, tmp_path / "o", Tuning(**{**vars(SMALL), "trials": 6}))
    assert lasting(more.facts)["trials"][:4] == lasting(few.facts)["trials"]
    assert len(more.facts["trials"]) == 6
    assert more.facts["proof"]["looks"] == 1 + (more.facts["proof"]["name"] != few.facts["proof"]["name"])


def test_another_search_in_the_folder_is_refused(data, tmp_path, true_rows) -> None:
    searched(data, tmp_path / "o")
    with pytest.raises(UsageError, match="margin"):
        searched(data, tmp_path / "o", Tuning(**{**vars(SMALL), "margin": 0.02}))


def test_a_control_that_cannot_be_made_is_left_out(data, tmp_path, true_rows, monkeypatch) -> None:
    made = Workshop.children

    def mint(shop: Workshop, arm: Arm, fold: Fold, seed: int) -> Children:
        if arm.name == "interpolation":  # a part of the equal mixture
            raise ModelError("no weights", expected="weights", do="fetch them", code="weights")
        return made(shop, arm, fold, seed)

    monkeypatch.setattr(Workshop, "children", mint)
    found = searched(data, tmp_path / "o")
    assert not found.plan.abstained
    assert "equal mixture" not in [row["name"] for row in found.facts["proof"]["controls"]]


def test_a_candidate_that_cannot_be_made_for_the_proof_abstains(data, tmp_path, true_rows, monkeypatch) -> None:
    made = Workshop.children

    def mint(shop: Workshop, arm: Arm, fold: Fold, seed: int) -> Children:
        if len(true_rows) >= SMALL.trials:
            raise ModelError("no weights", expected="weights", do="fetch them", code="weights")
        return made(shop, arm, fold, seed)

    monkeypatch.setattr(Workshop, "children", mint)
    found = searched(data, tmp_path / "o")
    assert found.plan.abstained and "could not be made for the proof: no weights" in found.reason
    assert len(found.facts["trials"]) == SMALL.trials


class Clock:
    """Ten seconds pass whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        self.now += 10.0
        return self.now


@pytest.mark.parametrize(("seconds", "trials", "said"), [(0.0, 0, "before the first trial"), (75.0, 2, "was proved")])
def test_the_search_keeps_to_its_time(data, tmp_path, true_rows, monkeypatch, seconds, trials, said) -> None:
    clock = Clock()
    for module in (search, validation):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=clock.time, monotonic=clock.time))
    monkeypatch.setattr("augmint.pipeline.tuning.time", SimpleNamespace(time=lambda: 0.0))
    found = searched(data, tmp_path / "o", Tuning(**{**vars(SMALL), "seconds": seconds}))
    assert found.plan.abstained and said in found.reason and "the time was up" in found.reason
    assert len(found.facts["trials"]) <= trials


def test_an_abstained_run_is_whole(data, tmp_path, wrong_rows) -> None:
    out = tmp_path / "o"
    result = augment(data, out, method="auto", size=64, tuning=SMALL)
    assert result.exit_code == 0 and result.abstained and "not better on average" in result.tuned
    assert sum(result.made.values()) == 0 and result.before == dict.fromkeys(CLASSES, 8)
    assert json.loads((out / "run.json").read_bytes())["abstained"] is True
    assert read_config(out / "config.yaml")[0]["abstained"] is True
    assert "`abstained: true`" in (out / "README.md").read_text()
    assert len(list((out / "train").rglob("*.png"))) == 32
    assert verify(out).problems == ()
    sums = (out / "SHA256SUMS").read_bytes()
    again = augment(data, out, method="auto", size=64, tuning=SMALL)
    assert again.abstained and (out / "SHA256SUMS").read_bytes() == sums and verify(out).exit_code == 0
    augment(data, tmp_path / "by-config", config=out / "config.yaml")
    assert (tmp_path / "by-config" / "SHA256SUMS").read_bytes() == sums


def test_a_run_that_ships_can_be_replayed_and_repeated(data, tmp_path, true_rows) -> None:
    out = tmp_path / "o"
    result = augment(data, out, method="auto", size=64, gates=[], tuning=SMALL)
    assert not result.abstained and result.made == result.asked and sum(result.made.values()) > 0
    assert read_config(out / "config.yaml")[0]["method"] == "noise"
    assert verify(out).problems == ()
    assert replay(out, next(out.rglob("syn-*.png")).stem).identical
    true_rows.clear()
    augment(data, out, method="auto", size=64, gates=[], tuning=SMALL)
    assert not true_rows
    fresh = augment(data, out, method="auto", size=64, gates=[], tuning=SMALL, fresh=True)
    assert true_rows and fresh.made == result.made


def test_auto_goes_on_with_a_search_that_the_time_cut(data, tmp_path, true_rows) -> None:
    out, short = tmp_path / "o", Tuning(**{**vars(SMALL), "seconds": 0.0})
    first = augment(data, out, method="auto", size=64, gates=[], tuning=short)
    assert first.abstained and "time was up" in first.tuned and not true_rows
    again = augment(data, out, method="auto", size=64, gates=[], tuning=SMALL)
    assert not again.abstained and sum(again.made.values()) > 0 and verify(out).problems == ()
    true_rows.clear()
    last = augment(data, out, method="auto", size=64, gates=[], tuning=short)  # settled now, however little time
    assert last.made == again.made and not true_rows


def test_few_rows_cannot_be_validated(tmp_path) -> None:
    few = written(tmp_path / "few", 1)
    found = searched(few, tmp_path / "o")
    assert found.plan.abstained and "too few" in found.reason and found.facts["trained"] == 0


def test_only_so_many_rows_are_searched_with(data, tmp_path, wrong_rows) -> None:
    found = searched(data, tmp_path / "o", Tuning(**{**vars(SMALL), "most_rows": 20, "trials": 1}))
    assert found.facts["rows"] == 20


def test_without_optuna_the_extra_is_named(data, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(search, "find_spec", lambda name: None)
    with pytest.raises(ModelError) as caught:
        searched(data, tmp_path / "o")
    assert "pip install 'augmint[tune]'" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"method_options": {"strength": 1}}, "method_options"),
        ({"synthetic_only": True}, "synthetic_only"),
        ({"factor": 5.0}, "factor"),
        ({"factor": 2.0}, "factor"),
    ],
)
def test_auto_settles_these(values, word) -> None:
    with pytest.raises(UsageError, match=word):
        make_plan({"method": "auto", **values})


def test_a_plan_that_abstains_makes_nothing() -> None:
    with pytest.raises(UsageError, match="abstained with factor"):
        make_plan({"abstained": True})
    assert make_plan({"abstained": True, "factor": 1.0}).abstained
