"""Lifts and searches on texts: words of arms, models of the modality, children in memory as on disk, the own pool."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import augmint as am
from augmint.cli import main
from augmint.core.types import Budget, ReadOptions, Sample
from augmint.formats.tables import Tables
from augmint.models import load_encoder, load_lm
from augmint.pipeline.arms import Arm, parse_arms
from augmint.pipeline.encodings import Remembered
from augmint.pipeline.judging import Blind
from augmint.pipeline.lift_plan import LiftPlan
from augmint.pipeline.minting import Fold, Models, mint
from augmint.pipeline.neutral import NEUTRAL, neutral_texts, pool_path
from augmint.pipeline.plan import make_plan
from augmint.pipeline.progress import Progress
from augmint.pipeline.tune import Scheme
from augmint.pipeline.tuning import Tuning
from augmint.pipeline.workshop import Workshop

ENCODER = "all-MiniLM-L6-v2"
CITIES = ["Lima", "Oslo", "Quito", "Cairo", "Hanoi", "Perth", "Turin", "Kyiv"]
FRAMES = {
    "ask": ["what is the capital near %s", "where does the river %s begin", "which town lies by %s"],
    "tell": ["the slow train to %s leaves at noon", "I have never been to %s before", "she sent a letter from %s"],
}


def rows(count: int) -> list[tuple[str, str]]:
    return [(FRAMES[label][i % 3] % CITIES[i % 8] + f" {i}", label) for i in range(count) for label in FRAMES]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows(24)))
    return path


def read(path: Path) -> tuple[Sample, ...]:
    return tuple(Tables().read(path, ReadOptions()))


def test_classic_means_the_transform_of_texts_and_models_suit_methods() -> None:
    words = "classic,masked-lm+classic,on-the-fly,noise+classic,retrieval"
    none, classic, masked, fly, noise, picks = parse_arms(words, modality="text")
    assert (classic.method, classic.model, classic.rewrites) == ("classic-text", "", True)
    assert (masked.method, masked.then, masked.model) == ("masked-lm", "classic-text", "tiny-text")
    assert (fly.transform, noise.then) == ("classic-text", "classic-text")
    assert (picks.model, picks.needs_pool, none.method) == (ENCODER, True, "")
    assert parse_arms("classic", modality="image")[1] == Arm("classic", "classic")
    assert parse_arms("masked-lm", model="other", modality="text")[1].model == "other"


def test_children_in_memory_are_those_of_a_run(data: Path, tmp_path: Path) -> None:
    keys = {"method": "masked-lm", "model": "tiny-text", "judge": ENCODER, "gates": ["consistency"], "unit_size": 5}
    result = am.augment(data, tmp_path / "out", factor=1.5, seed=3, **keys)
    encoder = Remembered(load_encoder(ENCODER))
    made = mint(make_plan({**keys, "factor": 1.5, "seed": 3}), Fold(read(data), ("ask", "tell")),
                Models(encoder, encoder, load_lm("tiny-text")))  # fmt: skip
    lines = [json.loads(line) for line in (result.out / "train.jsonl").read_text().splitlines()]
    on_disk = sorted((row["text"], row["label"]) for row in lines if row["is_synthetic"])
    assert sorted((str(s.content), str(s.target)) for s in made.samples) == on_disk and len(made) > 10


def test_nobody_is_encoded_where_nothing_is_judged(data: Path) -> None:
    class Refusing(Blind):
        def encode(self, samples):
            raise AssertionError("nothing asks for a row")

    plan = make_plan({"method": "classic-text", "gates": [], "factor": 2.0, "model": ""})
    made = mint(plan, Fold(read(data), ("ask", "tell")), Models(Remembered(Refusing()), Refusing()))
    assert len(made) == 48 and made.y.sum() == 48


def test_texts_are_remembered_by_content(data: Path) -> None:
    calls = []

    class Counting(Blind):
        def encode(self, samples):
            calls.append(len(samples))
            return np.array([[len(s.content)] for s in samples], np.float32).reshape(-1, 1)

    known, samples = Remembered(Counting()), [Sample("a", "one"), Sample("b", "three"), Sample("c", "one")]
    assert known.encode(samples).ravel().tolist() == [3, 5, 3]
    assert known.encode(samples[::-1]).ravel().tolist() == [3, 5, 3]
    assert calls == [2, 0]


def test_evaluate_on_texts(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--method", "classic,masked-lm,on-the-fly", "--student", "scratch", "--shots", "2", "--pairs", "1"]
    words += ["--trials", "1", "--updates", "40", "--gate", "none"]
    assert main(["evaluate", str(data), "-o", str(tmp_path / "lift"), *words]) == 0, capsys.readouterr().err
    facts = json.loads((tmp_path / "lift/lift.json").read_text())
    assert [arm["name"] for arm in facts["arms"]] == ["none", "classic", "masked-lm", "on-the-fly"]
    for cell in facts["cells"]:
        assert cell["arms"]["masked-lm"]["minted"] == 8 and cell["arms"]["on-the-fly"]["minted"] == 0
        assert cell["arms"]["none"]["scores"]["accuracy"] > 0.6


def test_the_usual_arms_and_judge_are_those_of_texts(data: Path) -> None:
    result = am.evaluate(data, student="scratch", shots=2, pairs=1, trials=1, gates=["none"])
    assert [arm["name"] for arm in result.facts["arms"]] == ["none", "classic", "masked-lm"]
    assert Workshop(LiftPlan(judge=ENCODER), False).models(Arm("masked-lm", "masked-lm", model="tiny-text")).lm


def test_tune_and_auto_on_texts(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    quick = Tuning(trials=2, budget=Budget(updates=20), scheme=Scheme(3, 1), controls=False)
    result = am.augment(data, tmp_path / "out", method="auto", gates=["none"], tuning=quick)
    facts = json.loads((tmp_path / "out/.augmint/tune/tune.json").read_text())
    assert result.exit_code == 0 and len(facts["trials"]) == 2 and facts["proof"]["name"]
    assert {trial["name"].partition("(")[0] for trial in facts["trials"]} == {"classic-text", "masked-lm"}
    written = (tmp_path / "out/train.jsonl").read_text().splitlines()
    assert len(written) >= 48 and (len(written) == 48) == result.abstained


def test_the_pool_that_ships(data: Path, tmp_path: Path) -> None:
    assert pool_path("neutral") == NEUTRAL and pool_path("a/b") == Path("a/b")
    texts = [str(sample.content) for sample in neutral_texts()]
    assert len(set(texts)) == 2500 and not any("<unk>" in text for text in texts)
    assert all(6 <= len(text.split()) <= 25 for text in texts)


def test_soft_picks_of_a_pool_keep_their_labels(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = tmp_path / "pool.csv"
    with pool.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text"])
        table.writerows([sample.content] for sample in neutral_texts()[:30])
    options = {"labels": "soft", "confidence": 0.0}
    result = am.augment(data, tmp_path / "out", method="retrieval", method_options=options, label_by="parents",
                        pool=pool, gates=["none"], factor=1.4)  # fmt: skip
    lines = [json.loads(line) for line in (result.out / "train.jsonl").read_text().splitlines()]
    picks = [row for row in lines if row["is_synthetic"]]
    assert len(picks) > 10
    for row in picks:
        assert sum(row["label_probs"]) == pytest.approx(1.0, abs=1e-3)
        assert ["ask", "tell"][int(np.argmax(row["label_probs"]))] == row["label"]
        assert len(row["refs"]) == 3 and row["refs"][0].startswith("pool:")
    told: list[str] = []
    progress = Progress()
    monkeypatch.setattr(progress, "say", told.append)
    am.augment(result.out, tmp_path / "again", method="classic", gates=["none"], factor=1.1, progress=progress)
    assert any("soft labels (label_probs) are not read" in line for line in told)
