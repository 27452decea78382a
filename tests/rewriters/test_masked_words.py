"""`masked-lm` and `ssmba`: the laws, what is replaced and by what, and models that know their sentences by heart."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")

from augmint.checks import check_rewriter
from augmint.core.errors import DataError, UsageError
from augmint.core.protocols import Rewriter
from augmint.core.types import Sample
from augmint.numerics.function_words import FUNCTION_WORDS
from augmint.rewriters.generating import Piece
from augmint.rewriters.masked_lm import MaskedWords
from augmint.rewriters.ssmba import Ssmba
from masked_models import FIFTY, LINES, generators, learn_by_heart, model

BERT = model("bert")
ROBERTA = model("roberta")
SAMPLES = [Sample(f"{i}.txt", line, "animal" if i == 0 else "TheRest", group="g") for i, line in enumerate(LINES)]
PAIR = Sample("pair", {"question": LINES[2], "answer": "the old man with 7 children"}, "animal")
OTHERS = [Sample("tiny", "it is", "animal"), Sample("none", "3 !", "TheRest"), Sample("empty", "", "TheRest"), PAIR]

MAKERS: dict[str, Callable[[], Rewriter]] = {
    "one at a time": lambda: MaskedWords(lm=BERT, share=0.4),
    "all at once, new words": lambda: MaskedWords(lm=ROBERTA, at_once=True, insert=0.2, top_p=0.9),
    "prepend": lambda: MaskedWords(lm=ROBERTA, condition="prepend", steps=3),
    "cbert": lambda: MaskedWords(lm=BERT, condition="cbert", steps=3, at_once=True),
    "ssmba": lambda: Ssmba(lm=BERT, rounds=2),
}


@pytest.mark.parametrize("name", MAKERS)
def test_laws(name: str) -> None:
    check_rewriter(MAKERS[name], [*SAMPLES, *OTHERS])


def words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text)


def test_a_share_of_the_words_is_replaced_and_nothing_else() -> None:
    text = 'The Old  dog ran (far) into "DARK" woods, untouched by 3 white cats!'
    sample = Sample("x", text)
    for at_once in (False, True):
        children = MaskedWords(lm=BERT, share=0.25, at_once=at_once).rewrite([sample] * 30, generators(30))
        assert len({child.content for child in children}) > 20
        for child in children:
            assert re.sub(r"\w+", "_", child.content) == re.sub(r"\w+", "_", text), "spaces and marks stay"
            pairs = [(a, b) for a, b in zip(words(text), words(child.content), strict=True) if a != b]
            assert len(pairs) == 3, "a quarter of 12 words"
            for old, new in pairs:
                assert old.lower() not in FUNCTION_WORDS and new.lower() not in FUNCTION_WORDS and old != "3"
                assert (new[0].isupper(), new.isupper()) == (old[0].isupper(), old.isupper())
                assert new.lower() not in words(text.lower()), "no repetition"


def test_meaning_pulls_towards_words_of_like_vectors() -> None:
    """With a large weight the nearest word vector that fits wins; with none the model's own likeliest."""
    sample = Sample("x", "the lighthouse")
    tokens, vectors = BERT.pieces("lighthouse"), BERT.vectors.numpy()
    assert len(tokens) == 2, "a word of two pieces"
    cosines = vectors @ BERT.vector(tokens)
    fits = [i for i, word in enumerate(BERT.words) if len(word) > 1 and word not in {*FUNCTION_WORDS, "light"}]
    nearest = BERT.words[max(fits, key=lambda i: cosines[i])]
    (child,) = MaskedWords(lm=BERT, share=0.5, meaning=1e4, temperature=0).rewrite([sample], generators(1))
    assert child.content == f"the {nearest}"
    row = BERT.cut(["the"])[0][0]
    ((best, _),) = BERT.best([[*row[:2], BERT.mask, row[2]]], [[2]], 50)
    likeliest = next(BERT.words[i] for i in best[0] if i in fits)
    (child,) = MaskedWords(lm=BERT, share=0.5, meaning=0.0, temperature=0).rewrite([sample], generators(1))
    assert child.content == f"the {likeliest}"


