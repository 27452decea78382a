"""Classifiers and models of inference as judges: rows are the library's own probabilities of the data's classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from augmint.checks import check_encoder
from augmint.core.errors import UsageError
from augmint.core.types import Sample
from augmint.models import load_judge
from augmint.models.label_judge import LabelJudge, check_labels, judge_card
from augmint.models.text import TextEncoder
from tiny_folders import tokenizer_of, write_classifier, write_folder

TEXTS = ("the cat sat on a mat", "some old dog ran far away into dark woods", "it was hungry", "a cat", "")


def samples() -> list[Sample]:
    return [Sample(f"t{i}", text) for i, text in enumerate(TEXTS)]


def test_a_classifier_gives_its_probabilities_in_the_order_of_the_classes(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "mine", ("Sport", "news", "other", "weather"))
    classes = ("news", "sport", "weather")
    judge = load_judge(folder, classes)
    assert isinstance(judge, LabelJudge) and judge.space.endswith("/labels")
    rows = judge.encode(samples())
    pipe = transformers.pipeline("text-classification", folder, top_k=None, device="cpu")
    for row, found in zip(np.exp(rows), pipe(list(TEXTS)), strict=True):
        own = {entry["label"].lower(): entry["score"] for entry in found}
        wanted = np.array([own[name] for name in classes])
        np.testing.assert_allclose(row, wanted / wanted.sum(), atol=1e-5)
    check_encoder(lambda: load_judge(folder, classes), samples())


@pytest.mark.parametrize("template", ["", "It is all about {}!"])
def test_inference_gives_the_librarys_zero_shot_probabilities(tmp_path: Path, template: str) -> None:
    folder = write_classifier(tmp_path / "nli", ("contradiction", "neutral", "ENTAILMENT"))
    classes = ("dark_woods", "cat", "hungry-dog")
    judge = load_judge(folder + (f"#{template}" if template else ""), classes)
    pipe = transformers.pipeline("zero-shot-classification", folder, device="cpu")
    said = ["dark woods", "cat", "hungry dog"]
    rows = np.exp(judge.encode(samples()[:4]))
    for row, text in zip(rows, TEXTS[:4], strict=True):
        found = pipe(text, said, hypothesis_template=template or "This text is about {}.")
        own = dict(zip(found["labels"], found["scores"], strict=True))
        np.testing.assert_allclose(row, [own[name] for name in said], atol=1e-5)


def test_one_class_and_labels_that_differ_in_case_alone(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "mine", ("good", "Good", "bad"))
    one = load_judge(folder, ("bad",))
    assert isinstance(one, LabelJudge) and not one.hypotheses and not one.encode(samples()).any(), "log 1"
    both, turned = (load_judge(folder, names).encode(samples()) for names in (("Good", "good"), ("good", "Good")))
    assert np.array_equal(both, turned[:, ::-1]) and not np.array_equal(both, turned)
    with pytest.raises(UsageError, match="without a label"):
        load_judge(folder, ("GOOD", "bad"))


def test_a_classifier_that_reads_the_last_token(tmp_path: Path) -> None:
    """GPT-2 has no padding token, and asks for one as soon as it sees two texts."""
    tokenizer = tokenizer_of("gpt2")
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=64, id2label={0: "a", 1: "b"}
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = transformers.GPT2ForSequenceClassification(config).eval()
    net.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    rows = load_judge(str(tmp_path), ("a", "b")).encode(samples()[:4])
    for row, text in zip(rows, TEXTS, strict=False):
        with torch.no_grad():
            own = net(**tokenizer([text], return_tensors="pt")).logits[0].log_softmax(0)
        np.testing.assert_allclose(row, own.numpy(), atol=1e-5)


def test_labels_of_other_data_are_refused(tmp_path: Path) -> None:
    for labels, told in ((("LABEL_0", "LABEL_1"), "it has none"), (("good", "so-so"), "it has good, so-so")):
        folder = write_classifier(tmp_path / labels[0], labels)
        for check in (check_labels, load_judge):
            with pytest.raises(UsageError, match="without a label") as caught:
                check(folder, ("good", "bad"))
            assert told in str(caught.value)


@pytest.mark.parametrize("names", [{"good": 0, "bad": 1}, ["good", "bad"]])
def test_labels_that_are_no_names_by_number(tmp_path: Path, names: object) -> None:
    folder = write_classifier(tmp_path / "odd", ("good", "bad"))
    config = json.loads((tmp_path / "odd/config.json").read_text()) | {"id2label": names}
    (tmp_path / "odd/config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match="id2label") as caught:
        check_labels(folder, ("good", "bad"))
    assert caught.value.code == "judge-labels"


def test_encoders_and_language_models_judge_by_their_rows(tmp_path: Path) -> None:
    for family in ("bert", "bert-masked-lm"):
        folder = str(write_folder(family, tmp_path / family))
        assert judge_card(folder).kind == "encoder"
        check_labels(folder, ("anything",))
        assert isinstance(load_judge(folder, ("anything",)), TextEncoder)
