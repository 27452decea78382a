"""The corridor without a disk: fit a method on rows in memory and mint new ones beside them.

The same stages as a run (counts, fit, anchors, draw, provenance) and the same policy for anchors, without encoding,
decoding and gates. New rows are written block by block into the memory of the result, so that beside it there is never
more than one block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.core.protocols import Block, Synthesizer
from augmint.core.seeds import stream
from augmint.core.types import F32, I64, NO_PICK, Draw, Latents, Text
from augmint.numerics.rows import position_refs

BLOCK_NUMBERS = 1 << 19
"""Numbers in one block of new rows: 2 MiB of float32, to stay in the cache; fixed: random streams depend on it."""

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Minted:
    """Where new rows came from; the rows themselves are where the caller wanted them.

    Attributes:
        anchors: (m,) row of the real data that each was made like.
        parents: (m, p) by name as in ``Draw.refs``, or by position in the real data, -1 for none.
        label_weights: (m, p) their share in the label.
        pick: (m,) row of the pool that was taken unchanged, -1 where the row is new.
        notes: why rows were made in another way than the method's name says, and how many.
        ids: (n,) of the real data.
    """

    anchors: I64
    parents: Text | I64
    label_weights: F32
    pick: I64
    notes: Counter[str]
    ids: Text

    @cached_property
    def refs(self) -> Text:
        """(m, p) parents as in :class:`Draw`; made when they are asked for."""
        if self.parents.dtype.kind == "i":
            return position_refs(self.ids, self.parents.astype(np.int64))
        return self.parents.astype(np.str_)


def mint(
    method: Synthesizer,
    real: Latents,
    counts: Sequence[int],
    seed: int,
    before: npt.NDArray[Any],
    *,
    pool: Latents | None = None,
    base: Latents | None = None,
) -> tuple[npt.NDArray[Any], Minted]:
    """Fit ``method`` on ``real`` and make new rows, classes one after the other; fewer where a pool had no row left.

    Args:
        method: not fitted yet; its ``uses`` says which second sources it is given.
        real: (n, *shape).
        counts: new rows of each class; one number for targets that are not classes.
        seed: of all random numbers.
        before: (n', *shape) what stands before the new rows, and gives them their dtype.
        pool: for methods that pick from one.
        base: for methods that learn from one.

    Returns:
        (n' + m, *shape) rows, and where the m new ones came from.
    """
    method.fit(real, stream(seed, "fit"), pool=pool, base=base)
    # Zeros, which methods may add to; they cost nothing as long as memory is fresh.
    whole = np.zeros((len(before) + sum(counts), *before.shape[1:]), before.dtype)
    whole[: len(before)] = before
    out = whole[len(before) :]
    parts, filled = [], 0
    same = out.dtype == np.float32
    for blocks in _blocks(method, real, counts, seed):
        for some in [blocks] if same else [[block] for block in blocks]:
            shape = (sum(len(at) for at, _ in some), *real.shape)
            scratch = out[filled : filled + shape[0]] if same else np.zeros(shape, np.float32)
            for rows, draw in method.sample_fitted(real, some, scratch):
                parts.append(_facts(draw, rows, real.ids))
                new = parts[-1].pick != NO_PICK
                if not same or not np.may_share_memory(draw.z, out):
                    write(out[filled : filled + new.sum()], draw.z if new.all() else draw.z[new])
                filled += int(new.sum())
    return whole[: len(before) + filled], _joined(parts, real.ids)


def _blocks(method: Synthesizer, real: Latents, counts: Sequence[int], seed: int) -> Iterator[list[Block]]:
    """Of each class, the anchors of each block of new rows and its random stream.

    The anchors of a class are sorted, so that the same anchor comes in one block and a method looks for its
    neighbours once. A pool gives no row twice in one draw, so for it a class is one block, and anchors stay in turn.
    """
    picks = "pool" in method.uses
    labels = real.labels if real.target == "class" else np.zeros(len(real), np.int64)
    names = real.classes if real.target == "class" else ("",)
    size = max(*counts, 1) if picks else max(1, BLOCK_NUMBERS // max(1, real.flat.shape[1]))
    for c, name in enumerate(names):
        if not counts[c]:
            continue
        chosen = anchors_in_turn(np.flatnonzero(labels == c), counts[c], stream(seed, "anchors", name))
        chosen = chosen if picks else np.sort(chosen)
        starts = enumerate(range(0, counts[c], size))
        yield [(chosen[start : start + size], stream(seed, "draw", name, index)) for index, start in starts]


def anchors_in_turn(members: I64, count: int, rng: np.random.Generator) -> I64:
    """``count`` of these rows: every row in turn, in a shuffled order, so that none serves twice more than another."""
    return np.resize(rng.permutation(members), count)


def write(out: npt.NDArray[Any], z: F32) -> None:
    """Write float32 rows as another dtype: whole numbers are rounded and kept inside their range."""
    if out.dtype.kind in "iu":
        limits = np.iinfo(out.dtype)
        # The largest 64-bit number rounds up to one that is out of range; the next float64 below it is inside.
        most = limits.max if limits.bits < 64 else np.nextafter(float(limits.max), 0.0)
        out[...] = np.clip(np.rint(z.astype(np.float64)), limits.min, most).astype(out.dtype)
    else:
        out[...] = z


def _facts(draw: Draw, anchors: I64, ids: Text) -> Minted:
    """What is to be remembered of a block; stand-ins for rows that a pool could not give are still in it."""
    notes = Counter() if draw.note is None else Counter(draw.note[draw.note != ""].tolist())
    pick = np.full(len(draw), -1, np.int64) if draw.pick is None else draw.pick
    parents = draw.refs if draw.parents is None else draw.parents
    return Minted(anchors, parents, draw.label_weights, pick, notes, ids)


def _joined(parts: Sequence[Minted], ids: Text) -> Minted:
    """All blocks as one, without stand-ins; blocks with fewer parents are padded with nobody, of no weight."""
    width = max((part.parents.shape[1] for part in parts), default=1)
    rows = sum(len(part.anchors) for part in parts)
    kinds = [part.parents.dtype for part in parts] or [np.dtype("U1")]
    parents = np.full((rows, width), -1 if kinds[0].kind == "i" else "", np.result_type(*kinds))
    weights = np.zeros((rows, width), np.float32)
    start = 0
    for part in parts:
        stop = start + len(part.anchors)
        parents[start:stop, : part.parents.shape[1]] = part.parents
        weights[start:stop, : part.parents.shape[1]] = part.label_weights
        start = stop
    none = np.zeros(0, np.int64)
    pick = np.concatenate([none, *(part.pick for part in parts)])
    anchors = np.concatenate([none, *(part.anchors for part in parts)])
    notes: Counter[str] = sum((part.notes for part in parts), Counter())
    new = slice(None) if (pick != NO_PICK).all() else pick != NO_PICK
    return Minted(anchors[new], parents[new], weights[new], pick[new], notes, ids)


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
    out = np.zeros((len(minted.anchors), y.shape[1]))
    for refs, share in zip(minted.refs.T, minted.label_weights.T, strict=True):
        at = np.minimum(np.searchsorted(known, refs), len(known) - 1)
        missing = (known[at] != refs) & (share > 0)
        if missing.any():
            raise KeyError(f"no label for {str(refs[missing][0])!r}")
        out += share[:, None].astype(np.float64) * y[order[at]]
    return out
