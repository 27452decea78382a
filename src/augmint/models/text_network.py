"""Networks on texts: that of an encoder, to be trained further, and the scores of a classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from augmint.core.types import F32
from augmint.models import hub
from augmint.models.cards import Card
from augmint.models.inputs import run
from augmint.models.text import batches, cut, load_body, pad, pooled


class TextNetwork(nn.Module):
    """A transformer and the tokenizer that it was pretrained with.

    Args:
        net: gives the rows of the tokens of a text.
        tokenizer: of transformers.
        pooling: how the rows of tokens become one.
    """

    def __init__(self, net: nn.Module, tokenizer: Any, pooling: str) -> None:
        super().__init__()
        self.net, self.tokenizer, self.pooling = net, tokenizer, pooling

    def tokens(self, texts: Sequence[tuple[str, ...]], width: int) -> Tensor:
        """(n, 2, width) numbers and mask of texts, cut where they are longer; (n, 3, width) of pairs (see `pooled`)."""
        filler = self.tokenizer.pad_token_id or 0
        if not texts:
            return pad([], width, filler)
        numbers, second = cut(self.tokenizer, texts, width)
        return pad(numbers, width, filler, second)

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) of unit length, of x (n, 2 or 3, width)."""
        return pooled(self.net, x, self.pooling)


def load_text_network(card: Card, *, path: str | None) -> tuple[TextNetwork, int]:
    """The network of a card's encoder and the number of its features; each call loads it anew."""
    tokenizer, net = load_body(hub.find(card, path))
    return TextNetwork(net, tokenizer, card.space.call), card.space.dims


def token_scores(net: Any, tokenizer: Any, size: int, device: str) -> Callable[[Sequence[tuple[str, ...]]], F32]:
    """A function from n texts or pairs to the (n, labels) logits of a classifier; a row has its bits beside any others.

    Args:
        net: transformers' network with a classification head.
        tokenizer: its tokenizer.
        size: most tokens that are read.
        device: where it lives.
    """

    if net.config.pad_token_id is None:
        # GPT-2 and the like look for the last token that is no padding; nothing here is padded.
        net.config.pad_token_id = -1

    def logits(x: Tensor) -> Tensor:
        second = {"token_type_ids": x[:, 2]} if x.shape[1] > 2 else {}
        out: Tensor = net(input_ids=x[:, 0], attention_mask=x[:, 1], **second).logits
        return out.float()

    def scores(texts: Sequence[tuple[str, ...]]) -> F32:
        rows = np.empty((len(texts), int(net.config.num_labels)), np.float32)
        if not texts:
            return rows
        tokens, types = cut(tokenizer, texts, size)
        for members, batch in batches(tokens, types):
            rows[members] = run(logits, batch, device)[: len(members)]
        return rows

    return scores
