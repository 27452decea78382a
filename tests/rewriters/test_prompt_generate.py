from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tiny_lms
from augmint.checks import check_rewriter
from augmint.core.errors import DataError
from augmint.core.types import Sample
from augmint.models.causal import Continuation
from augmint.rewriters.examples import from_state, kept_examples, to_state
from augmint.rewriters.generating import CUT
from augmint.rewriters.prompt_generate import PromptGenerate

SAMPLES = [Sample(f"row {i}", text, label) for i, (text, label) in enumerate(tiny_lms.fifty())]


def rngs(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(i) for i in range(n)]


class Echo:
    """In the place of a causal model: answers with the third line of the prompt and a number of its stream."""

    name, kind, size = "echo@0", "causal-lm", 60

    def __init__(self) -> None:
        self.asked: list[str] = []

    def lengths(self, texts: list[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def continuations(self, prompts: list[str], streams: list[Any], decoding: Any) -> list[Continuation]:
        assert decoding.stop == "\n" and decoding.most == 64
        self.asked += prompts
        lines = [prompt.split("\n")[2] for prompt in prompts]
        return [Continuation(f" {line} {rng.integers(99)}", True) for line, rng in zip(lines, streams, strict=True)]


def test_the_prompt_and_its_parents() -> None:
    lm = Echo()
    method = PromptGenerate(shots=3, lm=lm).fit(SAMPLES, rngs(1)[0])
    told = method.children([SAMPLES[7]], rngs(1))[0]
    lines = lm.asked[0].split("\n")
    assert lines[0] == "Texts of the class forest:" and lines[-1] == "-" and lines[-2] == f"- {SAMPLES[7].content}"
    assert len(lines) == 5 and told.note == ""
    ids = [id_ for id_, _ in told.parents]
    assert ids[-1] == "row 7" and len(set(ids)) == 3 and {share for _, share in told.parents} == {1 / 3}
    by_id = {sample.id: sample for sample in SAMPLES}
    assert [f"- {by_id[id_].content}" for id_ in ids] == lines[1:4]
    assert {by_id[id_].target for id_ in ids} == {"forest"}


def test_as_many_examples_as_the_model_reads() -> None:
    lm = Echo()
    PromptGenerate(shots=9, lm=lm).fit(SAMPLES, rngs(1)[0]).rewrite(SAMPLES[:4], rngs(4))
    assert all(40 < len(prompt.split()) <= 60 for prompt in lm.asked)
    long = Sample("long", "word " * 99, "forest")
    told = PromptGenerate(lm=Echo()).fit(SAMPLES, rngs(1)[0]).children([long], rngs(1))[0]
    assert told.sample.content == long.content and "longer than the model reads" in told.note


def test_laws() -> None:
    check_rewriter(lambda: PromptGenerate(shots=3, lm=Echo()), [*SAMPLES[:12], Sample("lone", "two\nlines", "x")])
    with pytest.raises(DataError, match="one text a sample"):
        PromptGenerate(lm=Echo()).fit([Sample("pair", {"a": "x", "b": "y"}, "d")], rngs(1)[0])
    with pytest.raises(ValueError, match="shots"):
        PromptGenerate(shots=0)


def test_a_tiny_gpt2_goes_on(tmp_path: Any) -> None:
    pytest.importorskip("transformers")
    from augmint.models import load_lm

    lm = load_lm(str(tiny_lms.gpt2(tmp_path, [*tiny_lms.texts(), "Texts of the class forest: - harbour:"])))
    method = PromptGenerate(shots=2, most=60, tries=20, temperature=2.0, lm=lm).fit(SAMPLES, rngs(1)[0])
    children = method.children(SAMPLES[:4], rngs(4))
    assert all(child.note == "" and len(child.parents) == 2 for child in children)
    assert all(len(child.sample.content.split()) <= 60 for child in children)
    assert children[0] == method.children(SAMPLES[:1], rngs(1))[0]
    short = PromptGenerate(shots=2, most=1, tries=1, temperature=2.0, lm=lm).load(method.state())
    assert {child.note for child in short.children(SAMPLES[:4], rngs(4))} == {CUT}


def test_kept_examples() -> None:
    """All where there is room; else every text as likely as any other, in one pass."""
    kept = kept_examples(SAMPLES, 100, rngs(1)[0])
    assert [len(own) for own in kept.values()] == [10] * 5
    assert from_state(to_state(kept)) == kept
    counts = np.zeros(10)
    forest = [sample for sample in SAMPLES if sample.target == "forest"]
    for seed in range(2000):
        few = kept_examples(iter(forest), 3, np.random.default_rng(seed))["forest"]
        assert len({example.id for example in few}) == 3
        for example in few:
            counts[[sample.id for sample in forest].index(example.id)] += 1
    assert counts.sum() == 6000 and np.abs(counts - 600).max() < 90
    assert kept_examples([Sample("x", "unlabelled")], 3, rngs(1)[0]) == {}
