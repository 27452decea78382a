"""The embedded neutral texts: 2,500 sentences of wikitext-2 (validation and test parts), for `--pool neutral`.

Whole sentences of 6 to 25 words without an unknown word, each once, drawn at random; no benchmark scores on any.
Wikipedia's authors, CC BY-SA 3.0; so is the file. 08:5x of 23 November 2026: 13,568 sentences, 4,2xx fit.

    AUGMINT_DATA=... python recipes/neutral.py
"""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import numpy as np

from augmint.pipeline.neutral import NEUTRAL

DATA = Path(os.environ.get("AUGMINT_DATA", Path(__file__).resolve().parents[2] / "shared/data")) / "text"
SENTENCES, LEAST, MOST = 2500, 6, 25
MARKS = {" @-@ ": "-", " @,@ ": ",", " @.@ ": "."}
"""Wikitext's marks for what stands inside a word or number."""


def sentences() -> list[str]:
    """Those that fit, in the order of the source."""
    found: dict[str, None] = {}
    for part in ("valid", "test"):
        with gzip.open(DATA / f"wikitext2_{part}.txt.gz", "rt", encoding="utf8") as lines:
            for line in lines:
                text = line.strip()
                for mark, own in MARKS.items():
                    text = text.replace(mark, own)
                if not text.startswith("="):
                    found |= dict.fromkeys(re.split(r"(?<= [.!?;]) ", text))
    return [text for text in found if LEAST <= len(text.split()) <= MOST and "<unk>" not in text]


def main() -> None:
    """Write the file, the same bytes each time."""
    every = sentences()
    at = np.sort(np.random.default_rng(0).permutation(len(every))[:SENTENCES])
    lines = [json.dumps({"text": every[i]}, ensure_ascii=False) + "\n" for i in at]
    NEUTRAL.write_bytes(gzip.compress("".join(lines).encode(), 9, mtime=0))
    print(f"{len(every)} sentences fit, {len(lines)} are kept: {NEUTRAL.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
