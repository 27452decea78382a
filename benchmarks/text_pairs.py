"""Parents and children to be read by eye: 20 of each set from the default method, five from others.

The first 20 training rows of each class (BANKING77: four) are the data; a run of factor 2 with the defaults and seed 0
mints; of the accepted children, those that a seeded permutation puts first are shown. Nobody picks. What a reader said
of a pair is kept with it in `benchmarks/results/text_pairs.json` and belongs to these very words: where another version
mints others, the pair is unread again.

    AUGMINT_DATA=../shared/data python benchmarks/text_pairs.py mint    # two minutes; pairs into the JSON
    python benchmarks/text_pairs.py page                                # docs/text_pairs.md from the JSON
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import augmint as am

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("AUGMINT_DATA", ROOT.parent / "shared" / "data")) / "text"
RESULTS = ROOT / "benchmarks" / "results" / "text_pairs.json"
PAGE = ROOT / "docs" / "text_pairs.md"

SETS = {"sst2": 20, "trec6": 20, "snips": 20, "banking77": 4}
"""Data sets, and rows of a class."""

DEFAULT, OTHERS = "masked-lm", ("classic-text", "ssmba")
SHOWN = {DEFAULT: 20, **dict.fromkeys(OTHERS, 5)}
QUESTIONS = ("label", "grammar", "useful")

HEAD = """\
# Parents and children, read by eye

Made by `benchmarks/text_pairs.py`; nothing is picked. Data: the first 20 training rows of each class
(BANKING77: four). A run of factor 2 with all defaults (gates on, judge `all-MiniLM-L6-v2`, seed 0); of the
accepted children those that a seeded permutation puts first: 20 of the default `masked-lm` with `tiny-text`,
five of `classic-text` (preset `eda`) and of `ssmba`. Weights: {weights}. Families without real
weights on the machine (T5, BART, GPT, Marian, other BERTs) are not here: loading verified, quality not measured.

One reader, strictly: *label*: would one who sees the child alone give it the class of its parent;
*grammatical*: no worse than its parent as a sentence; *useful*: both, and it makes sense and says something
that the parent does not.

What to expect of the default: two children in three keep their label, two in three are sentences, a quarter are worth
having. Where classes differ in one word (BANKING77: "card", "PIN", "refund"), that word is as likely to go as any
other, and a judge that knows four rows of a class does not notice: there a quarter keep their label. Rewriting by a
model of 3 MB is no substitute for a pool of real texts ([the lift table](lift_text.md) says the same in points).
"""

Pair = dict[str, Any]


def rows_of(name: str, each: int) -> Iterator[tuple[str, str]]:
    """(text, label) of the first so many training rows of each class."""
    seen: Counter[str] = Counter()
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf8") as lines:
        for row in map(json.loads, lines):
            if row["split"] == "train" and seen[row["label"]] < each:
                seen[row["label"]] += 1
                yield row["text"], str(row["label"])


def mint(name: str, method: str, folder: Path) -> list[Pair]:
    """The pairs of a set by a method that are shown."""
    data, out = folder / f"{name}.csv", folder / f"{name}-{method}"
    with data.open("w", newline="", encoding="utf8") as file:
        csv.writer(file).writerows([("text", "label"), *rows_of(name, SETS[name])])
    am.augment(data, out, method=method, seed=0)
    with (out / "train.csv").open(newline="", encoding="utf8") as file:
        table = list(csv.DictReader(file))
    parents = {f"data:{row['id']}": row["text"] for row in table if row["is_synthetic"] == "false"}
    children = [row for row in table if row["is_synthetic"] == "true"]
    order = np.random.default_rng(0).permutation(len(children))[: SHOWN[method]]
    return [
        {
            "set": name,
            "method": method,
            "label": children[i]["label"],
            "parent": parents[json.loads(children[i]["refs"])[0]],
            "child": children[i]["text"],
            "model": children[i]["model"],
        }
        for i in order
    ]


def with_readings(pairs: list[Pair], old: list[Pair]) -> list[Pair]:
    """The pairs, and what was said of the same words before."""
    said = {(pair["method"], pair["parent"], pair["child"]): pair.get("read") for pair in old}
    return [{**pair, "read": said.get((pair["method"], pair["parent"], pair["child"]))} for pair in pairs]


def tally(pairs: list[Pair]) -> str:
    """How many of the pairs that were read got a yes, question by question."""
    read = [pair["read"] for pair in pairs if pair["read"]]
    return " | ".join(f"{sum(one[question] for one in read)}/{len(read)}" for question in QUESTIONS)


def page(pairs: list[Pair]) -> str:
    """The page of docs."""
    groups = [(name, method) for name in SETS for method in SHOWN]
    mine = {key: [pair for pair in pairs if (pair["set"], pair["method"]) == key] for key in groups}
    weights = ", ".join(f"`{name}`" for name in sorted({pair["model"] for pair in pairs} - {""}))
    lines = [
        HEAD.format(weights=weights),
        "| set | method | label kept | grammatical | useful |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    lines += [f"| {name} | `{method}` | {tally(mine[name, method])} |" for name, method in groups]
    lines += [f"| all | `{method}` | {tally([p for p in pairs if p['method'] == method])} |" for method in SHOWN]
    for name, method in groups:
        lines += ["", f"## {name}, {method}", "", "| class | parent and child | label, grammar, useful | |"]
        lines += ["| --- | --- | --- | --- |", *(_line(pair) for pair in mine[name, method])]
    return "\n".join(lines) + "\n"


def _line(pair: Pair) -> str:
    read = pair["read"]
    marks = ", ".join("yes" if read[question] else "no" for question in QUESTIONS) if read else "not read"
    parent, child = (_cell(pair[key]) for key in ("parent", "child"))
    return (
        f"| {_cell(pair['label'])} | {parent}<br>**{child}** | {marks} | {_cell(read.get('why', '')) if read else ''} |"
    )


def _cell(text: str) -> str:
    """Plain text in a cell of a Markdown table."""
    for mark in "\\`*_<>|[]":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def load() -> list[Pair]:
    """The pairs that were minted before."""
    pairs: list[Pair] = json.loads(RESULTS.read_text(encoding="utf8"))["pairs"] if RESULTS.is_file() else []
    return pairs


def main() -> None:
    """Mint, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("mint", "page"))
    parser.add_argument("--method", choices=tuple(SHOWN), help="mint with this one alone")
    arguments = parser.parse_args()
    if arguments.action == "page":
        PAGE.write_text(page(load()), encoding="utf8")
        return
    for name, method in product(SETS, [arguments.method] if arguments.method else SHOWN):
        old = load()
        with tempfile.TemporaryDirectory() as folder:
            pairs = with_readings(mint(name, method, Path(folder)), old)
        pairs += [pair for pair in old if (pair["set"], pair["method"]) != (name, method)]
        RESULTS.write_text(json.dumps({"pairs": pairs}, ensure_ascii=False, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
