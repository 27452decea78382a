"""The body of a BERT over the real tokens of a batch alone: no arithmetic on padding but in the attention.

Between attentions the tokens of all texts lie in one (m, d) array, m a multiple of BLOCK. Matrices are applied to
blocks of exactly BLOCK rows, since kernels choose their order of summation by the number of rows: so a token has the
same bits wherever it lies and whatever lies beside it. Of the last layer only the places that are asked for are worked
out.

Of a padded batch of short texts a third to a half is padding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 64
"""Rows that a matrix is applied to at a time."""

FAMILIES = frozenset({"BertModel", "RobertaModel", "XLMRobertaModel", "CamembertModel"})
"""Bodies with these names have layers of one build: attention, LayerNorm, two dense maps, LayerNorm."""


def is_packable(net: Any) -> bool:
    """Whether the network's body is one that is known here."""
    return type(net.base_model).__name__ in FAMILIES and not net.config.is_decoder


def blockwise(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(m, inputs) -> (m, outputs), BLOCK rows at a time; m a multiple of BLOCK."""
    out = rows.new_empty(len(rows), len(weight))
    for at in range(0, len(rows), BLOCK):
        out[at : at + BLOCK] = F.linear(rows[at : at + BLOCK], weight, bias)
    return out


def filled(at: Tensor, nothing: int) -> Tensor:
    """Indices filled up to a multiple of BLOCK with ``nothing``, the index of a row of zeros."""
    return torch.cat([at, at.new_full((-len(at) % BLOCK,), nothing)])


@contextmanager
def packed(net: Any, real: Tensor, places: Tensor, asked: Tensor) -> Iterator[None]:
    """Inside, the network's body hands on (n, k, d) states at places alone.

    Args:
        net: a network that `is_packable`.
        real: (n, T) True at the tokens of a text.
        places: (n, k) positions.
        asked: (n, k) True where a position is one; the states of others are zeros.
    """
    from transformers.modeling_outputs import BaseModelOutput

    body = net.base_model

    def forward(input_ids: Any = None, inputs_embeds: Any = None, **others: Any) -> Any:
        return BaseModelOutput(last_hidden_state=_states(body, input_ids, inputs_embeds, real, places, asked))

    body.forward = forward
    try:
        yield
    finally:
        del body.forward


def _states(body: Any, input_ids: Any, inputs_embeds: Any, real: Tensor, places: Tensor, asked: Tensor) -> Tensor:
    x: Tensor = body.embeddings(input_ids=input_ids, inputs_embeds=inputs_embeds)
    n, width, d = x.shape
    tokens = filled(real.flatten().nonzero()[:, 0], n * width)
    own = (places + width * torch.arange(n, device=places.device)[:, None])[asked]
    chosen = filled(own, n * width)
    seen = real.clone()
    seen[:, 0] = True  # a text of no tokens (filling of a batch) would be 0 / 0 in the attention
    rows = _taken(x.flatten(0, 1), tokens)
    layers = list(body.encoder.layer)
    for layer in layers[:-1]:
        rows = _layer(layer, rows, rows, tokens, tokens, seen)
    last = _taken(_spread(rows, tokens, n * width), chosen)
    last = _layer(layers[-1], last, rows, chosen, tokens, seen)
    out = x.new_zeros(n, places.shape[1], d)
    out[asked] = last[: len(own)]
    return out


def _layer(layer: Any, rows: Tensor, all_rows: Tensor, at: Tensor, tokens: Tensor, seen: Tensor) -> Tensor:
    """One layer for the rows at ``at``, which look at all rows."""
    attention, n, width = layer.attention.self, *seen.shape
    heads = attention.num_attention_heads

    def seat(dense: Any, x: Tensor, places: Tensor) -> Tensor:
        spread = _spread(blockwise(x, dense.weight, dense.bias), places, n * width)
        return spread.view(n, width, heads, -1).transpose(1, 2)

    mixed = F.scaled_dot_product_attention(
        seat(attention.query, rows, at),
        seat(attention.key, all_rows, tokens),
        seat(attention.value, all_rows, tokens),
        attn_mask=seen[:, None, None, :].expand(n, 1, width, width),
    )
    mixed = _taken(mixed.transpose(1, 2).reshape(n * width, -1), at)
    out = layer.attention.output
    rows = out.LayerNorm(blockwise(mixed, out.dense.weight, out.dense.bias) + rows)
    inner = layer.intermediate
    wide = inner.intermediate_act_fn(blockwise(rows, inner.dense.weight, inner.dense.bias))
    out = layer.output
    rows = out.LayerNorm(blockwise(wide, out.dense.weight, out.dense.bias) + rows)
    return rows


def _taken(rows: Tensor, at: Tensor) -> Tensor:
    """The rows at these indices, zeros where an index is one past the end."""
    taken = rows[at.clamp(max=len(rows) - 1)]
    return torch.where((at < len(rows))[:, None], taken, 0.0)


def _spread(rows: Tensor, at: Tensor, count: int) -> Tensor:
    """(count, d): the rows where they belong, zeros elsewhere; rows one past the end are left out."""
    out = rows.new_zeros(count + 1, rows.shape[1])
    out[at] = rows
    return out[:count]
