"""Whether pictures may be mirrored: a cat's mirror image is a cat, that of a 3 or of a turn-left sign is not.

Where a class has pictures of both hands, the mirror image of a picture is as near to the others of its class as the
picture itself. How often it is farther (thumbnails of 16 x 16 greys, nearest other picture of the class) is about 50 %
for photos and cells and 70 to 95 % for digits and letters. Mirroring is refused where that share is above 60 %, and
above one half by a one-sided sign test.

Test: Dixon and Mood 1946, JASA 41(236). How well it does: docs/methods/classic.md, `benchmarks/mirroring.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import binomtest
from torch.nn import functional as F

from augmint.core.types import F32, I64, Sample
from augmint.numerics.pixels import colour_channels, planes_of

SIDE = 16
"""Sides of a thumbnail."""

MOST = 1000
"""Pictures that are looked at, evenly spread over those that there are."""

SHARE, LEVEL = 0.6, 0.1
"""Refused above this share, and below this p-value: of pictures that do mirror, one in ten is refused at most."""


def may_mirror(samples: Sequence[Sample]) -> bool:
    """Whether left and right may change places; no where no class has two pictures to compare."""
    step = max(1, -(-len(samples) // MOST))
    seen = [sample for sample in (samples[at] for at in range(0, len(samples), step)) if isinstance(sample.target, str)]
    labels = np.unique([sample.target for sample in seen], return_inverse=True)[1].astype(np.int64)
    if len(seen) == len(set(labels.tolist())):
        return False
    farther, nearer = compare(np.stack([thumbnail(sample) for sample in seen]), labels)
    compared = farther + nearer
    if farther <= SHARE * compared:
        return True
    return bool(binomtest(farther, compared, alternative="greater").pvalue >= LEVEL)


def compare(thumbs: F32, labels: I64) -> tuple[int, int]:
    """How many mirror images of (n, h, w) are farther from the nearest other of their class, and how many nearer."""
    known = thumbs.reshape(len(thumbs), -1).astype(np.float64)
    mirrored = thumbs[:, :, ::-1].reshape(known.shape).astype(np.float64)
    other = (labels[:, None] != labels) | np.eye(len(labels), dtype=np.bool_)
    # Squared distances but for the square of the picture, which its mirror image has in common with it.
    square = (known * known).sum(axis=1)
    own, turned = (np.where(other, np.inf, square - 2 * (rows @ known.T)).min(axis=1) for rows in (known, mirrored))
    compared = np.isfinite(own)  # where there is another
    change = turned[compared] - own[compared]
    same = 1e-9 * square.max()
    return int((change > same).sum()), int((change < -same).sum())


def thumbnail(sample: Sample) -> F32:
    """(SIDE, SIDE) greys in 0..1."""
    planes = planes_of(sample)
    grey = planes[:, :, : colour_channels(planes.shape[2])].mean(axis=2, dtype=np.float32)[None, None]
    small = F.adaptive_avg_pool2d(torch.from_numpy(grey / np.float32(np.iinfo(planes.dtype).max)), SIDE)
    thumb: F32 = small[0, 0].numpy()
    return thumb
