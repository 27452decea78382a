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
from torch.nn.functional import normalize

from augmint.core.types import F32, I64, Bool
from augmint.models import hub
from augmint.models.cards import Card
from augmint.models.devices import pick_device
from augmint.models.inputs import BATCH, run
from augmint.models.lookup import get_card
from augmint.models.masked_tuning import tune
from augmint.models.text import STEP, buckets, load_folder
from augmint.models.thin import labels_of, merged
from augmint.models.tiny_text import assemble

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

    def cut(self, texts: Sequence[str], room: int = 0) -> list[tuple[Row, list[tuple[int, int]]]]:
        """Token numbers of each text and the characters (start, end) that each stands for; (0, 0) for marks.

        ``room``: tokens that the caller will add to each.
        """
        if not texts:
            return []
        most = max(self.size - room, 3)
        found = self.tokenizer(list(texts), truncation=True, max_length=most, return_offsets_mapping=True)
        return list(zip(found["input_ids"], found["offset_mapping"], strict=True))

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
        vocabulary = len(self.words)
        found = self._run(rows, places, labels, lambda scores, _: scores, (vocabulary,))
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
        vocabulary = len(self.words)
        free = torch.ones(vocabulary, dtype=torch.bool) if allowed is None else torch.from_numpy(allowed)
        count = min(count, int(free.sum()))
        shut = ~free.to(self.device)

        def heads(scores: Tensor, pulls: Tensor | None) -> Tensor:
            scores = scores.float()
            if pulls is not None:
                scores = scores + pulls @ self.vectors.T
            top = scores.masked_fill(shut, -torch.inf).log_softmax(-1).topk(count, dim=-1)
            return torch.stack([top.indices.float(), top.values], -2)

        found = self._run(rows, places, labels, heads, (2, count), near)
        return [(row[:, 0].astype(np.int64), np.ascontiguousarray(row[:, 1])) for row in found]

    def _run(
        self,
        rows: Sequence[Row],
        places: Sequence[Row],
        labels: Sequence[int] | None,
        last: Callable[[Tensor, Tensor | None], Tensor],
        shape: tuple[int, ...],
        near: Sequence[F32] | None = None,
    ) -> list[F32]:
        """``last`` of the scores at the places of each row; the shapes of a batch depend on a row's own form only."""
        out = [np.empty((len(at), *shape), np.float32) for at in places]
        for width, depth, some in self._batches(rows, places):
            batch = self.pack([rows[i] for i in some], [places[i] for i in some], width)
            if labels is not None:
                batch[:, 3, 0] = torch.tensor([labels[i] for i in some])
            pulls = None if near is None else self._pulls([near[i] for i in some], depth)

            def answer(x: Tensor, depth: int = depth, pulls: Tensor | None = pulls) -> Tensor:
                return last(self.scores(x, depth, labels is not None), pulls)

            scores = run(answer, batch, self.device)
            for i, row in zip(some, scores, strict=True):
                out[i] = row[: len(places[i])]
        return out

    def _pulls(self, near: Sequence[F32], depth: int) -> Tensor:
        """(BATCH, depth, d), zeros where there is no vector."""
        pulls = torch.zeros(BATCH, depth, self.vectors.shape[1])
        for pull, own in zip(pulls, near, strict=False):  # the batch is full, the texts may be fewer
            pull[: len(own)] = torch.from_numpy(own)
        return pulls.to(self.device)

    def _batches(self, rows: Sequence[Row], places: Sequence[Row]) -> Iterator[tuple[int, int, list[int]]]:
        """(width, depth, rows) of each batch; texts without places are in none."""
        asked = [row for row, at in enumerate(places) if at]
        depths = [deep(len(places[row])) for row in asked]
        for depth in sorted(set(depths)):
            members = [row for row, own in zip(asked, depths, strict=True) if own == depth]
            for width, at in buckets([len(rows[member]) for member in members]):
                yield width, min(depth, width), [members[i] for i in at]

    def pack(self, rows: Sequence[Row], places: Sequence[Row], width: int) -> Tensor:
        """(n, 4, width): tokens, which are real, places, label."""
        packed = np.zeros((len(rows), 4, width), np.int64)
        packed[:, 0] = self.tokenizer.pad_token_id
        for row, ids, at in zip(packed, rows, places, strict=True):
            row[0, : len(ids)] = ids
            row[1, : len(ids)] = 1
            row[2, : len(at)] = at
        return torch.from_numpy(packed)

    def scores(
        self, x: Tensor, depth: int, labelled: bool = False, weights: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """(n, depth, v): scores of the vocabulary at the first ``depth`` places; x (n, 4, T) as `pack` makes it.

        ``weights``: in place of those that were put together, for training.
        """
        tokens, real, places = x[:, 0], x[:, 1], x[:, 2, :depth]
        real[:, 0] = 1  # a row without any token (filling of a batch) would be 0 / 0 in the attention
        weights = self._weights if weights is None else weights  # type: ignore[attr-defined]
        given: dict[str, Any] = {"attention_mask": real}
        if labelled:
            vectors = weights.get("labels", self._labels)  # type: ignore[attr-defined]
            given["inputs_embeds"] = self.net.get_input_embeddings()(tokens) + vectors[x[:, 3, :1]]
        else:
            given["input_ids"] = tokens
        own = {name: value for name, value in weights.items() if name != "labels"}
        with states_at(self.net, places):
            out = torch.func.functional_call(self.net, own, (), given) if own else self.net(**given)
        scores: Tensor = out.logits
        return scores


def deep(count: int) -> int:
    """Places of a batch for a text with so many: the next power of two."""
    return 1 << (count - 1).bit_length()


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
    return MaskedLM(card.tag, fitting(net, size), tokenizer, net.to(device), device)


def fitting(net: Any, size: int) -> int:
    """The working size, or the largest whose width in a batch the network has positions for."""
    config = net.config
    places = getattr(config, "max_position_embeddings", None) or size + STEP
    if config.model_type in OFFSET:
        places -= (config.pad_token_id or 0) + 1
    return min(size, places // STEP * STEP - 1)


OFFSET = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer", "data2vec-text"})
"""Model types that count positions from the padding token's number on."""
