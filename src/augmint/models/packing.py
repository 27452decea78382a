"""The body of a BERT over the tokens of many texts in one array: nothing is padded, nothing masked.

The m tokens of a pack lie in one (m, d) array, texts of equal length side by side. Attention looks at the texts of one
length together; all else treats each token alone. So that a token has the same bits whatever lies beside it, matrices
are applied to exactly BLOCK rows at a time, since kernels choose their order of summation by the number of rows; or
to any number from FEWEST to TOKENS, where a trial of this machine's kernels shows that no row's bits tell it. After
the last layer's attention only the places that are asked for are worked out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.functional import linear

BLOCK = 64
"""Rows that a matrix is applied to at a time."""

TOKENS = 512
"""Rows of a product, at most, about: more are no quicker for each."""

FEWEST = 16
"""Rows of the smallest product that is as good as any other."""

PACK = 2048
"""Tokens of a pack, about."""

FAMILIES = frozenset({"BertModel", "RobertaModel", "XLMRobertaModel", "CamembertModel"})
"""Bodies with these names have layers of one build: attention, LayerNorm, two dense maps, LayerNorm."""


def is_packable(body: Any, device: str) -> bool:
    """Whether a network's body is one that is known here, on a CPU."""
    return device == "cpu" and type(body).__name__ in FAMILIES and not body.config.is_decoder


def is_steady(net: nn.Module, device: str) -> bool:
    """Whether a row of a product with any of the network's matrices has the same bits among any number of rows.

    From FEWEST rows on; below, kernels differ everywhere. It holds for float32 on CPUs with one thread that were seen;
    it is tried with this machine's kernels on random rows, which costs as much as a few texts.
    """
    shapes = {tuple(layer.weight.shape) for layer in net.modules() if isinstance(layer, nn.Linear)}
    kind = next((value.dtype for value in net.parameters()), torch.float32)
    return bool(shapes) and device == "cpu" and _steady(frozenset(shapes), kind, torch.get_num_threads())


@functools.cache
def _steady(shapes: frozenset[tuple[int, int]], kind: torch.dtype, threads: int) -> bool:
    rng = np.random.default_rng(0)
    for outputs, inputs in sorted(shapes):
        weight, bias, rows = (
            torch.from_numpy(rng.standard_normal(shape, np.float32)).to(kind)
            for shape in ((outputs, inputs), outputs, (TOKENS, inputs))
        )
        whole = linear(rows, weight, bias)
        for count in (FEWEST, FEWEST + 1, 24, 37, 63, 100, 130, 256, 333):
            if not torch.equal(linear(rows[-count:].clone(), weight, bias), whole[-count:]):
                return False
    return True


def packs(lengths: Sequence[int], tokens: int = PACK) -> Iterator[list[int]]:
    """Texts of each pack, the shortest first; a text of more tokens is a pack of its own."""
    pack: list[int] = []
    total = 0
    for text in sorted(range(len(lengths)), key=lengths.__getitem__):
        if pack and total + lengths[text] > tokens:
            yield pack
            pack, total = [], 0
        pack.append(text)
        total += lengths[text]
    if pack:
        yield pack


def states(
    body: Any,
    rows: Sequence[Sequence[int]],
    steady: bool,
    *,
    types: Sequence[Sequence[int]] | None = None,
    vectors: Tensor | None = None,
    asked: Tensor | None = None,
) -> Tensor:
    """(m, d) last states of the tokens of a pack, or (k, d) of some.

    Args:
        body: one that `is_packable`.
        rows: token numbers of each text, the shortest first.
        steady: whether products may have any number of rows.
        types: for texts that are pairs, which of the two each token is of.
        vectors: (texts, d) added to every word vector of a text.
        asked: (k,) which of the m tokens.
    """
    lengths = [len(row) for row in rows]
    tokens = torch.tensor([token for row in rows for token in row])
    second = torch.zeros_like(tokens) if types is None else torch.tensor([mark for row in types for mark in row])
    first = getattr(body.embeddings, "padding_idx", -1) + 1
    places = torch.cat([torch.arange(first, first + length) for length in lengths])
    given: dict[str, Any] = {"input_ids": tokens[None]}
    if vectors is not None:
        words = body.get_input_embeddings()(tokens) + vectors.repeat_interleave(torch.tensor(lengths), 0)
        given = {"inputs_embeds": words[None]}
    x = body.embeddings(**given, position_ids=places[None], token_type_ids=second[None])[0]
    widths = sorted(set(lengths))
    groups = [(lengths.count(width), width) for width in widths]
    layers = list(body.encoder.layer)
    x = filled(x, steady)
    for layer in layers[:-1]:
        x = _layer(layer, x, groups, steady)
    return _layer(layers[-1], x, groups, steady, asked)[: len(tokens) if asked is None else len(asked)]


def filled(rows: Tensor, steady: bool, block: int = BLOCK) -> Tensor:
    """Rows, and rows of zeros up to a number that a product may have."""
    missing = max(0, FEWEST - len(rows)) if steady else -len(rows) % block
    return F.pad(rows, (0, 0, 0, missing)) if missing else rows


def parts(rows: Tensor, steady: bool) -> Sequence[Tensor]:
    """Rows that are `filled`, as many at a time as a product may have."""
    return rows.chunk(-(-len(rows) // (TOKENS if steady else BLOCK)))


def _layer(layer: Any, x: Tensor, groups: list[tuple[int, int]], steady: bool, asked: Tensor | None = None) -> Tensor:
    """One layer, (m, d) -> (m, d), or (k, d) of the tokens that are asked for; both filled."""
    attention = layer.attention.self
    maps = (attention.query, attention.key, attention.value)
    seats = [torch.cat([linear(part, own.weight, own.bias) for part in parts(x, steady)]) for own in maps]
    mixed = torch.zeros_like(x)
    start = 0
    for texts, width in groups:
        own = slice(start, start + texts * width)
        q, k, v = (seat[own].view(texts, width, attention.num_attention_heads, -1).transpose(1, 2) for seat in seats)
        mixed[own] = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(texts * width, -1)
        start = own.stop
    if asked is not None:
        mixed, x = filled(mixed[asked], steady), filled(x[asked], steady)
    out = []
    for part, before in zip(parts(mixed, steady), parts(x, steady), strict=True):
        rows = layer.attention.output(part, before)
        out.append(layer.output(layer.intermediate(rows), rows))
    return torch.cat(out)
