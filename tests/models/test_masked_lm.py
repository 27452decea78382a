"""Our logits are transformers' own, whatever the family, the neighbours and the places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from transformers import pipeline

from augmint.models import load_lm
from augmint.models.masked_lm import MaskedLM
from augmint.models.packing import is_packable
from augmint.models.thin import last_layers
from masked_models import LINES, generators, model, save

FAMILIES = ("bert", "roberta", "distilbert", "deberta", "electra", "albert", "mpnet", "modernbert")


def hidden(lm: MaskedLM, texts: tuple[str, ...], places: list[list[int]]) -> list[list[int]]:
    rows = [row for row, _ in lm.cut(texts)]
    return [
        [lm.mask if i in at else token for i, token in enumerate(row)] for row, at in zip(rows, places, strict=True)
    ]


TEXTS = LINES[:4]
PLACES = [[3], [1, 5, 6], [2, 4], [1]]


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_the_whole_network(family: str) -> None:
    lm = model(family)
    rows = hidden(lm, TEXTS, PLACES)
    for row, at, ours in zip(rows, PLACES, lm.logits(rows, PLACES), strict=True):
        tokens = torch.tensor([row])
        theirs = lm.net(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits[0, at]
        assert ours.shape == (len(at), lm.net.config.vocab_size)
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_the_likeliest_are_those_of_the_fill_mask_pipeline(family: str, tmp_path: Path) -> None:
    folder = save(model(family), tmp_path / family)
    lm = load_lm(str(folder))
    fill = pipeline("fill-mask", model=str(folder), tokenizer=str(folder), top_k=7)
    texts = [f"the cat {lm.tokenizer.mask_token} on a mat", f"Who painted the {lm.tokenizer.mask_token} ?"]
    rows = [row for row, _ in lm.cut(texts)]
    places = [[row.index(lm.mask)] for row in rows]
    for text, (tokens, log_p) in zip(texts, lm.best(rows, places, 7), strict=True):
        theirs = fill(text)
        assert tokens[0].tolist() == [guess["token"] for guess in theirs]
        np.testing.assert_allclose(np.exp(log_p[0]), [guess["score"] for guess in theirs], atol=1e-5)


@pytest.mark.parametrize(("family", "steady"), [("bert", True), ("bert", False), ("roberta", False), ("albert", False)])
def test_neighbours_do_not_show(family: str, steady: bool) -> None:
    lm = model(family)
    if steady and not lm._steady:
        pytest.skip("here a row's bits depend on the size of its batch")
    vars(lm)["_steady"] = steady
    texts = [" ".join(LINES[i % 4].split()[: 3 + i % 15]) for i in range(21)]
    rows = [row for row, _ in lm.cut(texts)]
    places = [
        generators(1, i)[0].permutation(np.arange(1, len(row) - 1))[: i % 4].tolist() for i, row in enumerate(rows)
    ]
    together = lm.best(rows, places, 5)
    for i in range(21):
        alone = lm.best([rows[i]], [places[i]], 5)[0]
        assert alone[0].tobytes() == together[i][0].tobytes() and alone[1].tobytes() == together[i][1].tobytes()
    turned = lm.best(rows[::-1], places[::-1], 5)[::-1]
    assert all(a[1].tobytes() == b[1].tobytes() for a, b in zip(turned, together, strict=True))
    assert together[0][0].shape == (0, 5), "a text without a place has no answer"


def test_only_allowed_tokens_come_and_their_probabilities_sum_to_one() -> None:
    lm = model("bert")
    allowed = np.zeros(len(lm.words), dtype=bool)
    allowed[[7, 9, 12]] = True
    rows = hidden(lm, LINES[:1], [[2]])
    ((tokens, log_p),) = lm.best(rows, [[2]], 50, allowed=allowed)
    assert sorted(tokens[0].tolist()) == [7, 9, 12]
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-6)
    assert (np.diff(log_p[0]) <= 0).all(), "the likeliest first"


@pytest.mark.parametrize("family", ["bert", "roberta", "deberta"])
def test_words_are_whole_words(family: str) -> None:
    lm = model(family)
    words = {word for word in lm.words if word}
    assert {"bert": {"cat", "the"}, "roberta": {"cat", "the"}, "deberta": {"a", "an"}}[family] <= words
    assert len(lm.words) == lm.net.config.vocab_size
    assert not words & {"##ing", "?", ",", "", "[MASK]", "<mask>", "ġthe"}
    for token, word in enumerate(lm.words):
        if word:
            assert lm.tokenizer.decode([token]).strip() == word
            assert family != "bert" or not word.isascii() or lm.pieces(word) == [token]


def test_long_texts_are_cut_and_may_fill_all_positions() -> None:
    lm = model("bert", size=48)
    ((row, at),) = lm.cut(["cat " * 5000])
    assert len(row) == 48 == len(at)
    assert len(lm.cut(["cat " * 5000, "the"], [10, 0])[0][0]) == 38
    (scores,) = lm.logits([row], [list(range(1, 47))])
    assert scores.shape == (46, len(lm.words)) and np.isfinite(scores).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_shortlist_has_the_scores_of_the_whole_vocabulary(family: str) -> None:
    """With and without a pull towards a word's vector; the rows of the decoder are gathered for it."""
    lm = model(family)
    rows = hidden(lm, TEXTS, PLACES)
    allowed = np.array([len(word) > 2 for word in lm.words])
    pulls = [np.stack([5 * lm.vector(lm.pieces("dog"))] * len(at)) for at in PLACES]
    for near, bonus in ((None, 0.0), (pulls, 5 * (lm.vectors.numpy() @ lm.vector(lm.pieces("dog")))[allowed])):
        for whole, (tokens, log_p) in zip(
            lm.logits(rows, PLACES), lm.best(rows, PLACES, 4, allowed=allowed, near=near), strict=True
        ):
            scores = whole[:, allowed] + bonus
            order = np.argsort(-scores, axis=1, kind="stable")[:, :4]
            own = np.take_along_axis(scores, order, 1) - np.log(np.exp(scores).sum(1, keepdims=True))
            np.testing.assert_allclose(log_p, own, atol=1e-5)
            assert np.array_equal(tokens, np.flatnonzero(allowed)[order])


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_folder_of_bfloat16_is_near(family: str, tmp_path: Path) -> None:
    folder = save(model(family), tmp_path / family)
    exact, quick = load_lm(str(folder)), load_lm(f"{folder}#bfloat16")
    rows = hidden(exact, TEXTS, PLACES)
    assert quick.net.dtype == torch.bfloat16
    for a, b in zip(exact.logits(rows, PLACES), quick.logits(rows, PLACES), strict=True):
        assert not np.array_equal(a, b)
        np.testing.assert_allclose(a, b, atol=0.1 * np.abs(a).max())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_fills_all_positions_but_one(family: str, tmp_path: Path) -> None:
    """However many there are: their number need not be a multiple of the steps that widths go in."""
    whole = model(family, max_position_embeddings=45)
    lm = load_lm(str(save(whole, tmp_path / family)))
    before = {"roberta": lm.tokenizer.pad_token_id + 1, "mpnet": 2}.get(family, 0)
    assert lm.size == 44 - before, "RoBERTa and MPNet count from the number of the padding token on"
    texts = ["cat " * 500, "the cat sat on a mat " * 6, *LINES[:2]]
    rows = [row for row, _ in lm.cut(texts)]
    assert len(rows[0]) == lm.size
    places = [[len(row) - 3, 2] for row in rows]
    together = lm.logits(rows, places)
    for row, at, scores in zip(rows, places, together, strict=True):
        assert scores.tobytes() == lm.logits([row], [at])[0].tobytes(), "whatever lies beside it"
        tokens = torch.tensor([row])
        theirs = lm.net(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits[0, at]
        np.testing.assert_allclose(scores, theirs.numpy(), atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_what_is_packed_is_what_is_padded(family: str) -> None:
    """The body over real tokens alone against the library's own over the padded batch, label vectors and all."""
    lm = model(family)
    assert is_packable(lm.net.base_model, "cpu") and not is_packable(model("albert").net.base_model, "cpu")
    learned = {"labels": 0.3 * np.random.default_rng(0).standard_normal((2, 32)).astype(np.float32)}
    for name in last_layers(lm.net, 1):
        shape = lm.net.get_parameter(name).shape
        learned |= {
            f"{name}.up": np.full((shape[0], 1), 0.1, np.float32),
            f"{name}.down": np.ones((1, shape[1]), np.float32),
        }
    for own, labels in ((lm, None), (lm.with_learned(learned), [0, 1, 1, 0])):
        rows = hidden(own, TEXTS, PLACES)
        ours = own.logits(rows, PLACES, labels)
        x = own.pack(rows, PLACES, 64)
        x[:, 3, 0] = torch.tensor(labels or [0] * 4)
        theirs = own.scores(x, 3, labels is not None, {"labels": own.labels})  # the library's own body
        for row, at, full in zip(ours, PLACES, theirs, strict=True):
            np.testing.assert_allclose(row, full[: len(at)].detach().numpy(), atol=1e-5)
    assert "forward" not in vars(lm.net.base_model), "the network is as it was"


def test_marks_of_a_vocabulary_that_has_number_signs() -> None:
    """GPT-2's vocabulary, which RoBERTa reads with, has "####" beside 33,000 tokens that begin with "Ġ"."""
    lm = model("roberta")
    plain = set(lm.words)
    lm = replace(lm)  # what was remembered of the vocabulary is forgotten
    lm.tokenizer.add_tokens(["####", "########"])
    lm.net.resize_token_embeddings(len(lm.tokenizer))
    assert set(lm.words) == plain and "cat" in plain
    assert not any("Ġ" in word for word in lm.words)