def test_insertions_stand_between_words() -> None:
    text = "an apple,untouched, lay  in kitchen"
    for child in MaskedWords(lm=BERT, share=0, insert=0.4).rewrite([Sample("x", text)] * 20, generators(20)):
        added = [word for word in words(child.content) if word not in words(text)]
        assert len(added) == 2
        for word in added:
            assert f" {word} " in child.content
        rest = child.content
        for word in added:
            rest = rest.replace(f"{word} ", "", 1)
        assert rest == text


@pytest.mark.parametrize("family", ["bert", "distilbert"])
@pytest.mark.parametrize("condition", ["none", "prepend"])
def test_texts_longer_than_the_positions(family: str, condition: str) -> None:
    """New words and the label's find room, and a text is cut by its own label and words, not by its neighbours'."""
    lm = model(family, size=44, max_position_embeddings=45)
    texts = ["the old cat sat " * 40, " ".join(LINES[:3]), "the cat sat"]
    samples = [Sample(str(i), text, f"animal {'an ' * i}end") for i, text in enumerate(texts)]
    method = MaskedWords(lm=lm, insert=0.5, condition=condition, steps=2)
    method.fit(samples, generators(1)[0])
    together = [child.content for child in method.rewrite(samples, generators(3))]
    assert together == [method.rewrite([s], generators(1, i))[0].content for i, s in enumerate(samples)]
    for text, child in zip(texts, together, strict=True):
        assert len(words(child)) > len(words(text))
    assert together[0].endswith("the old cat sat " * 29), "what is not read stays"


def test_articles_stay_right() -> None:
    sample = Sample("x", "a pear and an apple")
    for child in MaskedWords(lm=BERT, share=0.4, at_once=True).rewrite([sample] * 40, generators(40)):
        first, second = re.fullmatch(r"a (\w+) and an (\w+)", child.content).groups()
        assert first[0] not in "aeiou" and second[0] in "aeiou" and {first, second}.isdisjoint({"pear", "apple"})


@pytest.mark.parametrize("method", [MaskedWords, Ssmba])
def test_a_longer_neighbour_brings_no_further_proposals(method: type[Rewriter]) -> None:
    """After "an" few proposals fit, so that more of them, as a longer text needs, would be another choice."""
    own, long = Sample("x", "an apple and an old ear"), Sample("y", " ".join(LINES * 8))
    for seed in range(30):
        made = method(lm=BERT, share=0.5, top_k=5)
        alone = made.rewrite([own], [np.random.default_rng(seed)])
        beside = made.rewrite([own, long], [np.random.default_rng(seed), np.random.default_rng(1)])
        assert beside[0] == alone[0]


def test_function_words_go_only_where_there_is_nothing_else() -> None:
    sample = Sample("x", "who is it ?")
    child = MaskedWords(lm=BERT, share=0.1).rewrite([sample], generators(1))[0]
    assert child.content != sample.content and child.content.endswith(" ?")
    told = MaskedWords(lm=BERT).children([Sample("x", "3 + 4 !")], generators(1))[0]
    assert told.sample.content == "3 + 4 !" and told.note.startswith("fallback"), "nothing to replace"


def test_part_of_a_pair() -> None:
    rewriter = MaskedWords(lm=BERT, part="answer", share=0.5)
    for child in rewriter.rewrite([PAIR] * 5, generators(5)):
        assert (
            child.content["question"] == PAIR.content["question"] and child.content["answer"] != PAIR.content["answer"]
        )
    both = MaskedWords(lm=BERT).rewrite([PAIR], generators(1))[0].content
    assert all(both[name] != PAIR.content[name] for name in both)


