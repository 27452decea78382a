"""What `lift_text.py` measures on: texts of four data sets, dealt to pairs, with MiniLM's rows of them cached.

A pair has training rows (the shots of each class), test rows and a pool: 1,500 other training rows, their labels
hidden. Training rows and pools come from the published training part without texts that occur twice or in the test part
(of SNIPS, 5,000 at random); all pairs are tested on the same rows, at most 1,000 at random of the published test part.
Pairs share no training row as long as these last, and are then dealt anew (`lift_cells.deal`).
"""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.core.types import F32, I64, Sample
from augmint.models import load_encoder
from frozen import DATA
from lift_cells import TEST, deal

PAIRS = 20
POOL = 1500
MOST = 5000
"""Training rows that are kept of a data set, but for those with many classes."""

ENCODER = "all-MiniLM-L6-v2"
ROWS = Path(os.environ.get("AUGMINT_TEXT_ROWS", "/tmp/augmint-lift-text"))
FILES = {"sst2": "sst2", "trec": "trec6", "snips": "snips", "banking77": "banking77"}
SHOTS = {"sst2": (5, 10, 50), "trec": (5, 10, 50), "snips": (5, 10, 50), "banking77": (5, 10)}

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Texts:
    """One data set.

    Attributes:
        x: training rows and then test rows; no text twice.
        y: (n,) class.
        test: (n,) True for rows that may only be measured on.
        classes: names.
    """

    name: str
    x: tuple[str, ...]
    y: I64
    test: npt.NDArray[np.bool_]
    classes: tuple[str, ...]

    def samples(self, rows: I64, labelled: bool = False) -> tuple[Sample, ...]:
        """These rows as samples."""
        return tuple(Sample(f"{i:05d}", self.x[i], self.classes[self.y[i]] if labelled else None) for i in rows)


@dataclass(frozen=True)
class Task:
    """Rows of one pair.

    Attributes:
        texts: where the rows are.
        train, pool, test: positions.
        shared: what share of its training rows a pair has in common with another one, on average.
    """

    texts: Texts
    train: I64
    pool: I64
    test: I64
    shared: float


@cache
def texts(name: str) -> Texts:
    """A data set by name."""
    with gzip.open(DATA / "text" / f"{FILES[name]}.jsonl.gz", "rt", encoding="utf8") as file:
        rows = [json.loads(line) for line in file]
    held = {row["text"]: row["label"] for row in rows if row["split"] == "test"}
    known = {row["text"]: row["label"] for row in rows if row["split"] == "train" and row["text"] not in held}
    classes = tuple(sorted(set(known.values())))
    rng = np.random.default_rng(0)
    most = MOST if len(classes) < 20 and len(known) > 2 * MOST else len(known)
    own = [list(known)[i] for i in np.sort(rng.permutation(len(known))[:most])]
    out = [list(held)[i] for i in np.sort(rng.permutation(len(held))[:TEST])]
    y = np.array([classes.index({**known, **held}[text]) for text in (*own, *out)], np.int64)
    return Texts(name, (*own, *out), y, np.arange(len(y)) >= len(own), classes)


def encoded(name: str) -> F32:
    """(n, 384) MiniLM's rows of a data set, kept as float16."""
    path = ROWS / f"{name}.npz"
    if not path.exists():
        encoder = load_encoder(ENCODER)
        rows = encoder.encode([Sample("", text) for text in texts(name).x])
        ROWS.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.npz")
        np.savez(draft, rows=rows.astype(np.float16), space=encoder.space)
        draft.rename(path)
    with np.load(path) as archive:
        return np.asarray(archive["rows"], np.float32)


def task(name: str, shots: int, pair: int) -> Task:
    """The rows of a pair; the same for every student."""
    data = texts(name)
    train, rest, shared = deal(data.y, data.test, shots, pair)
    pool = np.random.default_rng([5, shots, pair]).permutation(rest)[:POOL]
    return Task(data, train, pool, np.flatnonzero(data.test), shared)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    for data_name in SHOTS:
        found = texts(data_name)
        counts = np.bincount(found.y[~found.test])
        print(data_name, encoded(data_name).shape, "test", found.test.sum(), "fewest", counts.min(), flush=True)
