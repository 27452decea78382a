"""What encoders accept, and batches that do not show in the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from augmint.core.errors import DataError
from augmint.core.types import F32, Sample

Items = Sequence[Sample] | Sequence[str] | Sequence[npt.NDArray[Any]] | npt.NDArray[Any]
"""Samples, or from Python their bare contents: strings, images (lists or arrays, (n,) and (n, H, W[, C]))."""

BATCH = 8
"""Rows the network sees at a time: always exactly these many, see `run`."""


def as_samples(items: Items) -> list[Sample]:
    """Samples as they are; bare contents wrapped, numbered from 0. Raises DataError for a single content."""
    if isinstance(items, np.ndarray) and items.ndim == 1 and all(isinstance(item, str) for item in items):
        items = items.tolist()
    single = isinstance(items, (str, Sample)) or (isinstance(items, np.ndarray) and items.ndim not in (3, 4))
    if single:
        got = f"array of shape {items.shape}" if isinstance(items, np.ndarray) else f"one {type(items).__name__}"
        raise DataError(
            got, expected="a list of samples, strings or images, or an array (n, H, W[, C])", do="put it in a list"
        )
    return [item if isinstance(item, Sample) else Sample(str(i), item) for i, item in enumerate(items)]


def run(net: Callable[[Tensor], Tensor], x: Tensor, device: str, batch: int = BATCH) -> F32:
    """``net(x)`` for x (n, ...), n <= batch, as (n, ...) float32, each row independent of the others, bit for bit.

    CPU kernels choose their blocking by the batch size, so the same image differs in the last bits between a batch
    of 1, 8 and 32 (measured: 2.6e-6 in a latent). With a fixed batch, filled up with zeros, a row has the same
    bits at every position and beside every neighbour; 8 is as fast per image as 32. The number of intra-op threads
    still shows in the last bits: a run fixes it in its plan.
    """
    blank = x.new_zeros(batch - len(x), *x.shape[1:])
    # TF32 convolutions would keep 10 bits of mantissa, and a benchmarked kernel may differ from run to run.
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with torch.inference_mode(), exact:
        rows = net(torch.cat([x, blank]).to(device))[: len(x)]
    out: F32 = rows.float().cpu().numpy()
    return out
