"""Real data as rows of frozen encoders, for the tables of methods; kept in a cache outside the repository.

Run alone it encodes everything: python benchmarks/frozen.py
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from augmint.models import get_card, load_encoder

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("AUGMINT_DATA", ROOT.parent / "shared" / "data"))
CACHE = Path(os.environ.get("AUGMINT_FEATURES", "/tmp/augmint-features"))
SQUEEZENET = str(DATA / "weights/squeezenet1_1_imagenet_fp16.safetensors")
IMAGE_PX = 128
HELD_OUT = 150
"""Most held-out rows of a class of texts; never more than half of the class."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Frozen:
    """Rows to learn from and rows to measure on.

    Attributes:
        x: (n, d) float32; y: (n,) int64.
        x_test: (m, d); y_test: (m,).
        classes: names.
        space: of the encoder.
    """

    x: Array
    y: Array
    x_test: Array
    y_test: Array
    classes: tuple[str, ...]
    space: str


def cifar(model: str) -> Frozen:
    """CIFAR-10 (5,000 train, 2,000 test rows) at 128 px; maps are pooled to their mean over the cells."""
    archive = dict(np.load(DATA / "images/cifar10_5k_2k.npz"))
    encoder = load_encoder(model, size=IMAGE_PX, path=SQUEEZENET if model == "squeezenet1_1" else None)
    parts = {k: cached(f"cifar-{k}-{encoder.space}", archive[f"x_{k}"], encoder.encode) for k in ("train", "test")}
    y, y_test = (archive[f"y_{k}"].astype(np.int64) for k in ("train", "test"))
    names = tuple(str(name) for name in archive["classes"])
    return Frozen(parts["train"], y, parts["test"], y_test, names, encoder.space)


def tiny_imagenet(model: str) -> Frozen:
    """Every fifth class of tiny-ImageNet, 50 train rows each, encoded alike; for choosing settings."""
    archive = dict(np.load(DATA / "images/tiny_imagenet200_10k_4k.npz"))
    encoder = load_encoder(model, size=IMAGE_PX, path=SQUEEZENET if model == "squeezenet1_1" else None)
    rows = np.flatnonzero(archive["y_train"] % 5 == 0)
    blob, off = archive["train_bytes"], archive["train_off"]
    images = [np.asarray(Image.open(io.BytesIO(blob[off[i] : off[i + 1]].tobytes())).convert("RGB")) for i in rows]
    x = cached(f"tiny-imagenet-{encoder.space}", images, encoder.encode)
    y = (archive["y_train"][rows] // 5).astype(np.int64)
    return Frozen(x, y, x[:0], y[:0], tuple(str(5 * c) for c in range(40)), encoder.space)


def texts(name: str) -> Frozen:
    """TREC or SNIPS as MiniLM rows: all splits in one, repeated texts once, then a fixed part held out."""
    path = DATA / "text" / {"trec": "trec6.jsonl.gz", "snips": "snips.jsonl.gz"}[name]
    with gzip.open(path, "rt", encoding="utf8") as file:
        rows = {row["text"]: row["label"] for row in map(json.loads, file)}
    classes = tuple(sorted(set(rows.values())))
    known, y = list(rows), np.array([classes.index(label) for label in rows.values()])
    rng = np.random.default_rng(0)
    order = [rng.permutation(np.flatnonzero(y == c)) for c in range(len(classes))]
    out = np.concatenate([own[: min(HELD_OUT, len(own) // 2)] for own in order])
    rest = np.concatenate([own[min(HELD_OUT, len(own) // 2) :][:500] for own in order])
    encoder = load_encoder("all-MiniLM-L6-v2")
    parts = [cached(f"{name}-{k}-{encoder.space}", [known[i] for i in rows], encoder.encode)
             for k, rows in (("train", rest), ("test", out))]  # fmt: skip
    return Frozen(parts[0], y[rest], parts[1], y[out], classes, encoder.space)


def pooled(frozen: Frozen) -> Frozen:
    """Maps (n, C, h, w) as their mean over the cells; vectors as they are."""
    parts = [x.mean(axis=(2, 3)) if x.ndim == 4 else x for x in (frozen.x, frozen.x_test)]
    return Frozen(parts[0], frozen.y, parts[1], frozen.y_test, frozen.classes, frozen.space)


def cached(key: str, items: Any, encode: Callable[[Any], Array]) -> Array:
    """The rows of these items, encoded once on this machine for these weights and this size."""
    path = CACHE / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.npy"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.npy")
        np.save(draft, encode(items))
        draft.rename(path)
    found: Array = np.load(path)
    return found


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    for name in ("squeezenet1_1", "tiny-image"):
        print(name, get_card(name).tag, cifar(name).x.shape, flush=True)
    for name in ("trec", "snips"):
        print(name, texts(name).x.shape, texts(name).x_test.shape, flush=True)
