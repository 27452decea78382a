"""The network of a text encoder, to be trained further: token numbers in, one row for each text out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from augmint.models import hub
from augmint.models.cards import Card
from augmint.models.text import cut, load_body, pad, pooled


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
        found = pad(numbers, width, filler)
        return torch.cat([found, pad(second, width, 0)[:, :1]], 1) if second else found

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) of unit length, of x (n, 2 or 3, width)."""
        return pooled(self.net, x, self.pooling)


def load_text_network(card: Card, *, path: str | None) -> tuple[TextNetwork, int]:
    """The network of a card's encoder and the number of its features; each call loads it anew."""
    tokenizer, net = load_body(hub.find(card, path))
    return TextNetwork(net, tokenizer, card.space.call), card.space.dims
