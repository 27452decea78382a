"""What each gate rejects of rewritten texts, and how many wrong labels it leaves.

On each of four real data sets, 10 rows of each class (BANKING77: 5), two children a row by a method, no gate. Then each
gate is asked about every child. Whether a child's label is right a stronger judge says, which has seen many rows that
nothing else has: a probe on up to 100 rows of each class. Its own error on test rows is printed beside. What was not
asked for this time stays in the results as it was.

    python benchmarks/text_gates.py                      # ../shared/data or $AUGMINT_DATA
    python benchmarks/text_gates.py --sets banking77 --method ssmba
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from augmint.core.protocols import ContentGate, SetGate
from augmint.core.registry import build
from augmint.core.seeds import stream
from augmint.core.types import Latents, Sample
from augmint.gates import TABLE
from augmint.models import load_encoder, load_lm
from augmint.numerics.probe import Probe
from augmint.pipeline.encodings import Remembered
from augmint.pipeline.plan import make_plan

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "text_gates.json"
DATA = Path(os.environ.get("AUGMINT_DATA", HERE.parents[1] / "shared" / "data")) / "text"
SHOTS = {"trec6": 10, "sst2": 10, "snips": 10, "banking77": 5}
TRUTH, TEST, EACH = 100, 500, 2
GATES: dict[str, Mapping[str, Any]] = {
    "consistency": {},
    "novelty": {},
    "realism": {},
    "copy": {},
    "meaning": {},
    "diversity": {},
}
TOGETHER = (
    "consistency novelty",
    "consistency novelty realism",
    "consistency novelty meaning",
    "consistency novelty realism meaning",
)


def rows_of(name: str) -> dict[str, list[Sample]]:
    """Samples of the train and test split, shuffled once."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rng = np.random.default_rng(0)
    out: dict[str, list[Sample]] = {}
    for split in ("train", "test"):
        own = [Sample(f"{split} {i}", row["text"], row["label"]) for i, row in enumerate(rows) if row["split"] == split]
        out[split] = [own[i] for i in rng.permutation(len(own))]
    return out


def latents(samples: list[Sample], judge: Remembered, classes: tuple[str, ...]) -> Latents:
    """Rows of the judge with one-hot labels."""
    y = np.array([[s.target == name for name in classes] for s in samples], np.float32).reshape(-1, len(classes))
    return Latents(np.array([s.id for s in samples]), judge.encode(samples), y, classes)


def children_of(real: list[Sample], method: str, lm: Any) -> tuple[list[Sample], list[list[str]]]:
    """So many children a row, and the ref of each one's parent."""
    rewriter = make_plan({"method": method, "model": "tiny-text" if lm else "", "judge": ""}).rewriter(lm)
    rewriter.fit(real, stream(0, "fit", method))
    parents = real * EACH
    rngs = [stream(0, "child", i) for i in range(len(parents))]
    found = rewriter.rewrite(parents, rngs)
    return [replace(c, id=f"c{i}") for i, c in enumerate(found)], [[f"data:{p.id}"] for p in parents]


def measure(name: str, method: str, judge: Remembered, lm: Any) -> dict[str, Any]:
    """For each gate: share rejected, wrong labels among what is kept, and among what is rejected."""
    data = rows_of(name)
    classes = tuple(sorted({s.target for s in data["train"]}))
    by_class = {c: [s for s in data["train"] if s.target == c] for c in classes}
    shots = SHOTS[name]
    real = [s for c in classes for s in by_class[c][:shots]]
    many = [s for c in classes for s in by_class[c][shots : shots + TRUTH]]
    truth = Probe().fit(*(lambda z: (z.z, z.y))(latents(many, judge, classes)))
    test = latents(data["test"][:TEST], judge, classes)
    error = float(np.mean(truth.predict_proba(test.z).argmax(axis=1) != test.labels))
    children, refs = children_of(real, method, lm)
    fake, known = latents(children, judge, classes), latents(real, judge, classes)
    wrong = truth.predict_proba(fake.z).argmax(axis=1) != fake.labels
    wrong_real = truth.predict_proba(known.z).argmax(axis=1) != known.labels
    out: dict[str, Any] = {
        "children": len(children),
        "truth_error_on_test": error,
        "wrong_parents": float(wrong_real.mean()),
        "wrong": float(wrong.mean()),
        "gates": {},
    }
    kept: dict[str, np.ndarray] = {}
    for gate_name, options in GATES.items():
        gate = build("gates", "gate", TABLE, gate_name, dict(options))
        if isinstance(gate, ContentGate):
            gate.fit(real, known)
            keep = gate.score(children, fake, refs) >= gate.threshold_[fake.labels]
        elif isinstance(gate, SetGate):
            keep = gate.fit(known).select(fake, fake.take(np.arange(0)))[0]
        else:
            keep = gate.fit(known).keep(fake)
        kept[gate_name] = keep
        out["gates"][gate_name] = {
            "rejected": float(1 - keep.mean()),
            "wrong_kept": float(wrong[keep].mean()) if keep.any() else None,
            "wrong_rejected": float(wrong[~keep].mean()) if not keep.all() else None,
        }
        some = np.flatnonzero(~keep)[:4]
        out["gates"][gate_name]["examples"] = [[real[i % len(real)].content, children[i].content] for i in some]
    out["together"] = {word: together(word, kept, wrong, fake.labels) for word in TOGETHER}
    return out


def together(words: str, kept: Mapping[str, np.ndarray], wrong: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Several row gates at once, and the share of the class that they leave least of."""
    keep = np.logical_and.reduce([kept[name] for name in words.split()])
    return {
        "rejected": float(1 - keep.mean()),
        "wrong_kept": float(wrong[keep].mean()) if keep.any() else None,
        "least_kept_of_a_class": float(min(keep[labels == c].mean() for c in np.unique(labels))),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--method", default="classic-text,masked-lm,ssmba")
    parser.add_argument("--sets", default=",".join(SHOTS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    judge = Remembered(load_encoder("all-MiniLM-L6-v2"))
    table: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    for name in given.sets.split(","):
        for method in given.method.split(","):
            lm = None if method.startswith("classic") else load_lm("tiny-text")
            found = table.setdefault(name, {})[method] = measure(name, method, judge, lm)
            print(name, method, {k: v for k, v in found.items() if k != "gates"}, flush=True)
            for gate, own in found["gates"].items():
                print(
                    f"   {gate:12s}",
                    {k: v if k == "examples" else v and round(v, 3) for k, v in own.items()},
                    flush=True,
                )
            RESULTS.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
