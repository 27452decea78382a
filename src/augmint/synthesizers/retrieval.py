r"""Real rows of an unlabelled pool: surely of the anchor's class, near the anchor, and unlike those picked before.

.. math::
    c(u) = \arg\max_c p(c \mid u) \qquad C_c = \{u : c(u) = c,\; p(c \mid u) \ge t\} \\
    u_i = \arg\max_{u \in N_i} \; \min_{v \in R_c \cup \{u_1, \ldots, u_{i-1}\}} \lVert u - v \rVert
    \qquad N_i = \mathrm{kNN}(a_i) \subseteq C_c \setminus \{u_1, \ldots, u_{i-1}\}

``p`` is a calibrated logistic probe on the real rows. The i-th anchor of class c looks at its k nearest rows of the
pool that the probe gives to c and that are still free, and takes the one farthest from the real rows ``R_c`` and the
picks before it (greedy k-center); with ``pick="margin"`` the one that the probe is surest of,
:math:`p_{(1)} - p_{(2)}`. A row of the pool has one class, so no row is picked twice in a draw, and a pick depends
on the anchors of its class before it, never on those after it. Rows that equal a real row are never picked. The
label is the anchor's. An anchor that finds no free row gets ``NO_PICK``, its own row as a stand-in, and a note.

With ``labels="soft"`` a row keeps what the probe says of the other classes, too, and no class is dearer to the probe
than another. A few rows tell neither the temperature nor the priors of a probe, the pool tells its spread:

.. math::
    s_c(u) = \frac{\log p(c \mid u) - \overline{\log p(c \mid \cdot)}}{\mathrm{sd}}  \qquad
    q(c \mid u) = \mathrm{softmax}_c \bigl(\beta\, s_c(u) + b_c\bigr),\; b : \; \overline{q(c \mid \cdot)} = 1 / k

``q`` then takes the place of p. The other parents are the nearest real rows of the next classes: the label is the mean
of the parents' labels by q, as for every method, and no label is invented.

Shapes: anchors (n, *shape), pool (m, *shape) -> picks (n, *shape); refs (n, 2) = (pool row, anchor), label weights
(0, 1); soft: (n, 1 + min(k, SHARED)). A pick costs O(m d); nothing is random.
Papers: Sener and Savarese 2018, "Active learning for CNNs: a core-set approach", arXiv:1708.00489 (k-center);
Scheffer et al. 2001, "Active hidden Markov models for information extraction" (margin); Guo et al. 2017,
arXiv:1706.04599 (calibration).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from augmint.core.errors import UsageError
from augmint.core.protocols import State, Synthesizer
from augmint.core.types import F32, I64, NO_PICK, Draw, Latents, TargetKind, Text
from augmint.numerics.neighbors import nearest, nearest_rows
from augmint.numerics.probe import Probe
from augmint.numerics.rows import check_width, checked, flat32, pack_text, strata, text_array, unpack_text

RULES = ("k-center", "margin")
LABELS = ("anchor", "soft")
SHARED = 5
"""Most classes that share a soft label."""

SHARPNESS = 2.0
"""beta. Calibrated temperatures at 10 of each class were 0.06 to 20; this was tried on pairs that no table uses."""

EXHAUSTED = "short: no row of the pool is left for the class"


@dataclass
class Retrieval(Synthesizer):
    """Real rows of an unlabelled pool, near each anchor, sure of its class, and unlike each other.

    Attributes:
        pick: rule among the nearest free rows: "k-center" (unlike what is there) or "margin" (surest).
        confidence: t, the calibrated probability that a row must have to be given a class, in [0, 1).
        neighbors: k, how many of an anchor's nearest free rows the rule chooses from, >= 1.
        labels: "anchor" (a row has its anchor's label) or "soft" (what the probe says of the next classes counts).
        rows_: (m, d) rows of the pool that were given a class.
        names_: (m,) their ids.
        place_: (m,) their position in the pool.
        label_: (m,) their class.
        length_: (m,) their valid length, -1 where rows are not ragged.
        margin_: (m,) how far the probe prefers it to the next class.
        apart_: (m,) distance to the nearest real row of the class.
        share_: (m, p) weights of the classes of a label, the row's own first; 1 alone where labels are the anchor's.
        mates_: (m, p - 1) ids of the real rows that stand for the other classes.
    """

    scope: ClassVar[Literal["row", "class", "global"]] = "global"
    targets: ClassVar[frozenset[TargetKind]] = frozenset(("class", "soft"))
    uses: ClassVar[frozenset[Literal["pool", "base"]]] = frozenset(("pool",))

    pick: str = "k-center"
    confidence: float = 0.5
    neighbors: int = 10
    labels: str = "anchor"
    rows_: F32 = field(init=False, repr=False)
    names_: Text = field(init=False, repr=False)
    place_: I64 = field(init=False, repr=False)
    label_: I64 = field(init=False, repr=False)
    length_: I64 = field(init=False, repr=False)
    margin_: F32 = field(init=False, repr=False)
    apart_: F32 = field(init=False, repr=False)
    share_: F32 = field(init=False, repr=False)
    mates_: Text = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.labels not in LABELS:
            raise ValueError(f"labels = {self.labels!r} must be one of {', '.join(LABELS)}")
        if self.pick not in RULES:
            raise ValueError(f"pick = {self.pick!r} must be one of {', '.join(RULES)}")
        if not 0.0 <= self.confidence < 1.0:
            raise ValueError(f"confidence = {self.confidence} must lie in [0, 1)")
        if self.neighbors < 1:
            raise ValueError(f"neighbors = {self.neighbors} must be >= 1")

    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Give each row of the pool a class, or none.

        Raises:
            UsageError: no real row, no pool, or a pool of another space.
        """
        rows = checked(real, "retrieval")
        found = _checked_pool(real, pool)
        probe = Probe().fit(rows, real.y, real.groups)
        if self.labels == "soft":
            probe.temperature_ = 1.0  # it cancels out, but for the digits that sure rows would lose
        probability = probe.predict_proba(found)
        if self.labels == "soft":
            probability = even(probability)
        ranked = np.sort(probability, axis=1)
        label = np.argmax(probability, axis=1).astype(np.int64)
        # Rows that are there already would teach nothing, and would put their copies beside them.
        new = nearest(found, rows, 1)[0][:, 0] > 0
        self.place_ = np.flatnonzero(new & (ranked[:, -1] >= self.confidence)).astype(np.int64)
        assert pool is not None
        self.rows_, self.names_ = found[self.place_], pool.ids[self.place_]
        self.label_ = label[self.place_]
        self.length_ = (np.full(len(pool), -1) if pool.length is None else pool.length.astype(np.int64))[self.place_]
        second = ranked[:, -2] if ranked.shape[1] > 1 else np.zeros(len(ranked), np.float32)
        self.margin_ = (ranked[:, -1] - second)[self.place_].astype(np.float32)
        self.apart_ = np.zeros(len(self.place_), np.float32)
        for c in np.unique(self.label_):
            own = self.label_ == c
            self.apart_[own] = nearest(self.rows_[own], rows[strata(real) == c], 1)[0][:, 0]
        self.share_, self.mates_ = np.ones((len(self.place_), 1), np.float32), np.zeros((len(self.place_), 0), np.str_)
        if self.labels == "soft":
            self._share(probability[self.place_], real, rows)
        return self

    def _share(self, probability: F32, real: Latents, rows: F32) -> None:
        """Who has a part in the label of each row."""
        label, present = strata(real), int((probability.max(axis=0, initial=0.0) > 0).sum())
        order = np.argsort(-probability, axis=1, kind="stable")[:, : max(1, min(SHARED, present))]
        share = np.take_along_axis(probability, order, axis=1)
        self.share_ = np.asarray(share / np.maximum(share.sum(axis=1, keepdims=True), 1e-12), np.float32)
        near = np.full((len(self.place_), probability.shape[1]), -1, np.int64)
        for c in np.unique(label):
            own = np.flatnonzero(label == c)
            near[:, c] = own[nearest_rows(self.rows_, rows[own], 1)[:, 0]]
        others = np.take_along_axis(near, order[:, 1:], axis=1)
        self.mates_ = text_array([f"data:{real.ids[at]}" for at in others.ravel()]).reshape(others.shape)

    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One row of the pool for each anchor, in the order of the anchors; none twice."""
        rows, labels = flat32(anchors), strata(anchors)
        check_width(rows, self.rows_.shape[1], "retrieval")
        chosen = np.full(len(anchors), -1, np.int64)
        for c in np.unique(labels):
            slots = np.flatnonzero(labels == c)
            chosen[slots] = self._choose(rows[slots], np.flatnonzero(self.label_ == c))
        given = chosen >= 0
        z, length = rows.copy(), None
        z[given] = self.rows_[chosen[given]]
        if anchors.length is not None:
            length = anchors.length.astype(np.int64)
            length[given] = self.length_[chosen[given]]
        return Draw(
            z=z.reshape(anchors.z.shape),
            refs=self._refs(anchors, chosen),
            label_weights=self._weights(chosen),
            length=length,
            pick=np.where(given, np.append(self.place_, NO_PICK)[chosen], NO_PICK),
            note=text_array(["" if here else EXHAUSTED for here in given]),
        )

    def _choose(self, anchors: F32, members: I64) -> I64:
        """(n,) position of the row each anchor of a class takes among the candidates, -1 when none is left."""
        apart = _Distances(self.rows_[members])
        score = (self.margin_ if self.pick == "margin" else self.apart_)[members]
        free = np.ones(len(members), np.bool_)
        order: dict[bytes, npt.NDArray[np.intp]] = {}
        chosen = np.full(len(anchors), -1, np.int64)
        for i, anchor in enumerate(anchors[: len(members)]):
            key = anchor.tobytes()
            if key not in order:
                order[key] = np.argsort(apart.from_row(anchor), kind="stable")
            near = order[key][free[order[key]]][: self.neighbors]
            best = int(near[np.argmax(score[near])])
            chosen[i], free[best] = members[best], False
            if self.pick == "k-center":
                score = np.minimum(score, apart.from_row(apart.rows[best]))
        return chosen

    def _refs(self, anchors: Latents, chosen: I64) -> Text:
        """(n, 1 + p) row of the pool, anchor and those who share in the label; "" where there is no row."""
        none = [""] * self.mates_.shape[1]
        rows = []
        for at, name in zip(chosen, anchors.ids, strict=True):
            picked, mates = ("", none) if at < 0 else (f"pool:{self.names_[at]}", self.mates_[at].tolist())
            rows.append([picked, f"data:{name}", *mates])
        return text_array(rows).reshape(-1, 2 + len(none))

    def _weights(self, chosen: I64) -> F32:
        """(n, 1 + p) none for the row of the pool, then the shares; all of it the anchor's where there is no row."""
        out = np.zeros((len(chosen), 1 + self.share_.shape[1]), np.float32)
        out[:, 1] = 1.0
        given = chosen >= 0
        out[given, 1:] = self.share_[chosen[given]]
        return out

    def state(self) -> State:
        """The learned arrays."""
        return {
            "rows": self.rows_,
            "names": pack_text(self.names_),
            "place": self.place_,
            "label": self.label_,
            "length": self.length_,
            "margin": self.margin_,
            "apart": self.apart_,
            "share": self.share_,
            "mates": pack_text(self.mates_.ravel()),
        }

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        self.rows_, self.place_, self.label_ = state["rows"], state["place"], state["label"]
        self.length_, self.margin_, self.apart_ = state["length"], state["margin"], state["apart"]
        self.names_ = unpack_text(state["names"])[: len(self.place_)]  # no names are packed as one that is empty
        self.share_ = state["share"]
        shape = (len(self.place_), self.share_.shape[1] - 1)
        self.mates_ = unpack_text(state["mates"])[: shape[0] * shape[1]].reshape(shape)
        return self


def even(probability: F32) -> F32:
    """(m, k) q, of p: classes that the probe knows have the same mean over the rows; 0 for the others."""
    known = probability.max(axis=0, initial=0.0) > 0
    score = np.log(np.maximum(probability[:, known].astype(np.float64), 1e-30))
    score -= score.mean(axis=1, keepdims=True)
    score -= score.mean(axis=0)
    score *= SHARPNESS / max(float(score.std()), 1e-12)
    for _ in range(100):
        share = softmax(score, axis=1)
        score -= np.log(share.mean(axis=0) * share.shape[1])
    out = np.zeros_like(probability)
    out[:, known] = softmax(score, axis=1)
    return out


@dataclass
class _Distances:
    """Distances from one row at a time to all ``rows`` (m, d), by one product of matrix and vector each."""

    rows: F32

    def __post_init__(self) -> None:
        # Around their mean the rows are short, and the difference of squares below loses few digits.
        self.center = self.rows.mean(axis=0) if len(self.rows) else np.zeros(self.rows.shape[1], np.float32)
        self.short = self.rows - self.center
        self.size = np.einsum("md,md->m", self.short, self.short)

    def from_row(self, row: F32) -> F32:
        """(m,) distances."""
        own = row - self.center
        return np.asarray(np.sqrt(np.maximum(self.size - 2.0 * (self.short @ own) + own @ own, 0.0)), np.float32)


def _checked_pool(real: Latents, pool: Latents | None) -> F32:
    """The pool's rows, (m, d) float32; m >= 1, and of the space of the real rows."""
    if pool is None or not len(pool):
        raise UsageError(
            "retrieval: no pool" if pool is None else "retrieval: a pool without rows",
            expected="unlabelled samples of the same kind as the data",
            do="give them: --pool DIR, or pool= in Python",
            code="no-pool",
        )
    if pool.space != real.space:
        raise UsageError(
            f"retrieval: a pool of the space {pool.space!r}",
            expected=f"{real.space!r}, the space of the real rows",
            do="encode both with the same model and size",
            code="space-mismatch",
        )
    rows = checked(pool, "retrieval: pool")
    check_width(rows, flat32(real).shape[1], "retrieval: pool")
    return rows
