"""The gate on fluency in a run: it is handed a model of its own, and what is scrambled is rejected."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

pytest.importorskip("transformers")

import augmint as am
from augmint.core.errors import UsageError
from augmint.pipeline.estimate import estimate
from augmint.pipeline.finished import Finished
from augmint.pipeline.plan import make_plan
from augmint.pipeline.provenance import models_of
from augmint.pipeline.replay import replay
from augmint.pipeline.sources import Inputs
from tiny_folders import write_folder

TEXTS = (
    ("good", "the story is told with warmth and a great deal of humor ."),
    ("good", "this is one of the best films of the year ."),
    ("good", "the actors give wonderful performances from start to finish ."),
    ("good", "it is a moving portrait of a family in a small town ."),
    ("bad", "the plot makes no sense and the jokes are not funny ."),
    ("bad", "this is a very long film that goes nowhere at all ."),
    ("bad", "the script was written by someone who has never met a child ."),
    ("bad", "i wanted to leave the theater after the first ten minutes ."),
)
KEYS = {"judge": "tiny-text-judge", "gates": ["fluency"], "max_rounds": 1, "max_tries": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fluency") / "few.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("label", "text"), *TEXTS])
    return path


def scrambled(swap: float) -> dict[str, object]:
    return {"method": "classic-text", "method_options": {"preset": "light", "synonyms": 0, "swap": swap}}


def test_scrambled_texts_are_rejected_and_replayed(data: Path, tmp_path: Path) -> None:
    result = am.augment(data, tmp_path / "o", **scrambled(0.9), **KEYS)
    rejected = sum(result.rejected[name].get("fluency", 0) for name in result.rejected)
    assert rejected >= 10 and result.exit_code == 1, "of 16 draws"
    rejects = [json.loads(line) for line in (tmp_path / "o/rejects.jsonl").read_text().splitlines()]
    assert all(row["score"] < row["threshold"] < 0 for row in rejects)
    assert replay(tmp_path / "o", rejects[0]["id"]).identical
    run = Finished(tmp_path / "o")
    assert "gate fluency" in run.plan["further_sha256"]
    assert ("tiny-text", "gate fluency reads through it") in {(one.name, one.role) for one in models_of(run)}


def test_what_reads_as_before_passes(data: Path, tmp_path: Path) -> None:
    options = {"preset": "light", "synonyms": 0, "case": 0.1}  # tiny-text reads no case
    keys = {**KEYS, "gate_options": {"fluency": {"quantile": 0.0}}}
    result = am.augment(data, tmp_path / "o", method="classic-text", method_options=options, **keys)
    assert result.made == {"bad": 4, "good": 4}


def test_its_model_is_chosen_checked_and_forecast(data: Path, tmp_path: Path) -> None:
    folder = write_folder("bert-masked-lm", tmp_path / "my-bert")
    keys = {**KEYS, "gate_options": {"fluency": {"model": str(folder)}}, "gates": ["fluency"], **scrambled(0.9)}
    names = [model["name"] for model in estimate(make_plan(keys), Inputs(data), tmp_path / "o", workers=1).models]
    assert names == ["tiny-text-judge", "my-bert"]
    for wrong in ("all-MiniLM-L6-v2", "tiny-txt"):
        with pytest.raises(UsageError, match=wrong):
            am.augment(data, tmp_path / "p", **{**keys, "gate_options": {"fluency": {"model": wrong}}})
    assert not (tmp_path / "p").exists()
