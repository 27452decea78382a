"""nlpaug's children for `lift_text.py`: ContextualWordEmbsAug with tiny-text, on the same training rows.

nlpaug breaks on transformers 5, so its part runs in an environment of its own (`nlpaug_env.sh`). Settings are nlpaug's
own (30 % of the words, at most 10, out of the likeliest 100); as many children as our arms make.

    python benchmarks/lift_text_nlpaug.py ask  FOLDER [--shots 10] [--pairs 20] [--data sst2]   # here: model and rows
    ENV/bin/python benchmarks/lift_text_nlpaug.py make FOLDER                      # there: children, resumes
    python benchmarks/lift_text_nlpaug.py take FOLDER                              # here: to where lift_text.py looks
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import time
from pathlib import Path

SETS = "sst2,trec,snips,banking77"


def ask(arguments: argparse.Namespace) -> None:
    """Write the model as transformers has it, and [id, text] of each child's parent for every pair."""
    from augmint.models import load_lm
    from lift_text_arms import Bench
    from lift_text_cells import task

    lm = load_lm("tiny-text")
    lm.net.save_pretrained(arguments.folder / "model")
    lm.tokenizer.save_pretrained(arguments.folder / "model")
    for pair in range(arguments.pairs):
        for name in arguments.data.split(","):
            bench = Bench(task(name, arguments.shots, pair), "scratch", pair, arguments.shots)
            rows = [[sample.id, sample.content] for sample in bench.texts.real] * (round(bench.factor) - 1)
            path = arguments.folder / f"{pair:02d}-{name}-{arguments.shots:02d}.ask.json"
            path.write_text(json.dumps(rows), encoding="utf8")


def make(arguments: argparse.Namespace) -> None:
    """A child for each row; runs where nlpaug does, and imports nothing of ours."""
    import nlpaug.augmenter.word as naw
    import numpy as np
    import torch

    torch.set_num_threads(1)
    augmenter = naw.ContextualWordEmbsAug(model_path=str(arguments.folder / "model"), model_type="bert", device="cpu")
    for path in sorted(arguments.folder.glob("*.ask.json")):
        out = path.with_name(path.name.replace(".ask.", ".made."))
        if out.exists():
            continue
        begin, rows = time.process_time(), json.loads(path.read_text(encoding="utf8"))
        seed = int(path.name[:2])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        children = augmenter.augment([text for _, text in rows])
        made = [[name, child] for (name, _), child in zip(rows, children, strict=True)]
        out.write_text(json.dumps(made), encoding="utf8")
        print(out.name, f"{len(made)} in {time.process_time() - begin:.1f} CPU seconds", flush=True)


def take(arguments: argparse.Namespace) -> None:
    """Put the children where `lift_text.py` looks for them."""
    from lift_text_arms import nlpaug_path

    for path in arguments.folder.glob("*.made.json"):
        pair, name, shots = path.name.split(".")[0].split("-")
        target = nlpaug_path(name, int(shots), int(pair))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def main() -> None:
    """One of the three steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["ask", "make", "take"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--data", default=SETS)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    {"ask": ask, "make": make, "take": take}[arguments.verb](arguments)


if __name__ == "__main__":
    main()
