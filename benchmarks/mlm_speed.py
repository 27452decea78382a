"""Masked-LM rewriting in sentences a second against nlpaug's ContextualWordEmbsAug, the same model in both.

Both take turns on the same sentences, each in a process and an environment of its own (nlpaug 1.1.11 does not run on
transformers 5: benchmarks/nlpaug_env.sh builds its environment). Same: the checkpoint (tiny-text as
``save_pretrained`` wrote it), float32, one thread, top-k, and the share of words that are changed: nlpaug takes its
share of the word pieces and punctuation, rounded up, so its share is set on CALIBRATED of the texts until as many words
come out changed as in ours; "words changed" shows what came of it. Both get all sentences of a turn in one call:
nlpaug's batches then have 32 texts, its default, or 8, whichever is quicker on the set; ours as many as make 2,048
tokens.
"by 32": both are called with 32 texts at a time, and see no others: the same batch.
CPU seconds; loading is not timed, the first turn of each is not counted.
"one": one word at a time, as nlpaug does it. "at once": all words of a text in one pass (option ``at_once``). Both draw
from the model's likeliest words, as nlpaug does; with "meaning" words near the old one are preferred (the default).

    sh benchmarks/nlpaug_env.sh /tmp/nlpaug
    python benchmarks/mlm_speed.py --peer /tmp/nlpaug/bin/python     # a few minutes; writes results/mlm_speed.json
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "mlm_speed.json"
SETS = ("sst2", "trec6", "snips", "banking77")
SHARE, TOP_K, SEED = 0.3, 20, 0
CALIBRATED, BATCHES = 96, (8, 32)
OURS: dict[str, dict[str, Any]] = {
    "one": {"meaning": 0.0},
    "at once": {"meaning": 0.0, "at_once": True},
    "one, meaning": {},
    "at once, meaning": {"at_once": True},
    "at once by 32": {"meaning": 0.0, "at_once": True},
}
BY_32 = "nlpaug by 32"

Rewrite = Callable[[list[str], float], list[str]]
"""Texts and a share to their children."""

WORD = re.compile(r"\w+")


def ours(folder: str, options: dict[str, Any]) -> Rewrite:
    """Our rewriter on the checkpoint in a folder."""
    import numpy as np

    from augmint.core.types import Sample
    from augmint.models import load_lm
    from augmint.rewriters.masked_lm import MaskedWords

    lm = load_lm(folder, kind="masked-lm")

    def rewrite(texts: list[str], share: float) -> list[str]:
        method = MaskedWords(lm=lm, share=share, top_k=TOP_K, **options)
        rngs = [np.random.default_rng((SEED, i)) for i in range(len(texts))]
        return [child.content for child in method.rewrite([Sample(str(i), t) for i, t in enumerate(texts)], rngs)]

    return rewrite


def nlpaug(folder: str, batch: int) -> Rewrite:
    """The peer on the same checkpoint."""
    import nlpaug.augmenter.word as naw

    method = naw.ContextualWordEmbsAug(
        model_path=folder, model_type="bert", action="substitute", top_k=TOP_K, aug_p=SHARE, aug_max=None,
        device="cpu", batch_size=batch,
    )  # fmt: skip

    def rewrite(texts: list[str], share: float) -> list[str]:
        method.aug_p = share
        return list(method.augment(texts))

    return rewrite


def serve(kind: str, folder: str) -> None:
    """Read texts and a share (JSON, one turn a line), answer with seconds and texts."""
    import torch

    torch.set_num_threads(1)
    out, sys.stdout = sys.stdout, sys.stderr  # libraries print
    rewrite = ours(folder, OURS[kind]) if kind in OURS else nlpaug(folder, int(kind.split()[-1]))
    for line in sys.stdin:
        texts, share = json.loads(line)
        size = 32 if kind.endswith("by 32") else len(texts)
        start = time.process_time()
        calls = [rewrite(texts[at : at + size], share) for at in range(0, len(texts), size)]
        children = [child for call in calls for child in call]
        print(json.dumps([time.process_time() - start, children]), file=out, flush=True)


class Worker:
    """A process that rewrites what it is given."""

    def __init__(self, python: str, kind: str, folder: str) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        self.process = subprocess.Popen(
            [python, __file__, "--serve", kind, "--folder", folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip

    def turn(self, texts: list[str], share: float) -> tuple[float, list[str]]:
        """Seconds, and the children."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps([texts, share]), file=self.process.stdin, flush=True)
        seconds, children = json.loads(self.process.stdout.readline())
        return seconds, children


