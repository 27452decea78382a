from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

import tiny_lms
from augmint.core.errors import ModelError
from augmint.models import load_lm
from augmint.models.seq2seq import Seq2Seq
from augmint.numerics.decoding import Decoding, drawn, probabilities

MAKERS = {"t5": tiny_lms.t5, "bart": tiny_lms.bart, "marian": tiny_lms.marian}
MIXED = [
    *tiny_lms.texts()[:4],
    *(" ".join(tiny_lms.texts()[i : i + 3]) for i in (9, 20)),
    *("the", "", "harbour war my kettle"),
]


@pytest.fixture(scope="module", params=MAKERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "marian":
        pytest.importorskip("sentencepiece")
    folder = MAKERS[request.param](tmp_path_factory.mktemp(request.param))
    tiny_lms.sharpen(folder, 1.0 if request.param == "t5" else 6.0)
    return folder


@pytest.fixture(scope="module")
def lm(folder: Path) -> Seq2Seq:
    return load_lm(str(folder))


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    """The library's own: tokenizer and network, opened its way."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    return AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder).eval()


def rngs(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(100 + i) for i in range(n)]


def test_logits_are_the_librarys(lm: Seq2Seq, theirs: Any) -> None:
    tokenizer, net = theirs
    targets = MIXED[3:] + MIXED[:3]
    ours = lm.logits(MIXED, targets)
    for text, target, rows, scores in zip(MIXED, targets, ours, lm.score(MIXED, targets), strict=True):
        labels = tokenizer(text_target=[target], return_tensors="pt")["input_ids"]
        with torch.no_grad():
            expected = net(**tokenizer([text], return_tensors="pt"), labels=labels)
        np.testing.assert_allclose(rows, expected.logits[0].numpy(), atol=1e-5 * max(1, np.abs(rows).max()))
        assert -scores.mean() == pytest.approx(float(expected.loss), abs=1e-4)


def test_states_are_the_librarys(lm: Seq2Seq, theirs: Any) -> None:
    tokenizer, net = theirs
    for text, states in zip(MIXED, lm.encode(MIXED), strict=True):
        with torch.no_grad():
            expected = net.get_encoder()(**tokenizer([text], return_tensors="pt")).last_hidden_state[0]
        np.testing.assert_allclose(states, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "decoding",
    [
        Decoding(temperature=0, most=20),
        Decoding(temperature=0, most=20, least=8, repetition=1.5, no_repeat=2),
        Decoding(beams=3, most=20),
        Decoding(beams=4, most=12, length_penalty=0.5, least=3),
    ],
    ids=["greedy", "greedy-no-repeats", "beams", "short-beams"],
)
def test_greedy_and_beams_are_the_librarys(lm: Seq2Seq, theirs: Any, decoding: Decoding) -> None:
    """One text at a time, unpadded, by the library's own ``generate``; ours in padded batches."""
    tokenizer, net = theirs
    ours = lm.generate(MIXED, rngs(len(MIXED)), decoding)
    options = {
        "max_new_tokens": decoding.most, "num_beams": decoding.beams, "do_sample": False,
        "min_new_tokens": decoding.least or None, "repetition_penalty": decoding.repetition,
        "no_repeat_ngram_size": decoding.no_repeat, "length_penalty": decoding.length_penalty,
    }  # fmt: skip
    expected = [
        tokenizer.decode(net.generate(**tokenizer([text], return_tensors="pt"), **options)[0], skip_special_tokens=True)
        for text in MIXED
    ]
    assert ours == [text.strip() for text in expected]
    assert len(set(ours)) > 2, "texts that differ, or nothing is compared"


@pytest.mark.parametrize("decoding", [Decoding(beams=3, most=9), Decoding(top_p=0.9, most=9)])
def test_a_text_depends_on_itself_and_its_stream_alone(lm: Seq2Seq, decoding: Decoding) -> None:
    together = lm.generate(MIXED, rngs(len(MIXED)), decoding)
    alone = [lm.generate([text], [rng], decoding)[0] for text, rng in zip(MIXED, rngs(len(MIXED)), strict=True)]
    assert together == alone
    back = lm.generate(MIXED[::-1], rngs(len(MIXED))[::-1], decoding)
    assert together == back[::-1]
    other = lm.generate(MIXED, [np.random.default_rng(i) for i in range(len(MIXED))], decoding)
    assert (together != other) == decoding.draws


def test_states_and_logits_do_not_depend_on_neighbours(lm: Seq2Seq) -> None:
    together = [rows.tobytes() for rows in (*lm.encode(MIXED), *lm.logits(MIXED, MIXED))]
    states = [lm.encode([text])[0].tobytes() for text in MIXED]
    logits = [lm.logits([text], [text])[0].tobytes() for text in MIXED]
    assert together == states + logits
    assert lm.encode([]) == [] and lm.logits([], []) == [] and lm.generate([], [], Decoding()) == []


def test_no_global_random_numbers(lm: Seq2Seq) -> None:
    before = torch.random.get_rng_state().tolist(), np.random.get_state(legacy=False)["state"]["key"].tolist()
    lm.generate(MIXED[:2], rngs(2), Decoding(most=4))
    assert before == (torch.random.get_rng_state().tolist(), np.random.get_state(legacy=False)["state"]["key"].tolist())


def test_search_settings_of_a_checkpoint_are_not_ours(folder: Path, tmp_path: Path) -> None:
    """What the checkpoint says of its tokens counts; how it would search does not."""
    import json
    import shutil

    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    settings = json.loads((copy / "generation_config.json").read_text())
    extra = {"num_beams": 4, "do_sample": True, "temperature": 0.3, "max_length": 5, "no_repeat_ngram_size": 1}
    (copy / "generation_config.json").write_text(json.dumps(settings | extra))
    plain, odd = (load_lm(str(where)) for where in (folder, copy))
    decoding = Decoding(temperature=0, most=15)
    assert plain.generate(MIXED[:4], rngs(4), decoding) == odd.generate(MIXED[:4], rngs(4), decoding)
    assert plain.net.generation_config.decoder_start_token_id is not None


def test_marks_and_kinds(lm: Seq2Seq) -> None:
    family = lm.net.config.model_type
    assert lm.kind == ("translation" if family == "marian" else "seq2seq")
    assert bool(lm.sentinels) == (family == "t5") and bool(lm.mask) == (family == "bart")
    assert lm.sentinels[:2] in ((), ("<extra_id_0>", "<extra_id_1>"))
    assert lm.lengths(["the", "the harbour " * 400])[1] > lm.size


def test_long_texts_are_cut(lm: Seq2Seq) -> None:
    assert lm.encode(["the harbour " * 400])[0].shape[0] == lm.size


def test_a_text_fills_all_positions_but_one(folder: Path, tmp_path: Path) -> None:
    """However many there are: their number need not be a multiple of the steps that widths go in."""
    family = load_lm(str(folder)).net.config.model_type
    if family == "t5":
        pytest.skip("T5 knows distances only")
    short = MAKERS[family](tmp_path / family, positions=45)
    tiny_lms.sharpen(short, 6.0)
    lm = load_lm(str(short))
    texts = ["the harbour " * 400, "the kettle " * 19, "the war", *MIXED[:2]]
    assert lm.size == 44 and lm.encode(texts)[0].shape[0] == 44
    scores = lm.logits(texts, texts[::-1])
    assert all(np.isfinite(rows).all() for rows in scores) and scores[-1].shape[0] == 44
    for decoding in (Decoding(most=60), Decoding(temperature=0, beams=3, most=60)):
        together = lm.generate(texts, rngs(5), decoding)
        assert together == [lm.generate([texts[i]], [rngs(5)[i]], decoding)[0] for i in range(5)]
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    ids = AutoTokenizer.from_pretrained(short)(texts[0], truncation=True, max_length=44, return_tensors="pt")
    with torch.no_grad():
        theirs = AutoModelForSeq2SeqLM.from_pretrained(short).eval().get_encoder()(**ids).last_hidden_state[0]
    np.testing.assert_allclose(lm.encode(texts)[0], theirs.numpy(), atol=1e-5 * max(1, float(theirs.abs().max())))


def test_probabilities_are_those_of_the_librarys_warpers() -> None:
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    scores = torch.randn(6, 50, generator=torch.Generator().manual_seed(0)) * 3
    for temperature, k, p in ((1.0, 0, 1.0), (0.5, 7, 1.0), (1.7, 0, 0.8), (0.9, 20, 0.6), (1.0, 99, 0.01)):
        warped = TemperatureLogitsWarper(temperature)(None, scores)
        warped = TopKLogitsWarper(k)(None, warped) if k else warped
        warped = TopPLogitsWarper(p)(None, warped) if p < 1 else warped
        ours = probabilities(scores, Decoding(1, temperature, k, p))
        np.testing.assert_allclose(ours.numpy(), warped.softmax(1).numpy(), atol=1e-6)


def test_tokens_come_as_often_as_they_should() -> None:
    p = torch.tensor([[0.5, 0.0, 0.3, 0.2]], dtype=torch.float64).repeat(4, 1)
    assert drawn(p, torch.tensor([0.0, 0.49999, 0.5, 0.81], dtype=torch.float64)).tolist() == [0, 0, 2, 3]
    # The sum of a row may round to less than 1, and what has no probability is never drawn.
    tail = torch.tensor([[0.3, 0.69999999, 0.0]], dtype=torch.float64)
    assert drawn(tail, torch.tensor([1 - 1e-12], dtype=torch.float64)).tolist() == [1]
    many = drawn(p[:1].expand(20000, 4), torch.rand(20000, generator=torch.Generator().manual_seed(1)).double())
    np.testing.assert_allclose(np.bincount(many.numpy(), minlength=4) / 20000, [0.5, 0, 0.3, 0.2], atol=0.015)


@pytest.mark.parametrize("wrong", [{"beams": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"most": -1}])
def test_settings_outside_their_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Decoding(**wrong)


def test_pickles_are_not_opened(folder: Path, tmp_path: Path, booby_trap: tuple[Path, bytes]) -> None:
    import shutil

    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "model.safetensors").unlink()
    (copy / "pytorch_model.bin").write_bytes(booby_trap[1])
    with pytest.raises(ModelError, match="safetensors"):
        load_lm(str(copy))
