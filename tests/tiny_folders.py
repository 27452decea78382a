"""Hugging Face folders with random weights, network and tokenizer as `save_pretrained` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = (
    *("the", "cat", "sat", "on", "a", "mat", "while", "some", "old", "dog", "ran", "far", "away"),
    *("into", "dark", "woods", "because", "it", "was", "hungry"),
)
SIZES: dict[str, dict[str, Any]] = {
    "hidden_size": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64},
    "dim": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
    "n_embd": {"n_embd": 32, "n_layer": 2, "n_head": 4, "bos_token_id": 2, "eos_token_id": 3},
    "d_model": {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
                "encoder_attention_heads": 4, "decoder_attention_heads": 4, "bos_token_id": 2, "eos_token_id": 3},
    "d_kv": {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "eos_token_id": 3},
}  # fmt: skip
FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("BertModel", "hidden_size", {}),
    "bert-masked-lm": ("BertForMaskedLM", "hidden_size", {}),
    "roberta": ("RobertaModel", "hidden_size", {"max_position_embeddings": 66, "type_vocab_size": 1}),
    "xlm-roberta": ("XLMRobertaForMaskedLM", "hidden_size", {"max_position_embeddings": 66}),
    "distilbert": ("DistilBertModel", "dim", {"max_position_embeddings": 64}),
    "mpnet": ("MPNetModel", "hidden_size", {"max_position_embeddings": 66}),
    "electra": ("ElectraForPreTraining", "hidden_size", {"embedding_size": 32}),
    "albert": ("AlbertModel", "hidden_size", {"embedding_size": 16}),
    "deberta-v2": ("DebertaV2Model", "hidden_size", {
        "relative_attention": True, "position_buckets": 8, "max_relative_positions": -1, "position_biased_input": False,
        "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0, "share_att_key": True, "norm_rel_ebd": "layer_norm",
    }),
    "gpt2": ("GPT2LMHeadModel", "n_embd", {"n_positions": 64}),
    "t5": ("T5ForConditionalGeneration", "d_kv", {}),
    "bart": ("BartForConditionalGeneration", "d_model", {"max_position_embeddings": 64}),
}  # fmt: skip
"""Class, names of its sizes, other settings, by family."""


def tokenizer_of(family: str) -> transformers.PreTrainedTokenizerFast:
    """Word pieces in the family's form: marks at the ends, numbers of a pair's texts where the family has them."""
    first, last = ("<s>", "</s>") if family in ("roberta", "xlm-roberta", "mpnet", "bart") else ("[CLS]", "[SEP]")
    names = ["<pad>", "<unk>", first, last, "<mask>"] if first == "<s>" else ["[PAD]", "[UNK]", first, last, "[MASK]"]
    if first == "<s>":  # these count positions from the padding's number, 1
        names = [first, "<pad>", last, "<unk>", "<mask>"]
    letters = sorted(set("".join(WORDS)))
    # Written down: what a trainer of the library learns is in another order each time.
    words = dict.fromkeys([*names, *letters, *(f"##{letter}" for letter in letters), *WORDS])
    vocabulary = {word: number for number, word in enumerate(words)}
    pieces = Tokenizer(models.WordPiece(vocabulary, unk_token=names[1] if first != "<s>" else "<unk>"))
    pieces.pre_tokenizer = pre_tokenizers.Whitespace()
    a, b = pieces.token_to_id(first), pieces.token_to_id(last)
    second = f"{last} $B:1 {last}:1" if first == "[CLS]" else f"{last} {last} $B {last}"
    pieces.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", pair=f"{first} $A {second}", special_tokens=[(first, a), (last, b)]
    )
    numbered = family in ("bert", "bert-masked-lm", "electra", "albert", "deberta-v2")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=pieces, cls_token=first, sep_token=last, bos_token=first, eos_token=last,
        pad_token=None if family == "gpt2" else "<pad>" if first == "<s>" else "[PAD]",
        unk_token="<unk>" if first == "<s>" else "[UNK]", mask_token=names[4],
        model_input_names=["input_ids", *(["token_type_ids"] if numbered else []), "attention_mask"],
    )  # fmt: skip


def write_folder(family: str, folder: Path, seed: int = 0) -> Path:
    """A folder of this family, a small network with random weights that are large enough to tell texts apart."""
    architecture, sizes, others = FAMILIES[family]
    tokenizer = tokenizer_of(family)
    marks = {"pad_token_id": tokenizer.pad_token_id or 0, "vocab_size": len(tokenizer)}
    make = getattr(transformers, architecture)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = make(make.config_class(**{**SIZES[sizes], **marks, **others}))
        for value in net.parameters():
            if value.ndim > 1:
                torch.nn.init.normal_(value, std=0.2)
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_modules(folder: Path, pooling: dict[str, Any], *, normalize: bool = False, most: int = 32) -> None:
    """What makes a folder one of sentence-transformers'."""
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalize else [])]
    steps = [
        {"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(steps))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 32, **pooling}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": most, "do_lower_case": False}))


def write_classifier(folder: Path, labels: tuple[str, ...]) -> str:
    """A BERT with a classification head and large weights; its path."""
    tokenizer = tokenizer_of("bert")
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)},
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = transformers.BertForSequenceClassification(config)
        for value in net.parameters():
            if value.ndim > 1:
                torch.nn.init.normal_(value, std=0.2)
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
