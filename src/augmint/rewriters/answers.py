"""Answers from outside, kept in a folder, and what they have cost.

A request is known by the sha256 of its url, body and seed. Kept are request and answer, one JSON file each, and a
ledger of lines {"requests", "read", "written"} that all processes of a run share: before a request its largest
possible cost is written down, afterwards the difference to what it did cost. Who dies in between has paid.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from augmint.core.errors import RunError


class Cost(NamedTuple):
    """Requests, and tokens that a model read and wrote."""

    requests: int = 0
    read: int = 0
    written: int = 0

    def plus(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: Cost) -> Cost:
        """The difference."""
        return Cost(*(a - b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True)
class Cap:
    """The most that may be spent; 0 is no limit. Prices are for a million tokens."""

    requests: int = 0
    tokens: int = 0
    money: float = 0.0
    price_read: float = 0.0
    price_written: float = 0.0

    def money_of(self, cost: Cost) -> float:
        """What tokens cost."""
        return (cost.read * self.price_read + cost.written * self.price_written) / 1e6

    def check(self, spent: Cost, more: Cost) -> None:
        """Raises RunError when more would be too much."""
        total = spent.plus(more)
        over = (
            (self.requests, total.requests, "max_requests"),
            (self.tokens, total.read + total.written, "max_tokens"),
            (self.money, self.money_of(total), "max_money"),
        )
        for limit, amount, name in over:
            if limit and amount > limit:
                raise RunError(
                    f"{spent.requests} requests, {spent.read} tokens read and {spent.written} written "
                    f"({self.money_of(spent):.4g} by the prices given); the next may make {name} {amount:.6g}",
                    expected=f"at most {name} = {limit:g}",
                    do="raise it in method_options, or ask for fewer children",
                    code="cost-cap",
                )


@dataclass
class Ledger:
    """What was spent: in a file that processes share, or in memory alone (``path`` is None)."""

    path: Path | None = None
    lock: Lock = field(default_factory=Lock, repr=False)
    spent: Cost = field(default_factory=Cost)

    def book(self, cost: Cost, cap: Cap | None = None) -> None:
        """Add to what was spent; raises RunError, and adds nothing, where that is above the cap."""
        with self.lock:
            if self.path is None:
                if cap:
                    cap.check(self.spent, cost)
                self.spent = self.spent.plus(cost)
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+", encoding="utf8") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                lines = file.read()
                self.spent = total(lines)
                if cap:
                    cap.check(self.spent, cost)
                cut = "\n" if lines and not lines.endswith("\n") else ""  # or this line would be lost with it
                file.write(cut + json.dumps(cost._asdict()) + "\n")
                self.spent = self.spent.plus(cost)


def total(lines: str) -> Cost:
    """The sum of a ledger; a line that was cut off counts for nothing."""
    spent = Cost()
    for line in lines.splitlines():
        try:
            spent = spent.plus(Cost(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return spent


@dataclass(frozen=True)
class Answers:
    """A folder of answers; None keeps nothing."""

    folder: Path | None = None

    @staticmethod
    def key(request: Mapping[str, Any]) -> str:
        """64 hex digits that name a request."""
        return hashlib.sha256(json.dumps(request, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def get(self, request: Mapping[str, Any]) -> Any:
        """The answer to a request; None where there is none, or its file is damaged."""
        if self.folder is None:
            return None
        path = self._path(request)
        try:
            kept = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        return kept.get("answer") if isinstance(kept, dict) and kept.get("request") == request else None

    def some(self) -> bool:
        """Whether any answer was kept."""
        return self.folder is not None and any(self.folder.glob("*/*.json"))

    def put(self, request: Mapping[str, Any], answer: Any) -> None:
        """Keep an answer, whole or not at all."""
        if self.folder is None:
            return
        path = self._path(request)
        path.parent.mkdir(parents=True, exist_ok=True)
        data = json.dumps({"request": request, "answer": answer}, sort_keys=True, ensure_ascii=False, indent=1)
        descriptor, name = tempfile.mkstemp(dir=path.parent)
        # An answer may hold half a surrogate pair, which JSON can spell and json.loads reads again.
        with os.fdopen(descriptor, "w", encoding="utf8", errors="surrogatepass") as file:
            file.write(data)
        Path(name).replace(path)

    def _path(self, request: Mapping[str, Any]) -> Path:
        assert self.folder is not None
        name = self.key(request)
        return self.folder / name[:2] / f"{name}.json"
