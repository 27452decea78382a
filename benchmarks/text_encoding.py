"""Encoding sentences with all-MiniLM-L6-v2 against a bare loop over the network and against sentence-transformers.

CPU seconds of one thread for the same sentences, tokenizing included, loading not; each side in a process of its own,
in turns, best of the turns. The loop is what one would write by hand: all texts tokenized at once, sorted by length,
padded to the longest of a batch (batches of 32 and of 8, the quicker one counts), forward, mean, unit length.
sentence-transformers' `encode` sorts as well, in batches of 32. Bounds: at least 0.95 of the loop's sentences a second
and all of sentence-transformers', in float32 and in bfloat16; rows equal to 1e-5 in float32.

augmint's rows have the same bits beside any neighbours: texts of equal length share a batch and nothing is padded.
"augmint, units" is the same in calls of 64 texts, as a run makes them.

    pip install --no-deps --target /tmp/site sentence-transformers
    AUGMINT_DATA=../shared/data python benchmarks/text_encoding.py --site /tmp/site    # results/text_encoding.json
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from augmint.models import get_card, hub, load_encoder
from augmint.pipeline.machine import machine_facts

RESULTS = Path(__file__).parent / "results" / "text_encoding.json"
MODEL = "all-MiniLM-L6-v2"
SIDES = ("augmint", "augmint, units", "loop of 32", "loop of 8", "sentence-transformers")
DTYPES = ("float32", "bfloat16")
MOST = 256
BOUNDS = {"loop": 0.95, "sentence-transformers": 1.0}

Encode = Callable[[list[str]], Any]


def sentences(count: int) -> list[str]:
    """Sentences of SST-2, TREC and SNIPS in turns."""
    root = Path(os.environ.get("AUGMINT_DATA", Path(__file__).resolve().parents[2] / "shared/data")) / "text"
    found: list[str] = []
    for name in ("sst2", "trec6", "snips"):
        with gzip.open(root / f"{name}.jsonl.gz", "rt", encoding="utf8") as file:
            found += [json.loads(line)["text"] for _, line in zip(range(count // 3 + 1), file, strict=False)]
    return [found[i] for i in np.random.default_rng(0).permutation(len(found))[:count]]


def loop(batch: int, dtype: str) -> Encode:
    """What one would write by hand."""
    from transformers import AutoModel, AutoTokenizer

    folder = str(hub.find(get_card(MODEL))["config.json"].parent)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    net = AutoModel.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()

    @torch.inference_mode()
    def encode(texts: list[str]) -> Any:
        ids = tokenizer(texts, truncation=True, max_length=MOST)["input_ids"]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        rows = torch.empty(len(texts), net.config.hidden_size)
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            x = tokenizer.pad({"input_ids": [ids[i] for i in chosen]}, return_tensors="pt")
            states, mask = net(**x).last_hidden_state.float(), x["attention_mask"][:, :, None]
            rows[chosen] = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)
        return rows.numpy()

    return encode


def side(name: str, dtype: str, unit: int) -> Encode:
    """The function that is measured, its model loaded."""
    if name.startswith("loop"):
        return loop(int(name.split()[-1]), dtype)
    if name == "sentence-transformers":
        from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found, unused-ignore]

        folder = str(hub.find(get_card(MODEL))["config.json"].parent)
        model = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": getattr(torch, dtype)})
        return lambda texts: model.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
    encode: Encode = load_encoder(f"{MODEL}#{dtype}").encode  # type: ignore[assignment]  # strings will do
    if name == "augmint":
        return encode
    return lambda texts: np.concatenate([encode(texts[i : i + unit]) for i in range(0, len(texts), unit)])


def child(args: argparse.Namespace) -> None:
    """One measurement, printed as JSON; the rows into a file."""
    if args.site:
        sys.path.append(args.site)
    torch.set_num_threads(1)
    encode, texts = side(args.side, args.dtype, args.unit), sentences(args.count)
    encode(texts[:64])
    begin = time.process_time()
    rows = encode(texts)
    seconds = time.process_time() - begin
    np.save(args.rows, np.asarray(rows, np.float32))
    print(json.dumps({"seconds": seconds, "sentences_per_second": len(texts) / seconds}))


def run(name: str, dtype: str, args: argparse.Namespace, folder: str) -> float:
    """Sentences a second of a side in a process of its own."""
    rows = f"{folder}/{name}-{dtype}.npy"
    command = [sys.executable, __file__, "--side", name, "--dtype", dtype, "--count", str(args.count), "--rows", rows]
    command += ["--unit", str(args.unit), *(["--site", args.site] if args.site else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = float(json.loads(done.stdout.splitlines()[-1])["sentences_per_second"])
    print(f"{dtype:9s} {name:22s} {found:7.1f}/s", flush=True)
    return found


def compare(folder: str, names: list[str]) -> dict[str, Any]:
    """How far rows of others are from ours, and ours in bfloat16 from ours in float32."""
    ours, rough = (np.load(f"{folder}/augmint-{dtype}.npy") for dtype in DTYPES)
    apart = {name: float(np.abs(np.load(f"{folder}/{name}-float32.npy") - ours).max()) for name in names}
    cosine = (ours * rough).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(rough, axis=1)
    halved = {"least": float(cosine.min()), "mean": float(cosine.mean())}
    return {"largest_difference": apart, "cosine_of_bfloat16": halved}


def main() -> int:
    """Measure and write; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", default="", help="folder with sentence-transformers, where it is not installed")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--unit", type=int, default=64)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--side", choices=SIDES, help="measure one and print it")
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    parser.add_argument("--rows", help="where the side's rows go")
    args = parser.parse_args()
    if args.side:
        child(args)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        turns = [
            {dtype: {name: run(name, dtype, args, folder) for name in SIDES} for dtype in DTYPES}
            for _ in range(args.turns)
        ]
        apart = compare(folder, [name for name in SIDES if name != "augmint"])
    best = {dtype: {name: max(turn[dtype][name] for turn in turns) for name in SIDES} for dtype in DTYPES}
    ratios = {}
    for dtype, found in best.items():
        by_hand = max(found["loop of 32"], found["loop of 8"])
        peer = found["sentence-transformers"]
        ratios[dtype] = {"loop": found["augmint"] / by_hand, "sentence-transformers": found["augmint"] / peer}
    facts = {"model": MODEL, "texts": args.count, "ratios": ratios, "bounds": BOUNDS, **apart, "best": best}
    args.out.write_text(json.dumps({**facts, "turns": turns, "machine": machine_facts()}, indent=1) + "\n")
    print(json.dumps({"ratios": ratios, **apart}, indent=1))
    missed = any(found[name] < bound for found in ratios.values() for name, bound in BOUNDS.items())
    return int(missed or max(apart["largest_difference"].values()) > 1e-5)


if __name__ == "__main__":
    sys.exit(main())
