"""What language models that write share: opening their files, batches, and the search for the next token.

Every batch has BATCH rows and a width by the length of its own texts; free places repeat its rows. So a text has the
same bits beside any neighbour, and a repeated row ends when its original does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augmint.core.types import F32
from augmint.models.cards import Card
from augmint.models.inputs import BATCH
from augmint.models.text import load_folder, quiet
from augmint.numerics.decoding import Decoding, drawn, probabilities

TOKENS = (
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id"),
    *("forced_eos_token_id", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens"),
)
"""What is kept of a checkpoint's generation settings: facts about its tokens. How to search is the caller's matter."""


def open_files(card: Card, files: Mapping[str, Path], auto: str) -> tuple[Any, Any]:
    """Tokenizer and network of a card as `load_folder` opens them, without the checkpoint's ways of searching."""
    tokenizer, net = load_folder(dict(files), auto, getattr(torch, card.dtype))
    from transformers import GenerationConfig

    facts = {name: getattr(net.generation_config, name, None) for name in TOKENS}
    if facts["pad_token_id"] is None:  # GPT-2 has no filler of its own; what is filled in is masked
        known = (tokenizer.pad_token_id, last_of(facts["eos_token_id"]), 0)
        facts["pad_token_id"] = next(id_ for id_ in known if id_ is not None)
    net.generation_config = GenerationConfig(**facts)
    return tokenizer, net


def last_of(ids: int | Sequence[int] | None) -> int | None:
    """The one token, or the last of several."""
    return ids if ids is None or isinstance(ids, int) else ids[-1]


def ends_of(net: Any) -> list[int]:
    """Tokens that end a text."""
    ends = net.generation_config.eos_token_id
    return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)


def most_tokens(net: Any) -> int:
    """Positions that the network knows; a great number where it knows distances only (T5)."""
    return int(getattr(net.config, "max_position_embeddings", None) or 2**20)


def fitting(net: Any, size: int) -> int:
    """The working size, or the largest that leaves a position for what is masked."""
    return min(size, most_tokens(net) - 1)


def padded(rows: Sequence[Sequence[int]], width: int, filler: int, *, left: bool = False) -> tuple[Tensor, Tensor]:
    """(BATCH, width) token numbers and their mask of 0 and 1; free places of the batch repeat its rows."""
    tokens = torch.full((BATCH, width), filler, dtype=torch.int64)
    mask = torch.zeros(BATCH, width, dtype=torch.int64)
    for place in range(BATCH):
        ids = rows[place % len(rows)]
        at = slice(width - len(ids), width) if left else slice(len(ids))
        tokens[place, at] = torch.tensor(ids, dtype=torch.int64)
        mask[place, at] = 1
    return tokens, mask


def uniforms(rngs: Sequence[np.random.Generator], count: int) -> Tensor:
    """(count, BATCH) float64: all the numbers that texts of at most ``count`` tokens use up, of each row's stream."""
    rows = [rng.random(count) for rng in rngs]
    return torch.from_numpy(np.stack([rows[place % len(rows)] for place in range(BATCH)], axis=1))


@dataclass
class Drawn:
    """A logits processor that leaves one token: the one drawn with the row's own number.

    ``generate`` draws for all rows from one global stream; so it is told to take the likeliest, of one.
    """

    decoding: Decoding
    numbers: Tensor
    step: int = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(n, v) scores: 0 for the token of each row, minus infinity for all others."""
        numbers = self.numbers[self.step].to(scores.device)
        self.step += 1
        choice = drawn(probabilities(scores, self.decoding), numbers)
        return torch.full_like(scores, -torch.inf).scatter_(1, choice[:, None], 0.0)


def continued(
    net: Any, inputs: Mapping[str, Any], decoding: Decoding, most: int, numbers: Tensor | None, ends: list[int]
) -> Tensor:
    """(BATCH, t) what ``generate`` of the network makes of a batch, its own prompt included.

    Args:
        net: the network.
        inputs: of the network.
        decoding: how to search.
        most: most new tokens.
        numbers: (most, BATCH) as `uniforms` makes them; None where nothing is drawn.
        ends: tokens that end a text.
    """
    from transformers import GenerationConfig, LogitsProcessorList

    settings = GenerationConfig(
        do_sample=False,
        num_beams=decoding.beams,
        max_new_tokens=most,
        min_new_tokens=min(decoding.least, most) or None,
        repetition_penalty=float(decoding.repetition),
        no_repeat_ngram_size=decoding.no_repeat,
        length_penalty=decoding.length_penalty,
        eos_token_id=ends or None,
    )
    choosers = [] if numbers is None else [Drawn(decoding, numbers)]
    with exactly(), quiet():
        tokens: Tensor = net.generate(
            **inputs, generation_config=settings, logits_processor=LogitsProcessorList(choosers)
        )
    return tokens.cpu()


@contextmanager
def exactly() -> Iterator[None]:
    """No gradients, and no kernel that trades digits for speed or is chosen by a race (see `models.inputs.run`)."""
    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        yield


def log_likelihoods(logits: Tensor, tokens: Sequence[int]) -> F32:
    """(T,) natural log of the probability of each token; logits (>= T, v), each of what comes at its place."""
    logp = logits[: len(tokens)].float().log_softmax(1)
    own: F32 = logp[torch.arange(len(tokens)), torch.tensor(tokens, dtype=torch.int64)].cpu().numpy()
    return own
