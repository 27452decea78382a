"""Paraphrase, hidden mix and round trip, with tiny models that learned by heart what to answer."""

from __future__ import annotations

from collections import Counter
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")

import tiny_lms
from augmint.checks import check_rewriter
from augmint.core.errors import DataError, UsageError
from augmint.core.types import Sample
from augmint.models import load_lm
from augmint.models.seq2seq import Seq2Seq
from augmint.rewriters.hidden_mix import HiddenMix, blend
from augmint.rewriters.paraphrase import Paraphrase
from augmint.rewriters.round_trip import RoundTrip

TEXTS = tiny_lms.texts()
SAMPLES = [Sample(f"row {i}", text, label, group=f"g{i % 3}") for i, (text, label) in enumerate(tiny_lms.fifty())]
NEXT = [*TEXTS[5:], *TEXTS[:5]]
"""To each text, the next one of its class."""
GREEDY: dict[str, Any] = {"temperature": 0.0, "tries": 1}


def rngs(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(i) for i in range(n)]


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Seq2Seq:
    """Answers each of 50 texts with the next of its class."""
    lm = load_lm(str(tiny_lms.t5(tmp_path_factory.mktemp("t5"), [*TEXTS, "say: "])))
    given = [f"say: {text}" for text in TEXTS]
    tiny_lms.overfit(lm.net, lm.tokenizer, repeat((given, NEXT)), 110, 1e-2)
    return lm


def test_paraphrases_learned_by_heart(t5: Seq2Seq) -> None:
    method = Paraphrase(prefix="say: ", lm=t5, **GREEDY).fit(SAMPLES, rngs(1)[0])
    children = method.children(SAMPLES, rngs(50))
    right = [child.sample.content == text for child, text in zip(children, NEXT, strict=True)]
    assert sum(right) >= 48 and Counter(child.note for child in children)[""] >= 48
    beams = Paraphrase(prefix="say: ", beams=3, lm=t5).rewrite(SAMPLES[:8], rngs(8))
    assert sum(child.content == text for child, text in zip(beams, NEXT, strict=False)) >= 7


def test_paraphrase_laws(t5: Seq2Seq) -> None:
    pair = Sample("pair", {"premise": TEXTS[0], "hypothesis": TEXTS[1]}, "d")
    check_rewriter(
        lambda: Paraphrase(prefix="say: ", temperature=2.0, tries=2, lm=t5), [SAMPLES[0], Sample("none", "", "b"), pair]
    )
    with pytest.raises(UsageError, match="kind seq2seq"):
        Paraphrase().fit(SAMPLES, rngs(1)[0])


def test_between_a_text_and_nothing_of_another_is_the_text(t5: Seq2Seq) -> None:
    """With shares of (nearly) 1 and 0 the model answers as it does to the parent alone."""
    method = HiddenMix(alpha=1e-6, prefix="say: ", lm=t5, **GREEDY).fit(SAMPLES, rngs(1)[0])
    children = method.children(SAMPLES[:20], rngs(20))
    assert sum(child.sample.content == text for child, text in zip(children, NEXT, strict=False)) >= 19
    for child, own in zip(children, SAMPLES, strict=False):
        (first, share), (second, rest) = child.parents
        assert first == own.id != second and share > 0.99 and share + rest == pytest.approx(1)
        assert SAMPLES[int(second.split()[1])].target == own.target


def test_halves_of_two_texts_have_words_of_both(t5: Seq2Seq) -> None:
    children = (
        HiddenMix(alpha=1e6, prefix="say: ", lm=t5, **GREEDY).fit(SAMPLES, rngs(1)[0]).children(SAMPLES, rngs(50))
    )
    assert all(share == pytest.approx(0.5, abs=0.01) for child in children for _, share in child.parents)
    new = {child.sample.content for child in children if not child.note}
    assert len(new - set(TEXTS)) > 10, "texts that nobody wrote"


def test_hidden_mix_laws_and_refusals(t5: Seq2Seq) -> None:
    lone = Sample("lone", TEXTS[0], "nobody else's")
    check_rewriter(lambda: HiddenMix(prefix="say: ", tries=2, lm=t5), [*SAMPLES[0:11:5], lone])
    method = HiddenMix(lm=t5).fit([lone], rngs(1)[0])
    told = method.children([lone], rngs(1))[0]
    assert told.sample.content == lone.content and "no other text" in told.note and told.parents == ()
    with pytest.raises(DataError, match="one text a sample"):
        HiddenMix(lm=t5).fit([Sample("pair", {"a": "x", "b": "y"}, "d")], rngs(1)[0])
    with pytest.raises(ValueError, match="alpha"):
        HiddenMix(alpha=0.0)


def test_blends_by_hand() -> None:
    a, b = np.array([[1.0, 0.0], [2.0, 2.0], [5.0, 5.0]], np.float32), np.array([[3.0, 4.0]], np.float32)
    np.testing.assert_allclose(blend(a, b, 0.75), [[1.5, 1.0], [2, 2], [5, 5]])
    np.testing.assert_allclose(blend(b, a, 0.75), [[2.5, 3.0], [2, 2], [5, 5]])
    assert a[0, 0] == 1.0, "a copy"


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Seq2Seq:
    """Answers each of four texts with the one four further on, and those with the ones four after them."""
    pytest.importorskip("sentencepiece")
    lm = load_lm(str(tiny_lms.marian(tmp_path_factory.mktemp("marian"), TEXTS[:12])))
    tiny_lms.overfit(lm.net, lm.tokenizer, repeat((TEXTS[:8], TEXTS[4:12])), 160, 5e-3)
    return lm


def test_a_round_trip_learned_by_heart(marian: Seq2Seq) -> None:
    assert marian.kind == "translation"
    method = RoundTrip(lm=marian, back_lm=marian, **GREEDY).fit(SAMPLES, rngs(1)[0])
    children = method.rewrite(SAMPLES[:4], rngs(4))
    assert sum(child.content == text for child, text in zip(children, TEXTS[8:12], strict=True)) >= 3


def test_round_trip_laws(marian: Seq2Seq) -> None:
    samples = [SAMPLES[0], Sample("none", " ", "b")]
    check_rewriter(lambda: RoundTrip(temperature=2.0, tries=1, lm=marian, back_lm=marian), samples)
    with pytest.raises(UsageError, match=r"method_options\.back"):
        RoundTrip(lm=marian).fit(SAMPLES, rngs(1)[0])


def test_a_round_trip_is_handed_both_models(tmp_path: Path) -> None:
    from augmint.pipeline.plan import make_plan

    plan = make_plan({"method": "round-trip", "method_options": {"back": "some/folder"}})
    assert plan.further_models == {"back_lm": "some/folder"} and make_plan({}).further_models == {}
    assert plan.rewriter({"lm": 1, "back_lm": 2}).back_lm == 2
