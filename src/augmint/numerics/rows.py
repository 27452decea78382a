"""What every method and gate does to rows before it calculates: flatten, cast, check, group, pack names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.core.errors import DataError, UsageError
from augmint.core.types import F32, I64, Bool, Latents, Text

CHUNK_NUMBERS = 1 << 16
"""Numbers that are looked at at once, so that they stay in the cache."""


def flat32(latents: Latents) -> F32:
    """(n, d) float32 copy-or-view of the rows, flattened; float64 and float16 are cast."""
    return np.ascontiguousarray(latents.flat, dtype=np.float32)


def checked(latents: Latents, who: str) -> F32:
    """The rows of a fit, (n, d) float32.

    Raises:
        UsageError: there is no row.
        DataError: a row is not finite (a damaged file or an encoder that overflowed).
    """
    if len(latents) == 0:
        raise UsageError(
            f"{who}: no rows to fit",
            expected="at least one real row",
            do="check that the training split of the data set is not empty",
            code="no-rows",
        )
    rows = flat32(latents)
    bad = np.flatnonzero(~finite_rows(rows))
    if len(bad):
        raise DataError(
            f"{who}: {len(bad)} row(s) with NaN or infinity, the first is {latents.ids[bad[0]]!r}",
            expected="finite numbers",
            do="remove the sample or use another model",
            code="not-finite",
        )
    return rows


def finite_rows(rows: F32) -> Bool:
    """(n,) True where all numbers of a row are finite."""
    out = np.empty(len(rows), np.bool_)
    step = max(1, CHUNK_NUMBERS // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):  # without an array as large as the rows
        np.isfinite(rows[start : start + step]).all(axis=1, out=out[start : start + step])
    return out


def check_width(rows: F32, width: int, who: str) -> None:
    """Refuse rows of another space than the one that was fitted."""
    if rows.shape[1] != width:
        raise UsageError(
            f"{who}: rows of {rows.shape[1]} numbers",
            expected=f"{width}, as in the rows it was fitted on",
            do="encode both with the same model and size",
            code="space-mismatch",
        )


def check_base(base: Latents, real: Latents, who: str) -> None:
    """Refuse a base set of another space, or with rows of another shape, than the real rows."""
    if base.space == real.space and base.shape == real.shape:
        return
    raise UsageError(
        f"{who}: base rows of space {base.space!r}, shape {base.shape}",
        expected=f"the space of the real rows, {real.space!r}, shape {real.shape}",
        do="encode both with the same model and size",
        code="space-mismatch",
    )


def strata(latents: Latents) -> I64:
    """(n,) the group a row belongs to: its heaviest class, or 0 for all where the target has no classes."""
    if latents.target in ("class", "soft") and latents.y.shape[1]:
        return latents.labels
    return np.zeros(len(latents), dtype=np.int64)


def strata_count(latents: Latents) -> int:
    """How many groups :func:`strata` can return."""
    return max(1, latents.y.shape[1]) if latents.target in ("class", "soft") else 1


def class_counts(latents: Latents) -> I64:
    """(k,) rows of each class, by the heaviest label."""
    return np.bincount(latents.labels, minlength=latents.y.shape[1]).astype(np.int64)


def mask_padding(z: F32, length: I64 | None) -> F32:
    """Zeros beyond the valid length of each ragged row (first axis of its shape); ``z`` itself or a copy."""
    if length is None or z.ndim < 3:
        return z
    inside = np.arange(z.shape[1])[None, :] < np.asarray(length)[:, None]
    return np.where(inside.reshape(inside.shape + (1,) * (z.ndim - 2)), z, np.float32(0))


def feature_axis(shape: tuple[int, ...]) -> int:
    """Axis of one row along which its features lie: (d,) -> 0, (T, d) -> 1, (C, h, w) -> 0."""
    return 1 if len(shape) == 2 else 0


def in_blocks(work: Callable[[F32], F32], rows: F32, size: int) -> F32:
    """``work`` on so many rows at a time, the last block filled up with zeros and cut again.

    Kernels block by the number of rows, so the last bits of a row depend on it; always the same number, and a row
    has the same bytes beside any neighbours. With no row, ``work`` still sees one block of zeros: it gives the width.
    """
    n, width = rows.shape
    padded = np.zeros((max(1, -(-n // size)) * size, width), np.float32)
    padded[:n] = rows
    done = [work(padded[start : start + size]) for start in range(0, len(padded), size)]
    return np.concatenate(done)[:n]


def data_refs(ids: Sequence[str] | Text) -> list[str]:
    """``data:ID`` for each id."""
    return [f"data:{name}" for name in ids]


def pair_refs(ids: Text, names: Text, partner: I64) -> Text:
    """(n, 2) refs of the rows ``ids`` and of their partners ``names[partner]``; "" where ``partner`` is -1."""
    second = np.where(partner < 0, "", np.strings.add("data:", names[partner]))
    return np.stack([np.strings.add("data:", ids), second], axis=1)


def position_refs(ids: Text, parents: I64) -> Text:
    """(n, p) refs of the rows at these positions; "" where one is -1."""
    return np.where(parents < 0, "", np.strings.add("data:", np.asarray(ids, np.str_))[parents])


def text_array(rows: Sequence[Any]) -> Text:
    """A string array that is as wide as its longest entry, also when there is none."""
    return np.asarray(rows, dtype=np.str_)


def pack_text(names: Sequence[str] | Text) -> npt.NDArray[np.uint8]:
    """Names as one array of bytes, because safetensors stores no strings; the separator is NUL."""
    data = "\0".join(str(name) for name in names).encode("utf-8", "surrogatepass")
    return np.frombuffer(data, dtype=np.uint8).copy()


def unpack_text(data: npt.NDArray[np.uint8]) -> Text:
    """Inverse of :func:`pack_text` for one or more names."""
    return text_array(bytes(data).decode("utf-8", "surrogatepass").split("\0"))
