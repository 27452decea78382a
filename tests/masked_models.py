"""Masked language models of a few kilobytes with random weights, as Hugging Face folders, and their training."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import torch

from augmint.models.masked_lm import MaskedLM

MARKS = ["<pad>", "<s>", "</s>", "<unk>", "<mask>"]
NAMES = {"pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}

LINES = (
    "the cat sat on a mat while some old dog ran far away into dark woods because it was hungry",
    "an apple and a pear lay in the kitchen , she said , untouched !",
    "Who painted the lighthouse ? Nobody knows ; the painter left no name .",
    "we sailed past islands with white sand and never stopped sailing",
    "The “old”cat's great-aunt (ANNA) sat, on 3rd mat… école lighthouse !",
)

SOUNDS = ("mi", "ka", "lo", "tu", "re")
PLACES = ("harbour", "market", "forest", "library", "station")
ENDINGS = ("ra", "no", "lis", "dan", "bert", "mo", "fa", "gund", "pel", "tis")
THINGS = ("lantern", "piano", "ladder", "kettle", "statue", "mirror", "wagon", "candle", "barrel", "carpet")
DEEDS = ("sold", "found", "broken", "painted", "moved", "stolen", "cleaned", "hidden", "burned", "mended")
TIMES = ("noon", "winter", "dawn", "supper", "easter", "monday", "night", "june", "autumn", "lunch")

FIFTY = tuple(
    f"the {thing} at the {place} was {deed} by {sound}{ending} before {time}"
    for sound, place in zip(SOUNDS, PLACES, strict=True)
    for ending, thing, deed, time in zip(ENDINGS, THINGS, DEEDS, TIMES, strict=True)
)
"""Any one word of each can be told from the others; the name of who did it is in no other sentence."""


def word_pieces(lines: Sequence[str], pieces: Sequence[str] = ("##s", "##ing", "##ed")) -> Any:
    """BERT's tokenizer over these words, the longest cut in two."""
    from transformers import BertTokenizer

    words = sorted({word for line in lines for word in line.lower().split()})
    long = [word for word in words if len(word) > 8]
    kept = [
        *(word for word in words if len(word) <= 8),
        *(word[:5] for word in long),
        *(f"##{word[5:]}" for word in long),
    ]
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *dict.fromkeys([*kept, *pieces, "?", ".", ",", "-", "'"]),
    ]
    return BertTokenizer(vocab={word: i for i, word in enumerate(vocabulary)})


def bytes_pairs(lines: Sequence[str]) -> Any:
    """RoBERTa's tokenizer, trained on these lines."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    raw = ByteLevelBPETokenizer()
    raw.train_from_iterator(lines, vocab_size=700, min_frequency=1, special_tokens=MARKS, show_progress=False)
    return ended(PreTrainedTokenizerFast(tokenizer_object=raw._tokenizer, **NAMES))


def unigram(lines: Sequence[str]) -> Any:
    """A sentencepiece-like tokenizer, as DeBERTa v3 has it: the words and letters of these lines, by their frequency.

    Counted here: what a trainer of the library learns is another vocabulary each time.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Counter(piece.replace(" ", "▁") for line in lines for piece in re.findall(r" ?(?:\w+|[^\w\s])", f" {line}"))
    letters = Counter(letter for word in words.elements() for letter in word)
    known = [(piece, log(count / letters.total())) for piece, count in sorted((letters | words).items())]
    raw = Tokenizer(models.Unigram([*((mark, 0.0) for mark in MARKS), *known], unk_id=MARKS.index("<unk>")))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return ended(PreTrainedTokenizerFast(tokenizer_object=raw, **NAMES))


def ended(tokenizer: Any) -> Any:
    from tokenizers.processors import TemplateProcessing

    marks = [(mark, tokenizer.convert_tokens_to_ids(mark)) for mark in ("<s>", "</s>")]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=marks)
    return tokenizer


def network(family: str, tokenizer: Any, **options: Any) -> Any:
    """A network with random weights; ``options`` of its config."""
    import transformers as hf

    names = {
        "bert": "Bert", "roberta": "Roberta", "distilbert": "DistilBert", "deberta": "DebertaV2", "electra": "Electra",
        "albert": "Albert", "mpnet": "MPNet", "modernbert": "ModernBert",
    }  # fmt: skip
    shape = {**SMALL, "max_position_embeddings": 128, "vocab_size": len(tokenizer), **options}
    if family == "distilbert":
        own = {"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads"}
        shape = {{**own, "intermediate_size": "hidden_dim"}.get(name, name): value for name, value in shape.items()}
    config = getattr(hf, f"{names[family]}Config")(pad_token_id=tokenizer.pad_token_id, **shape)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = hf.AutoModelForMaskedLM.from_config(config)
        for value in net.parameters():  # biases start as zeros, which would hide a lost one
            value.data += 0.1 * torch.randn_like(value)
    return net.eval().requires_grad_(False)


def tokenizer_for(family: str, lines: Sequence[str] = LINES) -> Any:
    makers = {"roberta": bytes_pairs, "deberta": unigram, "albert": unigram, "modernbert": bytes_pairs}
    return makers.get(family, word_pieces)(lines)


def model(family: str, lines: Sequence[str] = LINES, size: int = 100, **options: Any) -> MaskedLM:
    tokenizer = tokenizer_for(family, lines)
    return MaskedLM(f"{family}@0", size, tokenizer, network(family, tokenizer, **options))


def save(lm: MaskedLM, folder: Path) -> Path:
    lm.net.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    return folder


def learn_by_heart(lm: MaskedLM, texts: Sequence[str], updates: int, rate: float = 3e-3, hide: float = 0.3) -> float:
    """Adam on all weights, in place, some tokens of every text hidden; the last loss."""
    rows = [torch.tensor(row) for row, _ in lm.cut(texts)]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=lm.tokenizer.pad_token_id)
    real = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    inner = real * (tokens != rows[0][0]) * (tokens != rows[0][-1])
    g = torch.Generator().manual_seed(0)
    lm.net.requires_grad_(True).train()
    for part in lm.net.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    adam = torch.optim.AdamW(lm.net.parameters(), rate, weight_decay=0.0)
    for step in range(updates):
        adam.param_groups[0]["lr"] = rate * min(1.0, 1.5 * (1 - step / updates) + 0.02)
        hidden = (torch.rand(tokens.shape, generator=g) < hide) & (inner > 0)
        labels = tokens.masked_fill(~hidden, -100)
        loss = lm.net(input_ids=tokens.masked_fill(hidden, lm.mask), attention_mask=real, labels=labels).loss
        adam.zero_grad()
        loss.backward()
        adam.step()
    lm.net.requires_grad_(False).eval()
    return float(loss.detach())


def generators(count: int, first: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng(first + i) for i in range(count)]
