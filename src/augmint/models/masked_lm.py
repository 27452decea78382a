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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.functional import normalize

from augmint.core.types import F32, I64, Bool
from augmint.models import hub
from augmint.models.cards import Card
from augmint.models.devices import pick_device
from augmint.models.inputs import BATCH, run
from augmint.models.lookup import get_card
from augmint.models.masked_tuning import tune
from augmint.models.packing import BLOCK, blockwise, is_packable, packed
from augmint.models.text import STEP, buckets, load_folder, widened
from augmint.models.thin import labels_of, merged
from augmint.models.tiny_text import assemble

PACKED, COARSE = 32, 16
"""Texts of a batch, and steps of its width, where padding is left out (`models.packing`) and costs next to nothing."""

Row = list[int]
"""Token numbers of one text, the marks at its ends among them."""


@dataclass(frozen=True, eq=False)
class MaskedLM:
    """A masked language model and its tokenizer.

    Attributes:
        name: name of the model and first digits of its weights' hash.
        size: most tokens of a text that are read, the marks at its ends among them.
        tokenizer: transformers' fast tokenizer.
        net: transformers' network with a masked-LM head.
        device: where ``net`` lives.
        learned: what `models.masked_tuning` learned on top, as arrays: products of thin matrices, label vectors.
    """

    name: str
    size: int
    tokenizer: Any = field(repr=False)
    net: Any = field(repr=False)
    device: str = "cpu"
    learned: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        # One weight matrix each, put together once: a text would have other bits if it were done in each batch.
        object.__setattr__(self, "_weights", merged(self.net, self.learned))
        object.__setattr__(self, "_labels", labels_of(self.net, self.learned))
        object.__setattr__(self, "_lists", {})

    def with_learned(self, learned: Mapping[str, np.ndarray]) -> MaskedLM:
        """The same network with what was learned on top; nothing of it is copied but the matrices that change."""
        return replace(self, learned=learned)

    def tune(
        self, rows: Sequence[Row], free: Sequence[Row], rng: np.random.Generator, **options: Any
    ) -> dict[str, np.ndarray]:
        """What a short fit to these texts learns, for `with_learned`; see `models.masked_tuning.tune`."""
        return tune(self, rows, free, rng, **options)

    @property
    def kind(self) -> str:
        """Of the card."""
        return "masked-lm"

    @property
    def _batch(self) -> int:
        """Texts of a batch. Where padding costs little, many: a batch that is not full costs little, too."""
        return PACKED if self._packs else BATCH

    @property
    def _packs(self) -> bool:
        return self.device == "cpu" and is_packable(self.net)

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
        mark = next((mark for mark in ("##", "Ġ", "▁") if any(t.startswith(mark) and t != mark for t in tokens)), "")
        special = set(self.tokenizer.all_special_tokens)
        words = [
            "" if token in special or (token.startswith(mark) == (mark == "##") and mark) else self._said(token, mark)
            for token in tokens
        ]
        words += [""] * (vocabulary - len(words))
        return tuple(word if word.isalpha() else "" for word in words)

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
        return normalize(own - own.mean(0), dim=1)

    def vector(self, tokens: Sequence[int]) -> F32:
        """(d,) of unit length: the mean of the `vectors` of a word's tokens; zeros for none."""
        if not tokens:
            return np.zeros(self.vectors.shape[1], np.float32)
        mean: F32 = normalize(self.vectors[list(tokens)].mean(0), dim=0).cpu().numpy()
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

        def heads(x: Tensor, depth: int, pulls: Tensor | None) -> Tensor:
            return self.scores(x, depth, labels is not None)

        found = self._run(rows, places, labels, heads, (len(self.words),))
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

        def heads(x: Tensor, depth: int, pulls: Tensor | None) -> Tensor:
            scores, asked = self._listed(x, depth, labels is not None, short)
            if pulls is not None:
                own = pulls[asked]
                scores += blockwise(F.pad(own, (0, 0, 0, -len(own) % BLOCK)), short.vectors, None)
            top = scores.topk(count, dim=-1)
            found = torch.stack([top.indices.float(), top.values - scores.logsumexp(-1, keepdim=True)], -2)
            answers = found.new_zeros(*asked.shape, 2, count)
            answers[asked] = found[: int(asked.sum())]
            return answers

        found = self._run(rows, places, labels, heads, (2, count), near)
        return [(short.tokens[row[:, 0].astype(np.int64)], np.ascontiguousarray(row[:, 1])) for row in found]

    def _shortlist(self, allowed: Bool) -> Shortlist:
        """The rows of the decoder that are asked for, gathered once."""
        key = allowed.tobytes()
        known: dict[bytes, Shortlist] = self._lists  # type: ignore[attr-defined]
        if key not in known:
            tokens = np.flatnonzero(allowed)
            at = torch.from_numpy(tokens).to(self.device)
            last = self.net.get_output_embeddings()
            bias = None if last.bias is None else last.bias[at]
            known[key] = Shortlist(tokens, at, last.weight[at], bias, self.vectors[at])
        return known[key]

    def _listed(self, x: Tensor, depth: int, labelled: bool, short: Shortlist) -> tuple[Tensor, Tensor]:
        """(m, listed) scores of the listed tokens, and (n, depth) True at the places that are asked for.

        The first of the m rows are those places, from left to right; m is a multiple of BLOCK.
        """
        asked = x[:, 2, :depth] > 0
        stop = self.net.get_output_embeddings().register_forward_pre_hook(_reached)
        try:
            scores = self.scores(x, depth, labelled)[asked]  # a head that does without that module
            scores = F.pad(scores, (0, 0, 0, -len(scores) % BLOCK))[:, short.at]
        except _ReachedError as reached:
            states = reached.states[asked]
            scores = blockwise(F.pad(states, (0, 0, 0, -len(states) % BLOCK)), short.weight, short.bias)
        finally:
            stop.remove()
        return scores.float(), asked

    def _run(
        self,
        rows: Sequence[Row],
        places: Sequence[Row],
        labels: Sequence[int] | None,
        heads: Callable[[Tensor, int, Tensor | None], Tensor],
        shape: tuple[int, ...],
        near: Sequence[F32] | None = None,
    ) -> list[F32]:
        """``heads`` of each row; the shapes of a batch depend on a row's own form only."""
        out = [np.empty((len(at), *shape), np.float32) for at in places]
        for width, depth, some in self._batches(rows, places):
            batch = self.pack([rows[i] for i in some], [places[i] for i in some], width)
            if labels is not None:
                batch[:, 3, 0] = torch.tensor([labels[i] for i in some])
            pulls = None if near is None else self._pulls([near[i] for i in some], depth)

            def answer(x: Tensor, depth: int = depth, pulls: Tensor | None = pulls) -> Tensor:
                return heads(x, depth, pulls)

            scores = run(answer, batch, self.device, self._batch)
            for i, row in zip(some, scores, strict=True):
                out[i] = row[: len(places[i])]
        return out

    def _pulls(self, near: Sequence[F32], depth: int) -> Tensor:
        """(batch, depth, d), zeros where there is no vector."""
        pulls = torch.zeros(self._batch, depth, self.vectors.shape[1])
        for pull, own in zip(pulls, near, strict=False):  # the batch is full, the texts may be fewer
            pull[: len(own)] = torch.from_numpy(own)
        return pulls.to(self.device)

    def _batches(self, rows: Sequence[Row], places: Sequence[Row]) -> Iterator[tuple[int, int, list[int]]]:
        """(width, depth, rows) of each batch; texts without places are in none."""
        step = COARSE if self._packs else STEP
        members: dict[int, list[int]] = {}
        for row, at in enumerate(places):
            if at:
                width = widened(len(rows[row]), self.positions, step)
                members.setdefault(deep(len(at), width), []).append(row)
        for depth, some in sorted(members.items()):
            for width, at in buckets([len(rows[row]) for row in some], self.positions, step, self._batch):
                yield width, min(depth, width), [some[i] for i in at]

    def pack(self, rows: Sequence[Row], places: Sequence[Row], width: int) -> Tensor:
        """(n, 4, width): tokens, which are real, places counted from 1 with 0 for none, label."""
        packed = np.zeros((len(rows), 4, width), np.int64)
        packed[:, 0] = self.tokenizer.pad_token_id
        for row, ids, at in zip(packed, rows, places, strict=True):
            row[0, : len(ids)] = ids
            row[1, : len(ids)] = 1
            row[2, : len(at)] = np.add(at, 1)
        return torch.from_numpy(packed)

    def scores(
        self, x: Tensor, depth: int, labelled: bool = False, weights: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """(n, depth, v): scores of the vocabulary at the first ``depth`` places; x (n, 4, T) as `pack` makes it.

        ``weights``: in place of those that were put together, for training.
        """
        tokens, real, asked = x[:, 0], x[:, 1], x[:, 2, :depth] > 0
        places = (x[:, 2, :depth] - 1).clamp(min=0)
        if self._packs and torch.is_inference_mode_enabled():
            inside = packed(self.net, real > 0, places, asked)
        else:
            real[:, 0] = 1  # a row without any token (filling of a batch) would be 0 / 0 in the attention
            inside = states_at(self.net, places)
        weights = self._weights if weights is None else weights  # type: ignore[attr-defined]
        given: dict[str, Any] = {"attention_mask": real}
        if labelled:
            vectors = weights.get("labels", self._labels)  # type: ignore[attr-defined]
            given["inputs_embeds"] = self.net.get_input_embeddings()(tokens) + vectors[x[:, 3, :1]]
        else:
            given["input_ids"] = tokens
        own = {name: value for name, value in weights.items() if name != "labels"}
        with inside:
            out = torch.func.functional_call(self.net, own, (), given) if own else self.net(**given)
        scores: Tensor = out.logits
        return scores


def deep(count: int, width: int) -> int:
    """Places of a batch for a text with so many: one, or half its width, or all of it.

    Few forms, so that texts of one width mostly share batches: a place that nobody asked for costs next to nothing.
    """
    return 1 if count == 1 else width // 2 if count <= width // 2 else width


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
