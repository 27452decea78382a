"""Masked language models: what could stand at a hidden place of a text (BERT, RoBERTa, DistilBERT, DeBERTa, ...).

    p(w | text with place t hidden) = softmax(head(body(tokens))_t)_w

Devlin et al. 2019 (arXiv:1810.04805). The head is applied to the hidden places alone: over a vocabulary of 30,000 it
costs more than the body does for the same number of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from augmint.core.types import F32, I64, Bool
from augmint.models import hub
from augmint.models.cards import Card
from augmint.models.devices import pick_device
from augmint.models.inputs import BATCH
from augmint.models.language import exactly
from augmint.models.largest import largest
from augmint.models.lookup import get_card
from augmint.models.masked_tuning import tune
from augmint.models.packing import filled, is_packable, is_steady, packs, states
from augmint.models.text import buckets, load_folder, pad
from augmint.models.thin import labels_of, tuned
from augmint.models.tiny_text import assemble

Row = list[int]
"""Token numbers of one text, the marks at its ends among them."""


PLACES = 128
"""Places that the decoder is applied to at a time, always so many: 64 cost half as much again for each."""


def _mark_of(tokens: Sequence[str]) -> str:
    """What tells whether a token goes on from the one before it: the mark that most have. GPT-2 has "####", too."""
    counts = {mark: sum(t.startswith(mark) and t != mark for t in tokens) for mark in ("##", "Ġ", "▁")}
    mark = max(counts, key=lambda mark: counts[mark])
    return mark if counts[mark] else ""


@dataclass(frozen=True, eq=False)
class MaskedLM:
    """A masked language model and its tokenizer.

    Attributes:
        name: name of the model and first digits of its weights' hash.
        size: most tokens of a text that are read, the marks at its ends among them.
        tokenizer: transformers' fast tokenizer.
        net: transformers' network with a masked-LM head.
        device: where ``net`` lives.
        labels: (k, d) vectors of labels, for a network that has learned such (CBERT).
    """

    name: str
    size: int
    tokenizer: Any = field(repr=False)
    net: Any = field(repr=False)
    device: str = "cpu"
    labels: Tensor | None = field(default=None, repr=False)
    _lists: dict[bytes, Shortlist] = field(default_factory=dict, init=False, repr=False)

    def with_learned(self, learned: Mapping[str, np.ndarray]) -> MaskedLM:
        """The same network with what `models.masked_tuning` learned on top; only what changes is copied."""
        return replace(self, net=tuned(self.net, learned), labels=labels_of(self.net, learned))

    def tune(
        self, rows: Sequence[Row], free: Sequence[Row], rng: np.random.Generator, **options: Any
    ) -> dict[str, np.ndarray]:
        """What a short fit to these texts learns, for `with_learned`; see `models.masked_tuning.tune`."""
        return tune(self, rows, free, rng, **options)

    @property
    def kind(self) -> str:
        """Of the card."""
        return "masked-lm"

    @cached_property
    def _steady(self) -> bool:
        """Whether products of the body may have any number of rows."""
        return is_steady(self.net.base_model, self.device)

    @cached_property
    def positions(self) -> int:
        """Positions of the network, of which a text fills all but one."""
        return positions_of(self.net)

    @property
    def mask(self) -> int:
        """Number of the token that hides a place."""
        return int(self.tokenizer.mask_token_id)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What each token of the vocabulary says when it stands alone as a whole word; "" for all others.

        Whole words are letters only and do not go on from the token before them (``##ing``, or no ``Ġ`` or ``▁``).
        """
        vocabulary = int(self.net.get_output_embeddings().weight.shape[0])
        tokens = self.tokenizer.convert_ids_to_tokens(list(range(min(len(self.tokenizer), vocabulary))))
        mark = _mark_of(tokens)
        special = set(self.tokenizer.all_special_tokens)
        words = [
            "" if token in special or (token.startswith(mark) == (mark == "##") and mark) else self._said(token, mark)
            for token in tokens
        ]
        words += [""] * (vocabulary - len(words))
        return tuple(word if word.isalpha() else "" for word in words)

    @cached_property
    def folded(self) -> tuple[str, ...]:
        """`words` without case."""
        return tuple(word.casefold() for word in self.words)

    def _said(self, token: str, mark: str) -> str:
        if mark == "Ġ":  # bytes of UTF-8, each as a character
            token = self.tokenizer.convert_tokens_to_string([token])
        return token.strip().lstrip("▁")

    @cached_property
    def vectors(self) -> Tensor:
        """(v, d) float32 of unit length: the word vectors without their mean. Words of one meaning lie together."""
        own = self.net.get_input_embeddings().weight.float()
        count = len(self.words)
        own = own[:count] if len(own) >= count else torch.cat([own, own.new_zeros(count - len(own), own.shape[1])])
        return F.normalize(own - own.mean(0), dim=1)

    def vector(self, tokens: Sequence[int]) -> F32:
        """(d,) of unit length: the mean of the `vectors` of a word's tokens; zeros for none."""
        if not tokens:
            return np.zeros(self.vectors.shape[1], np.float32)
        mean: F32 = F.normalize(self.vectors[list(tokens)].mean(0), dim=0).cpu().numpy()
        return mean

    def cut(self, texts: Sequence[str], rooms: Sequence[int] | None = None) -> list[tuple[Row, list[tuple[int, int]]]]:
        """Token numbers of each text and the characters (start, end) that each stands for; (0, 0) for marks.

        ``rooms``: tokens that the caller will add to each.
        """
        rooms = [0] * len(texts) if rooms is None else rooms
        rows: dict[int, tuple[Row, list[tuple[int, int]]]] = {}
        for room in set(rooms):
            some = [i for i, own in enumerate(rooms) if own == room]
            most = max(self.size - room, 3)
            given = [texts[i] for i in some]
            found = self.tokenizer(given, truncation=True, max_length=most, return_offsets_mapping=True)
            rows |= zip(some, zip(found["input_ids"], found["offset_mapping"], strict=True), strict=True)
        return [rows[i] for i in range(len(texts))]

    def pieces(self, text: str) -> Row:
        """Token numbers of a text without marks at its ends."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def logits(self, rows: Sequence[Row], places: Sequence[Row], labels: Sequence[int] | None = None) -> list[F32]:
        """(k, v) float32 of each text: the scores of the vocabulary at its k places.

        Args:
            rows: token numbers, `mask` among them where a place is hidden.
            places: positions in each row.
            labels: number of the label vector that is added to every word vector of a row (CBERT), for a network
                that has learned such vectors.
        """

        short = self._shortlist(np.ones(len(self.words), np.bool_))
        found = self._answers(rows, places, labels, lambda states, _: self._scored(states, short), (len(self.words),))
        return [np.asarray(row, np.float32) for row in found]

    def best(
        self,
        rows: Sequence[Row],
        places: Sequence[Row],
        count: int,
        *,
        allowed: Bool | None = None,
        labels: Sequence[int] | None = None,
        near: Sequence[F32] | None = None,
    ) -> list[tuple[I64, F32]]:
        """The ``count`` likeliest tokens at each place: numbers (k, count), and natural logs of their probabilities.

        Each text's answer is bitwise independent of the others'.

        Args:
            rows: token numbers, `mask` among them where a place is hidden.
            places: positions in each row.
            count: how many.
            allowed: (v,) the tokens that may come; the probabilities of these sum to 1.
            labels: as in `logits`.
            near: (k, d) of each text: vectors, whose product with a token's `vectors` is added to its score; log p +
                c cos(token, old word) where it is c times the old word's vector.
        """
        short = self._shortlist(np.ones(len(self.words), np.bool_) if allowed is None else allowed)
        count = min(count, len(short.tokens))

        def likeliest(states: Tensor, pulls: Tensor | None) -> Tensor:
            scores = self._scored(states, short)
            if pulls is not None:
                scores += F.linear(pulls, short.vectors)
            top, at = largest(scores, count)
            log_p = top - top[:, :1] - (scores - top[:, :1]).exp_().sum(-1, keepdim=True).log_()
            return torch.stack([at.float(), log_p], 1)  # float32 holds whole numbers up to 2^24

        found = self._answers(rows, places, labels, likeliest, (2, count), near)
        return [(short.tokens[row[:, 0].astype(np.int64)], np.ascontiguousarray(row[:, 1])) for row in found]

    def _shortlist(self, allowed: Bool) -> Shortlist:
        """The rows of the decoder that are asked for, gathered once."""
        key = allowed.tobytes()
        if key not in self._lists:
            tokens = np.flatnonzero(allowed)
            at = torch.from_numpy(tokens).to(self.device)
            last = self.net.get_output_embeddings()
            bias = None if last.bias is None else last.bias[at]
            self._lists[key] = Shortlist(tokens, at, last.weight[at], bias, self.vectors[at])
        return self._lists[key]

    def _answers(
        self,
        rows: Sequence[Row],
        places: Sequence[Row],
        labels: Sequence[int] | None,
        finish: Callable[[Tensor, Tensor | None], Tensor],
        shape: tuple[int, ...],
        near: Sequence[F32] | None = None,
    ) -> list[F32]:
        """(k, *shape) of each text: ``finish`` of the states at its places, PLACES of them at a time."""
        ends = np.cumsum([0, *map(len, places)])
        found: F32 = np.empty((int(ends[-1]), *shape), np.float32)
        if len(found):
            pulls = None if near is None else torch.from_numpy(np.concatenate([x for x in near if len(x)]))
            with exactly():
                states = self._states(rows, places, labels)
                for start in range(0, len(found), PLACES):
                    part = slice(start, start + PLACES)
                    own = None if pulls is None else filled(pulls[part].to(self.device), False, PLACES)
                    some = finish(filled(states[part], False, PLACES), own)
                    found[part] = some[: len(found) - start].float().cpu().numpy()
        return [found[start:end] for start, end in pairwise(ends)]

    def _states(self, rows: Sequence[Row], places: Sequence[Row], labels: Sequence[int] | None) -> Tensor:
        """(K, d): what the body makes of all places, text by text; each text's bitwise independent of the others."""
        ends = np.cumsum([0, *map(len, places)])
        wanted = [row for row, at in enumerate(places) if at]
        lengths = [len(rows[row]) for row in wanted]
        packable = is_packable(self.net.base_model, self.device)
        found, order = [], []
        for width, some in ((0, pack) for pack in packs(lengths)) if packable else buckets(lengths, self.positions):
            own = [wanted[i] for i in some]
            vectors = None if labels is None or self.labels is None else self.labels[[labels[row] for row in own]]
            given = [rows[row] for row in own], [places[row] for row in own], vectors
            found.append(self._packed(*given) if packable else self._padded(*given, width))
            order += [np.arange(ends[row], ends[row + 1]) for row in own]
        return torch.cat(found)[torch.from_numpy(np.argsort(np.concatenate(order)))]

    def _packed(self, rows: Sequence[Row], places: Sequence[Row], vectors: Tensor | None) -> Tensor:
        starts = np.cumsum([0, *map(len, rows)])[:-1]
        asked = np.concatenate([start + np.asarray(at) for start, at in zip(starts, places, strict=True)])
        return states(self.net.base_model, rows, self._steady, vectors=vectors, asked=torch.from_numpy(asked))

    def _padded(self, rows: Sequence[Row], places: Sequence[Row], vectors: Tensor | None, width: int) -> Tensor:
        """In a batch of always BATCH rows, of which the last fills the free places."""
        full = [*range(len(rows)), *[len(rows) - 1] * (BATCH - len(rows))]
        x = pad([rows[i] for i in full], width, self.tokenizer.pad_token_id).to(self.device)
        given: dict[str, Any] = {"input_ids": x[:, 0]}
        if vectors is not None:
            given = {"inputs_embeds": self.net.get_input_embeddings()(x[:, 0]) + vectors[full][:, None]}
        out: Tensor = self.net.base_model(attention_mask=x[:, 1], **given)[0]
        return torch.cat([own[torch.tensor(at)] for own, at in zip(out, places, strict=False)])

    def _scored(self, states: Tensor, short: Shortlist) -> Tensor:
        """(PLACES, listed) float32 scores of the listed tokens."""
        stop = self.net.get_output_embeddings().register_forward_pre_hook(_reached)
        try:
            with handing(self.net.base_model, states[None]):
                scores = self.net(input_ids=torch.zeros(1, len(states), dtype=torch.int64, device=self.device)).logits
            scores = scores[0][:, short.at]  # a head that does without that module
        except _ReachedError as reached:
            scores = F.linear(reached.states[0], short.weight, short.bias)
        finally:
            stop.remove()
        listed: Tensor = scores.float()
        return listed

    def pack(self, rows: Sequence[Row], places: Sequence[Row], width: int) -> Tensor:
        """(n, 4, width): tokens, which are real, places counted from 1 with 0 for none, label."""
        packed = np.zeros((len(rows), 4, width), np.int64)
        packed[:, 0] = self.tokenizer.pad_token_id
        for row, ids, at in zip(packed, rows, places, strict=True):
            row[0, : len(ids)] = ids
            row[1, : len(ids)] = 1
            row[2, : len(at)] = np.add(at, 1)
        return torch.from_numpy(packed)

    def scores(self, x: Tensor, depth: int, labelled: bool, weights: Mapping[str, Tensor]) -> Tensor:
        """(n, depth, v): scores of the vocabulary at the first ``depth`` places, to train with.

        Args:
            x: (n, 4, T) as `pack` makes it.
            depth: most places of a text.
            labelled: whether a label's vector is added to every word vector.
            weights: what is learned, in place of the network's own, and "labels".
        """
        tokens, real = x[:, 0], x[:, 1]
        places = (x[:, 2, :depth] - 1).clamp(min=0)
        given: dict[str, Any] = {"attention_mask": real, "input_ids": tokens}
        if labelled:
            del given["input_ids"]
            given["inputs_embeds"] = self.net.get_input_embeddings()(tokens) + weights["labels"][x[:, 3, :1]]
        own = {name: value for name, value in weights.items() if name != "labels"}
        with states_at(self.net, places):
            scores: Tensor = torch.func.functional_call(self.net, own, (), given).logits
        return scores


