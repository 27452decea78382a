"""tiny-text: MiniLM and a file of its own, put together, are a plain masked language model that has learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("transformers")

from augmint.models import get_card, hub, load_lm
from augmint.models.masked_lm import MaskedLM
from augmint.models.thin import last_layers, merged
from augmint.models.tiny_text import MASK_ROW, assemble
from masked_models import model

TEXTS = ("the capital of france is a large city .", "play some music by the beatles", "how many people live there ?")


@pytest.fixture(scope="module")
def head() -> Path:
    return hub.find(get_card("tiny-text"))["tiny_text_head.safetensors"]


@pytest.fixture
def lm(minilm: dict[str, Path]) -> MaskedLM:
    return load_lm("tiny-text")


def test_the_parts_are_put_together_by_the_formula(minilm: dict[str, Path], head: Path) -> None:
    _, net = assemble(head, minilm)
    own, body = load_file(head), load_file(minilm["model.safetensors"])
    name = "encoder.layer.3.intermediate.dense.weight"
    up, down = own[f"bert.{name}.up"].float(), own[f"bert.{name}.down"].float()
    torch.testing.assert_close(net.get_parameter(f"bert.{name}"), body[name] + up @ down)
    words, mask = net.bert.embeddings.word_embeddings.weight, 103
    torch.testing.assert_close(words[mask], own[MASK_ROW].float())
    rest = torch.arange(len(words)) != mask
    assert torch.equal(words[rest], body["embeddings.word_embeddings.weight"][rest])
    assert net.cls.predictions.decoder.weight is words, "the decoder is tied to the word vectors"
    torch.testing.assert_close(
        net.cls.predictions.transform.dense.weight, own["cls.predictions.transform.dense.weight"].float()
    )
    assert set(merged(net, {"cls.predictions.bias": np.zeros(30522, np.float32)})) == {"cls.predictions.bias"}


def test_it_opens_anywhere_once_saved(lm: MaskedLM, tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM

    lm.net.save_pretrained(tmp_path)
    lm.tokenizer.save_pretrained(tmp_path)
    again = AutoModelForMaskedLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert type(again).__name__ == "BertForMaskedLM"
    tokens = torch.tensor([lm.cut(TEXTS[:1])[0][0]])
    mask = torch.ones_like(tokens)
    with torch.inference_mode():
        ours, theirs = (net(input_ids=tokens, attention_mask=mask).logits for net in (lm.net, again))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    folder = load_lm(str(tmp_path))
    assert folder.words == lm.words and folder.mask == lm.mask == 103


def test_it_has_learned_to_fill_gaps(lm: MaskedLM) -> None:
    """Far better than the frequency of words on sentences that no recipe has seen."""
    rows = [row for row, _ in lm.cut(TEXTS)]
    places = [list(range(1, len(row) - 1)) for row in rows]
    shown = [
        [[lm.mask if i == at else token for i, token in enumerate(row)] for at in own]
        for row, own in zip(rows, places, strict=True)
    ]
    losses, hits = [], []
    for row, own, texts in zip(rows, places, shown, strict=True):
        for at, (tokens, log_p) in zip(own, lm.best(texts, [[at] for at in own], 30000), strict=True):
            losses.append(-float(log_p[0][tokens[0] == row[at]][0]))
            hits.append(row[at] in tokens[0][:5])
    assert np.mean(losses) < 5 and np.mean(hits) > 0.3, (np.mean(losses), np.mean(hits))
    assert not any(lm.mask in tokens[0][:100] for tokens, _ in lm.best(shown[0], [[at] for at in places[0]], 100))


def test_the_card_says_what_it_needs(head: Path) -> None:
    card = get_card("tiny-text")
    assert (card.kind, card.body, card.source) == ("masked-lm", "all-MiniLM-L6-v2", "embedded")
    assert head.stat().st_size == card.weights.bytes < 4_000_000
    assert all(value.dtype == torch.float16 and torch.isfinite(value).all() for value in load_file(head).values())
    assert {"perplexity_wikitext", "top1_wikitext"} <= set(card.figures)


def test_last_layers_are_found_in_any_network() -> None:
    for family, part in (
        ("bert", "encoder.layer.1."),
        ("distilbert", "transformer.layer.1."),
        ("modernbert", "layers.1."),
    ):
        names = last_layers(model(family).net, 1)
        assert len(names) >= 4 and all(part in name for name in names)
