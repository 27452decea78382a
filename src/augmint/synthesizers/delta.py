r"""The step between two rows of one class, carried to a row of another.

.. math:: z = a + s\,(b_2 - b_1) \qquad y(b_1) = y(b_2)

What changes within a class (light, pose, wording) is taken from classes that have the rows to show it. b1 and b2 are
two rows of a base class; without a base, of another class of ``y``. With ``pairs="near"`` b1 is one of the k rows
nearest to the anchor, so that the step begins where the anchor is; with "random" class and pair are drawn evenly.
Hariharan and Girshick train a network to carry the step, the delta-encoder trains one to compress it; a pretrained
space is taken as flat enough to add it. Where no other class has two rows it falls back to noise and says so.

Shapes: anchors (n, *shape) -> (n, *shape); refs (n, 3) = (anchor, b1, b2), label weights (1, 0, 0): the label is the
anchor's. Ragged rows keep their length and zeros beyond it; steps are taken where all three are valid.
Papers: Hariharan and Girshick 2017, "Low-shot Visual Recognition by Shrinking and Hallucinating Features", ICCV,
arXiv:1606.02819; Schwartz et al. 2018, "Delta-encoder", NeurIPS, arXiv:1806.04734.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from augmint.core.protocols import State, Synthesizer
from augmint.core.types import F32, I64, Draw, Latents, TargetKind, Text
from augmint.numerics.moments import class_moments
from augmint.numerics.neighbors import nearest_rows
from augmint.numerics.rows import (
    check_base,
    check_width,
    checked,
    flat32,
    mask_padding,
    pack_text,
    strata,
    strata_count,
    text_array,
    unpack_text,
)
from augmint.synthesizers.noise import anchored_draw

OTHERS = "borrowed: no base, steps of the other classes"
NOBODY = "fallback: no other class of two rows, noise instead of a step"


@dataclass
class Delta(Synthesizer):
    """Steps between two rows of one class, added to anchors of another.

    Attributes:
        strength: s, how far along the step.
        pairs: "near" starts the step at one of the rows nearest to the anchor, "random" draws class and pair evenly.
        neighbors: k, rows that "near" chooses from.
        most: rows of each base class that are kept.
        fallback_strength: strength of the noise where no class can lend.
        rows_: (m, d) the rows to take steps between.
        names_: (m,) their refs.
        label_: (m,) their class.
        length_: (m,) their valid length, -1 where rows are not ragged.
        based_: (1,) 1 when they come from a base.
        rms_: (k,) spread of each class, for the fallback.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "global"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft"))
    uses: ClassVar[frozenset[Literal["pool", "base"]]] = frozenset(("base",))

    strength: float = 0.7
    pairs: str = "near"
    neighbors: int = 10
    most: int = 50
    fallback_strength: float = 0.5
    rows_: F32 = field(init=False, repr=False)
    names_: Text = field(init=False, repr=False)
    label_: I64 = field(init=False, repr=False)
    length_: I64 = field(init=False, repr=False)
    based_: I64 = field(init=False, repr=False)
    rms_: F32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.pairs not in ("near", "random"):
            raise ValueError(f"pairs = {self.pairs!r} must be 'near' or 'random'")
        for name in ("neighbors", "most"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 1")
        for name in ("strength", "fallback_strength"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} = {getattr(self, name)} must be >= 0")

    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Keep the rows to take steps between; raises UsageError for no row, or a base of another space."""
        own = rows = checked(real, "delta")
        self.rms_ = class_moments(rows, strata(real), strata_count(real)).rms
        self.based_ = np.asarray([base is not None], np.int64)
        if base is not None:
            check_base(base, real, "delta")
            rows = checked(base, "delta")
        source, kind = (real, "data") if base is None else (base, "base")
        keep = _pairable(strata(source), len(source) if base is None else self.most, rng)
        if base is not None and self.pairs == "near":
            # Of a base, only the classes in which a step can begin: those next to a real row.
            near = np.unique(nearest_rows(own, rows[keep], self.neighbors))
            keep = keep[np.isin(strata(source)[keep], strata(source)[keep[near]])]
        self.rows_, self.label_ = rows[keep].copy(), strata(source)[keep]
        self.names_ = text_array([f"{kind}:{name}" for name in source.ids[keep]])
        self.length_ = np.full(len(keep), -1) if source.length is None else source.length[keep].astype(np.int64)
        return self

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One carried step for each anchor."""
        rows, labels = flat32(anchors), strata(anchors)
        check_width(rows, self.rows_.shape[1], "delta")
        # Every row uses the same count of numbers, whether it needs the noise of the fallback or not.
        dice = rng.random((len(anchors), 3))
        first, second = self._choose(rows, labels, dice)
        alone = first < 0
        z = rows + np.float32(self.strength) * self._steps(anchors, first, second)
        for i in np.flatnonzero(alone):
            own = np.random.Generator(np.random.Philox(key=int(dice[i, 2] * 2**53)))
            noise = own.standard_normal(rows.shape[1], dtype=np.float32)
            z[i] = rows[i] + np.float32(self.fallback_strength) * self.rms_[labels[i]] * noise
        usual = "" if self.based_[0] else OTHERS
        others = np.stack([self._refs(first), self._refs(second)], axis=1)
        return anchored_draw(anchors, z, [NOBODY if lone else usual for lone in alone], others)

    def _choose(self, rows: F32, labels: I64, dice: npt.NDArray[np.float64]) -> tuple[I64, I64]:
        """(n,) and (n,) positions of b1 and b2 among the kept rows; -1 where no class can lend."""
        first, second = np.full(len(rows), -1, np.int64), np.full(len(rows), -1, np.int64)
        for c in np.unique(labels):
            own = np.flatnonzero(labels == c)
            able = np.flatnonzero((self.label_ != c) | bool(self.based_[0]))
            if len(able):
                first[own] = self._begin(rows[own], able, dice[own, 0])
        lent = np.flatnonzero(first >= 0)
        low, high = (np.searchsorted(self.label_, self.label_[first[lent]], side) for side in ("left", "right"))
        other = low + (dice[lent, 1] * (high - low - 1)).astype(np.int64)
        second[lent] = other + (other >= first[lent])
        return first, second

    def _begin(self, rows: F32, able: I64, dice: npt.NDArray[np.float64]) -> I64:
        """(n,) position of b1 among the kept rows ``able``."""
        if self.pairs == "near":
            near = able[nearest_rows(rows, self.rows_[able], self.neighbors)]
            return np.asarray(near[np.arange(len(rows)), (dice * near.shape[1]).astype(np.int64)])
        classes = np.unique(self.label_[able])
        turn, inside = np.divmod(dice * len(classes), 1.0)
        low, high = (np.searchsorted(self.label_, classes[turn.astype(np.int64)], side) for side in ("left", "right"))
        return np.asarray(low + (inside * (high - low)).astype(np.int64))

    def _steps(self, anchors: Latents, first: I64, second: I64) -> F32:
        """(n, d) from b1 to b2, zero where there is no pair and where a ragged one of them has ended."""
        step = np.zeros((len(anchors), self.rows_.shape[1]), np.float32)
        lent = np.flatnonzero(first >= 0)
        step[lent] = self.rows_[second[lent]] - self.rows_[first[lent]]
        if anchors.length is not None and len(lent):
            ends = np.minimum(self.length_[first[lent]], self.length_[second[lent]])
            shaped = step[lent].reshape(len(lent), *anchors.shape)
            step[lent] = mask_padding(shaped, np.where(ends < 0, anchors.shape[0], ends)).reshape(len(lent), -1)
        return step

    def _refs(self, position: I64) -> Text:
        """(n,) refs of the kept rows at these positions, "" for -1."""
        return text_array(["" if p < 0 else str(self.names_[p]) for p in position])

    def state(self) -> State:
        """The learned arrays."""
        return {
            "rows": self.rows_,
            "names": pack_text(self.names_),
            "label": self.label_,
            "length": self.length_,
            "based": self.based_,
            "rms": self.rms_,
        }

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.rows_, self.label_, self.length_ = state["rows"], state["label"], state["length"]
        self.names_ = unpack_text(state["names"])[: len(self.rows_)]
        self.based_, self.rms_ = state["based"], state["rms"]
        return self


def _pairable(labels: I64, most: int, rng: np.random.Generator) -> I64:
    """Rows of the classes that have two or more, class by class; of each at most ``most``, and two at least."""
    keep = []
    for c in np.unique(labels):
        members = np.flatnonzero(labels == c)
        if len(members) > most:
            members = np.sort(rng.permutation(members)[: max(2, most)])
        if len(members) > 1:
            keep.append(members)
    return np.concatenate([np.zeros(0, np.int64), *keep])
