"""Sequence-to-sequence models: a text in, a text out (T5, BART, Pegasus; Marian translates).

    encode: text -> states (T, d)        decode: states -> text        generate = decode(encode(text))

Lewis et al. (2020), BART; Raffel et al. (2020), T5; Junczys-Dowmunt et al. (2018), Marian.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augmint.core.types import F32
from augmint.models.cards import Card
from augmint.models.devices import pick_device
from augmint.models.inputs import BATCH
from augmint.models.language import (
    continued,
    ends_of,
    exactly,
    fitting,
    log_likelihoods,
    most_tokens,
    open_files,
    padded,
    uniforms,
)
from augmint.models.text import buckets
from augmint.numerics.decoding import Decoding


@dataclass(frozen=True, eq=False)
class Seq2Seq:
    """A pretrained encoder-decoder over text.

    Attributes:
        name: name of the model and first digits of its weights' hash.
        kind: "seq2seq", or "translation" for one that answers in another language.
        size: most tokens of a text that are read.
        tokenizer: transformers' tokenizer.
        net: transformers' network.
        device: where it lives.
    """

    name: str
    kind: str
    size: int
    tokenizer: Any = field(repr=False)
    net: Any = field(repr=False)
    device: str = "cpu"

    @cached_property
    def sentinels(self) -> tuple[str, ...]:
        """Marks that stand for spans in an input, and that the model repeats before what it puts there (T5)."""
        marks = [token for token in self.tokenizer.get_vocab() if re.fullmatch(r"<extra_id_\d+>", token)]
        return tuple(sorted(marks, key=lambda mark: int(mark[10:-1])))

    @property
    def mask(self) -> str:
        """The mark that stands for a span in an input that the model writes again as a whole (BART); "" for none."""
        return "" if self.sentinels or self.kind == "translation" else self.tokenizer.mask_token or ""

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, however long."""
        return [len(ids) for ids in self._tokens(texts, truncation=False)]

    def encode(self, texts: Sequence[str]) -> list[F32]:
        """(T, d) float32 states of the tokens of each text, bitwise independent of its neighbours."""
        tokens = self._tokens(texts, truncation=True)
        states: list[F32] = [np.empty((0, 0), np.float32)] * len(tokens)
        for width, members in buckets([len(ids) for ids in tokens], most_tokens(self.net)):
            ids, mask = padded([tokens[i] for i in members], width, self._filler)
            with exactly():
                out = self.net.get_encoder()(input_ids=ids.to(self.device), attention_mask=mask.to(self.device))
            rows = out.last_hidden_state.float().cpu().numpy()
            for row, i in zip(rows, members, strict=False):  # the batch is full, the members may be fewer
                states[i] = row[: len(tokens[i])].copy()
        return states

    def decode(
        self, states: Sequence[F32], rngs: Sequence[np.random.Generator], decoding: Decoding, *, marks: bool = False
    ) -> list[str]:
        """The text written to each (T, d) array of states, each from its own stream; ``marks``: with its sentinels."""
        texts = [""] * len(states)
        for width, members in buckets([len(state) for state in states], most_tokens(self.net)):
            most = min(decoding.limit(width), fitting(self.net, 2**20))
            numbers = uniforms([rngs[i] for i in members], most) if decoding.draws else None
            inputs = self._prepared([states[i] for i in members], width)
            tokens = continued(self.net, inputs, decoding, most, numbers, ends_of(self.net))
            for row, i in zip(tokens[:, 1:].tolist(), members, strict=False):
                texts[i] = self._read(row, marks)
        return texts

    def generate(
        self, texts: Sequence[str], rngs: Sequence[np.random.Generator], decoding: Decoding, *, marks: bool = False
    ) -> list[str]:
        """What the model answers to each text."""
        return self.decode(self.encode(texts), rngs, decoding, marks=marks)

    def logits(self, texts: Sequence[str], targets: Sequence[str]) -> list[F32]:
        """(T, v) float32: scores of every token at each place of the target, the end mark's included."""
        return [rows.numpy() for rows, _ in self._forced(texts, targets)]

    def score(self, texts: Sequence[str], targets: Sequence[str]) -> list[F32]:
        """(T,) natural log of the probability of each token of the target, given the text."""
        return [log_likelihoods(rows, ids) for rows, ids in self._forced(texts, targets)]

    def _forced(self, texts: Sequence[str], targets: Sequence[str]) -> list[tuple[Tensor, list[int]]]:
        sources = self._tokens(texts, truncation=True)
        wanted = (
            self.tokenizer(text_target=list(targets), truncation=True, max_length=self.size)["input_ids"]
            if targets
            else []
        )
        found: list[Any] = [None] * len(sources)
        pairs = list(zip(sources, wanted, strict=True))
        for width, members in buckets([max(map(len, pair)) for pair in pairs], most_tokens(self.net)):
            ids, mask = padded([sources[i] for i in members], width, self._filler)
            labels, _ = padded([wanted[i] for i in members], width, self._filler)
            before = self.net.prepare_decoder_input_ids_from_labels(labels.to(self.device))
            with exactly():
                out = self.net(
                    input_ids=ids.to(self.device), attention_mask=mask.to(self.device), decoder_input_ids=before
                )
            for row, i in zip(out.logits.float().cpu(), members, strict=False):
                found[i] = (row[: len(wanted[i])].clone(), wanted[i])
        return found

    def _tokens(self, texts: Sequence[str], *, truncation: bool) -> list[list[int]]:
        if not texts:
            return []
        cut = {"truncation": True, "max_length": self.size} if truncation else {}
        rows = self.tokenizer(list(texts), **cut)["input_ids"]
        return [ids or [self._filler] for ids in rows]

    def _prepared(self, states: Sequence[F32], width: int) -> dict[str, Any]:
        """The inputs of ``generate`` for states that are there already."""
        from transformers.modeling_outputs import BaseModelOutput

        batch = torch.zeros(BATCH, width, states[0].shape[1])
        mask = torch.zeros(BATCH, width, dtype=torch.int64)
        for place in range(BATCH):
            state = states[place % len(states)]
            batch[place, : len(state)] = torch.from_numpy(state)
            mask[place, : len(state)] = 1
        given = BaseModelOutput(last_hidden_state=batch.to(self.device, self.net.dtype))
        return {"encoder_outputs": given, "attention_mask": mask.to(self.device)}

    def _read(self, ids: list[int], marks: bool) -> str:
        if marks:
            dull = set(self.tokenizer.all_special_ids) - set(self.tokenizer.convert_tokens_to_ids(list(self.sentinels)))
            ids = [id_ for id_ in ids if id_ not in dull]
        text: str = self.tokenizer.decode(ids, skip_special_tokens=not marks)
        return text.strip()

    @property
    def _filler(self) -> int:
        return int(self.net.generation_config.pad_token_id)


def load_seq2seq(card: Card, files: Mapping[str, Path], size: int, device: str) -> Seq2Seq:
    """The sequence-to-sequence model of a card, from its verified files; raises what `load_lm` does.

    Fewer tokens than ``size`` are read where the network has no positions for them and one that is masked.
    """
    device = pick_device(device)
    tokenizer, net = open_files(card, files, "AutoModelForSeq2SeqLM")
    return Seq2Seq(card.tag, card.kind, fitting(net, size), tokenizer, net.to(device), device)