def changed(texts: list[str], children: list[str]) -> float:
    """Mean share of the words of a text that are others in its child; case does not count."""
    shares = []
    for text, child in zip(texts, children, strict=True):
        old, new = WORD.findall(text.lower()), WORD.findall(child.lower())
        same = sum(block.size for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks())
        shares.append(1 - same / max(1, len(old)))
    return statistics.mean(shares)


def matched(peer: Worker, texts: list[str], wanted: float) -> float:
    """The share at which the peer changes so many words."""
    share = SHARE
    for _ in range(3):
        share = round(share * wanted / changed(texts, peer.turn(texts, share)[1]), 4)
    return share


def sentences(root: Path, name: str, count: int) -> list[str]:
    """The first training texts of a set."""
    with gzip.open(root / "text" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row["text"] for row in rows if row["split"] == "train"][:count]


def checkpoint(folder: str) -> None:
    """tiny-text as a plain `BertForMaskedLM` that both libraries open."""
    from augmint.models import load_lm

    lm = load_lm("tiny-text")
    lm.net.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)


def contest(root: Path, python: str, count: int, turns: int) -> dict[str, Any]:
    """Sentences a second of each, by set."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint(folder)
        peers = {f"nlpaug, batch {batch}": Worker(python, f"nlpaug {batch}", folder) for batch in BATCHES}
        peers[BY_32] = Worker(python, BY_32, folder)
        workers = {kind: Worker(sys.executable, kind, folder) for kind in OURS} | peers
        for name in SETS:
            texts = sentences(root, name, count)
            few = texts[:CALIBRATED]
            own = matched(next(iter(peers.values())), few, changed(few, workers["one"].turn(few, SHARE)[1]))
            shares = dict.fromkeys(OURS, SHARE) | dict.fromkeys(peers, own)
            found[name] = of_set(workers, texts, shares, turns)
            print(name, json.dumps(found[name]), flush=True)
        for worker in workers.values():
            worker.process.terminate()
    # One sentence of each set: what the sets take together.
    kinds = (*OURS, "nlpaug", BY_32)
    total = {kind: sum(1 / case["sentences a second"][kind] for case in found.values()) for kind in kinds}
    found["all"] = {"times nlpaug": {kind: round(total[peer_of(kind)] / total[kind], 2) for kind in OURS}}
    print("all", json.dumps(found["all"]), flush=True)
    return found


def peer_of(kind: str) -> str:
    """What one of ours is compared with."""
    return BY_32 if kind.endswith("by 32") else "nlpaug"


def of_set(workers: dict[str, Worker], texts: list[str], shares: dict[str, float], turns: int) -> dict[str, Any]:
    """What all workers did with these texts, in turns."""
    rates: dict[str, list[float]] = {kind: [] for kind in workers}
    moved = {}
    for turn in range(turns + 1):
        for kind, worker in workers.items():
            seconds, children = worker.turn(texts, shares[kind])
            moved[kind] = round(changed(texts, children), 3)
            if turn:
                rates[kind].append(len(texts) / seconds)
    rate = {kind: round(statistics.median(values), 2) for kind, values in rates.items()}
    rate["nlpaug"] = max(rate[f"nlpaug, batch {batch}"] for batch in BATCHES)
    ratio = {kind: round(rate[kind] / rate[peer_of(kind)], 1) for kind in OURS}
    return {"sentences a second": rate, "times nlpaug": ratio, "words changed": moved, "shares": shares}


def main() -> int:
    """Measure and write; 1 when rewriting at once is less than ten times as quick on the four sets together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="Python of nlpaug's environment")
    parser.add_argument("--sentences", type=int, default=256)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.folder)
        return 0
    from augmint.pipeline.machine import machine_facts

    root = Path(os.environ["AUGMINT_DATA"])
    found = contest(root, args.peer, args.sentences, args.turns)
    facts = {"share": SHARE, "top_k": TOP_K, "sentences": args.sentences, "turns": args.turns, "sets": found}
    args.out.write_text(json.dumps({**facts, "machine": machine_facts()}, indent=1) + "\n", encoding="utf-8")
    return int(found["all"]["times nlpaug"]["at once"] < 10)


if __name__ == "__main__":
    sys.exit(main())
