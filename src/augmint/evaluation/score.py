"""A score with what is needed to read it: direction, range, size, interval, and what real rows themselves would get.

Most scores depend on how many rows they see: a Frechet distance falls with more rows, a Vendi score rises. A bare
value therefore says little. ``reference`` is the score of real rows in the place of the minted ones, and ``matched``
the score of the minted rows on as many rows as that; these two are to be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from augmint.core.errors import DataError, UsageError
from augmint.core.types import F32

Measure = Callable[[F32, F32], Mapping[str, float]]
NOT_ENOUGH = "not enough data"


@dataclass(frozen=True)
class Score:
    """One number and how to read it.

    Attributes:
        name: of the score.
        value: on all rows; NaN where there are too few, and ``note`` says so.
        better: "larger" or "smaller".
        low: end of the range.
        high: end of the range.
        n: rows that were scored.
        interval: 95 %; None where none is known.
        reference: what real rows get against other real rows; NaN where unknown.
        matched: ``value`` on as many rows as the reference had; NaN where unknown.
        note: "" or why there is no value.
    """

    name: str
    value: float
    better: Literal["larger", "smaller"]
    low: float
    high: float
    n: int
    interval: tuple[float, float] | None = None
    reference: float = np.nan
    matched: float = np.nan
    note: str = ""

    def __str__(self) -> str:
        ends = f"{self.low:g} to {'any' if np.isinf(self.high) else format(self.high, 'g')}"
        words = [f"{self.name} {self.value:.4g}" if np.isfinite(self.value) else f"{self.name}: {self.note}"]
        if self.interval is not None:
            words.append(f"[{self.interval[0]:.4g}, {self.interval[1]:.4g}]")
        words.append(f"({self.better} is better, {ends})")
        if np.isfinite(self.reference):
            words.append(f"real against real {self.reference:.4g}, minted on as many rows {self.matched:.4g}")
        return " ".join(words)


def checked_rows(rows: npt.NDArray[Any], who: str, width: int | None = None) -> F32:
    """(n, d) contiguous float32 rows.

    Raises:
        UsageError: not two axes, another width, or not numbers.
        DataError: a number is not finite.
    """
    rows = np.asarray(rows)
    if rows.dtype.kind not in "fiub":
        raise UsageError(
            f"{who} of type {rows.dtype}",
            expected="numbers: float or integer rows",
            do="encode the samples with a model first",
            code="space-mismatch",
        )
    if rows.ndim != 2 or rows.shape[1] == 0 or (width is not None and rows.shape[1] != width):
        raise UsageError(
            f"{who} of shape {rows.shape}",
            expected=f"(rows, {'numbers' if width is None else width})",
            do="flatten the rows, and encode all of them with the same model and size",
            code="space-mismatch",
        )
    out = np.ascontiguousarray(rows, dtype=np.float32)
    if not np.isfinite(out).all():
        raise DataError(
            f"{who}: {int((~np.isfinite(out).all(axis=1)).sum())} row(s) with NaN or infinity",
            expected="finite numbers",
            do="leave these rows out",
            code="not-finite",
        )
    return out


def real_splits(real: F32, minted: F32, splits: int, seed: int) -> list[tuple[F32, F32, F32]]:
    """Triples for a reference: half the real rows, other real rows in the minted ones' place, as many minted rows."""
    rng = np.random.default_rng(seed)
    size = min(len(real) // 2, len(minted))
    out = []
    for _ in range(splits):
        order = rng.permutation(len(real))
        here, there = order[: len(real) - len(real) // 2], order[-size:] if size else order[:0]
        out.append((real[here], real[there], minted[rng.permutation(len(minted))[:size]]))
    return out


def with_reference(
    scores: Mapping[str, Score], measure: Measure, real: F32, minted: F32, *, splits: int, seed: int
) -> dict[str, Score]:
    """The scores with ``reference`` and ``matched`` filled in, as means over random halves of the real rows.

    Args:
        scores: by the names that ``measure`` returns.
        measure: (real rows, rows to score) -> values; NaN where it cannot tell.
        real: (m, d).
        minted: (n, d).
        splits: how many halves; 0 for no reference.
        seed: of the halves.
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in scores}
    for half, other, some in real_splits(real, minted, splits, seed):
        reference, matched = measure(half, other), measure(half, some)
        for name in scores:
            found[name].append((reference[name], matched[name]))
    out = dict(scores)
    for name, pairs in found.items():
        if pairs:
            reference, matched = np.mean(pairs, axis=0)
            out[name] = replace(out[name], reference=float(reference), matched=float(matched))
    return out
