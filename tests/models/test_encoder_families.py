from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from transformers import AutoModel, AutoTokenizer

from augmint.core.errors import DataError, ModelError, UsageError
from augmint.core.types import Sample
from augmint.models import get_card, load_encoder
from tiny_folders import FAMILIES, WORDS, write_folder, write_modules


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("folders")
    return {family: write_folder(family, root / family) for family in FAMILIES}


def sentences(count: int, longest: int = 40) -> list[str]:
    rng = random.Random(0)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, longest))) for _ in range(count)]


def by_the_library(folder: Path, texts: list[Any], pooling: str = "mean", most: int = 512) -> np.ndarray:
    """Each text alone, without padding, through AutoModel; sentence-transformers' formulas; unit length."""
    tokenizer, net = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    if net.config.is_encoder_decoder:
        net = net.get_encoder()
    rows = []
    for text in texts:
        words = [text] if isinstance(text, str) else [[part] for part in text]
        batch = tokenizer(*words, truncation=True, max_length=most, return_tensors="pt")
        with torch.inference_mode():
            states = net(**batch).last_hidden_state[0].double().numpy()
        row = {"mean": states.mean(0), "max": states.max(0), "cls": states[0], "lasttoken": states[-1]}[pooling]
        rows.append(row / np.linalg.norm(row))
    return np.stack(rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_are_the_librarys_and_do_not_depend_on_their_neighbours(folders: dict[str, Path], family: str) -> None:
    encoder, texts = load_encoder(str(folders[family])), sentences(21)
    rows = encoder.encode(texts)
    theirs = by_the_library(folders[family], texts, most=get_card(str(folders[family]), "encoder").space.size)
    np.testing.assert_allclose(rows, theirs, atol=1e-5)
    assert np.abs(rows[0] - rows[1:]).max() > 1e-2, "texts are told apart"
    assert rows.tobytes() == np.concatenate([encoder.encode([text]) for text in texts]).tobytes()
    order = np.random.default_rng(0).permutation(len(texts))
    assert encoder.encode([texts[i] for i in order]).tobytes() == rows[order].tobytes()


@pytest.mark.parametrize("family", ["bert", "roberta", "deberta-v2", "distilbert"])
def test_pairs_are_read_together(folders: dict[str, Path], family: str) -> None:
    texts, others = sentences(6, 12), sentences(12, 12)[6:]
    pairs = [
        Sample(str(i), {"premise": a, "hypothesis": b}) for i, (a, b) in enumerate(zip(texts, others, strict=True))
    ]
    encoder = load_encoder(str(folders[family]))
    rows = encoder.encode(pairs)
    np.testing.assert_allclose(rows, by_the_library(folders[family], list(zip(texts, others, strict=True))), atol=1e-5)
    mixed = encoder.encode([pairs[0], Sample("one", texts[1]), pairs[2]])
    assert mixed[::2].tobytes() == rows[[0, 2]].tobytes()
    np.testing.assert_array_equal(mixed[1], encoder.encode([texts[1]])[0])
    swapped = Sample("", {"hypothesis": others[0], "premise": texts[0]})
    assert np.abs(encoder.encode([swapped])[0] - rows[0]).max() > 1e-3, "the order of the columns counts"
    with pytest.raises(DataError, match="3 texts"):
        encoder.encode([Sample("", {"a": "x", "b": "y", "c": "z"})])


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "lasttoken"])
def test_pooling_by_name(folders: dict[str, Path], pooling: str) -> None:
    name = f"{folders['roberta']}#{pooling}"
    encoder, texts = load_encoder(name), sentences(9)
    np.testing.assert_allclose(encoder.encode(texts), by_the_library(folders["roberta"], texts, pooling), atol=1e-5)
    plain = get_card(str(folders["roberta"])).tag
    assert encoder.space == f"{plain if pooling == 'mean' else plain.replace('@', f'#{pooling}@')}/64"


