from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

import tiny_lms
from augmint.models import load_lm
from augmint.models.causal import CausalLM
from augmint.numerics.decoding import Decoding

MIXED = [*tiny_lms.texts()[:4], *(" ".join(tiny_lms.texts()[i : i + 3]) for i in (9, 20)), "the", "", "was by noon"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_lms.gpt2(tmp_path_factory.mktemp("gpt2"))
    tiny_lms.sharpen(folder, 5.0)
    return folder


@pytest.fixture(scope="module")
def lm(folder: Path) -> CausalLM:
    return load_lm(str(folder))


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()


def rngs(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(100 + i) for i in range(n)]


def test_logits_are_the_librarys(lm: CausalLM, theirs: Any) -> None:
    tokenizer, net = theirs
    scores = lm.score(MIXED)
    for text, rows, score in zip(MIXED, lm.logits(MIXED), scores, strict=True):
        ids = tokenizer(text)["input_ids"] or [0]
        with torch.no_grad():
            expected = net(torch.tensor([ids])).logits[0]
            marked = torch.tensor([[0, *ids] if text else [0]])
            loss = net(marked, labels=marked).loss if marked.shape[1] > 1 else None
        np.testing.assert_allclose(rows, expected.numpy(), atol=1e-5)
        assert len(score) == len(tokenizer(text)["input_ids"])
        if loss is not None:
            assert -score.mean() == pytest.approx(float(loss), abs=1e-5)


@pytest.mark.parametrize(
    "decoding",
    [
        Decoding(temperature=0, most=12),
        Decoding(temperature=0, most=12, least=8, repetition=1.5, no_repeat=2),
        Decoding(beams=3, most=12),
        Decoding(beams=4, most=9, length_penalty=0.5, least=3),
    ],
    ids=["greedy", "greedy-no-repeats", "beams", "short-beams"],
)
def test_greedy_and_beams_are_the_librarys(lm: CausalLM, theirs: Any, decoding: Decoding) -> None:
    """One prompt at a time, unpadded, by the library's pipeline for generation; ours in batches padded on the left."""
    from transformers import pipeline

    tokenizer, net = theirs
    prompts = [text for text in MIXED if text]
    write = pipeline("text-generation", model=net, tokenizer=tokenizer)
    expected = [
        write(
            text, return_full_text=False, max_new_tokens=decoding.most, num_beams=decoding.beams, do_sample=False,
            min_new_tokens=decoding.least or None, repetition_penalty=decoding.repetition, pad_token_id=0,
            no_repeat_ngram_size=decoding.no_repeat, length_penalty=decoding.length_penalty,
        )[0]["generated_text"].strip()
        for text in prompts
    ]  # fmt: skip
    ours = lm.generate(prompts, rngs(len(prompts)), decoding)
    assert ours == expected
    assert len(set(ours)) > 3, "texts that differ, or nothing is compared"


@pytest.mark.parametrize("decoding", [Decoding(beams=3, most=9), Decoding(top_p=0.9, most=9)])
def test_a_text_depends_on_itself_and_its_stream_alone(lm: CausalLM, decoding: Decoding) -> None:
    together = lm.generate(MIXED, rngs(len(MIXED)), decoding)
    alone = [lm.generate([text], [rng], decoding)[0] for text, rng in zip(MIXED, rngs(len(MIXED)), strict=True)]
    assert together == alone == lm.generate(MIXED[::-1], rngs(len(MIXED))[::-1], decoding)[::-1]
    logits = [rows.tobytes() for rows in lm.logits(MIXED)]
    assert logits == [lm.logits([text])[0].tobytes() for text in MIXED]


def test_a_text_ends_where_it_is_told(lm: CausalLM) -> None:
    free = lm.generate(MIXED[:4], rngs(4), Decoding(most=20))
    stop = free[0].split()[3]
    stopped = lm.generate(MIXED[:4], rngs(4), Decoding(most=20, stop=stop))
    assert stopped == [text.partition(stop)[0].strip() for text in free] and stopped[0] != free[0]


def test_positions_run_out(lm: CausalLM) -> None:
    long = "the harbour " * 300
    assert lm.lengths([long])[0] == 600 and lm.size < 128
    text = lm.generate([long], rngs(1), Decoding(temperature=0))[0]
    assert len(text.split()) <= 8, "128 positions, of which the prompt takes 120"
    assert lm.logits([long])[0].shape[0] == lm.size


def test_a_text_fills_all_positions_but_one(tmp_path: Path) -> None:
    """However many there are: their number need not be a multiple of the steps that widths go in."""
    folder = tiny_lms.gpt2(tmp_path / "short", positions=45)
    tiny_lms.sharpen(folder, 5.0)
    lm = load_lm(str(folder))
    texts = ["the harbour " * 300, "the kettle " * 20, *MIXED[:3]]
    assert lm.size == 44 and lm.logits(texts)[0].shape[0] == lm.score(texts)[0].shape[0] + 1 == 44
    for decoding in (Decoding(most=30), Decoding(temperature=0, beams=3, most=30)):
        together = lm.generate(texts, rngs(5), decoding)
        assert together == [lm.generate([texts[i]], [rngs(5)[i]], decoding)[0] for i in range(5)]
        assert len(together[0].split()) <= 1, "one position is left"


@pytest.mark.parametrize("rank", [4, 0])
def test_tuning_learns_on_top_and_leaves_the_model_as_it_was(lm: CausalLM, rank: int) -> None:
    rows = lm.tokens(tiny_lms.texts()[:8], ended=True)
    before = {name: value.clone() for name, value in lm.net.state_dict().items()}
    learned = lm.tune(rows, np.random.default_rng(0), updates=15, batch=8, rate=1e-2, rank=rank)
    again = lm.tune(rows, np.random.default_rng(0), updates=15, batch=8, rate=1e-2, rank=rank)
    assert all(learned[name].tobytes() == again[name].tobytes() for name in learned)
    assert all(torch.equal(value, before[name]) for name, value in lm.net.state_dict().items())
    tuned = lm.with_learned(learned)
    gain = np.mean([s.sum() for s in tuned.score(MIXED[:4])]) - np.mean([s.sum() for s in lm.score(MIXED[:4])])
    assert gain > 3, "nats a text"
    assert all(torch.equal(value, before[name]) for name, value in lm.net.state_dict().items())
    head, words = tuned.net.get_output_embeddings().weight, tuned.net.get_input_embeddings().weight
    assert head is words, "word vectors still serve at both ends"
    numbers = sum(value.size for value in learned.values())
    assert numbers == sum(p.numel() for p in lm.net.parameters()) if not rank else numbers < 20_000


def test_a_tuned_model_is_the_network_with_its_matrices_changed(lm: CausalLM) -> None:
    """By hand: one product of thin matrices."""
    name = "transformer.h.1.mlp.c_fc.weight"
    up, down = np.full((48, 1), 0.1, np.float32), np.full((1, 192), 0.2, np.float32)
    tuned = lm.with_learned({f"{name}.up": up, f"{name}.down": down})
    moved = tuned.net.get_parameter(name) - lm.net.get_parameter(name)
    np.testing.assert_allclose(moved.numpy(), 0.02, atol=1e-6)
    same = [key for key, value in tuned.net.named_parameters() if value is lm.net.get_parameter(key)]
    assert len(same) == len(list(lm.net.named_parameters())) - 1, "all others are shared"
