from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file, save_file

pytest.importorskip("transformers")

import transformers
from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer

import masked_models
from augmint.core.errors import ModelError, UsageError
from augmint.models import LANGUAGE_MODELS, get_card, load_encoder, load_lm
from augmint.models.cards import Kind
from augmint.models.text import load_folder

SMALL = {
    "bert": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
    "roberta": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 34},
    "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 40},
    "t5": {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2},
    "bart": {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2},
    "marian": {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2},
    "electra": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "embedding_size": 16},
}
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat")


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """A BertForMaskedLM with its tokenizer, as `save_pretrained` writes them."""
    folder = tmp_path / "tiny-bert"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    config = AutoConfig.for_model("bert", vocab_size=len(WORDS), max_position_embeddings=48, **SMALL["bert"])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertForMaskedLM(config).save_pretrained(folder)
    return folder


def config_only(folder: Path, model_type: str, architecture: str) -> Path:
    """What a card needs: a config, and a file that is safetensors at its beginning."""
    folder.mkdir(exist_ok=True)
    config = AutoConfig.for_model(model_type, **SMALL[model_type])
    config.architectures = [architecture]
    config.save_pretrained(folder)
    save_file({"a": torch.zeros(1)}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("model_type", "architecture", "kind"),
    [
        ("bert", "BertForMaskedLM", "masked-lm"), ("bert", "BertForPreTraining", "masked-lm"),
        ("bert", "BertModel", "encoder"), ("bert", "BertForSequenceClassification", "classifier"),
        ("roberta", "RobertaForMaskedLM", "masked-lm"), ("gpt2", "GPT2LMHeadModel", "causal-lm"),
        ("t5", "T5ForConditionalGeneration", "seq2seq"), ("bart", "BartForConditionalGeneration", "seq2seq"),
        ("marian", "MarianMTModel", "translation"), ("electra", "ElectraForPreTraining", "encoder"),
        ("bert", "BertForTokenClassification", "encoder"),
    ],
)  # fmt: skip
def test_the_config_tells_the_kind(tmp_path: Path, model_type: str, architecture: str, kind: Kind) -> None:
    folder = config_only(tmp_path / "model", model_type, architecture)
    card = get_card(str(folder))
    assert (card.kind, card.modality, card.source, card.name) == (kind, "text", "local", "model")
    assert card.space.dims == 16
    assert get_card(str(folder), "encoder").kind == "encoder", "any body can encode"


def test_a_kind_it_cannot_serve_as(tmp_path: Path) -> None:
    folder = config_only(tmp_path / "m", "gpt2", "GPT2LMHeadModel")
    with pytest.raises(UsageError, match=r"GPT2LMHeadModel.* as masked-lm") as caught:
        get_card(str(folder), "masked-lm")
    assert caught.value.expected == "one of: causal-lm, encoder"
    with pytest.raises(UsageError, match="as masked-lm"):
        get_card("all-MiniLM-L6-v2", "masked-lm")
    assert get_card("tiny-image", "encoder").kind == "codec", "what encodes and decodes can encode"
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": None}))
    with pytest.raises(UsageError, match="without architectures"):
        get_card(str(folder))
    assert get_card(str(folder), "causal-lm").kind == "causal-lm"


