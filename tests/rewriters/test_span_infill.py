from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import repeat

import numpy as np
import pytest

pytest.importorskip("transformers")

import tiny_lms
from augmint.checks import check_rewriter
from augmint.core.errors import DataError, UsageError
from augmint.core.types import Sample
from augmint.models import load_lm
from augmint.models.seq2seq import Seq2Seq
from augmint.rewriters.span_infill import SpanInfill, composition, random_spans

SAMPLES = [Sample(f"row {i}", text, label, group=f"g{i % 3}") for i, (text, label) in enumerate(tiny_lms.fifty())]


def rngs(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(i) for i in range(n)]


def exercise(method: SpanInfill) -> Iterator[tuple[list[str], list[str]]]:
    """The first gaps that `rngs` lead to, and what belongs into them."""
    inputs, targets = [], []
    for sample, rng in zip(SAMPLES, rngs(len(SAMPLES)), strict=True):
        words = re.findall(r"\S+\s*", sample.content)
        spans = method._spans(len(words), np.random.default_rng(rng.integers(0, 2**63 - 1, 1)[0]))
        inputs.append(method._with_gaps(words, spans))
        fills = [f"{mark} {''.join(words[a:b])}" for mark, (a, b) in zip(method.lm.sentinels, spans, strict=False)]
        targets.append("".join(fills) if method.lm.sentinels else sample.content)
    return repeat((inputs, targets))


@pytest.fixture(scope="module", params=["t5", "bart"])
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Seq2Seq:
    """A tiny model that was trained to fill 50 texts' gaps until it knew them by heart."""
    folder = getattr(tiny_lms, request.param)(tmp_path_factory.mktemp(request.param))
    lm = load_lm(str(folder))
    updates, rate = {"t5": (100, 1e-2), "bart": (220, 4e-3)}[request.param]
    tiny_lms.overfit(lm.net, lm.tokenizer, exercise(SpanInfill(lm=lm)), updates, rate)
    return lm


def test_what_was_learned_by_heart_comes_back(fitted: Seq2Seq) -> None:
    """All 50 are rebuilt word by word; being their parents' texts, they carry a note."""
    children = SpanInfill(temperature=0.0, tries=1, lm=fitted).fit(SAMPLES, rngs(1)[0]).children(SAMPLES, rngs(50))
    notes = Counter(child.note for child in children)
    assert notes["fallback: its parent's text, which was written again"] >= 49, notes
    assert sum(child.sample.content == own.content for child, own in zip(children, SAMPLES, strict=True)) >= 49


def test_laws(fitted: Seq2Seq) -> None:
    odd = [Sample("one word", "harbour", "a"), Sample("none", " ", "b"), Sample("long", "the market " * 500, "c")]
    pair = Sample("pair", {"premise": SAMPLES[0].content, "hypothesis": SAMPLES[1].content}, "d")
    hot = {"temperature": 3.0, "share": 0.6, "top_p": 1.0, "tries": 2}
    check_rewriter(lambda: SpanInfill(lm=fitted, **hot), [*SAMPLES[:2], *odd, pair])
    check_rewriter(lambda: SpanInfill(lm=fitted, beams=2, tries=1), SAMPLES[:2])


def test_children_are_new_and_of_their_parents_kind(fitted: Seq2Seq) -> None:
    """How often a hot model leaves what it knows by heart hangs on its last bits, which differ between processors."""
    method = SpanInfill(temperature=3.0, top_p=1.0, lm=fitted)
    children = method.children(SAMPLES, rngs(len(SAMPLES)))
    new = [child for child in children if not child.note]
    assert len(new) >= len(SAMPLES) // 3 and all(child.parents == () for child in children)
    if fitted.sentinels:  # the words that were not cut out are where they were
        for child, parent in zip(children, SAMPLES, strict=False):
            kept = set(parent.content.split()) & set(child.sample.content.split())
            assert len(kept) >= 5, (child.sample.content, parent.content)


def test_one_part_of_a_pair(fitted: Seq2Seq) -> None:
    pair = Sample("pair", {"premise": SAMPLES[0].content, "hypothesis": SAMPLES[1].content}, "d")
    child = SpanInfill(part="hypothesis", temperature=3.0, lm=fitted).rewrite([pair], rngs(1))[0]
    assert list(child.content) == ["premise", "hypothesis"] and child.content["premise"] == SAMPLES[0].content
    with pytest.raises(DataError, match="premise, hypothesis"):
        SpanInfill(part="text", lm=fitted).rewrite([pair], rngs(1))


