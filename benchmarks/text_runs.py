"""Four real data sets, offline end to end, with every method of texts that has weights here (or needs none).

The first 10 training rows of each class (BANKING77: 3), factor 2, all defaults, seed 0; methods that pick or that work
on rows get 1,000 other training rows as their pool. Counted are children asked for and made, and what
`augmint verify` finds wrong with the folder. Sockets are closed, so that nothing can come from a network.

    AUGMINT_DATA=../shared/data python benchmarks/text_runs.py      # ten minutes; writes results/text_runs.json
"""

from __future__ import annotations

import csv
import json
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import augmint as am
from augmint.pipeline.machine import machine_facts
from augmint.pipeline.verify import verify
from text_pairs import ROOT, rows_of

RESULTS = ROOT / "benchmarks" / "results" / "text_runs.json"
SETS = {"sst2": 10, "trec6": 10, "snips": 10, "banking77": 3}
REWRITERS = ("classic-text", "masked-lm", "ssmba")
OF_A_POOL = ("retrieval", "interpolation", "noise")
POOL = 1000


def written(path: Path, head: list[str], rows: Sequence[tuple[str, ...]]) -> Path:
    """A table of texts."""
    with path.open("w", newline="", encoding="utf8") as file:
        csv.writer(file).writerows([head, *rows])
    return path


def tables(name: str, folder: Path) -> tuple[Path, Path]:
    """Training rows, and a pool of other training rows without labels."""
    rows = list(rows_of(name, SETS[name]))
    taken = {text for text, _ in rows}
    others = [text for text, _ in rows_of(name, 10**9) if text not in taken]
    picks = np.random.default_rng(0).permutation(len(others))[:POOL]
    data = written(folder / f"{name}.csv", ["text", "label"], rows)
    return data, written(folder / f"{name}-pool.csv", ["text"], [(others[i],) for i in picks])


def ran(name: str, method: str, data: Path, pool: Path, folder: Path) -> dict[str, Any]:
    """One run and what came of it."""
    own = pool if method in OF_A_POOL else None
    result = am.augment(data, folder / f"{name}-{method}", pool=own, method=method, seed=0)
    facts = {"asked": sum(result.asked.values()), "made": sum(result.made.values()), "exit_code": result.exit_code}
    problems = len(verify(result.out).problems)
    print(name, method, facts, problems, flush=True)
    return {"set": name, "method": method, **facts, "problems": problems}


def closed(*words: object, **more: object) -> NoReturn:
    """In place of a connection."""
    raise OSError("no network here")


def main() -> None:
    """All sets, all methods."""
    socket.socket.connect = closed  # type: ignore[method-assign]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in SETS:
            data, pool = tables(name, Path(folder))
            found += [ran(name, method, data, pool, Path(folder)) for method in (*REWRITERS, *OF_A_POOL)]
    RESULTS.write_text(json.dumps({"machine": machine_facts(), "runs": found}, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
