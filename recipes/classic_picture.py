"""The picture of docs/methods/classic.md: real cells, photos and digits, and a child of each for every preset.

Blood cells and CIFAR-10 pictures come from $AUGMINT_DATA (see pictures.py), digits from scikit-learn. Each of the three
is fitted on 20 pictures a class, so that ``flip: auto`` says what it says to a user. Drawn by method_pictures.py.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from augmint.classic.image import ClassicImage
from augmint.classic.strengths import PRESETS
from augmint.core.seeds import stream
from augmint.core.types import Sample
from pictures import data_root

SHOTS, SHOWN, SIDE, GAP = 20, 4, 72, 3
"""Pictures of a class that are fitted, pictures of a set that are shown, pixels of each, white between them."""


def sets() -> list[list[Sample]]:
    """A few classes of each set."""
    root = data_root() / "images"
    with np.load(root / "bccd_cells_64.npz") as cells, np.load(root / "cifar10_5k_2k.npz") as photos:
        x, y = load_digits(return_X_y=True)
        digits = np.round(x.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
        enlarged = [np.asarray(Image.fromarray(d).resize((32, 32), Image.Resampling.BICUBIC)) for d in digits]
        return [
            labelled(cells["x"], cells["y"], (0, 1, 2)),
            labelled(photos["x_train"], photos["y_train"], (0, 1, 7, 9)),
            labelled(enlarged, y, (2, 3, 5, 7)),
        ]


def labelled(x: Sequence[np.ndarray], y: np.ndarray, classes: Sequence[int]) -> list[Sample]:
    """The first pictures of these classes."""
    rows = [row for c in classes for row in np.flatnonzero(y == c)[:SHOTS]]
    return [Sample("", np.asarray(x[row]), target=str(y[row])) for row in rows]


def row_of(preset: str, samples: list[Sample]) -> list[np.ndarray]:
    """Pictures of one set: the real ones, or their children of a preset."""
    shown = samples[:: max(1, len(samples) // SHOWN)][:SHOWN]
    if preset != "real":
        rewriter = ClassicImage(preset).fit(samples, stream(4, "picture", preset))
        shown = rewriter.rewrite(shown, [stream(4, "picture", preset, i) for i in range(len(shown))])
    frames = [Image.fromarray(sample.content).convert("RGB") for sample in shown]
    nearest = Image.Resampling.NEAREST
    return [np.asarray(frame.resize((SIDE, SIDE), nearest)) for frame in frames]


def page() -> bytes:
    """PNG: a line for the real pictures and one for each preset, in this order."""
    found = sets()
    lines = []
    for preset in ("real", *PRESETS):
        blocks = []
        for samples in found:
            padded = [np.pad(p, ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=255) for p in row_of(preset, samples)]
            blocks += [*padded, np.full((SIDE + 2 * GAP, 4 * GAP, 3), 255, np.uint8)]
        lines.append(np.concatenate(blocks[:-1], axis=1))
    buffer = io.BytesIO()
    image = Image.fromarray(np.concatenate(lines))
    image.quantize(256, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return buffer.getvalue()