@dataclass(frozen=True, eq=False)
class Shortlist:
    """Tokens that may come: their numbers, and their rows of the decoder and of the `MaskedLM.vectors`."""

    tokens: I64
    at: Tensor
    weight: Tensor
    bias: Tensor | None
    vectors: Tensor


class _ReachedError(Exception):
    """The decoder was about to be applied to these states."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states


def _reached(module: Any, args: Any) -> None:
    """A hook that stops a network in front of its decoder, which is then applied to some tokens alone."""
    raise _ReachedError(args[0])


@contextmanager
def handing(body: Any, states: Tensor) -> Iterator[None]:
    """Inside, the body of a network hands on these states, whatever it is given."""
    from transformers.modeling_outputs import BaseModelOutput

    body.forward = lambda *args, **given: BaseModelOutput(last_hidden_state=states)
    try:
        yield
    finally:
        del body.forward


@contextmanager
def states_at(net: Any, places: Tensor) -> Iterator[None]:
    """Inside, the body of a network hands on the states at places (n, k) only; the head treats each place alone."""

    def keep(module: Any, args: Any, out: Any) -> Any:
        states = out[0]
        return type(out)(last_hidden_state=states.gather(1, places[:, :, None].expand(-1, -1, states.shape[-1])))

    hook = net.base_model.register_forward_hook(keep)
    try:
        yield
    finally:
        hook.remove()


def load_masked_lm(card: Card, files: dict[str, Path], size: int, device: str) -> MaskedLM:
    """The masked language model of a card; raises what `load_lm` does."""
    device = pick_device(device)
    dtype = getattr(torch, card.dtype)
    if card.body:
        tokenizer, net = assemble(files[card.weights.name], hub.find(get_card(card.body)), dtype)
    else:
        tokenizer, net = load_folder(files, "AutoModelForMaskedLM", dtype)
    return MaskedLM(card.tag, min(size, positions_of(net) - 1), tokenizer, net.to(device), device)


def positions_of(net: Any) -> int:
    """Positions that the network knows; a great number where it knows distances only."""
    config = net.config
    before = net.base_model.embeddings.padding_idx + 1 if config.model_type in OFFSET else 0
    return int(getattr(config, "max_position_embeddings", None) or 2**20) - before


OFFSET = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer", "data2vec-text"})
"""Model types that count positions from the padding token's number on."""
