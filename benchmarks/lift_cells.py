"""What `lift.py` measures on: pictures of four data sets, dealt to pairs, with the rows of frozen encoders cached.

A pair has training rows (the shots of each class), test rows and a pool: other training rows, their labels hidden.

- cifar10, digits: 1,000 fixed test rows for all pairs, 100 of each class (the archives are sorted by class, so that the
  first 1,000 are not); training rows are dealt out of 5,000, so that pairs share none
  as long as they last (5 and 10 shots: all 20 pairs), and are then dealt anew (50 shots: twice 10 pairs). Pool: 2,000.
- cells: the published split keeps slides apart; pairs deal the 641 training crops (50 shots: 5 times 4 pairs), all 492
  crops of the val and test slides are test rows. Pool: the rest of the training crops.
- omniglot: each pair has 12 characters of its own (242 of 8 alphabets in all); drawers are parted in each pair: 12 to
  train and pool, 8 to test, so no one's hand is on both sides. Pairs share no row at all.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.core.types import F32, I64, Sample
from augmint.models import load_encoder
from frozen import DATA, SQUEEZENET, cached

PAIRS = 20
POOL = 2000
TEST = 1000
TRANSFER = ("cifar10", 20)
"""Data set and shots of the cell of the transfer fraction; its pool is all other training rows."""

SHOTS = {"cifar10": (5, 10, 50), "cells": (5, 10, 50), "digits": (5, 10, 50), "omniglot": (1, 5, 10)}
CHARACTERS, TRAIN_DRAWERS = 12, 12
PATHS = {"squeezenet1_1": SQUEEZENET}

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Pictures:
    """One data set.

    Attributes:
        x: (n, H, W) or (n, H, W, C) uint8; training rows and then test rows.
        y: (n,) class.
        test: (n,) True for rows that may only be measured on; all False where pairs part the drawers themselves.
        classes: names.
        drawer: (n,) who drew it, 0 where nobody knows.
    """

    name: str
    x: Array
    y: I64
    test: npt.NDArray[np.bool_]
    classes: tuple[str, ...]
    drawer: Array

    def samples(self, rows: I64, classes: tuple[str, ...] | None = None) -> tuple[Sample, ...]:
        """These rows as samples; without ``classes`` they are unlabelled."""
        names = [None] * len(rows) if classes is None else [self.classes[c] for c in self.y[rows]]
        return tuple(Sample(f"{i:05d}", self.x[i], target=t) for i, t in zip(rows, names, strict=True))

    def encoded(self, model: str, size: int | None = None) -> F32:
        """(n, *shape) rows of an encoder, from the cache."""
        return _encoded(self.name, model, size)


@dataclass(frozen=True)
class Task:
    """Rows of one pair; ``y`` and ``y_test`` count the pair's own classes.

    Attributes:
        pictures: where the rows are.
        train, pool, test: positions.
        y, y_test: classes of ``train`` and ``test``.
        y_pool: of ``pool``: hidden from every arm, for a check of what was picked.
        classes: names.
        shared: what share of its training rows a pair has in common with another one, on average.
        same_test: whether all pairs have the same test rows.
    """

    pictures: Pictures
    train: I64
    y: I64
    pool: I64
    y_pool: I64
    test: I64
    y_test: I64
    classes: tuple[str, ...]
    shared: float
    same_test: bool


@cache
def _encoded(name: str, model: str, size: int | None) -> F32:
    encoder, x = load_encoder(model, size=size, path=PATHS.get(model)), pictures(name).x
    return cached(f"lift-{name}-{zlib.crc32(x.tobytes()):08x}-{encoder.space}", x, encoder.encode)


@cache
def pictures(name: str) -> Pictures:
    """A data set by name."""
    return {"cifar10": _cifar, "digits": _digits, "cells": _cells, "omniglot": _omniglot}[name]()


def _cifar() -> Pictures:
    archive = dict(np.load(DATA / "images/cifar10_5k_2k.npz"))
    return _published("cifar10", archive, tuple(str(name) for name in archive["classes"]))


def _digits() -> Pictures:
    return _published("digits", dict(np.load(DATA / "images/mnist_5k_10k.npz")), tuple("0123456789"))


def _published(name: str, archive: dict[str, Array], classes: tuple[str, ...]) -> Pictures:
    held = even(archive["y_test"], TEST // len(classes))
    x = np.concatenate([archive["x_train"], archive["x_test"][held]])
    y = np.concatenate([archive["y_train"], archive["y_test"][held]]).astype(np.int64)
    test = np.arange(len(x)) >= len(archive["x_train"])
    return Pictures(name, x, y, test, classes, np.zeros(len(x), np.int64))


def even(y: Array, each: int) -> I64:
    """Positions of so many rows of each class, in their order."""
    rng = np.random.default_rng(8)
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(y == c))[:each] for c in np.unique(y)]))


def _cells() -> Pictures:
    archive = dict(np.load(DATA / "images/bccd_cells_64.npz"))
    test = archive["split"] != "train"
    names = tuple(str(name) for name in archive["classes"])
    return Pictures("cells", archive["x"], archive["y"].astype(np.int64), test, names, np.zeros(len(test), np.int64))


def _omniglot() -> Pictures:
    archive = dict(np.load(DATA / "images/omniglot_small_28.npz"))
    names = tuple(f"{a} {c}" for a, c in zip(archive["alphabet"], archive["character"], strict=True))
    x, y = archive["x"], archive["y"].astype(np.int64)
    return Pictures("omniglot", x, y, np.zeros(len(x), np.bool_), names, archive["drawer"].astype(np.int64))


def task(name: str, shots: int, pair: int) -> Task:
    """The rows of a pair; the same for every student."""
    return _drawn(name, shots, pair) if name == "omniglot" else _dealt(name, shots, pair)


def _dealt(name: str, shots: int, pair: int) -> Task:
    data = pictures(name)
    train, rest, shared = deal(data.y, data.test, shots, pair)
    pool = np.random.default_rng([5, shots, pair]).permutation(rest)[: None if (name, shots) == TRANSFER else POOL]
    test = np.flatnonzero(data.test)
    return Task(data, train, data.y[train], pool, data.y[pool], test, data.y[test], data.classes, shared, True)


def deal(y: I64, test: npt.NDArray[np.bool_], shots: int, pair: int) -> tuple[I64, I64, float]:
    """Training rows of a pair, ``shots`` of each class; the other training rows; the share that two pairs share."""
    own = [np.flatnonzero(~test & (y == c)) for c in range(int(y.max()) + 1)]
    whole = min(len(rows) for rows in own) // shots
    anew, turn = divmod(pair, whole)
    rng = np.random.default_rng([4, shots, anew])
    train = np.concatenate([rng.permutation(rows)[turn * shots : (turn + 1) * shots] for rows in own])
    rest = np.setdiff1d(np.flatnonzero(~test), train)
    # Rows of one deal are apart; two deals share what chance gives them, shots of a class's rows.
    pairs_apart = sum(min(whole, PAIRS - at) * (min(whole, PAIRS - at) - 1) for at in range(0, PAIRS, whole))
    chance = float(np.mean([shots / len(rows) for rows in own]))
    return train, rest, chance * (1.0 - pairs_apart / (PAIRS * (PAIRS - 1)))


def _drawn(name: str, shots: int, pair: int) -> Task:
    data = pictures(name)
    chosen = np.random.default_rng(6).permutation(len(data.classes))[pair * CHARACTERS :][:CHARACTERS]
    drawers = np.random.default_rng([7, pair]).permutation(np.unique(data.drawer))
    ours, place = np.isin(data.y, chosen), {int(c): i for i, c in enumerate(chosen)}

    def rows(hands: Array) -> tuple[I64, I64]:
        at = np.flatnonzero(ours & np.isin(data.drawer, hands))
        return at, np.array([place[int(c)] for c in data.y[at]], np.int64)

    train, y = rows(drawers[:shots])
    pool, y_pool = rows(drawers[shots:TRAIN_DRAWERS])
    test, y_test = rows(drawers[TRAIN_DRAWERS:])
    names = tuple(data.classes[c] for c in chosen)
    return Task(data, train, y, pool, y_pool, test, y_test, names, 0.0, False)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    for data_name in SHOTS:
        for model in ("tiny-judge", "squeezenet1_1"):
            print(data_name, model, pictures(data_name).encoded(model).shape, flush=True)
