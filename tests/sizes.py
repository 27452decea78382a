"""Report of file and function sizes; exit 1 above the house targets (function p90 <= 30 lines, file <= 400)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_LINES, P90_LINES = 400, 30


def functions(path: Path) -> Iterator[tuple[int, str]]:
    """(lines, place) of every function of a file, docstring not counted: it is documentation, not length."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            last = body[-1].end_lineno or node.lineno if body else node.lineno
            lines = last - (body[0].lineno if body else last) + 1
            yield lines, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def main() -> int:
    """Print the report; 1 when a target is missed."""
    files = [path for room in ("src", "recipes", "benchmarks", "tests") for path in sorted((ROOT / room).rglob("*.py"))]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    sizes = sorted(size for path in files if "tests" not in path.parts for size in functions(path))
    p90 = sizes[int(0.9 * (len(sizes) - 1))][0]
    longest = max(lines, key=lambda path: lines[path])
    print(f"{len(files)} files, {sum(lines.values())} lines; longest {longest.relative_to(ROOT)}: {lines[longest]}")
    print(f"{len(sizes)} functions; median {sizes[len(sizes) // 2][0]} lines, p90 {p90}; longest:")
    for size, place in reversed(sizes[-5:]):
        print(f"  {size:4d}  {place}")
    long_files = [path for path in files if lines[path] > MOST_LINES]
    for path in long_files:
        print(f"too long: {path.relative_to(ROOT)} has {lines[path]} lines (at most {MOST_LINES})")
    if p90 > P90_LINES:
        print(f"functions too long: p90 is {p90} lines (at most {P90_LINES})")
    return int(bool(long_files) or p90 > P90_LINES)


if __name__ == "__main__":
    sys.exit(main())