def test_too_long_and_empty_texts_are_given_back(fitted: Seq2Seq) -> None:
    long, blank = Sample("long", "the market " * 500, "c"), Sample("none", " ", "b")
    told = SpanInfill(lm=fitted).children([long, blank], rngs(2))
    assert [child.sample.content for child in told] == [long.content, blank.content]
    assert "longer than the model reads" in told[0].note and "nothing else was written" in told[1].note


def test_refusals(fitted: Seq2Seq) -> None:
    with pytest.raises(DataError, match="spans"):
        SpanInfill(lm=fitted).rewrite([Sample("x", "the market", "a", spans=((0, 3, "B"),))], rngs(1))
    with pytest.raises(UsageError, match="kind seq2seq"):
        SpanInfill().fit(SAMPLES, rngs(1)[0])
    translator = Seq2Seq("m@0", "translation", 64, fitted.tokenizer, fitted.net)
    with pytest.raises(UsageError, match="kind translation"):
        SpanInfill(lm=translator).fit(SAMPLES, rngs(1)[0])
    for wrong in ({"share": 0.0}, {"span": 0.5}, {"tries": 0}, {"top_p": 2.0}, {"longest": 0.0}):
        with pytest.raises(ValueError, match=r"top_p|span|tries|longest"):
            SpanInfill(**wrong)


class Canned:
    """Answers what it is told, in the place of a T5."""

    name, kind, size, mask = "canned@0", "seq2seq", 99, ""
    sentinels = ("<extra_id_0>", "<extra_id_1>", "<extra_id_2>")

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), []

    def lengths(self, texts):
        return [len(text.split()) for text in texts]

    def generate(self, texts, rngs, decoding, marks):
        self.asked += texts
        return [self.answers.pop(0) for _ in texts]


def test_answers_are_put_into_their_gaps() -> None:
    """By hand: six words, two gaps of one word; the first answer lacks a mark, the second has one twice."""
    lm = Canned("<extra_id_0> red", "<extra_id_1> dog <extra_id_0> big red <extra_id_1> cow <extra_id_2> end")
    told = SpanInfill(share=0.34, span=1.0, lm=lm).children([Sample("x", "a b  c\td e f", "l")], rngs(1))[0]
    assert len(lm.asked) == 2 and all(text.count("<extra_id_") == 2 for text in lm.asked)
    by_hand = lm.asked[1].replace("<extra_id_0>", "big red").replace("<extra_id_1>", "dog")
    assert told.sample.content == " ".join(by_hand.split()) and told.note == ""


def test_bounds() -> None:
    parent = Sample("x", "a b c d e f", "l")
    fill = "<extra_id_0> {0} <extra_id_1> {0} <extra_id_2>"
    told = SpanInfill(tries=2, lm=Canned(fill.format("long " * 20), "")).children([parent], rngs(1))[0]
    assert told.sample.content == parent.content and "nothing else" in told.note
    told = SpanInfill(tries=1, lm=Canned(fill.format("long " * 20))).children([parent], rngs(1))[0]
    assert "too long" in told.note
    told = SpanInfill(tries=2, lm=Canned("", fill.format("new"))).children([parent], rngs(1))[0]
    assert "new" in told.sample.content and told.note == ""


def test_gaps() -> None:
    rng = np.random.default_rng(0)
    seen = Counter(tuple(composition(5, 3, rng)) for _ in range(6000))
    assert set(seen) == {(1, 1, 3), (1, 3, 1), (3, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1)}
    assert max(seen.values()) < 1.15 * min(seen.values()), "all equally likely"
    firsts = Counter()
    for _ in range(2000):
        spans = random_spans(9, 4, 2, rng)
        assert sum(stop - start for start, stop in spans) == 4 and spans[0][1] < spans[1][0]
        assert spans[0][0] >= 0 and spans[1][1] <= 9
        firsts[spans[0][0]] += 1
    assert firsts[0] > 0 and min(firsts[i] for i in range(4)) > 100
    assert random_spans(1, 1, 1, rng) == [(0, 1)] and random_spans(3, 3, 1, rng) == [(0, 3)]
    assert random_spans(0, 0, 0, rng) == []
