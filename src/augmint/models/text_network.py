"""The network of a text encoder, to be trained further: token numbers in, one row for each text out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from augmint.models import hub
from augmint.models.cards import Card
from augmint.models.text import load_folder, mean_pooled, pad


class TextNetwork(nn.Module):
    """A transformer and the tokenizer that it was pretrained with.

    Args:
        net: gives the rows of the tokens of a text.
        tokenizer: of transformers.
    """

    def __init__(self, net: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        self.net, self.tokenizer = net, tokenizer

    def tokens(self, texts: Sequence[Sequence[str]], width: int) -> Tensor:
        """(n, 2, width) numbers and mask of texts, cut where they are longer; a second string stands after a mark."""
        if not texts:
            return pad([], width, self.tokenizer.pad_token_id)
        first, rest = [own[0] for own in texts], [" ".join(own[1:]) for own in texts]
        columns = (first, rest) if len(texts[0]) > 1 else (first,)
        found = self.tokenizer(*columns, truncation=True, max_length=width)["input_ids"]
        return pad(found, width, self.tokenizer.pad_token_id)

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) of unit length, of x (n, 2, width)."""
        return mean_pooled(self.net, x)


def load_text_network(card: Card, *, path: str | None) -> tuple[TextNetwork, int]:
    """The network of a card's encoder and the number of its features; each call loads it anew."""
    tokenizer, net = load_folder(hub.find(card, path))
    return TextNetwork(net, tokenizer), card.space.dims
