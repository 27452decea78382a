"""``augmint tune`` and ``run --method auto`` from the command line."""

from __future__ import annotations

import numpy as np
import pytest

from augmint.core.types import Sample
from augmint.pipeline.minting import Children
from augmint.pipeline.workshop import Workshop
from support import save

pytest.importorskip("optuna")


@pytest.fixture
def copies(monkeypatch) -> None:
    """Every method copies, so that nothing can help."""

    def mint(shop, arm, fold, seed) -> Children:
        samples = tuple(Sample("", s.content, s.target) for s in fold.real * bool(arm.method))
        y = np.array([[s.target == name for name in fold.classes] for s in samples], np.float32)
        return Children(samples, y.reshape(-1, len(fold.classes)), tuple([("pool:", 1.0)] for _ in samples))

    monkeypatch.setattr(Workshop, "children", mint)


@pytest.fixture
def noise(tmp_path):
    """Pictures of nothing in two classes."""
    rng = np.random.default_rng(0)
    for i in range(16):
        save(tmp_path / "data" / "ab"[i % 2] / f"{i}.png", rng.integers(0, 256, (8, 8), np.uint8))
    return tmp_path / "data"


def test_tune_abstains_and_its_config_runs(augmint, noise, tmp_path, copies) -> None:
    flags = ["--trials", 2, "--method", "noise,classic", "--updates", 5, "--student", "probe"]
    answer = augmint("tune", noise, "-o", tmp_path / "t", *flags, "--json", "-q")
    assert answer.code == 0 and answer.json["abstained"] and answer.json["plan"]["abstained"]
    assert [trial["number"] for trial in answer.json["trials"]] == [0, 1]
    told = augmint("tune", noise, "-o", tmp_path / "t", *flags)
    assert "abstain: " in told.out and "equal mixture" in told.out and "next:  augmint run" in told.out
    ran = augmint("run", noise, "-o", tmp_path / "r", "--config", tmp_path / "t" / "config.yaml", "--json")
    assert ran.code == 0 and ran.json["abstained"] and sum(ran.json["made"].values()) == 0
    again = augmint("run", noise, "-o", tmp_path / "r", "--config", tmp_path / "t" / "config.yaml", "-q")
    assert "as the config says" in again.err and "()" not in again.err


def test_auto_says_that_it_abstains(augmint, noise, tmp_path, copies) -> None:
    words = [
        "run",
        noise,
        "-o",
        tmp_path / "o",
        "--method",
        "auto",
        "--trials",
        1,
        "--updates",
        5,
        "--student",
        "probe",
    ]
    answer = augmint(*words, "-q")
    assert answer.code == 0 and "abstained: nothing was added" in answer.err
    assert augmint("verify", tmp_path / "o").code == 0
    again = augmint(*words, "--json")
    assert again.code == 0 and again.json["abstained"] and again.json["tuned"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--margin", "-1"], "points, 0 to 100"),
        (["--margin", "101"], "points, 0 to 100"),
        (["--trials", "0"], "trials"),
        (["--time", "soon"], "soon"),
        (["--method", "nois"], "did you mean 'noise'"),
        (["--method", "retrieval"], "without a pool"),
        (["--student", "teacher"], "teacher"),
        (["--student", "scratch-cnn"], "use scratch for pictures"),
        (["--gate", "consistancy"], "did you mean 'consistency'"),
        (["--judge", "all-MiniLM-L6-v2"], "judge 'all-MiniLM-L6-v2', of kind encoder and modality text"),
    ],
)
def test_what_cannot_be_tuned_is_told_before_any_work(augmint, noise, tmp_path, words, said) -> None:
    answer = augmint("tune", noise, "-o", tmp_path / "o", *words)
    assert answer.code == 2 and said in answer.err and not (tmp_path / "o" / "tune.json").exists()


def test_auto_has_no_forecast_and_no_parts_of_its_own(augmint, noise, tmp_path) -> None:
    words = ["run", noise, "-o", tmp_path / "o", "--method", "auto"]
    assert "augmint tune" in augmint(*words, "--dry-run").err
    assert augmint(*words, "--then", "classic").code == 2
    assert augmint(*words, "--synthetic-only").code == 2
    assert augmint(*words, "--factor", "5").code == 2


def test_few_groups_are_told_as_such(augmint, tmp_path) -> None:
    rows = [f"text number {i},{'ab'[i % 2]},g{i % 3}" for i in range(30)]
    (tmp_path / "g.csv").write_text("\n".join(["text,label,who", *rows]))
    answer = augmint("tune", tmp_path / "g.csv", "--group", "who", "-o", tmp_path / "o")
    assert answer.code == 0 and "3 groups of classes with two or more groups" in answer.out