@pytest.mark.parametrize(
    ("config", "pooling"),
    [({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
     ({"pooling_mode_mean_tokens": True}, "mean"), ({"pooling_mode_max_tokens": True}, "max"),
     ({"pooling_mode": "lasttoken"}, "lasttoken"), ({"pooling_mode": "mean", "include_prompt": True}, "mean")],
)  # fmt: skip
def test_pooling_that_the_folder_names(tmp_path: Path, config: dict[str, Any], pooling: str) -> None:
    folder = write_folder("mpnet", tmp_path / "mpnet")
    write_modules(folder, config, normalize=pooling == "cls")
    card = get_card(str(folder))
    assert (card.kind, card.space.call, card.space.size, card.space.most) == ("encoder", pooling, 32, 64)
    texts = sentences(6, 60)
    rows = load_encoder(str(folder)).encode(texts)
    np.testing.assert_allclose(rows, by_the_library(folder, texts, pooling, 32), atol=1e-5)


@pytest.mark.parametrize(
    "fault",
    [{"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, {"pooling_mode": "weightedmean"},
     {"pooling_mode": ["mean", "max"]}, {}],
)  # fmt: skip
def test_pooling_that_is_not_known(tmp_path: Path, fault: dict[str, Any]) -> None:
    folder = write_folder("bert", tmp_path / "bert")
    write_modules(folder, fault)
    with pytest.raises(ModelError, match="pooling"):
        get_card(str(folder))


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [("modules.json", "type", "sentence_transformers.models.Dense"), ("modules.json", "path", "../elsewhere"),
     ("sentence_bert_config.json", "do_lower_case", True)],
)  # fmt: skip
def test_steps_that_are_not_known(tmp_path: Path, file: str, key: str, value: object) -> None:
    folder = write_folder("bert", tmp_path / "bert")
    write_modules(folder, {"pooling_mode": "mean"})
    content = json.loads((folder / file).read_text())
    (content[1] if isinstance(content, list) else content)[key] = value
    (folder / file).write_text(json.dumps(content))
    with pytest.raises(ModelError) as caught:
        get_card(str(folder))
    assert caught.value.code == "model-config" and file in caught.value.got


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_texts_as_long_as_the_model_has_places(tmp_path: Path, family: str) -> None:
    folder = write_folder(family, tmp_path / family)
    config = json.loads((folder / "config.json").read_text())
    most = get_card(str(folder)).space.most
    assert most == config["max_position_embeddings"] - 2 * (family == "roberta")
    encoder = load_encoder(str(folder), size=most)
    texts = [
        " ".join(["cat", "the", "dog"] * most),
        " ".join(["cat"] * (most - 2)),
        " ".join(["cat"] * (most - 3)),
        "cat",
    ]
    texts += [f"{' '.join(['mat'] * most)}"] * 8
    rows = encoder.encode(texts)
    np.testing.assert_allclose(rows, by_the_library(folder, texts, most=most), atol=1e-5)
    assert rows.tobytes() == np.concatenate([encoder.encode([text]) for text in texts]).tobytes()


def test_half_the_bits_when_asked(folders: dict[str, Path]) -> None:
    name, texts = str(folders["bert"]), sentences(20)
    rows, half = load_encoder(name).encode(texts), load_encoder(f"{name}#bfloat16")
    rough = half.encode(texts)
    assert rough.dtype == np.float32 and "#bfloat16@" in half.space
    assert 1e-5 < np.abs(rough - rows).max() < 0.05 and (rough * rows).sum(1).min() > 0.999
    assert rough.tobytes() == np.concatenate([half.encode([text]) for text in texts]).tobytes()
    both = get_card(f"{name}#bfloat16,cls")
    assert both == get_card(f"{name}#cls,bfloat16") and both.dtype == "bfloat16" and both.space.call == "cls"
    assert get_card(f"{name}#float32,mean") == get_card(name), "what it does anyway is no option"


@pytest.mark.parametrize("name", ["#float16", "#cls,mena", "#"])
def test_options_that_are_not_there(folders: dict[str, Path], name: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_card(f"{folders['bert']}{name}")
    assert caught.value.code == "unknown-model-option"
    with pytest.raises(UsageError):
        get_card("tiny-image#bfloat16")
    with pytest.raises(UsageError):
        get_card(f"{folders['bert-masked-lm']}#cls")


def test_a_folder_whose_name_has_the_mark(tmp_path: Path) -> None:
    folder = write_folder("bert", tmp_path / "bert#cls")
    assert get_card(str(folder)).space.call == "mean"
    assert get_card(f"{folder}#max").space.call == "max"
