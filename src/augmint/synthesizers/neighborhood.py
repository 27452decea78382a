"""The real rows of a fit by class, and for each anchor another row of its class to go towards or away from.

Neighbours are looked up when they are asked for, for only as many rows as are asked for; once a quarter of a class was
asked for, or where it is small, they are found for all its rows at once and kept. Either way they are the same rows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from augmint.core.protocols import Batched, Block, State, Synthesizer
from augmint.core.types import F32, I64, Draw, Latents, TargetKind, Text
from augmint.numerics.moments import class_moments
from augmint.numerics.neighbors import nearest_rows
from augmint.numerics.rows import (
    check_width,
    checked,
    flat32,
    mask_padding,
    pack_text,
    pair_refs,
    strata,
    strata_count,
    unpack_text,
)
from augmint.numerics.weighted_sums import add_weighted
from augmint.synthesizers.paths import PATHS, Path, line

F64 = npt.NDArray[np.float64]

CHUNK_NUMBERS = 1 << 16
"""Numbers that are mixed at once: 256 KiB of float32, so that they stay in the cache."""

SMALL_CLASS = 1024
"""Rows of a class whose neighbours are all found at once, whatever is asked for: that costs next to nothing."""


@dataclass(frozen=True)
class Pairing:
    """The options of a method that are the same for all its rows.

    Attributes:
        who: name of the method, for messages.
        alone: note of a row without a partner.
        neighbors: k of the near rows a partner is drawn from; None for any row of the class.
        path: "line" or "sphere".
        fallback_strength: of the noise for rows without a partner, in units of the spread within classes.
    """

    who: str
    alone: str
    neighbors: int | None
    path: str
    fallback_strength: float


@dataclass(frozen=True)
class Anchors:
    """Rows to make something like, not gathered yet.

    Attributes:
        source: (m, d) rows they are among.
        at: (n,) which of these.
        ids: (n,) their names; None of rows of the fit, whose positions name them.
        label: (n,) their class.
        own: (n,) which fitted row each is, -1 for one that was not fitted.
        length: (n,) valid lengths, or None.
        shape: of one row.
    """

    source: F32
    at: I64
    ids: Text | None
    label: I64
    own: I64
    length: I64 | None
    shape: tuple[int, ...]

    def rows(self, which: npt.NDArray[np.bool_]) -> F32:
        """(n', d) numbers of those under a mask."""
        return self.source[self.at[which]]


@dataclass
class Neighborhood:
    """Real rows and who is near whom within a class.

    Attributes:
        rows: (m, d) the real rows; not a copy where they are float32.
        names: (m,) their ids.
        label: (m,) their class.
        length: (m,) their valid length, -1 where rows are not ragged.
        rms: (k,) spread that a class of fewer than two rows borrows from the others; 0 of other classes.
        near: (rows of the class, k) of the classes whose neighbours are known, by (class, k).
        asked: rows whose neighbours were asked for, by (class, k).
    """

    rows: F32
    names: Text
    label: I64
    length: I64
    rms: F32
    near: dict[tuple[int, int], I64] = field(init=False, repr=False, default_factory=dict)
    asked: Counter[tuple[int, int]] = field(init=False, repr=False, default_factory=Counter)

    @cached_property
    def position(self) -> dict[str, int]:
        """Row of each id."""
        return {name: i for i, name in enumerate(self.names.tolist())}

    @cached_property
    def members(self) -> list[I64]:
        """Rows of each class, ascending."""
        order = np.argsort(self.label, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.label, minlength=len(self.rms)))[:-1])

    @cached_property
    def place(self) -> I64:
        """(m,) place of each row among the rows of its class."""
        out = np.empty(len(self.label), np.int64)
        for members in self.members:
            out[members] = np.arange(len(members))
        return out

    @classmethod
    def of(cls, real: Latents, who: str) -> Self:
        """The rows of a fit; raises UsageError when there is none."""
        rows, label, classes = checked(real, who), strata(real), strata_count(real)
        few = np.bincount(label, minlength=classes) < 2
        rms = np.where(few, class_moments(rows, label, classes).rms if few.any() else 0.0, 0.0).astype(np.float32)
        length = np.full(len(real), -1) if real.length is None else real.length.astype(np.int64)
        return cls(rows, np.asarray(real.ids, np.str_), label, length, rms)

    def state(self) -> State:
        """As arrays."""
        names = pack_text(self.names)
        return {"rows": self.rows, "names": names, "label": self.label, "length": self.length, "rms": self.rms}

    @classmethod
    def load(cls, state: State) -> Self:
        """From the arrays of :meth:`state`."""
        names = unpack_text(state["names"])
        return cls(state["rows"], names, state["label"], state["length"], state["rms"])

    def anchors(self, given: Latents) -> Anchors:
        """Any rows; the fitted row of the same id and class is the anchor itself."""
        rows, label = flat32(given), strata(given)
        own = np.fromiter(map(self.position.get, given.ids.tolist(), repeat(-1)), np.int64, len(label))
        own = np.where((own >= 0) & (self.label[own] == label), own, -1)
        length = None if given.length is None else given.length.astype(np.int64)
        return Anchors(rows, np.arange(len(rows)), given.ids, label, own, length, given.shape)

    def fitted(self, real: Latents, at: I64) -> Anchors:
        """The rows at these positions of the fit, which was on ``real``."""
        length = None if real.length is None else self.length[at]
        return Anchors(self.rows, at, None, self.label[at], at, length, real.shape)

    def draw(self, anchors: Anchors, u: F64, dice: F64, how: Pairing, out: F32 | None = None) -> Draw:
        """A point on the way from each anchor to a partner, and its provenance.

        Args:
            anchors: n rows, of the width of the fit.
            u: (n,) how far; 0 is the anchor, 1 the partner, below 0 away from it.
            dice: (n, 2) numbers in [0, 1): the choice of partner, and the seed of the noise of a row without one.
            how: the options of the method.
            out: (n, *shape) of zeros to write the points into; None makes a new array.
        """
        check_width(anchors.source, self.rows.shape[1], how.who)
        partner = self.partners(anchors, how.neighbors, dice[:, 0])
        alone = partner < 0
        u32 = np.where(alone, 0.0, u).astype(np.float32)
        flat = np.zeros((len(u32), self.rows.shape[1]), np.float32) if out is None else out.reshape(len(u32), -1)
        self._mix(anchors, partner, u32, PATHS[how.path], flat)
        if alone.any():
            noise = self._noise(anchors.label[alone], dice[alone, 1], how.fallback_strength)
            flat[alone] = anchors.rows(alone) + noise
        weight = np.clip(u32, 0.0, 1.0)
        z = mask_padding(flat.reshape(-1, *anchors.shape), anchors.length)
        if out is not None:
            if anchors.length is not None:
                out[...] = z
            z = out
        parents = np.stack([anchors.at, partner], axis=1) if anchors.ids is None else None
        return Draw(
            z=z,
            refs=np.empty((len(z), 0), "U1") if anchors.ids is None else pair_refs(anchors.ids, self.names, partner),
            label_weights=np.stack([np.float32(1.0) - weight, weight], axis=1),
            length=anchors.length,
            note=np.where(alone, how.alone, "") if alone.any() else np.zeros(len(z), "U1"),
            parents=parents,
        )

    def partners(self, anchors: Anchors, k: int | None, dice: F64) -> I64:
        """(n,) position of another row of the anchor's class, -1 where it has none.

        Args:
            anchors: a fitted row is never its own partner.
            k: one of so many nearest rows; None for any row.
            dice: (n,) numbers in [0, 1) that choose among them.
        """
        out = np.full(len(anchors.at), -1, np.int64)
        for c in np.flatnonzero(np.bincount(anchors.label)):
            members = self.members[c]
            mine = anchors.label == c
            known, new = mine & (anchors.own >= 0), mine & (anchors.own < 0)
            if known.any() and len(members) > 1:
                at = self.place[anchors.own[known]]
                out[known] = members[self._of_fitted(int(c), members, at, k, dice[known])]
            if new.any() and len(members):
                out[new] = members[self._of_new(anchors.rows(new), members, k, dice[new])]
        return out

    def _of_fitted(self, c: int, members: I64, own: I64, k: int | None, dice: F64) -> I64:
        """(n,) place among the members of the class, never the row's own place."""
        others = len(members) - 1
        if k is None:
            any_other = (dice * others).astype(np.int64)
            return any_other + (any_other >= own)
        near = self.nearest_members(c, members, own, min(k, others))
        return _chosen(near, dice)

    def _of_new(self, rows: F32, members: I64, k: int | None, dice: F64) -> I64:
        """(n,) place among the members of the class, for rows that are not among them."""
        if k is None:
            return (dice * len(members)).astype(np.int64)
        return _chosen(nearest_rows(rows, self.rows[members], k), dice)

    def nearest_members(self, c: int, members: I64, own: I64, k: int) -> I64:
        """(n, k) places among the members of a class of the rows nearest to these, nearest first.

        Args:
            c: the class.
            members: (m,) its rows.
            own: (n,) places among the members.
            k: less than m.
        """
        key = (c, k)
        if key not in self.near:
            rows = self.rows[members]
            distinct = np.unique(own) if len(members) > SMALL_CLASS else members
            self.asked[key] += len(distinct)
            if 4 * self.asked[key] < len(members):
                found = nearest_rows(rows[distinct], rows, k + 1)
                # The row itself is one of these, unless copies of it come first.
                out = found == distinct[:, None]
                out[:, -1] |= ~out.any(axis=1)
                others: I64 = found[~out].reshape(-1, k)
                return others[np.searchsorted(distinct, own)]
            self.near[key] = nearest_rows(rows, rows, k, same=True)
        return self.near[key][own]

    def _mix(self, anchors: Anchors, partner: I64, u: F32, path: Path, out: F32) -> None:
        """Points on the path into zeros ``out``; a ragged anchor is left as it is where its partner has ended."""
        width = out.shape[1]
        step = max(1, CHUNK_NUMBERS // width)
        ragged = bool((self.length >= 0).any())
        if path is line and not ragged:
            self._lines(anchors, np.maximum(partner, 0), u, out)
            return
        buffer = np.empty((step, width), np.float32)
        for start in range(0, len(out), step):
            at = slice(start, start + step)
            b = self.rows.take(partner[at], axis=0, out=out[at], mode="clip")
            a = anchors.source.take(anchors.at[at], axis=0, out=buffer[: len(b)], mode="clip")
            if not ragged:
                path(a, b, u[at])
                continue
            inside = np.arange(anchors.shape[0]) < self.length[partner[at]][:, None]
            inside = np.repeat(inside, width // anchors.shape[0], axis=1)
            b *= inside
            path(a * inside, b, u[at])
            np.copyto(b, a, where=~inside)

    def _lines(self, anchors: Anchors, partner: I64, u: F32, out: F32) -> None:
        """As :meth:`_mix` on lines, each row read and written once: (1 - u) anchor, then u partner."""
        at, share = np.stack([anchors.at, partner], axis=1), np.stack([np.float32(1.0) - u, u], axis=1)
        if anchors.source is self.rows:
            add_weighted(self.rows, at, share, out)
            return
        add_weighted(anchors.source, at[:, :1], share[:, :1], out)
        add_weighted(self.rows, at[:, 1:], share[:, 1:], out)

    def _noise(self, labels: I64, dice: F64, strength: float) -> F32:
        """(n, d) noise of rows that stand alone, each from its own seed so that no row depends on another."""
        out = np.zeros((len(labels), self.rows.shape[1]), np.float32)
        for i, (c, number) in enumerate(zip(labels, dice, strict=True)):
            own = np.random.Generator(np.random.Philox(key=int(number * 2**53)))
            out[i] = own.standard_normal(out.shape[1], dtype=np.float32)
            out[i] *= np.float32(strength) * self.rms[c]
        return out


def _chosen(near: I64, dice: F64) -> I64:
    """(n,) one column of each row."""
    picked: I64 = near[np.arange(len(near)), (dice * near.shape[1]).astype(np.int64)]
    return picked


class NeighborMethod(Synthesizer, Batched):
    """A method that goes from each row towards, or away from, another row of its class.

    Attributes:
        real_: the real rows by class.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "class"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft", "number"))

    real_: Neighborhood

    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Keep the real rows; raises UsageError when there is none."""
        self.real_ = Neighborhood.of(real, type(self).__name__.lower())
        return self

    dice: ClassVar[int]
    """Random numbers that a row needs."""

    @abstractmethod
    def draw(self, anchors: Anchors, dice: F64, out: F32 | None = None) -> Draw:
        """One point for each anchor from its numbers in [0, 1), (n, dice), into zeros ``out`` where they are given."""

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One point for each anchor. An anchor that was not fitted is matched with the rows of its class."""
        return self.draw(self.real_.anchors(anchors), rng.random((len(anchors), self.dice)))

    def sample_fitted(self, real: Latents, blocks: Sequence[Block], out: F32) -> Iterator[tuple[I64, Draw]]:
        """As :meth:`sample` of these rows of the fit, all blocks at once, straight into ``out``."""
        at = np.concatenate([at for at, _ in blocks])
        dice = np.concatenate([rng.random((len(at), self.dice)) for at, rng in blocks])
        yield at, self.draw(self.real_.fitted(real, at), dice, out)

    def state(self) -> State:
        """The learned arrays."""
        return self.real_.state()

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.real_ = Neighborhood.load(state)
        return self
