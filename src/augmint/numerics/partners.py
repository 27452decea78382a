"""The fitted rows as partners: one drawn evenly for each anchor, never the anchor itself.

Shapes: rows (m, d); partners (n,) positions among the m rows, -1 where an anchor has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from augmint.core.protocols import State
from augmint.core.types import F32, I64, Latents, Text
from augmint.numerics.rows import checked, mask_padding, pack_text, pair_refs, strata, unpack_text


@dataclass(frozen=True)
class Partners:
    """Rows that were fitted, in the order of their groups.

    Attributes:
        rows: (m, d).
        names: (m,) ids.
        label: (m,) group of each row, ascending, see :func:`~augmint.numerics.rows.strata`.
        length: (m,) valid lengths, -1 where rows are not ragged.
    """

    rows: F32
    names: Text
    label: I64
    length: I64

    @classmethod
    def of(cls, real: Latents, who: str) -> Self:
        """The rows of a fit, copied; raises UsageError when there is none, DataError when one is not finite."""
        rows, label = checked(real, who), strata(real)
        length = np.full(len(real), -1) if real.length is None else real.length.astype(np.int64)
        order = np.argsort(label, kind="stable")
        return cls(rows[order], real.ids[order], label[order], length[order])

    def draw(self, anchors: Latents, dice: npt.NDArray[np.float64], *, across: bool) -> I64:
        """(n,) a partner for each anchor from its number in [0, 1).

        Args:
            anchors: rows that were fitted; one that was not is never given the last row of its group.
            dice: (n,).
            across: from all rows instead of the anchor's group.
        """
        first, end = np.zeros(len(anchors), np.int64), np.full(len(anchors), len(self.rows))
        if not across:
            group = strata(anchors)
            first, end = (np.searchsorted(self.label, group, side=side) for side in ("left", "right"))
        # Drawn among all but the last row of the group; who meets itself takes the last one: each other row is as
        # likely as any, and nobody has to be looked up by name.
        last = np.maximum(end - 1, 0)
        near = np.minimum(first + (dice * (end - first - 1)).astype(np.int64), last)
        near = np.where(self.names[near] == anchors.ids, last, near)
        return np.where((first == end) | (self.names[near] == anchors.ids), -1, near)

    def steps(self, anchors: Latents, rows: F32, partner: I64) -> F32:
        """(n, d) from each anchor's row to its partner: zero where it has none or a ragged partner has ended."""
        step = np.where(partner[:, None] < 0, np.float32(0), self.rows[partner] - rows).reshape(anchors.z.shape)
        return self.until_end(step, partner).reshape(rows.shape)

    def until_end(self, z: F32, partner: I64) -> F32:
        """Rows (n, *shape) with zeros where a ragged partner has ended."""
        length = self.length[partner]
        return mask_padding(z, None if (length < 0).any() else length)

    def refs(self, anchors: Latents, partner: I64) -> Text:
        """(n, 2) anchor and partner; "" where there is no partner."""
        return pair_refs(anchors.ids, self.names, partner)

    def state(self) -> State:
        """The arrays; ``Partners.from_state(state())`` is the same."""
        return {"rows": self.rows, "names": pack_text(self.names), "label": self.label, "length": self.length}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Inverse of :meth:`state`."""
        return cls(state["rows"], unpack_text(state["names"]), state["label"], state["length"])
