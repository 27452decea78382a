"""What a linear probe reads off tiny-text-judge's rows, beside all-MiniLM-L6-v2's and beside hashed words.

SST-2, TREC, SNIPS and BANKING77: 10 training rows of each class, logistic regression (C = 10), accuracy on 600 test
rows, mean over 20 draws with the standard error of the mean. Hashed words: scikit-learn's HashingVectorizer, 4,096
columns, unit length, the same probe. No row of these sets was read when tiny-text-judge was made.

    AUGMINT_DATA=../shared/data python benchmarks/text_probe.py        # writes benchmarks/results/text_probe.json
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

from augmint.models import load_encoder

RESULTS = Path(__file__).parent / "results" / "text_probe.json"
SETS = ("sst2", "trec6", "snips", "banking77")
SHOTS, DRAWS, TESTED = 10, 20, 600

Encode = Callable[[list[str]], Any]


def read(name: str) -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    """Training texts and labels, at most 40 of each class; test texts and labels, at most TESTED."""
    root = Path(os.environ.get("AUGMINT_DATA", Path(__file__).resolve().parents[2] / "shared/data")) / "text"
    with gzip.open(root / f"{name}.jsonl.gz", "rt", encoding="utf8") as file:
        rows = [json.loads(line) for line in file]
    rng = np.random.default_rng(0)
    rows = [rows[i] for i in rng.permutation(len(rows))]
    train: list[dict[str, str]] = []
    for label in sorted({row["label"] for row in rows}):
        train += [row for row in rows if row["split"] == "train" and row["label"] == label][:40]
    test = [row for row in rows if row["split"] == "test"][:TESTED]
    pairs = [([row["text"] for row in part], np.array([row["label"] for row in part])) for part in (train, test)]
    return *pairs[0], *pairs[1]


def accuracy(encode: Encode, name: str) -> tuple[float, float, float]:
    """Mean accuracy over the draws, its standard error, and CPU seconds of encoding 1,000 texts."""
    texts, labels, asked, truth = read(name)
    begin = time.process_time()
    rows, tested = encode(texts), encode(asked)
    seconds = 1000 * (time.process_time() - begin) / (len(texts) + len(asked))
    right = []
    for seed in range(DRAWS):
        order = np.random.default_rng(seed).permutation(len(labels))
        few = np.concatenate([order[labels[order] == label][:SHOTS] for label in np.unique(labels)])
        probe = LogisticRegression(C=10, max_iter=500).fit(rows[few], labels[few])
        right.append(probe.score(tested, truth))
    return float(np.mean(right)), float(np.std(right, ddof=1) / DRAWS**0.5), seconds


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    hashing = HashingVectorizer(n_features=4096, norm="l2")
    encoders: dict[str, Any] = {
        "tiny-text-judge": load_encoder("tiny-text-judge").encode,
        "hashed words": hashing.transform,
        "all-MiniLM-L6-v2": load_encoder("all-MiniLM-L6-v2").encode,
    }
    table: dict[str, Any] = {}
    for name, encode in encoders.items():
        found = {data: accuracy(encode, data) for data in SETS}
        table[name] = {
            data: {"accuracy": mean, "error": error, "seconds_per_1000": seconds}
            for data, (mean, error, seconds) in found.items()
        }
        print(
            name,
            {data: f"{100 * mean:.1f} ({100 * error:.1f})" for data, (mean, error, _) in found.items()},
            flush=True,
        )
    facts = {"shots": SHOTS, "draws": DRAWS, "tested": TESTED, "table": table}
    args.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
