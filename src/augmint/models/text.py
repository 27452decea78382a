"""Texts to sentence vectors with a pretrained transformer."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
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
from augmint.core.types import F32, Sample
from augmint.models import hub
from augmint.models.cards import Card
from augmint.models.devices import pick_device
from augmint.models.inputs import BATCH, Items, as_samples, run

STEP = 8
"""Widths of batches are multiples of this many tokens."""


@dataclass(frozen=True, eq=False)
class TextEncoder(Encoder):
    """Texts to rows of unit length.

    Attributes:
        name: name of the model and first digits of its weights' hash.
        size: most tokens of a text that are read, the two marks at its ends among them.
        tokenizer: what cuts a list of strings into lists of token numbers (transformers' tokenizer).
        embed: (n, 2, T) token numbers and mask of 0 and 1 -> (n, d) of unit length.
        dims: d.
        device: where ``embed`` lives.
    """

    name: str
    size: int
    tokenizer: Any = field(repr=False)
    embed: Callable[[Tensor], Tensor] = field(repr=False)
    dims: int
    device: str = "cpu"

    @property
    def space(self) -> str:
        """``name@hash/size``."""
        return f"{self.name}/{self.size}"

    def encode(self, samples: Items) -> F32:
        """(n, d) float32 rows of unit length, bitwise independent of their neighbours in the batch.

        Texts of similar length share a batch. The width of a batch depends on a text's own length only, and always
        leaves room for one padding token, since attention takes another kernel when there is none to mask.
        Raises DataError for content that is not a string.
        """
        rows = np.empty((0, self.dims), np.float32)
        texts = [to_text(sample) for sample in as_samples(samples)]
        if not texts:
            return rows
        tokens = self.tokenizer(texts, truncation=True, max_length=self.size)["input_ids"]
        rows = np.empty((len(texts), self.dims), np.float32)
        for width, members in buckets([len(ids) for ids in tokens]):
            batch = pad([tokens[i] for i in members], width, self.tokenizer.pad_token_id)
            rows[members] = run(self.embed, batch, self.device)
        return rows


def to_text(sample: Sample) -> str:
    """The content of a text sample; raises DataError when it is no string."""
    if not isinstance(sample.content, str):
        raise DataError(
            f"{type(sample.content).__name__} as content of sample {sample.id!r}",
            expected="a string",
            do="choose a model of the data's modality (augmint models list)",
        )
    return sample.content


def buckets(lengths: list[int]) -> Iterator[tuple[int, list[int]]]:
    """(width, rows) of each batch: at most BATCH rows whose length + 1 rounds up to the same multiple of STEP."""
    widths: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        widths.setdefault(-(-(length + 1) // STEP) * STEP, []).append(row)
    for width, rows in sorted(widths.items()):
        for start in range(0, len(rows), BATCH):
            yield width, rows[start : start + BATCH]


def pad(tokens: list[list[int]], width: int, filler: int) -> Tensor:
    """(n, 2, width) int64: token numbers filled up with ``filler``, and the mask of the real ones."""
    out = torch.zeros(len(tokens), 2, width, dtype=torch.int64)
    out[:, 0] = filler
    for row, ids in zip(out, tokens, strict=True):
        row[0, : len(ids)] = torch.tensor(ids)
        row[1, : len(ids)] = 1
    return out


def mean_pooled(net: Any, x: Tensor) -> Tensor:
    """(n, d) of unit length: mean of the last layer over the real tokens; x (n, 2, T) as `pad` makes it."""
    tokens, mask = x.unbind(1)
    # A row without any token (filling of a batch) would be 0 / 0 in the attention.
    mask[:, 0] = 1
    states: Tensor = net(input_ids=tokens, attention_mask=mask).last_hidden_state
    shares = (mask / mask.sum(1, keepdim=True))[:, :, None]
    return normalize((states * shares).sum(1), dim=1)


def load_text(card: Card, size: int, *, path: str | None, device: str) -> TextEncoder:
    """The encoder of a text card that reads at most ``size`` tokens; raises what `load_encoder` does."""
    need_transformers()
    device = pick_device(device)
    tokenizer, net = load_folder(hub.find(card, path))
    net = net.to(device)
    return TextEncoder(card.tag, size, tokenizer, lambda x: mean_pooled(net, x), card.space.dims, device)


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

    alone = {"local_files_only": True, "trust_remote_code": False}
    make = getattr(transformers, auto).from_pretrained
    with hub.staged(files) as folder, quiet():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **alone)
            net, found = make(folder, **alone, use_safetensors=True, dtype=dtype, output_loading_info=True)
        except (ValueError, KeyError, OSError, RuntimeError, ImportError) as error:
            raise unfit(files, str(error).strip().replace(folder, "the folder").splitlines()[0]) from error
    lacking = sorted(key for key in found["missing_keys"] if "pooler" not in key)
    if lacking:
        raise unfit(files, f"no weights for {len(lacking)} parts, first {lacking[0]}")
    return tokenizer, net.eval().requires_grad_(False)


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
            do="pip install 'augmint[text]'",
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
