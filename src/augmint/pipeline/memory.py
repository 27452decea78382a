"""The corridor without a disk: fit a method on rows in memory and mint new ones beside them.

The same stages as a run (counts, fit, anchors, draw, provenance) and the same policy for anchors, without encoding,
decoding and gates. New rows are written block by block into memory that the caller has set aside, so that beside
the result there is never more than one block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.core.protocols import Synthesizer
from augmint.core.seeds import stream
from augmint.core.types import F32, I64, Draw, Latents, Text

BLOCK_NUMBERS = 1 << 22
"""Numbers in one block of new rows: 16 MiB of float32. A constant, because random streams are keyed by the block."""

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Minted:
    """Where new rows came from; the rows themselves are where the caller wanted them.

    Attributes:
        anchors: (m,) row of the real data that each was made like.
        refs: (m, p) parents as in :class:`Draw`.
        label_weights: (m, p) their share in the label.
        pick: (m,) row of the pool that was taken unchanged, -1 where the row is new.
        notes: why rows were made in another way than the method's name says, and how many.
    """

    anchors: I64
    refs: Text
    label_weights: F32
    pick: I64
    notes: Counter[str]


def mint(
    method: Synthesizer,
    real: Latents,
    counts: Sequence[int],
    seed: int,
    out: npt.NDArray[Any],
    *,
    pool: Latents | None = None,
    base: Latents | None = None,
) -> Minted:
    """Fit ``method`` on ``real`` and write new rows into ``out``.

    Args:
        method: not fitted yet; its ``uses`` says which second sources it is given.
        real: (n, *shape).
        counts: new rows of each class; one number for targets that are not classes.
        seed: of all random numbers.
        out: (sum of counts, *shape), of any dtype; classes one after the other.
        pool: for methods that pick from one.
        base: for methods that learn from one.
    """
    method.fit(real, stream(seed, "fit"), pool=pool, base=base)
    anchors, draws, filled = [], [], 0
    for rows, rng in _blocks(real, counts, seed):
        draw = method.sample(real.take(rows), rng)
        write(out[filled : filled + len(rows)], draw.z)
        anchors.append(rows)
        draws.append(_facts(draw))
        filled += len(rows)
    return _joined(anchors, draws)


def _blocks(real: Latents, counts: Sequence[int], seed: int) -> Iterator[tuple[I64, np.random.Generator]]:
    """Anchors of each block of new rows and its random stream."""
    labels = real.labels if real.target == "class" else np.zeros(len(real), np.int64)
    names = real.classes if real.target == "class" else ("",)
    size = max(1, BLOCK_NUMBERS // max(1, real.flat.shape[1]))
    for c, name in enumerate(names):
        chosen = anchors_in_turn(np.flatnonzero(labels == c), counts[c], stream(seed, "anchors", name))
        for index, start in enumerate(range(0, counts[c], size)):
            yield chosen[start : start + size], stream(seed, "draw", name, index)


def anchors_in_turn(members: I64, count: int, rng: np.random.Generator) -> I64:
    """``count`` of these rows: every row in turn, in a shuffled order, so that none serves twice more than another.

    They are sorted, so that the same anchor comes in one block and a method looks for its neighbours once.
    """
    order = rng.permutation(members)
    return np.sort(np.resize(order, count))


def write(out: npt.NDArray[Any], z: F32) -> None:
    """Write float32 rows as another dtype: whole numbers are rounded and kept inside their range."""
    if out.dtype.kind in "iu":
        limits = np.iinfo(out.dtype)
        # The largest 64-bit number rounds up to one that is out of range; the next float64 below it is inside.
        most = limits.max if limits.bits < 64 else np.nextafter(float(limits.max), 0.0)
        out[...] = np.clip(np.rint(z.astype(np.float64)), limits.min, most).astype(out.dtype)
    else:
        out[...] = z


def _facts(draw: Draw) -> Minted:
    notes = Counter() if draw.note is None else Counter(str(note) for note in draw.note if note)
    pick = np.full(len(draw), -1, np.int64) if draw.pick is None else draw.pick
    return Minted(np.zeros(0, np.int64), draw.refs, draw.label_weights, pick, notes)


def _joined(anchors: Sequence[I64], draws: Sequence[Minted]) -> Minted:
    """All blocks as one; blocks with fewer parents are padded with "" of no weight."""
    width = max((draw.refs.shape[1] for draw in draws), default=1)
    rows = sum(len(draw.refs) for draw in draws)
    refs = np.zeros((rows, width), np.result_type(np.dtype("U1"), *(draw.refs.dtype for draw in draws)))
    weights = np.zeros((rows, width), np.float32)
    start = 0
    for draw in draws:
        stop = start + len(draw.refs)
        refs[start:stop, : draw.refs.shape[1]] = draw.refs
        weights[start:stop, : draw.refs.shape[1]] = draw.label_weights
        start = stop
    none = np.zeros(0, np.int64)
    pick = np.concatenate([none, *(draw.pick for draw in draws)])
    notes: Counter[str] = sum((draw.notes for draw in draws), Counter())
    return Minted(np.concatenate([none, *anchors]), refs, weights, pick, notes)


def labels_of(minted: Minted, ids: Text, y: F64) -> F64:
    """(m, k) labels from provenance: the ``label_weights``-mean of the labels of the parents.

    Args:
        minted: the new rows.
        ids: (n,) of the rows that can be parents with a share in a label, with their kind (``data:...``).
        y: (n, k) their labels.

    Raises:
        KeyError: a parent with a share in a label is not among them.
    """
    order = np.argsort(ids, kind="stable")
    known = ids[order]
    out = np.zeros((len(minted.refs), y.shape[1]))
    for refs, share in zip(minted.refs.T, minted.label_weights.T, strict=True):
        at = np.minimum(np.searchsorted(known, refs), len(known) - 1)
        missing = (known[at] != refs) & (share > 0)
        if missing.any():
            raise KeyError(f"no label for {str(refs[missing][0])!r}")
        out += share[:, None].astype(np.float64) * y[order[at]]
    return out
