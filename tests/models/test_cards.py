from __future__ import annotations

import importlib
import re
import subprocess
import sys

import numpy as np
import pytest

from augmint.core.errors import UsageError
from augmint.core.protocols import Codec
from augmint.models import get_card, list_cards, load_encoder
from augmint.models.cards import EMBEDDED, LOCAL, Card
from augmint.models.hub import WEIGHTS

CARDS = {card.name: card for card in list_cards()}
EMBEDDED_CARDS = [card for card in CARDS.values() if card.source == EMBEDDED]


def test_the_models_are_there() -> None:
    assert {"tiny-image", "tiny-judge", "squeezenet1_1", "all-MiniLM-L6-v2", "tiny-text"} <= set(CARDS)


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_card_is_complete(card: Card) -> None:
    assert card.summary and card.licence and card.preprocessing and card.trained_on
    assert card.weights.name.endswith(".safetensors")
    for file in card.files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.bytes > 0
        assert not any(file.name.endswith(end) for end in (".bin", ".pt", ".pkl", ".py"))
    hub_source = card.source not in (EMBEDDED, LOCAL)
    assert bool(re.fullmatch("[0-9a-f]{40}", card.revision)) == hub_source
    space = card.space
    assert space.dims > 0 and space.least <= space.size <= space.most and space.size % space.multiple == 0
    module, _, name = card.architecture.partition(":")
    assert getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("card", [card for card in EMBEDDED_CARDS if not card.body], ids=lambda card: card.name)
def test_embedded_model_makes_what_its_card_says(card: Card) -> None:
    assert (WEIGHTS / card.weights.name).stat().st_size == card.weights.bytes
    encoder = load_encoder(card.name)
    assert isinstance(encoder, Codec) == (card.kind == "codec")
    rows = encoder.encode([])
    side = card.space.size // card.space.stride if card.space.stride else None
    assert rows.shape == ((0, card.space.dims, side, side) if side else (0, card.space.dims))
    assert encoder.space == f"{card.name}@{card.weights.sha256[:12]}/{card.space.size}"


def test_no_embedded_file_without_a_card() -> None:
    named = {file.name for card in EMBEDDED_CARDS for file in card.files}
    named |= {base.file.name for card in EMBEDDED_CARDS for base in card.bases}
    assert {path.name for path in WEIGHTS.iterdir()} <= named


def test_the_judge_shares_no_weights_with_the_codec() -> None:
    from safetensors.numpy import load_file

    codec, judge = (load_file(WEIGHTS / CARDS[name].weights.name) for name in ("tiny-image", "tiny-judge"))
    large = [a for a in codec.values() if a.size > 64]
    for b in (b for b in judge.values() if b.size > 64):
        assert not any(a.shape == b.shape and np.array_equal(a, b) for a in large)


@pytest.mark.parametrize(
    ("typed", "meant"), [("tiny-imge", "tiny-image"), ("squeezenet", "squeezenet1_1"), ("all-minilm-l6-v2", "MiniLM")]
)
def test_unknown_name_gets_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(UsageError, match="did you mean") as caught:
        load_encoder(typed)
    assert meant in caught.value.do
    assert caught.value.code == "unknown-model"


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [("tiny-image", 65, "multiple of 16"), ("tiny-image", 272, "256"), ("tiny-image", 0, "from 16"),
     ("tiny-judge", 128, "64"), ("all-MiniLM-L6-v2", 512, "256")],
)  # fmt: skip
def test_impossible_size_is_refused_before_anything_is_loaded(name: str, size: int, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_encoder(name, size=size)
    assert expected in caught.value.expected and caught.value.code == "wrong-size"


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta"])
def test_device_that_is_not_there(device: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_encoder("tiny-judge", device=device)
    assert caught.value.code == "no-device"


def test_device_auto() -> None:
    assert load_encoder("tiny-judge", device="auto").encode([]).shape == (0, get_card("tiny-judge").space.dims)


def test_importing_the_room_loads_no_heavy_package() -> None:
    code = (
        "import sys, augmint.models as m; m.list_cards();"
        "print([p for p in ('torch', 'transformers', 'huggingface_hub', 'PIL') if p in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
