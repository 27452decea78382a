"""A pool for who has none: neutral sentences that ship with augmint, ``--pool neutral``.

2,500 sentences of English Wikipedia (wikitext-2), CC BY-SA 3.0, made by ``recipes/neutral.py``. None is about the
user's data, so few are surely of a class; what a judge thinks of all of them still tells a student what it knows of
words (``labels: soft`` of the method ``retrieval``).
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

from augmint.core.types import Sample

WORD = "neutral"
"""In place of a pool's path."""

NEUTRAL = Path(__file__).parent / "neutral_en.jsonl.gz"


def pool_path(pool: str | Path) -> Path:
    """The path of a pool; that of the embedded one for the word."""
    return NEUTRAL if str(pool) == WORD else Path(pool)


@cache
def neutral_texts() -> tuple[Sample, ...]:
    """The sentences, unlabelled."""
    lines = gzip.decompress(NEUTRAL.read_bytes()).decode().splitlines()
    return tuple(Sample(f"neutral-{i:04d}", json.loads(line)["text"]) for i, line in enumerate(lines))
