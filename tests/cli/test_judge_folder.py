"""A run whose judge is a folder of the user's: a classifier of the data's classes, or a model of inference."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

import transformers

from support import jsonl, snapshot
from tiny_folders import write_classifier

WORDS = {"animal": ("cat", "dog", "hungry", "old"), "place": ("mat", "woods", "far", "dark")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """24 rows of each class, of three of its words and none of the other's."""
    rows = [{"text": f"the {a} {b} was the {c}", "label": label} for label, own in WORDS.items()
            for a, b, c in itertools.permutations(own, 3)]  # fmt: skip
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def classifier(tmp_path: Path) -> str:
    """One that counts the classes' words: labels in another order and case than the data's, and one of other data.

    By hand, as training so small a network ends elsewhere on each machine: every position sees the mean of all.
    """
    folder = write_classifier(tmp_path / "classifier", ("PLACE", "weather", "Animal"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    net = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    parts = net.state_dict()
    for name, value in parts.items():
        if "LayerNorm" not in name:
            value.zero_()
        if name.endswith(("attention.self.value.weight", "attention.output.dense.weight", "pooler.dense.weight")):
            value.fill_diagonal_(1)
    for at, own in enumerate(WORDS.values()):
        parts["bert.embeddings.word_embeddings.weight"][tokenizer.convert_tokens_to_ids(list(own)), at] = 1
        parts["classifier.weight"][2 - 2 * at, at] = 10
    net.save_pretrained(folder)
    return folder


def run(augmint: Callable[..., Any], data: Path, judge: str, out: Path) -> Any:
    return augmint(
        *("run", data, "-o", out, "--method", "classic", "--judge", judge, "--gate", "consistency", "--factor", "2"),
        *("--label-by", "judge", "--json"),
    )


def test_a_classifier_judges_a_run(augmint: Callable[..., Any], data: Path, classifier: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    answer = run(augmint, data, classifier, out)
    assert answer.code == 0, answer.err
    children = [row for row in jsonl(out / "train.jsonl") if row["is_synthetic"]]
    assert len(children) == 48 and {row["label_by"] for row in children} == {"judge"}
    assert all(sum(row["label_probs"]) == pytest.approx(1, abs=1e-4) for row in children)
    right = sum(row["label_probs"][row["label"] == "place"] > 0.5 for row in children)
    assert right >= 43, "it knows the rows, and the classes' order is the data's"
    assert json.loads((out / "run.json").read_bytes())["judge"] == "independent"
    assert augmint("verify", out).code == 0
    told = augmint("replay", out, children[0]["id"], "--json")
    assert told.code == 0 and told.json["identical"]
    assert run(augmint, data, classifier, tmp_path / "again").code == 0
    assert snapshot(out) == snapshot(tmp_path / "again")


def test_a_judge_that_is_another_by_now_is_told(
    augmint: Callable[..., Any], data: Path, classifier: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run(augmint, data, classifier, out).code == 0
    child = next(row["id"] for row in jsonl(out / "train.jsonl") if row["is_synthetic"])
    write_classifier(Path(classifier), ("place", "weather", "animal"))
    again = augmint("replay", out, child)
    assert again.code == 2 and "judge_sha256" in again.err


def test_inference_judges_a_run(augmint: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "nli", ("entailment", "neutral", "contradiction"))
    answer = run(augmint, data, f"{folder}#It says {{}}.", tmp_path / "out")
    assert answer.code in (0, 1), "random weights may reject more than can be drawn again"
    assert any(row["is_synthetic"] for row in jsonl(tmp_path / "out/train.jsonl"))
    assert augmint("verify", tmp_path / "out").code == 0


def test_other_labels_are_told_before_any_work(augmint: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "other", ("good", "bad"))
    answer = run(augmint, data, folder, tmp_path / "out")
    assert answer.code == 2 and "without a label 'animal'" in answer.err and not (tmp_path / "out/train.jsonl").exists()
