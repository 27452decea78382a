"""Write the sha256 and size of every embedded weight file into cards.yaml; comments and order stay as they are.

Run after training: python recipes/seal_cards.py          (--check only compares: exit 1 when a card is out of date)
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path

MODELS = Path(__file__).resolve().parents[1] / "src/augmint/models"
LINE = re.compile(r"\{name: (?P<name>[\w.-]+\.safetensors), sha256: \S+, bytes: \d+\}")


def seal(text: str, weights: Path) -> str:
    """The text of cards.yaml with the facts of each safetensors file that is in the folder ``weights``."""

    def facts(match: re.Match[str]) -> str:
        path = weights / match["name"]
        if not path.is_file():
            return match[0]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        # Quoted, since 64 decimal digits would be read as a number.
        return f'{{name: {path.name}, sha256: "{digest}", bytes: {path.stat().st_size}}}'

    return LINE.sub(facts, text)


def main() -> int:
    """Exit status: 0 when the cards are right (now), 1 when ``--check`` found them out of date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    cards = MODELS / "cards.yaml"
    old = cards.read_text(encoding="utf8")
    new = seal(old, MODELS / "weights")
    if new == old:
        print("cards.yaml is right")
        return 0
    if arguments.check:
        print("cards.yaml is out of date: python recipes/seal_cards.py", file=sys.stderr)
        return 1
    cards.write_text(new, encoding="utf8")
    print("cards.yaml rewritten")
    return 0


if __name__ == "__main__":
    sys.exit(main())