@pytest.mark.parametrize("make", [lambda: MaskedWords(lm=BERT), lambda: Ssmba(lm=BERT)])
def test_samples_with_spans_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(DataError, match="spans"):
        make().rewrite([Sample("x", "the cat sat", spans=((4, 7, "PET"),))], generators(1))


def test_wrong_options_and_models() -> None:
    for options in (
        {"share": 0.0},
        {"share": 1.5},
        {"meaning": -1.0},
        {"top_k": 0},
        {"top_p": 0.0},
        {"condition": "x"},
        {"rate": 0.0},
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            MaskedWords(**options)
    for options in ({"share": 0.0}, {"random": 0.7, "keep": 0.7}, {"rounds": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            Ssmba(**options)
    with pytest.raises(UsageError, match="no model"):
        MaskedWords().rewrite([Sample("x", "the cat")], generators(1))
    with pytest.raises(DataError, match="without a class"):
        MaskedWords(lm=BERT, condition="prepend").fit([Sample("x", "the cat", 0.5)], np.random.default_rng(0))
    fitted = MaskedWords(lm=BERT, condition="cbert", steps=1).fit(SAMPLES, np.random.default_rng(0))
    with pytest.raises(DataError, match="class 'new'"):
        fitted.rewrite([Sample("x", "the cat", "new")], generators(1))


@pytest.fixture(scope="module", params=["bert", "roberta", "distilbert"])
def by_heart(request: pytest.FixtureRequest) -> Any:
    """A model that was over-fitted on fifty sentences."""
    lm = model(request.param, FIFTY, hidden_size=48)
    assert learn_by_heart(lm, FIFTY, 500, hide=0.2) < 1.0
    return lm


def test_sentences_known_by_heart_are_regenerated(by_heart: Any) -> None:
    for rewriter in (
        MaskedWords(lm=by_heart, same=True, meaning=0.0, temperature=0, share=0.1),
        Ssmba(lm=by_heart, share=0.1, temperature=0, random=0, keep=0),
    ):
        texts = proposals(rewriter, FIFTY)
        kept = sum(text == own for text, own in zip(texts, FIFTY, strict=True))
        assert kept >= 48, f"{kept} of 50"
    # One word of each is wrong. Where it is the one that is hidden, it is put right.
    wrong = [text.replace(text.split()[6], "pillow") for text in FIFTY]
    texts = [proposals(MaskedWords(lm=by_heart, meaning=0.0, temperature=0, share=0.1), [text] * 9) for text in wrong]
    right = sum(text in found for text, found in zip(FIFTY, texts, strict=True))
    assert right >= 40, f"{right} of 50"


def proposals(rewriter: Any, texts: Sequence[str], label: Any = None) -> list[str]:
    """What the model says, before anything is done about a text that is its parent's again."""
    pieces = [Piece(text, Sample("x", text, label)) for text in texts]
    return [proposal.text for proposal in rewriter.propose(pieces, generators(len(texts)))]


@pytest.mark.parametrize("condition", ["prepend", "cbert"])
def test_the_label_is_heard(condition: str) -> None:
    """Two classes that differ in one word; the same text under either label gets that label's word."""
    foods = ["soup", "bread", "fish", "rice", "cake", "salad"]
    samples = [Sample(f"{f}{i}", f"the {food} was {word}", label)
               for i in range(2) for f, food in enumerate(foods)
               for word, label in (("tasty", "positive"), ("bland", "negative"))]  # fmt: skip
    lines = [*(str(sample.content) for sample in samples), "positive negative"]
    lm = model("bert", lines)
    learn_by_heart(lm, lines, 150)
    rewriter = MaskedWords(
        lm=lm, condition=condition, steps=120, rate=2e-2, share=0.2, meaning=0.0, same=True, temperature=0
    )
    rewriter.fit(samples, np.random.default_rng(0))
    for food in foods:
        for label, word in (("positive", "tasty"), ("negative", "bland")):
            told = proposals(rewriter, [f"the {food} was tasty"] * 8, label)
            changed = [text for text in told if text != f"the {food} was tasty"]
            assert f"the {food} was {word}" in told
            assert label == "positive" or any(text.endswith("bland") for text in changed)
            assert label == "negative" or not any(text.endswith("bland") for text in changed)
    assert sum(value.nbytes for value in rewriter.state().values()) < 40_000, "the learned state is small"


def test_a_loaded_state_is_the_fit(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    fitted = MaskedWords(lm=BERT, condition="cbert", steps=4).fit(SAMPLES, np.random.default_rng(1))
    save_file(fitted.state(), tmp_path / "fit.safetensors")
    loaded = MaskedWords(lm=BERT, condition="cbert", steps=4).load(load_file(tmp_path / "fit.safetensors"))
    texts = [[child.content for child in rewriter.rewrite(SAMPLES, generators(5))] for rewriter in (fitted, loaded)]
    assert texts[0] == texts[1]
    assert set(MaskedWords(lm=BERT).fit(SAMPLES, np.random.default_rng(1)).state()) == {"known"}


def test_a_language_that_the_model_does_not_know_is_told() -> None:
    own, other = SAMPLES, [Sample("0", "यह फिल्म बहुत अच्छी थी"), Sample("1", "ceci n est pas une blague")]
    assert MaskedWords(lm=BERT).fit(own, np.random.default_rng(1)).told() == []
    fitted = MaskedWords(lm=BERT).fit(other, np.random.default_rng(1))
    (told,) = fitted.told()
    assert told.startswith("warning: the model has 0 % of the words")
    assert MaskedWords(lm=BERT).load(fitted.state()).told() == [told]


COMMA = "\N{FULLWIDTH COMMA}"
CHINESE = (f"这部电影太无聊了{COMMA}我睡着了", f"我非常喜欢这个故事{COMMA}演员很棒", f"画面很美{COMMA}音乐动人")


@pytest.mark.parametrize("method", [MaskedWords, Ssmba])
def test_chinese_is_rewritten_by_characters(method: Any) -> None:
    lm = model("bert", [" ".join(char for line in CHINESE for char in line if char.isalpha()), *LINES])
    children = method(lm=lm, share=0.2).rewrite([Sample(str(i), line) for i, line in enumerate(CHINESE)], generators(3))
    for line, child in zip(CHINESE, children, strict=True):
        assert len(child.content) == len(line) and child.content != line
        assert not re.search("[a-z]", child.content) and child.content.count(COMMA) == 1
        assert sum(a != b for a, b in zip(line, child.content, strict=True)) <= 3


def test_no_word_of_another_script_comes() -> None:
    """A model without a script's words leaves them; what is Latin among them is rewritten."""
    texts = ("यह फिल्म बहुत अच्छी थी", "结局太愚蠢了", "หนังเรื่องนี้ดีมาก", "the फिल्म cat sat far away on mat")
    samples = [Sample(str(i), text) for i, text in enumerate(texts)]
    *same, mixed = (child.content for child in MaskedWords(lm=BERT, share=1.0).rewrite(samples, generators(4)))
    assert same == list(texts[:3])
    assert mixed != texts[3] and "फिल्म" in mixed and mixed.isascii() is False


@pytest.mark.parametrize("letters", ["日本語文字", "abcde"])
def test_models_of_characters_corrupt_with_characters_or_the_mask(letters: str) -> None:
    lm = model("bert", [" ".join(letters)])
    samples = [Sample(str(i), letters, "a") for i in range(6)]
    children = Ssmba(lm=lm, share=1.0, random=0.5).children(samples, generators(6))
    made = [child.sample.content for child in children]
    assert [type(text) for text in made] == [str] * 6
    assert all(len(text) == 5 and set(text) <= set(letters) for text in made)
