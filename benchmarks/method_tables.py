"""Write docs/tables.md from the committed results of fewshot.py and longtail.py.

Run: python benchmarks/method_tables.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks/results", ROOT / "docs/tables.md"

HEAD = """# Tables of methods

Written by `benchmarks/method_tables.py` from `benchmarks/results/`; nulls and losses are kept. Square brackets are 95 %
intervals of the difference paired by draw; **bold** where the interval leaves out 0. Settings were chosen among equally
many candidates for every arm, never on the rows that are measured (the scripts say how).
"""


def signed(cell: Mapping[str, float]) -> str:
    """``+1.23 [0.50, 1.96]``, bold where it is not null."""
    text = f"{cell['mean']:+.2f} [{cell['low']:.2f}, {cell['high']:.2f}]"
    return f"**{text}**" if cell["low"] > 0 or cell["high"] < 0 else text


def table(columns: list[str], rows: Iterator[list[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


def fewshot(found: Mapping[str, Any]) -> Iterator[str]:
    """One table for each encoder: arms by shots."""
    yield from ["## Few shots", "", f"CIFAR-10, 5 novel classes against {len(found['base'])} base classes, "
                f"{found['draws']} draws, logistic regression, accuracy in % and gain over none "
                f"(`benchmarks/fewshot.py`).", ""]  # fmt: skip
    for name, part in found["tables"].items():
        shots = list(next(iter(part["cells"].values())))
        yield from [f"### {name} ({part['numbers']} numbers, `{part['space']}`)", ""]
        rows = ([arm, *(f"{by[s]['accuracy']['mean']:.1f}; {signed(by[s]['gain'])}" for s in shots)]
                for arm, by in part["cells"].items())  # fmt: skip
        yield from table(["arm", *(f"{s} shot" for s in shots)], rows)


def longtail(found: Mapping[str, Any]) -> Iterator[str]:
    """One table for each data set and metric: arms by tail size, with the difference to SMOTE."""
    aims = found["aims"]
    yield from ["## Long tails", "", f"{found['head']} rows of each head class, 2, 5 or 10 of each tail class, "
                f"{found['draws']} draws, logistic regression, and difference to SMOTE in points "
                "(`benchmarks/longtail.py`).", "",
                f"`tail` is above SMOTE by {aims['tail_minus_smote_mean']:+.2f} points on average over cells and "
                f"metrics; cells where it is significantly below SMOTE or class weights: "
                f"{', '.join(aims['tail_significantly_below']) or 'none'}.", ""]  # fmt: skip
    for name, part in found["tables"].items():
        for metric in ("balanced_accuracy", "macro_f1"):
            yield from [f"### {name}, {metric.replace('_', ' ')}", ""]
            counts = list(part["cells"])
            rows = ([arm, *(_against_smote(part["cells"][count][arm], metric) for count in counts)]
                    for arm in part["cells"][counts[0]])  # fmt: skip
            yield from table(["arm", *(f"{count} rows" for count in counts)], rows)


def _against_smote(cell: Mapping[str, Any], metric: str) -> str:
    smote = cell["against"].get("SMOTE")
    return f"{cell[metric]['mean']:.1f}" + (f"; {signed(smote[metric])}" if smote else "")


def main() -> None:
    """Write the page."""
    parts = [(RESULTS / "fewshot.json", fewshot), (RESULTS / "longtail.json", longtail)]
    lines = [line for path, write in parts for line in write(json.loads(path.read_text(encoding="utf8")))]
    PAGE.write_text(HEAD + "\n" + "\n".join(lines).rstrip() + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
