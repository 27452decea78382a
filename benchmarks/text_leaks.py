"""Are planted near copies of held-out texts caught, and real texts left alone? And how long does it take?

On each of four real data sets the guard knows the test part. Copies of its texts of six words or more are planted and
must be traced to their source; then training texts are compared as if they had been minted: every one that is flagged
counts as a false alarm, even where the data set really has the same text twice (the flagged pairs are listed in the
results). Last, made-up texts, as many as a large run has.

    python benchmarks/text_leaks.py            # needs ../shared/data or $AUGMINT_DATA; about a minute on one core
    python benchmarks/text_leaks.py --quick    # a few texts of each, nothing written
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augmint.core.types import Sample
from augmint.evaluation.intervals import share_interval
from augmint.evaluation.text_leaks import TextLeakFinder
from augmint.numerics.texts import words_of
from augmint.numerics.word_prints import WordPrints, word_prints
from augmint.pipeline.machine import machine_facts

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "text_leaks.json"
DATA = Path(os.environ.get("AUGMINT_DATA", HERE.parents[1] / "shared" / "data")) / "text"
SETS = ("trec6", "sst2", "snips", "banking77")
MOST_REAL, EACH, LEAST_WORDS = 2000, 200, 6
CHILDREN, HELD_OUT, VOCABULARY = 100_000, 10_000, 20_000

Change = Callable[[list[str], np.random.Generator], list[str]]


def changed(words: list[str], rng: np.random.Generator) -> list[str]:
    """One word is another one, which no text has."""
    at = int(rng.integers(len(words)))
    return [*words[:at], "otherwise", *words[at + 1 :]]


def put_in(words: list[str], rng: np.random.Generator) -> list[str]:
    """One word more."""
    at = int(rng.integers(len(words) + 1))
    return [*words[:at], "otherwise", *words[at:]]


def left_out(words: list[str], rng: np.random.Generator) -> list[str]:
    """One word less."""
    at = int(rng.integers(len(words)))
    return [*words[:at], *words[at + 1 :]]


def swapped(words: list[str], rng: np.random.Generator) -> list[str]:
    """Two words change places."""
    i, j = rng.choice(len(words), 2, replace=False)
    out = list(words)
    out[i], out[j] = words[j], words[i]
    return out


PLANTED: dict[str, Change] = {
    "capitals": lambda words, rng: [word.upper() for word in words],
    "punctuation": lambda words, rng: [word.strip(".,?!;:") + "," for word in words],
    "two words swapped": swapped,
    "one word left out": left_out,
    "one word put in": put_in,
    "one word changed": changed,
}


def prints_of(texts: Sequence[str]) -> WordPrints:
    """Prints of texts."""
    return word_prints([Sample("", text) for text in texts])


def measure(name: str, real: int, each: int) -> dict[str, Any]:
    """Shares of planted copies that were traced, and of real texts that were flagged."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rng = np.random.default_rng(0)
    held = sorted({row["text"] for row in rows if row["split"] == "test"})
    train = [row["text"] for row in rows if row["split"] == "train"]
    train = [train[i] for i in rng.permutation(len(train))[:real]]
    finder, texts = TextLeakFinder(prints_of(held)), {" ".join(sorted(set(words_of(text)))): text for text in held}
    long = [i for i in rng.permutation(len(held)) if len(held[i].split()) >= LEAST_WORDS][:each]
    caught = {}
    for kind, change in PLANTED.items():
        found = finder.find(prints_of([" ".join(change(held[i].split(), rng)) for i in long]))
        own = [texts[" ".join(sorted(set(words_of(held[i]))))] for i in long]
        same = [texts[" ".join(sorted(set(words_of(held[at]))))] for at in found.source]
        hits = int((found.near & (np.array(own) == np.array(same))).sum())
        caught[kind] = {"share": hits / len(long), "interval": share_interval(hits, len(long))}
    found = finder.find(prints_of(train))
    flagged = np.flatnonzero(found.near)
    pairs = [[train[i], held[found.source[i]], round(float(found.score[i]), 3)] for i in flagged]
    share = {"share": len(flagged) / len(train), "interval": share_interval(len(flagged), len(train))}
    return {"held_out": len(held), "bar": finder.bar, "caught": caught, "flagged": share, "pairs": pairs}


def speed(children: int, held_out: int) -> dict[str, float]:
    """Seconds for made-up texts of 15 words, whose words are as frequent as Zipf's law has them."""
    rng = np.random.default_rng(0)
    share = 1.0 / np.arange(1, VOCABULARY + 1)

    def made(count: int) -> list[str]:
        words = rng.choice(VOCABULARY, (count, 15), p=share / share.sum())
        return [" ".join(f"w{word}" for word in row) for row in words]

    new, held = made(children), made(held_out)
    start = time.perf_counter()
    finder = TextLeakFinder(prints_of(held))
    middle = time.perf_counter()
    finder.find(prints_of(new))
    return {
        "children": children,
        "held_out": held_out,
        "bar_s": round(middle - start, 2),
        "find_s": round(time.perf_counter() - middle, 2),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    table: dict[str, Any] = {"machine": machine_facts()}
    for name in SETS:
        found = table[name] = measure(name, 100 if quick else MOST_REAL, 10 if quick else EACH)
        shares = {kind: f"{value['share']:.0%}" for kind, value in found["caught"].items()}
        print(name, shares, f"flagged {found['flagged']['share']:.2%}", f"bar {found['bar']:.2f}", flush=True)
    table["speed"] = speed(*((2000, 500) if quick else (CHILDREN, HELD_OUT)))
    print(table["speed"])
    if not quick:
        RESULTS.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
