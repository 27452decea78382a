"""The second sources of a method, ``pool`` and ``base``, as rows of the space that X is in."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length

from augmint.adapters.targets import read_target, weights32
from augmint.core.errors import UsageError
from augmint.core.protocols import Synthesizer
from augmint.core.types import Latents, Text
from augmint.numerics.base_statistics import BaseStatistics


def row_ids(count: int) -> Text:
    """Rows are named by their position."""
    return np.arange(count).astype(f"U{len(str(max(count - 1, 0)))}")


def read_sources(method: Synthesizer, who: str, real: Latents, pool: Any, base: Any) -> dict[str, Latents | None]:
    """``pool`` and ``base`` for the fit.

    Args:
        method: says which of them it uses.
        who: its name, for messages.
        real: the rows they have to fit.
        pool: (n, *shape) array, Latents, or None.
        base: (array, labels), Latents, statistics of a base set, or None.

    Raises:
        UsageError: a source the method does not look at, another space or shape than X's, a base without labels.
    """
    given = {"pool": pool, "base": base}
    for name, value in given.items():
        if value is not None and name not in method.uses:
            raise UsageError(
                f"{name}= for method {who!r}",
                expected="a method that looks at it; this one does not",
                do=f"leave {name}= out",
                code="unused-source",
            )
    return {
        "pool": None if pool is None else _same_space("pool", _unlabelled(pool, real), real),
        "base": None if base is None else _same_space("base", _labelled(base, real), real),
    }


def _unlabelled(given: Any, real: Latents) -> Latents:
    if isinstance(given, Latents):
        return given
    rows = _rows(given, "pool")
    blank = np.zeros((len(rows), real.y.shape[1]), np.float32)
    return Latents(row_ids(len(rows)), rows, blank, real.classes, target=real.target, space=real.space)


def _labelled(given: Any, real: Latents) -> Latents:
    if isinstance(given, BaseStatistics):
        return given.rows()
    if isinstance(given, Latents):
        return given
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise UsageError(
            f"base= of type {type(given).__name__}",
            expected="a pair (X, y) of rows and their classes, Latents, or BaseStatistics",
            do="pass base=(X_base, y_base)",
            code="base",
        )
    rows, target = _rows(given[0], "base"), read_target(given[1], "class")
    check_consistent_length(rows, target.values)
    return Latents(row_ids(len(rows)), rows, weights32(target), target.names, space=real.space)


def _rows(given: Any, name: str) -> Any:
    return check_array(given, dtype=np.float32, allow_nd=True, order="C", input_name=name)


def _same_space(name: str, source: Latents, real: Latents) -> Latents:
    if source.space == real.space and source.shape == real.shape:
        return source
    raise UsageError(
        f"{name}= of shape {source.shape} in space {source.space!r}",
        expected=f"shape {real.shape} in space {real.space!r}, as X",
        do="encode both with the same model and size, and say so with space=",
        code="space-mismatch",
    )
