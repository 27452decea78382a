"""The example that is printed is run, and each score is on the page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from clouds import clouds

from augmint.evaluation.diversity import diversity
from augmint.evaluation.fidelity import fidelity, label_agreement
from augmint.evaluation.memorization import copying, membership

PAGE = Path(__file__).resolve().parents[2] / "docs/evaluation.md"


def test_the_example_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        done = subprocess.run([sys.executable, "-c", block], check=True, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            assert "is better" in line and ("real against real" in line)


def test_every_score_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8").lower()
    a, b, c = clouds(120, seed=1), clouds(100, seed=2), clouds(110, seed=3)
    scores = [*fidelity(a, b).values(), diversity(b, a), *copying(a, b, c).values(), membership(a, c, b)]
    scores.append(label_agreement(np.eye(2), np.array([0, 1])))
    assert [score.name for score in scores if score.name not in text] == []
