"""What the gate ``fluency`` can tell: shuffled words from sentences, and grammar as a reader saw it.

150 test texts of each set of four words or more, and the same words in random order: how often the second scores worse,
and how many are below the threshold that the first set. Then the pairs that were read by eye (`text_pairs.py`): the
area under the curve (0.5 is chance) with which the score of a child, and the same less its parent's, tell children
whose grammar was found right from the others.

    AUGMINT_DATA=../shared/data python benchmarks/fluency.py    # five minutes; benchmarks/results/fluency.json
"""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from augmint.core.types import F32, Latents, Sample
from augmint.gates.fluency import Fluency
from augmint.models import load_lm
from text_gates import DATA
from text_pairs import DEFAULT, SETS, load

RESULTS = Path(__file__).resolve().parent / "results" / "fluency.json"
TEXTS = 150


def scores(gate: Fluency, texts: list[str]) -> F32:
    """Of each text."""
    samples = [Sample(str(i), text) for i, text in enumerate(texts)]
    return gate.score(samples, _rows(len(samples)), [[]] * len(samples))


def _rows(count: int) -> Latents:
    return Latents(np.arange(count).astype(np.str_), np.ones((count, 1), np.float32), np.ones((count, 1), np.float32))


def shuffled(name: str, gate: Fluency, rng: np.random.Generator) -> dict[str, float]:
    """How real texts of a set and their words in random order compare."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        own = [row["text"] for row in map(json.loads, lines) if row["split"] == "test"]
    texts = [text for text in own if len(text.split()) >= 4]
    texts = [texts[i] for i in rng.permutation(len(texts))[:TEXTS]]
    mixed = [" ".join(rng.permutation(text.split())) for text in texts]
    gate.fit([Sample(str(i), text) for i, text in enumerate(texts)], _rows(len(texts)))
    begin = time.process_time()
    real = scores(gate, texts)
    spent, worse = time.process_time() - begin, scores(gate, mixed)
    return {
        "texts": len(texts),
        "shuffled worse": float(np.mean(worse < real)),
        "shuffled rejected": float(np.mean(worse < gate.threshold_[0])),
        "processor ms a text": round(1e3 * spent / len(texts), 1),
    }


def area(score: F32, right: np.ndarray) -> float:
    """Under the curve: how often a right one scores above a wrong one."""
    above = score[right][:, None] - score[~right]
    return float(np.mean(above > 0) + np.mean(above == 0) / 2)


def grammar(gate: Fluency) -> dict[str, Any]:
    """How well the score tells what a reader found right."""
    pairs = load()
    child, parent = (scores(gate, [pair[key] for pair in pairs]) for key in ("child", "parent"))
    right = np.array([pair["read"]["grammar"] for pair in pairs], np.bool_)
    default = np.array([pair["method"] == DEFAULT for pair in pairs], np.bool_)
    chosen = {DEFAULT: default, "all": np.ones(len(pairs), np.bool_)}
    return {
        name: {
            "pairs": int(at.sum()),
            "child": area(child[at], right[at]),
            "less parent": area((child - parent)[at], right[at]),
        }
        for name, at in chosen.items()
    }


def main() -> None:
    """Measure, print and write."""
    torch.set_num_threads(1)
    gate, rng, found = Fluency(lm=load_lm("tiny-text")), np.random.default_rng(0), dict[str, Any]()
    for name in SETS:
        found[name] = shuffled(name, gate, rng)
        print(name, found[name], flush=True)
    found["grammar"] = grammar(gate)
    print(found["grammar"])
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
