"""Causal language models: a text in, its continuation out (GPT-2, Llama, Qwen and the like).

    log p(text) = sum_t log p(token_t | tokens before it)

Prompts are filled up on the left, so that the next token comes after the last place of every row. Radford et al.
(2019), Language Models are Unsupervised Multitask Learners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from augmint.core.types import F32
from augmint.models.cards import Card
from augmint.models.causal_tuning import tune
from augmint.models.devices import pick_device
from augmint.models.language import (
    continued,
    ends_of,
    exactly,
    fitting,
    last_of,
    log_likelihoods,
    most_tokens,
    open_files,
    padded,
    uniforms,
)
from augmint.models.text import buckets
from augmint.models.thin import tuned
from augmint.numerics.decoding import Decoding


class Continuation(NamedTuple):
    """What a model wrote: as it stands after the prompt, its first space with it; and whether it came to an end."""

    text: str
    ended: bool


@dataclass(frozen=True, eq=False)
class CausalLM:
    """A pretrained decoder over text.

    Attributes:
        name: name of the model and first digits of its weights' hash.
        size: most tokens of a prompt that are read, the last ones.
        tokenizer: transformers' tokenizer.
        net: transformers' network.
        device: where it lives.
    """

    name: str
    size: int
    tokenizer: Any = field(repr=False)
    net: Any = field(repr=False)
    device: str = "cpu"

    @property
    def kind(self) -> str:
        """Of the card."""
        return "causal-lm"

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, however long."""
        return [len(ids) for ids in self.tokens(texts)]

    def tokens(self, texts: Sequence[str], *, ended: bool = False) -> list[list[int]]:
        """Token numbers of each text; ``ended``: with the mark that ends a text after it."""
        rows = self.tokenizer(list(texts))["input_ids"] if texts else []
        return [[*(ids or [self._start]), *([self._end] if ended else [])] for ids in rows]

    @property
    def longest(self) -> int:
        """Most tokens that the network has positions for."""
        return most_tokens(self.net)

    def generate(self, prompts: Sequence[str], rngs: Sequence[np.random.Generator], decoding: Decoding) -> list[str]:
        """What comes after each prompt, without space at its ends; see `continuations`."""
        return [found.text.strip() for found in self.continuations(prompts, rngs, decoding)]

    def continuations(
        self, prompts: Sequence[str], rngs: Sequence[np.random.Generator], decoding: Decoding
    ) -> list[Continuation]:
        """What comes after each prompt, each from its own stream, bitwise independent of its neighbours."""
        tokens = [ids[-self.size :] for ids in self.tokens(prompts)]
        found = [Continuation("", True)] * len(tokens)
        ends = [*ends_of(self.net), *(self._stops(decoding.stop) if decoding.stop else [])]
        for width, members in buckets([len(ids) for ids in tokens], most_tokens(self.net)):
            most = max(1, min(decoding.limit(width), most_tokens(self.net) - width))
            numbers = uniforms([rngs[i] for i in members], most) if decoding.draws else None
            ids, mask = padded([tokens[i] for i in members], width, self._filler, left=True)
            inputs = {"input_ids": ids.to(self.device), "attention_mask": mask.to(self.device)}
            out = continued(self.net, inputs, decoding, most, numbers, ends)
            for row, i in zip(out[:, width:].tolist(), members, strict=False):  # the batch is full, members may be few
                text = self._said_after(tokens[i], row)
                if decoding.stop:
                    text = text.partition(decoding.stop)[0]
                found[i] = Continuation(text, not ends or not set(ends).isdisjoint(row))
        return found

    def _said_after(self, ids: list[int], row: list[int]) -> str:
        """The text of new tokens after those before them; some tokenizers drop the space before a first word."""
        before, whole = (self.tokenizer.decode(part, skip_special_tokens=True) for part in (ids, [*ids, *row]))
        same = whole.startswith(before)
        return str(whole[len(before) :] if same else self.tokenizer.decode(row, skip_special_tokens=True))

    def logits(self, texts: Sequence[str]) -> list[F32]:
        """(T, v) float32: scores of every token after each token of the text; of long texts, the first ``size``."""
        return [rows.numpy() for rows in self._read([ids[: self.size] for ids in self.tokens(texts)])]

    def score(self, texts: Sequence[str]) -> list[F32]:
        """(T,) natural log of the probability of each token, the first one's after the mark that begins a text."""
        tokens = [ids[: self.size - 1] for ids in self.tokens(texts)]
        marked = [ids if ids[0] == self._start else [self._start, *ids] for ids in tokens]
        return [log_likelihoods(rows, ids[1:]) for rows, ids in zip(self._read(marked), marked, strict=True)]

    def tune(self, rows: Sequence[list[int]], rng: np.random.Generator, **options: Any) -> dict[str, np.ndarray]:
        """What a short fit to these texts learns, for `with_learned`; see `models.causal_tuning.tune`."""
        return tune(self, rows, rng, **options)

    def with_learned(self, learned: Mapping[str, np.ndarray]) -> CausalLM:
        """The same model with what was learned on top; nothing of it is copied but the matrices that change."""
        return replace(self, net=tuned(self.net, learned))

    def _read(self, tokens: Sequence[list[int]]) -> list[Tensor]:
        found: list[Any] = [None] * len(tokens)
        for width, members in buckets([len(ids) for ids in tokens], most_tokens(self.net)):
            ids, mask = padded([tokens[i] for i in members], width, self._filler)
            with exactly():
                out = self.net(input_ids=ids.to(self.device), attention_mask=mask.to(self.device))
            for row, i in zip(out.logits.float().cpu(), members, strict=False):
                found[i] = row[: len(tokens[i])].clone()
        return found

    @cached_property
    def _said(self) -> list[str]:
        """What each token of the vocabulary says."""
        return [self.tokenizer.decode([i]) for i in range(len(self.tokenizer))]

    def _stops(self, stop: str) -> list[int]:
        return [i for i, text in enumerate(self._said) if stop in text]

    @property
    def _start(self) -> int:
        begins = self.net.generation_config.bos_token_id
        return self._end if begins is None else int(begins)

    @property
    def _end(self) -> int:
        return last_of(self.net.generation_config.eos_token_id) or 0

    @property
    def _filler(self) -> int:
        return int(self.net.generation_config.pad_token_id)


def load_causal(card: Card, files: Mapping[str, Path], size: int, device: str) -> CausalLM:
    """The causal language model of a card, from its verified files; raises what `load_lm` does.

    Fewer tokens than ``size`` are read where the network has no positions for them.
    """
    device = pick_device(device)
    tokenizer, net = open_files(card, files, "AutoModelForCausalLM")
    return CausalLM(card.tag, fitting(net, size), tokenizer, net.to(device), device)