def test_every_file_that_is_read_has_its_hash(bert: Path) -> None:
    card = get_card(str(bert))
    assert [file.name for file in card.files][:2] == ["model.safetensors", "config.json"]
    assert {"vocab.txt", "tokenizer_config.json"} < {file.name for file in card.files}
    for file in card.files:
        content = (bert / file.name).read_bytes()
        assert (file.sha256, file.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert card.space.size == card.space.most == 48 and card.licence == "not told"
    (bert / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\nlicense: mit\n")
    assert get_card(str(bert)).licence == "apache-2.0"
    (bert / "vocab.txt").write_text("\n".join(reversed(WORDS)) + "\n")
    assert get_card(str(bert)).files != card.files


def test_roberta_counts_its_positions_from_the_padding(tmp_path: Path) -> None:
    assert get_card(str(config_only(tmp_path / "r", "roberta", "RobertaModel"))).space.most == 32


def test_shards_are_read_together(bert: Path) -> None:
    whole = load_folder({file.name: bert / file.name for file in get_card(str(bert)).files}, "AutoModelForMaskedLM")[1]
    weights = load_file(bert / "model.safetensors")
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for part, keys in parts.items():
        save_file({key: weights[key] for key in keys}, bert / part, {"format": "pt"})
    places = {key: part for part, keys in parts.items() for key in keys}
    (bert / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    one = get_card(str(bert))
    (bert / "model.safetensors").unlink()
    card = get_card(str(bert))
    assert [file.name for file in card.files][:3] == [*parts, "model.safetensors.index.json"]
    assert card.weights.bytes == sum((bert / part).stat().st_size for part in parts)
    assert card.weights.sha256 not in {one.weights.sha256, *(file.sha256 for file in card.files)}
    again = load_folder({file.name: bert / file.name for file in card.files}, "AutoModelForMaskedLM")[1]
    for key, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    (bert / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match="without model-00002-of-00002"):
        get_card(str(bert))


@pytest.mark.parametrize("shard", ["../model.safetensors", "pytorch_model-00001-of-00001.bin", "a/b.safetensors"])
def test_an_index_that_leads_elsewhere(bert: Path, shard: str) -> None:
    (bert / "model.safetensors").rename(bert.parent / "model.safetensors")
    (bert / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(ModelError, match="use safetensors") as caught:
        get_card(str(bert))
    assert caught.value.code == "model-pickle"


def test_pickles_are_refused(bert: Path, booby_trap: tuple[Path, bytes]) -> None:
    (bert / "pytorch_model.bin").write_bytes(booby_trap[1])
    assert get_card(str(bert)).weights.name == "model.safetensors", "beside safetensors it is not looked at"
    (bert / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="use safetensors") as caught:
        get_card(str(bert))
    assert caught.value.code == "model-pickle"
    (bert / "pytorch_model.bin").rename(bert / "model.safetensors")
    with pytest.raises(ModelError, match="not safetensors inside"):
        get_card(str(bert))


@pytest.mark.parametrize(
    ("key", "value"),
    [("_attn_implementation_internal", "someone/evil"), ("attn_implementation", {"": "someone/evil"}),
     ("vision_config", {}), ("model_type", None)],
)  # fmt: skip
def test_configs_that_are_refused(bert: Path, key: str, value: object) -> None:
    config = json.loads((bert / "config.json").read_text()) | {key: value}
    if value is None:
        del config[key]
    (bert / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=key) as caught:
        get_card(str(bert))
    assert caught.value.code == "model-config"


@pytest.mark.parametrize(
    ("file", "value"),
    [("modules.json", [{"type": "x.Transformer"}, {"type": "x.Pooling"}]), ("modules.json", ["a"]),
     ("config.json", {"model_type": "roberta", "pad_token_id": None, "max_position_embeddings": 9}),
     ("config.json", {"model_type": "bert", "max_position_embeddings": "9"}),
     ("sentence_bert_config.json", {"max_seq_length": "x"})],
)  # fmt: skip
def test_config_files_of_another_build(bert: Path, file: str, value: object) -> None:
    if isinstance(value, dict) and (bert / file).is_file():
        value = json.loads((bert / file).read_text()) | value
    (bert / file).write_text(json.dumps(value))
    with pytest.raises(ModelError, match="something unexpected") as caught:
        get_card(str(bert))
    assert caught.value.code == "model-config" and str(bert) in str(caught.value)


def test_a_config_that_leaves_its_positions_open(bert: Path) -> None:
    config = json.loads((bert / "config.json").read_text()) | {"max_position_embeddings": None}
    (bert / "config.json").write_text(json.dumps(config))
    assert get_card(str(bert)).space.size == 256


def test_code_beside_the_model_is_not_run(bert: Path, booby_trap: tuple[Path, bytes]) -> None:
    run = f"__import__('os').system('touch {booby_trap[0]}')"
    for name in ("modeling_evil.py", "configuration_evil.py", "tokenization_evil.py", "__init__.py"):
        (bert / name).write_text(run)
    for name, auto in (("config.json", "AutoModelForMaskedLM"), ("tokenizer_config.json", "AutoTokenizer")):
        object_ = json.loads((bert / name).read_text())
        object_["auto_map"] = {auto: "modeling_evil.Evil", "AutoConfig": "configuration_evil.Evil"}
        (bert / name).write_text(json.dumps(object_))
    card = get_card(str(bert))
    assert not any(file.name.endswith(".py") for file in card.files)
    load_encoder(str(bert))
    (bert / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": object_["auto_map"]}))
    with pytest.raises(ModelError, match="transformers itself knows"):
        load_encoder(str(bert))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file(bert: Path, name: str) -> None:
    (bert / name).unlink()
    with pytest.raises(ModelError, match=f"without {name}") as caught:
        get_card(str(bert))
    assert caught.value.code == "model-missing"


def test_weights_of_another_model_are_no_random_model(bert: Path) -> None:
    weights = load_file(bert / "model.safetensors")
    save_file({f"other.{key}": value for key, value in weights.items()}, bert / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="no weights for") as caught:
        load_encoder(str(bert))
    assert caught.value.code == "model-config" and str(bert) in caught.value.got


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not there") as caught:
        get_card(str(tmp_path / "nowhere"))
    assert caught.value.code == "model-missing"
    with pytest.raises(UsageError, match="did you mean"):
        get_card("all-minilm-l6-v2")


def test_a_language_model_goes_to_its_module(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    module = ModuleType("stand_in")
    module.load = lambda *arguments: asked.append(arguments) or "loaded"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stand_in", module)
    monkeypatch.setitem(LANGUAGE_MODELS, "masked-lm", "stand_in:load")
    assert load_lm(str(bert), size=32) == "loaded"
    card, files, size, device = asked[0]
    assert card == get_card(str(bert)) and files["config.json"] == bert / "config.json"
    assert (size, device) == (32, "cpu")
    with pytest.raises(UsageError, match="a text encoder") as caught:
        load_lm("all-MiniLM-L6-v2")
    assert caught.value.code == "wrong-model"
    with pytest.raises(UsageError, match="size 64"):
        load_lm(str(bert), size=64)


def test_the_body_of_a_language_model_encodes(bert: Path) -> None:
    encoder = load_encoder(str(bert))
    rows = encoder.encode(["the cat", "sat"])
    assert rows.shape == (2, 16) and encoder.space == f"{get_card(str(bert)).tag}/48"


def test_what_load_folder_reads_is_the_librarys(bert: Path) -> None:
    tokenizer, net = load_folder(
        {file.name: bert / file.name for file in get_card(str(bert)).files}, "AutoModelForMaskedLM"
    )
    theirs = AutoModelForMaskedLM.from_pretrained(bert).eval()
    batch = AutoTokenizer.from_pretrained(bert)(["the cat sat"], return_tensors="pt")
    with torch.inference_mode():
        assert torch.equal(net(**tokenizer(["the cat sat"], return_tensors="pt")).logits, theirs(**batch).logits)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_folder_without_its_tokenizer(tmp_path: Path, family: str) -> None:
    """transformers makes up an empty one there, to which all texts are the same."""
    whole, bare = tmp_path / "whole", tmp_path / "bare"
    masked_models.save(masked_models.model(family), whole)
    bare.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(whole / name, bare / name)
    assert load_encoder(str(whole)).encode(["the cat", "a dog"]).shape[0] == 2
    for load in (load_encoder, load_lm):
        with pytest.raises(ModelError, match="a tokenizer without words") as caught:
            load(str(bare))
        assert "tokenizer again with save_pretrained" in str(caught.value)


def test_a_tokenizer_with_more_tokens_than_the_network(tmp_path: Path) -> None:
    masked_models.save(masked_models.model("bert"), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.add_tokens(["newword", "another"])
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="resize_token_embeddings"):
        load_encoder(str(tmp_path))
