"""Small tables of texts for tests: two classes of made-up sentences, written and read as csv."""

from __future__ import annotations

import csv
from pathlib import Path

ASKS = ["what is the capital of %s", "where does the river %s begin", "which town lies near %s, please"]
TELLS = ["the train to %s leaves at noon", "I have never been to %s before", "she sent a letter from %s today"]


def texts(count: int) -> list[tuple[str, str]]:
    """(text, label), in turns of two classes."""
    names = ["Lima", "Oslo", "Quito", "Cairo", "Hanoi", "Perth", "Turin", "Kyiv"]
    both = [
        (ASKS[i % 3] % names[i % 8], "ask") if i % 2 else (TELLS[i % 3] % names[i % 8], "tell") for i in range(count)
    ]
    return both


def write_csv(path: Path, rows: list[tuple[str, str]], first: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\r\n")
        table.writerow(["number", "text", "label"])
        table.writerows([first + i, text, label] for i, (text, label) in enumerate(rows))
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
