from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")

import tiny_lms
from augmint.checks import check_rewriter
from augmint.core.errors import DataError, UsageError
from augmint.core.types import Sample
from augmint.models import load_lm
from augmint.models.causal import CausalLM, Continuation
from augmint.rewriters.generating import CUT, TOO_LONG
from augmint.rewriters.lm_generate import LmGenerate

SAMPLES = [Sample(f"row {i}", text, label, group=f"g{i % 3}") for i, (text, label) in enumerate(tiny_lms.fifty())]
LINES = [f"{sample.target}: {sample.content}" for sample in SAMPLES]


def rngs(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(i) for i in range(n)]


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> CausalLM:
    return load_lm(str(tiny_lms.gpt2(tmp_path_factory.mktemp("gpt2"), LINES)))


@pytest.fixture(scope="module")
def fitted(lm: CausalLM) -> LmGenerate:
    """A network with random weights has everything to learn: all of its weights, many times over."""
    options: dict[str, Any] = {"updates": 300, "batch": 50, "rate": 1e-2, "rank": 0, "temperature": 0.6}
    return LmGenerate(lm=lm, **options).fit(SAMPLES, np.random.default_rng(0))


def test_what_was_learned_by_heart_comes_back(fitted: LmGenerate) -> None:
    """All that it writes are the 50 texts, each under its own label, and it writes many of them."""
    assert fitted.told() == []
    children = fitted.children(SAMPLES, rngs(50))
    labels = {sample.content: sample.target for sample in SAMPLES}
    assert Counter(child.note for child in children)[""] >= 49
    right = [child.sample for child in children if labels.get(child.sample.content) == child.sample.target]
    assert len(right) >= 47 and len({child.content for child in right}) > 15
    assert sum(child.content == own.content for child, own in zip(right, SAMPLES, strict=False)) < 10, "not its parent"


def test_first_words_of_the_parent(fitted: LmGenerate, lm: CausalLM) -> None:
    """With two words given, which are in one text alone, that text must follow; it is the parent again."""
    again = LmGenerate(lm=lm, words=2, temperature=0.0, tries=1).load(fitted.state())
    children = again.children(SAMPLES, rngs(50))
    assert Counter(child.note for child in children)["fallback: its parent's text, which was written again"] >= 48


class Says:
    """In the place of a fitted model: the same continuation for every prompt."""

    name, kind, size, longest = "says@0", "causal-lm", 40, 40

    def __init__(self, text: str, ended: bool = True) -> None:
        self.said = Continuation(text, ended)

    def with_learned(self, learned: Any) -> Says:
        return self

    def lengths(self, texts: list[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def continuations(self, prompts: list[str], streams: list[Any], decoding: Any) -> list[Continuation]:
        return [self.said] * len(prompts)


STATE = {"longest": np.array([20])}


@pytest.mark.parametrize(
    ("written", "child"),
    [(", had none", "the film, had none"), (" had none", "the film had none"), ("s", "the films")],
)
def test_a_continuation_joins_as_the_model_wrote_it(written: str, child: str) -> None:
    method = LmGenerate(lm=Says(written), words=2).load(STATE)
    assert method.rewrite([Sample("x", "the film was long", "pos")], rngs(1))[0].content == child


def test_what_has_no_end_is_no_child() -> None:
    told = LmGenerate(lm=Says(" was and", ended=False), words=2).load(STATE)
    assert told.children([Sample("x", "the film was long", "pos")], rngs(1))[0].note == CUT
    long = LmGenerate(lm=Says(" word"), words=50).load(STATE)  # the label would be cut off
    assert long.children([Sample("x", "word " * 60, "pos")], rngs(1))[0].note == TOO_LONG


def test_more_tokens_than_the_network_has_positions(tmp_path: Any) -> None:
    lm = load_lm(str(tiny_lms.gpt2(tmp_path, LINES, positions=32)))
    long = [Sample(f"row {i}", " ".join([sample.content] * 20), "a") for i, sample in enumerate(SAMPLES[:4])]
    method = LmGenerate(lm=lm, most=300, updates=2).fit(long, rngs(1)[0])
    assert method.longest_ == 32 and len(method.rewrite(long[:2], rngs(2))) == 2
    assert "4 of 4 texts are longer than 32 tokens" in method.told()[0]
    assert LmGenerate(lm=lm).load(method.state()).told() == method.told()


def test_laws(lm: CausalLM) -> None:
    options: dict[str, Any] = {"updates": 3, "batch": 4, "most": 24, "tries": 2}
    odd = [Sample("none", "", "b"), Sample("lines", "the\nmarket", "c")]
    check_rewriter(lambda: LmGenerate(lm=lm, **options), [*SAMPLES[:2], *odd])
    check_rewriter(lambda: LmGenerate(lm=lm, words=2, rank=0, updates=2, most=20, tries=1), SAMPLES[:3])


def test_the_state_is_small_with_thin_matrices(lm: CausalLM, fitted: LmGenerate) -> None:
    thin = LmGenerate(lm=lm, updates=1).fit(SAMPLES, np.random.default_rng(0)).state()
    whole = sum(array.nbytes for array in fitted.state().values())
    assert sum(array.nbytes for array in thin.values()) < 0.4 * whole
    assert whole >= 4 * sum(p.numel() for p in lm.net.parameters())


def test_refusals(lm: CausalLM) -> None:
    method = LmGenerate(lm=lm, updates=1)
    pair = Sample("pair", {"premise": "the market", "hypothesis": "the harbour"}, "a")
    with pytest.raises(DataError, match="premise, hypothesis"):
        method.fit([pair], rngs(1)[0])
    with pytest.raises(DataError, match="spans"):
        method.fit([Sample("x", "the market", "a", spans=((0, 3, "B"),))], rngs(1)[0])
    with pytest.raises(UsageError, match="no text with a label"):
        method.fit([Sample("x", "the market")], rngs(1)[0])
    with pytest.raises(UsageError, match="kind causal-lm"):
        LmGenerate().fit(SAMPLES, rngs(1)[0])
    for wrong in ({"updates": -1}, {"rate": 0.0}, {"most": 0}, {"top_p": 0.0}):
        with pytest.raises(ValueError, match=r"too small|top_p"):
            LmGenerate(**wrong)
