"""The real rows of a fit by class, and for each anchor another row of its class to go towards or away from.

Neighbours are looked up when they are asked for, for only as many rows as are asked for; once a quarter of a class was
asked for, or where it is small, they are found for all its rows at once and kept. Either way they are the same rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import repeat
from typing import Self

import numpy as np
import numpy.typing as npt

from augmint.core.protocols import State
from augmint.core.types import F32, I64, Draw, Latents, Text
from augmint.numerics.moments import class_moments
from augmint.numerics.neighbors import nearest
from augmint.numerics.rows import (
    check_width,
    checked,
    flat32,
    mask_padding,
    pack_text,
    pair_refs,
    strata,
    strata_count,
    text_array,
    unpack_text,
)
from augmint.synthesizers.paths import PATHS, Path

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


@dataclass
class Neighborhood:
    """Real rows and who is near whom within a class.

    Attributes:
        rows: (m, d) the real rows; not a copy where they are float32.
        names: (m,) their ids.
        label: (m,) their class.
        length: (m,) their valid length, -1 where rows are not ragged.
        rms: (k,) spread that a class of fewer than two rows borrows from the others; 0 of other classes.
        position: row of each id.
        near: (rows of the class, k) of the classes whose neighbours are known, by (class, k).
        asked: rows whose neighbours were asked for, by (class, k).
    """

    rows: F32
    names: Text
    label: I64
    length: I64
    rms: F32
    position: dict[str, int] = field(init=False, repr=False)
    near: dict[tuple[int, int], I64] = field(init=False, repr=False, default_factory=dict)
    asked: Counter[tuple[int, int]] = field(init=False, repr=False, default_factory=Counter)

    def __post_init__(self) -> None:
        self.position = {name: i for i, name in enumerate(self.names.tolist())}

    @classmethod
    def of(cls, real: Latents, who: str) -> Self:
        """The rows of a fit; raises UsageError when there is none."""
        rows, label, classes = checked(real, who), strata(real), strata_count(real)
        few = np.bincount(label, minlength=classes) < 2
        rms = np.where(few, class_moments(rows, label, classes).rms if few.any() else 0.0, 0.0).astype(np.float32)
        length = np.full(len(real), -1) if real.length is None else real.length.astype(np.int64)
        return cls(rows, text_array(real.ids.tolist()), label, length, rms)

    def state(self) -> State:
        """As arrays."""
        names = pack_text(self.names)
        return {"rows": self.rows, "names": names, "label": self.label, "length": self.length, "rms": self.rms}

    @classmethod
    def load(cls, state: State) -> Self:
        """From the arrays of :meth:`state`."""
        names = unpack_text(state["names"])
        return cls(state["rows"], names, state["label"], state["length"], state["rms"])

    def draw(self, anchors: Latents, u: F64, dice: F64, how: Pairing) -> Draw:
        """A point on the way from each anchor to a partner, and its provenance.

        Args:
            anchors: (n, *shape), of the width of the fit.
            u: (n,) how far; 0 is the anchor, 1 the partner, below 0 away from it.
            dice: (n, 2) numbers in [0, 1): the choice of partner, and the seed of the noise of a row without one.
            how: the options of the method.
        """
        rows = flat32(anchors)
        check_width(rows, self.rows.shape[1], how.who)
        partner = self.partners(rows, anchors, how.neighbors, dice[:, 0])
        alone = partner < 0
        u32 = np.where(alone, 0.0, u).astype(np.float32)
        z = self._mixed(rows, anchors.shape, partner, u32, PATHS[how.path])
        z[alone] = rows[alone] + self._noise(strata(anchors)[alone], dice[alone, 1], how.fallback_strength)
        weight = np.clip(u32, 0.0, 1.0)
        return Draw(
            z=mask_padding(z.reshape(anchors.z.shape), anchors.length),
            refs=pair_refs(anchors.ids, self.names, partner),
            label_weights=np.stack([np.float32(1.0) - weight, weight], axis=1),
            length=None if anchors.length is None else anchors.length.astype(np.int64),
            note=np.where(alone, how.alone if alone.any() else "", ""),
        )

    def partners(self, rows: F32, anchors: Latents, k: int | None, dice: F64) -> I64:
        """(n,) position of another row of the anchor's class, -1 where it has none.

        Args:
            rows: (n, d) numbers of the anchors.
            anchors: the fitted row of the same id and class is the anchor itself and never its partner.
            k: one of so many nearest rows; None for any row.
            dice: (n,) numbers in [0, 1) that choose among them.
        """
        labels = strata(anchors)
        own = np.fromiter(map(self.position.get, anchors.ids.tolist(), repeat(-1)), np.int64, len(labels))
        own = np.where((own >= 0) & (self.label[own] == labels), own, -1)
        out = np.full(len(labels), -1, np.int64)
        for c in np.unique(labels):
            members = np.flatnonzero(self.label == c)
            fitted, new = (np.flatnonzero((labels == c) & (own >= 0 if known else own < 0)) for known in (True, False))
            if len(fitted) and len(members) > 1:
                at = np.searchsorted(members, own[fitted])
                out[fitted] = members[self._of_fitted(int(c), members, at, k, dice[fitted])]
            if len(new) and len(members):
                out[new] = members[self._of_new(rows[new], members, k, dice[new])]
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
        return _chosen(nearest(rows, self.rows[members], k)[1], dice)

    def nearest_members(self, c: int, members: I64, own: I64, k: int) -> I64:
        """(n, k) places among the members of a class of the rows nearest to these, nearest first.

        Args:
            c: the class.
            members: (m,) its rows.
            own: (n,) places among the members.
            k: less than m.
        """
        key, distinct = (c, k), np.unique(own)
        if key not in self.near:
            rows = self.rows[members]
            self.asked[key] += len(distinct)
            if len(members) > SMALL_CLASS and 4 * self.asked[key] < len(members):
                found = nearest(rows[distinct], rows, k + 1)[1]
                # The row itself is one of these, unless copies of it come first.
                out = found == distinct[:, None]
                out[:, -1] |= ~out.any(axis=1)
                others: I64 = found[~out].reshape(-1, k)
                return others[np.searchsorted(distinct, own)]
            self.near[key] = nearest(rows, rows, k, same=True)[1]
        return self.near[key][own]

    def _mixed(self, rows: F32, shape: tuple[int, ...], partner: I64, u: F32, path: Path) -> F32:
        """(n, d) points on the path; a ragged anchor is left as it is where its partner has ended."""
        z = np.empty_like(rows)
        for start in range(0, len(rows), step := max(1, CHUNK_NUMBERS // rows.shape[1])):
            at = slice(start, start + step)
            a, b = rows[at], np.take(self.rows, partner[at], axis=0, out=z[at], mode="clip")
            length = self.length[partner[at]]
            if (length < 0).any():
                path(a, b, u[at])
                continue
            inside = np.repeat(np.arange(shape[0]) < length[:, None], rows.shape[1] // shape[0], axis=1)
            b *= inside
            path(a * inside, b, u[at])
            np.copyto(b, a, where=~inside)
        return z

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
