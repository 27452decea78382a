"""Runs on texts in which models have a part: a language model, a judge, a pool; toy models stand for real ones."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

import augmint as am
from augmint.core.errors import UsageError
from augmint.core.protocols import Encoder, Modality, Rewriter
from augmint.models import get_card
from augmint.numerics.texts import texts_of, with_texts
from augmint.pipeline import setup, workers
from augmint.pipeline.config import plan_from
from augmint.pipeline.replay import replay
from augmint.pipeline.verify import verify
from augmint.rewriters import TABLE as REBUILD
from support import jsonl, snapshot

SWEET = ["sugar", "honey", "cake", "cream", "syrup", "jam"]
SOUR = ["lemon", "vinegar", "pickle", "lime", "rhubarb", "kraut"]


def rows_of(words: list[str], label: str, count: int) -> list[dict[str, str]]:
    return [
        {"text": f"a {words[i % 6]} with {words[(i + i // 6 + 1) % 6]} number {i}", "label": label}
        for i in range(count)
    ]


@dataclass(frozen=True)
class Bag(Encoder):
    """Counts of hashed words, of unit length."""

    name: str = "bag"

    @property
    def space(self) -> str:
        return self.name

    def encode(self, samples):
        z = np.zeros((len(samples), 64), np.float32)
        for row, sample in zip(z, samples, strict=True):
            for word in " ".join(texts_of(sample)).split():
                row[int.from_bytes(hashlib.sha256(word.encode()).digest()[:2], "little") % 64] += 1.0
        return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-6)


@dataclass
class Words:
    """A language model that knows a few words."""

    words: list[str]


@dataclass
class Filler(Rewriter):
    """Adds a word of its model."""

    modalities: ClassVar[frozenset[Modality]] = frozenset({"text"})
    model_kinds: ClassVar[frozenset[str]] = frozenset({"masked-lm"})
    lm: Any = field(default=None, repr=False)

    def fit(self, samples, rng):
        assert self.lm is not None
        return self

    def rewrite(self, samples, rngs):
        words = [self.lm.words[int(rng.integers(len(self.lm.words)))] for rng in rngs]
        return [with_texts(s, [f"{s.content} {word}"]) for s, word in zip(samples, words, strict=True)]


@pytest.fixture
def loaded(monkeypatch):
    """Names of the models that were loaded, in order."""
    found: list[tuple[str, int | None]] = []

    def encoder(name, *, size=None, device="cpu"):
        found.append((name, size))
        return Bag(f"{name}-{size}")

    def lm(name, *, kind=None, size=None, device="cpu"):
        found.append((name, size))
        return Words(["indeed", "perhaps", "again"])

    monkeypatch.setattr(workers, "load_encoder", encoder)
    monkeypatch.setattr(workers, "load_judge", lambda name, classes, **options: encoder(name, **options))
    monkeypatch.setattr(workers, "load_lm", lm)
    monkeypatch.setitem(REBUILD, "filler", f"{__name__}:Filler")
    return found


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "in.jsonl"
    rows = [*rows_of(SWEET, "sweet", 12), *rows_of(SOUR, "sour", 12)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


FILL = {"method": "filler", "gates": [], "unit_size": 5}


def test_a_language_model_is_handed_to_the_fit_and_to_the_worker(data, tmp_path, loaded):
    out = am.augment(data, tmp_path / "out", **FILL).out
    assert loaded == [("tiny-text", 128), ("tiny-text", 128)]
    plan = json.loads((out / ".augmint/plan.json").read_bytes())
    assert (plan["model"], plan["size"], plan["judge_sha256"]) == ("tiny-text", 128, "")
    made = [row for row in jsonl(out / "train.jsonl") if row["is_synthetic"]]
    card = get_card("tiny-text")
    assert {row["model"] for row in made} == {f"{card.tag}/128"} and {row["method"] for row in made} == {"filler"}
    assert all(row["text"].split()[-1] in ("indeed", "perhaps", "again") for row in made)
    assert card.weights.sha256 in (out / "README.md").read_text()
    assert replay(out, made[0]["id"]).identical


def test_other_weights_are_another_run(data, tmp_path, loaded, monkeypatch):
    am.augment(data, tmp_path / "out", **FILL)
    before = setup.fingerprint
    monkeypatch.setattr(setup, "fingerprint", lambda card: before(card)[::-1])
    with pytest.raises(UsageError, match="model_sha256"):
        am.augment(data, tmp_path / "out", **FILL)


def test_the_judge_is_loaded_where_something_asks_for_it(data, tmp_path, loaded):
    keys = {**FILL, "gates": ["novelty"], "gate_options": {"novelty": {"floor": 1e-4}}}
    result = am.augment(data, tmp_path / "out", **keys)
    assert {name for name, _ in loaded} == {"tiny-text", "all-MiniLM-L6-v2"}
    assert sum(result.made.values()) == 24
    assert "scores" in (result.out / "report/scores.json").read_text()
    facts = json.loads((result.out / "run.json").read_bytes())
    assert facts["judge"] == "shared"  # tiny-text is put on the body of the judge
    again = am.augment(data, tmp_path / "by-judge", **FILL, label_by="judge")
    made = [row for row in jsonl(again.out / "train.jsonl") if row["is_synthetic"]]
    assert {row["label_by"] for row in made} == {"judge"} and all(len(row["label_probs"]) == 2 for row in made)
    assert [row["label_probs"] for row in jsonl(again.out / "train.jsonl")[:1]] == [[0.0, 1.0]]


def test_retrieval_picks_texts_of_a_pool_and_the_judge_labels_them(data, tmp_path, loaded):
    pool = tmp_path / "pool.csv"
    texts = [row["text"].replace("number", "no") for row in [*rows_of(SWEET, "", 30), *rows_of(SOUR, "", 30)]]
    pool.write_text("text\n" + "".join(f"{text}\n" for text in texts))
    result = am.augment(data, tmp_path / "out", pool=pool, method="retrieval", gates=[], factor=1.5, unit_size=4)
    assert {name for name, _ in loaded} == {"all-MiniLM-L6-v2"}
    made = [row for row in jsonl(result.out / "train.jsonl") if row["is_synthetic"]]
    assert len(made) >= 8 and len({row["text"] for row in made}) == len(made)
    assert {row["text"] for row in made} <= set(texts)
    for row in made:
        assert any(ref.startswith("pool:pool.csv:") for ref in row["refs"]) and row["label_by"] == "judge"
    right = [any(word in row["text"] for word in {"sweet": SWEET, "sour": SOUR}[row["label"]]) for row in made]
    assert np.mean(right) > 0.8
    assert verify(result.out).exit_code == 0 and replay(result.out, made[0]["id"]).identical
    again = am.augment(data, tmp_path / "two", pool=pool, method="retrieval", gates=[], factor=1.5, unit_size=4)
    assert snapshot(again.out) == snapshot(result.out)


def test_the_defaults_are_those_of_the_method():
    by_default = {"judge": "all-MiniLM-L6-v2", "unit_size": 256}
    for method, model in (("masked-lm", "tiny-text"), ("retrieval", "all-MiniLM-L6-v2"), ("classic", "")):
        plan = plan_from(None, {"method": method}, modality="text")
        assert plan.model == model and {key: getattr(plan, key) for key in by_default} == by_default
    assert plan_from(None, {}, modality="text").method == "masked-lm"
    assert (
        plan_from(None, {"method": "classic"}, ["then=classic"], modality="text").recipe == "classic-text+classic-text"
    )
    assert plan_from(None, {"method": "classic"}).method == "classic"


def test_a_method_without_a_default_model_asks_for_one(data, tmp_path, monkeypatch):
    monkeypatch.setitem(REBUILD, "writer", f"{__name__}:Writer")
    with pytest.raises(UsageError, match=r"method 'writer' without a model(?s:.*)--model FOLDER"):
        am.augment(data, tmp_path / "out", method="writer")
    with pytest.raises(UsageError, match="of kind masked-lm"):
        am.augment(data, tmp_path / "out", method="writer", model="tiny-text")
    with pytest.raises(UsageError, match="option 'lm'"):
        am.augment(data, tmp_path / "out", method="writer", method_options={"lm": 3})


@dataclass
class Writer(Filler):
    model_kinds: ClassVar[frozenset[str]] = frozenset({"causal-lm"})


@pytest.fixture
def folder(tmp_path):
    """A BertForMaskedLM of a few kilobytes whose words are those of the data."""
    transformers = pytest.importorskip("transformers")
    path = tmp_path / "tiny-bert"
    path.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "with", "number", *map(str, range(12)), *SWEET, *SOUR]
    (path / "vocab.txt").write_text("\n".join(words) + "\n")
    transformers.BertTokenizerFast(vocab=str(path / "vocab.txt")).save_pretrained(path)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertForMaskedLM(config).save_pretrained(path)
    return str(path)


def test_a_local_folder_rewrites_and_is_known_by_its_weights(data, tmp_path, folder):
    keys = {"method": "masked-lm", "model": folder, "size": 32, "gates": [], "unit_size": 8}
    out = am.augment(data, tmp_path / "out", **keys).out
    made = [row for row in jsonl(out / "train.jsonl") if row["is_synthetic"]]
    assert len(made) == 24 and replay(out, made[-1]["id"]).identical
    two = am.augment(data, tmp_path / "two", workers=2, **keys).out
    assert snapshot(two) == snapshot(out)
