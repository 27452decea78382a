"""What `at_once` costs masked-lm in fluency: how likely the new words are in the finished child.

The first 120 training texts of four sets are rewritten by tiny-text, one word at a time and all at once, with the same
streams. Then each new word is hidden in turn, all else of the child shown: the mean natural log of its probability
under the same model, with the standard error.

    AUGMINT_DATA=../shared/data python benchmarks/mlm_passes.py    # two minutes; writes results/mlm_passes.json
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from augmint.core.types import Sample
from augmint.models import load_lm
from augmint.rewriters.masked_lm import MaskedWords
from augmint.rewriters.slots import slots_of
from mlm_speed import SETS, sentences

RESULTS = Path(__file__).parent / "results" / "mlm_passes.json"
TEXTS, SHARES = 120, (0.2, 0.3)


def likelihoods(lm: Any, parents: list[str], children: list[str]) -> list[float]:
    """Log-probability of each new word, where its child has as many words as its parent."""
    rows, places, wanted = [], [], []
    nothing: list[list[int]] = [[]] * len(parents)
    for old, new in zip(slots_of(lm, parents, nothing), slots_of(lm, children, nothing), strict=True):
        for before, after in zip(old.words, new.words, strict=False) if len(old.words) == len(new.words) else ():
            if old[before].casefold() != new[after].casefold() and len(new.cells[after]) == 1:
                row, at = new.tokens({after: [lm.mask]})
                rows.append(row)
                places.append(list(at.values()))
                wanted.append(new.cells[after][0])
    scores = lm.logits(rows, places)
    return [float(torch.from_numpy(own[0]).log_softmax(0)[token]) for own, token in zip(scores, wanted, strict=True)]


def measure(lm: Any, texts: list[str], share: float, at_once: bool) -> dict[str, float]:
    """Mean, standard error and number of new words."""
    method = MaskedWords(lm=lm, share=share, at_once=at_once)
    samples = [Sample(str(i), text) for i, text in enumerate(texts)]
    children = method.rewrite(samples, [np.random.default_rng((1, i)) for i in range(len(texts))])
    found = likelihoods(lm, texts, [child.content for child in children])
    return {"mean": float(np.mean(found)), "error": float(np.std(found) / len(found) ** 0.5), "words": len(found)}


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    lm = load_lm("tiny-text")
    table: dict[str, Any] = {}
    for name in SETS:
        texts = sentences(Path(os.environ["AUGMINT_DATA"]), name, TEXTS)
        for share in SHARES:
            own = {kind: measure(lm, texts, share, kind == "at once") for kind in ("one", "at once")}
            table.setdefault(name, {})[str(share)] = own
            print(name, share, {kind: f"{v['mean']:.2f} ({v['error']:.2f})" for kind, v in own.items()}, flush=True)
    RESULTS.write_text(json.dumps({"texts": TEXTS, "table": table}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
