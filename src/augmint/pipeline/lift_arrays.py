"""The data that a lift is measured on, from arrays in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.core.errors import DataError
from augmint.core.types import Sample
from augmint.models.cards import choose_size
from augmint.pipeline.lift_data import InMemory, LiftData, rows_of
from augmint.pipeline.manifest import sha256

Array = npt.NDArray[Any]


def data_of_arrays(
    x: npt.ArrayLike, y: npt.ArrayLike, groups: npt.ArrayLike | None = None, pool: npt.ArrayLike | None = None
) -> LiftData:
    """Rows (n, d) of features, or pictures (n, H, W) or (n, H, W, C) of uint8, and their labels (n,).

    Args:
        x: rows or pictures.
        y: classes, as numbers or strings.
        groups: (n,) rows that belong together; None, NaN and "" for a row that belongs to none.
        pool: unlabelled ones of the same kind; those equal to one of ``x`` are left out.

    Raises:
        DataError: shapes that do not fit, or a row without a label.
    """
    content, labels = np.asarray(x), np.asarray(y)
    if content.ndim < 2 or len(content) != len(labels) or labels.ndim != 1:
        raise _shape(f"x of shape {content.shape}, y of shape {labels.shape}", "and y (n,)")
    names = [""] * len(labels) if groups is None else _names(np.asarray(groups), len(labels))
    bare = [i for i, label in enumerate(labels) if _is_missing(label)]
    if bare:
        raise DataError(
            f"{len(bare)} rows of y without a label, first y[{bare[0]}] = {labels[bare[0]]!r}",
            expected="a class for every row",
            do="leave these rows out, or give them to pool=",
            code="no-label",
        )
    classes = tuple(str(name) for name in np.unique(labels))
    flat = content.ndim == 2
    samples = tuple(
        Sample(f"{i:06d}", row.astype(np.float32) if flat else row, str(label), name)
        for i, (row, label, name) in enumerate(zip(content, labels, names, strict=True))
    )
    spare = None if pool is None else _fresh(np.asarray(pool), content)
    words = [repr(content.shape), *map(str, labels), *names]
    spare_bytes = b"" if spare is None else b"".join(np.asarray(s.content).tobytes() for s in spare.samples)
    digest = sha256(b"\0".join([content.tobytes(), spare_bytes, *(word.encode() for word in words)]))
    size = 0 if flat else choose_size([min(content.shape[1:3])])
    return LiftData("arrays", InMemory(samples), rows_of(samples, classes), classes, spare, flat, size, digest)


def _names(groups: Array, count: int) -> Sequence[str]:
    if groups.shape != (count,):
        raise _shape(f"groups of shape {groups.shape} for {count} rows", "and group (n,)")
    return ["" if _is_missing(name) else str(name) for name in groups]


def _is_missing(value: Any) -> bool:
    return value is None or bool(value != value)  # NaN


def _fresh(pool: Array, known: Array) -> InMemory:
    """The rows of a pool that are not among the known ones, each once; compared as students get them."""
    if pool.shape[1:] != known.shape[1:]:
        raise _shape(f"a pool of shape {pool.shape}, x of shape {known.shape}", "and a pool of the same kind")
    seen, samples = {_key(row) for row in known}, []
    for i, row in enumerate(pool):
        key = _key(row)
        if key not in seen:
            seen.add(key)
            samples.append(Sample(f"{i:06d}", row.astype(np.float32) if pool.ndim == 2 else row))
    return InMemory(tuple(samples))


def _key(row: Array) -> str:
    """A hash of a row as float32, zeros without a sign."""
    return sha256((np.asarray(row, np.float32) + np.float32(0.0)).tobytes())


def _shape(got: str, expected: str) -> DataError:
    return DataError(got, expected=f"x (n, d) features or (n, H, W[, C]) pictures, {expected}", do="check the arrays",
                     code="shape")  # fmt: skip
