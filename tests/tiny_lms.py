"""Language models of a few kilobytes with random weights, as Hugging Face folders; sentences to fit them to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

PLACES = ("harbour", "market", "forest", "library", "station")
BEGIN, END = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r"), ("ano", "elo", "ima", "oru", "une")


def fifty() -> list[tuple[str, str]]:
    """(text, class) of 50 sentences in five classes; three words of each are in no other, so any tells the rest."""
    names = [b + end for b in BEGIN for end in END]
    return [
        (f"the {name}k at the {PLACES[i % 5]} was {name}d by {name}n before noon", PLACES[i % 5])
        for i, name in enumerate(names)
    ]


def texts() -> list[str]:
    return [text for text, _ in fifty()]


def word_tokenizer(lines: Sequence[str], special: Sequence[str], template: str | None) -> Any:
    """A fast tokenizer of whole words; ``template`` as tokenizers takes it ("$A </s>")."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    words = sorted({f"▁{word}" for line in lines for word in line.split()})
    vocabulary = {word: i for i, word in enumerate((*special, "▁", *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Strip()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    if template:
        marks = [(mark, vocabulary[mark]) for mark in ("<s>", "</s>") if mark in template]
        tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=marks)
    return tokenizer


def build(folder: Path, make: Callable[[], Any], tokenizer: Any, seed: int = 0) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        make().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def sharpen(folder: Path, factor: float) -> None:
    """Larger weights, so that random networks prefer something and differ from text to text."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    big = {name: w * (factor if w.dim() == 2 and "shared" not in name else 1) for name, w in load_file(path).items()}
    save_file(big, path, metadata={"format": "pt"})


def t5(folder: Path, lines: Sequence[str] = ()) -> Path:
    from transformers import T5Config, T5ForConditionalGeneration

    sentinels = [f"<extra_id_{i}>" for i in range(20)]
    raw = word_tokenizer(lines or texts(), ["<pad>", "</s>", "<unk>", *sentinels], "$A </s>")
    tokenizer = fast(raw, additional_special_tokens=sentinels, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    config = T5Config(
        vocab_size=raw.get_vocab_size(), d_model=48, d_ff=96, d_kv=12, num_layers=2, num_heads=4, dropout_rate=0.0,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )  # fmt: skip
    return build(folder, lambda: T5ForConditionalGeneration(config), tokenizer)


def bart(folder: Path, lines: Sequence[str] = (), positions: int = 128) -> Path:
    from transformers import BartConfig, BartForConditionalGeneration

    raw = word_tokenizer(lines or texts(), ["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "<s> $A </s>")
    names = {"bos_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>"}
    tokenizer = fast(raw, pad_token="<pad>", unk_token="<unk>", **names)
    config = BartConfig(
        vocab_size=raw.get_vocab_size(), d_model=48, encoder_ffn_dim=96, decoder_ffn_dim=96, encoder_layers=2,
        decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, max_position_embeddings=positions,
        dropout=0.0,
        bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=2,
    )  # fmt: skip
    return build(folder, lambda: BartForConditionalGeneration(config), tokenizer)


def gpt2(folder: Path, lines: Sequence[str] = (), positions: int = 128) -> Path:
    from transformers import GPT2Config, GPT2LMHeadModel

    raw = word_tokenizer(lines or texts(), ["<end>", "<unk>"], None)
    tokenizer = fast(raw, bos_token="<end>", eos_token="<end>", unk_token="<unk>")
    config = GPT2Config(
        vocab_size=raw.get_vocab_size(), n_positions=positions, n_embd=48, n_layer=2, n_head=4, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return build(folder, lambda: GPT2LMHeadModel(config), tokenizer)


def marian(folder: Path, lines: Sequence[str] = (), seed: int = 0, positions: int = 128) -> Path:
    """With the pair of sentencepiece models that opus-mt folders have."""
    import sentencepiece as spm
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lines.txt").write_text("\n".join(lines or texts()))
    for side in ("source", "target"):
        spm.SentencePieceTrainer.train(
            input=str(folder / "lines.txt"), model_prefix=str(folder / side), vocab_size=150, hard_vocab_limit=False,
            minloglevel=2, bos_id=-1, character_coverage=1.0,
        )  # fmt: skip
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
        (folder / f"{side}.vocab").unlink()
    (folder / "lines.txt").unlink()
    model = spm.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    pieces = [model.id_to_piece(i) for i in range(model.get_piece_size())]
    words = ["</s>", "<unk>", *(piece for piece in pieces if piece not in ("</s>", "<unk>", "<s>")), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    tokenizer = MarianTokenizer(str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"))
    pad = len(words) - 1
    config = MarianConfig(
        vocab_size=len(words), d_model=48, encoder_ffn_dim=96, decoder_ffn_dim=96, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=4, decoder_attention_heads=4, max_position_embeddings=positions, dropout=0.0,
        eos_token_id=0, pad_token_id=pad, decoder_start_token_id=pad, forced_eos_token_id=0, bad_words_ids=[[pad]],
        decoder_vocab_size=len(words),
    )  # fmt: skip
    return build(folder, lambda: MarianMTModel(config), tokenizer, seed)


def fast(raw: Any, **names: Any) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=raw, **names)


def overfit(
    net: Any, tokenizer: Any, batches: Iterator[tuple[list[str], list[str]]], updates: int, rate: float = 3e-3
) -> float:
    """Adam on (inputs, targets) of a sequence-to-sequence model, in place; the last loss."""
    net.requires_grad_(True).train()
    adam = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.0)
    last = 0.0
    for step in range(updates):
        for group in adam.param_groups:
            group["lr"] = rate * min(1.0, 2 * (1 - step / updates) + 0.02)
        inputs, targets = next(batches)
        given = tokenizer(inputs, padding=True, return_tensors="pt")
        labels = tokenizer(text_target=targets, padding=True, return_tensors="pt")["input_ids"]
        labels = labels.masked_fill(labels == tokenizer.pad_token_id, -100)
        loss = net(input_ids=given["input_ids"], attention_mask=given["attention_mask"], labels=labels).loss
        adam.zero_grad()
        loss.backward()
        adam.step()
        last = loss.item()
    net.requires_grad_(False).eval()
    return last
