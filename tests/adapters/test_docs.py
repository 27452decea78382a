"""The examples that are printed are run, and each estimator is on the page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import augmint.adapters as adapters

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", ["README.md", "docs/adapters.md"])
def test_examples_run(page, tmp_path):
    pytest.importorskip("imblearn", reason="imbalanced-learn is not installed")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    blocks = [block for block in blocks if "photos/" not in block]  # a folder the reader has
    assert blocks
    for block in blocks:
        subprocess.run([sys.executable, "-W", "error::FutureWarning", "-c", block], check=True, cwd=tmp_path)


def test_every_estimator_is_on_the_page():
    text = (ROOT / "docs/adapters.md").read_text(encoding="utf-8")
    assert [name for name in adapters.estimators() if f"`{name}`" not in text] == []
