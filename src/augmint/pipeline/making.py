"""How children are made of their anchors: drawn in latent space and decoded, or rewritten; and what follows for all.

A row that is drawn belongs to the stream of its unit; a picture that is rewritten has a stream of its own, named by its
place in the unit, so that its neighbours could be left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from augmint.core.protocols import Codec, Encoder, Rewriter, Synthesizer
from augmint.core.seeds import stream
from augmint.core.types import Draw, Latents, Sample
from augmint.pipeline.fitting import load_rewriter, load_synthesizer, load_then
from augmint.pipeline.judging import Parents
from augmint.pipeline.plan import Plan

Address = tuple[str, int, int, int]
"""Class, number of the unit in its class, round, attempt."""


class Made(NamedTuple):
    """Children, the parents of each, and a note on each."""

    children: list[Sample]
    parents: list[Parents]
    notes: list[str]


class Places(NamedTuple):
    """Places of a unit that are to get a child.

    Attributes:
        anchors: rows of the anchors; a method that works on samples looks at nothing but their number.
        likes: the anchors themselves.
        address: of the unit and the attempt.
        slots: positions in the unit.
    """

    anchors: Latents
    likes: Sequence[Sample]
    address: Address
    slots: Sequence[int]


@dataclass(frozen=True)
class Maker:
    """Makes one child for each anchor.

    Attributes:
        seed: of the run.
        method: fitted.
        then: what every child goes through, fitted; None for nothing.
        codec: decodes; None where the method works on samples, or on rows that are not decoded.
    """

    seed: int
    method: Synthesizer | Rewriter
    then: Rewriter | None
    codec: Codec | None

    @classmethod
    def load(cls, plan: Plan, arrays: Mapping[str, np.ndarray], codec: Encoder | None = None, lm: Any = None) -> Maker:
        """The method out of the fit artifact; ``lm`` is the language model of a method that is handed one."""
        method = load_rewriter(plan, arrays, lm) if plan.rewrites else load_synthesizer(plan, arrays)
        return cls(plan.seed, method, load_then(plan, arrays), codec if isinstance(codec, Codec) else None)

    def remembering(self, folder: Path, *, ask: bool) -> Maker:
        """The same, where its method asks somebody: see `Rewriter.remembering`."""
        method = self.method.remembering(folder, ask=ask) if isinstance(self.method, Rewriter) else self.method
        return replace(self, method=method)

    def make(self, places: Places) -> Made:
        """One child for each of these places of a unit."""
        return self.make_all([places])[0]

    def make_all(self, units: Sequence[Places]) -> list[Made]:
        """The same for several units, decoded together: a codec fills up its batches, and a unit is often small."""
        if isinstance(self.method, Rewriter):
            made = [self._rewritten(self.method, places) for places in units]
        else:
            made = self._decoded(self.method, units)
        return [
            own._replace(children=restyled(self.then, self.seed, own.children, places.address, places.slots))
            for own, places in zip(made, units, strict=True)
        ]

    def _rewritten(self, method: Rewriter, places: Places) -> Made:
        likes = places.likes
        made = method.children(likes, streams(self.seed, "rewrite", places.address, places.slots))
        ids = [child.parents or ((like.id, 1.0),) for child, like in zip(made, likes, strict=True)]
        parents: list[Parents] = [[(f"data:{id_}", weight) for id_, weight in own] for own in ids]
        return Made([child.sample for child in made], parents, [child.note for child in made])

    def _decoded(self, method: Synthesizer, units: Sequence[Places]) -> list[Made]:
        assert self.codec is not None
        draws = [method.sample(places.anchors, stream(self.seed, "draw", *places.address)) for places in units]
        likes = [like for places in units for like in places.likes]
        rest = iter(self.codec.decode(np.concatenate([draw.z for draw in draws]), likes) if likes else ())
        made = []
        for draw in draws:
            notes = [""] * len(draw) if draw.note is None else [str(note) for note in draw.note]
            parents = [parents_of(draw, i) for i in range(len(draw))]
            made.append(Made(list(islice(rest, len(draw))), parents, notes))
        return made


def restyled(
    then: Rewriter | None, seed: int, children: Sequence[Sample], address: Address, slots: Sequence[int]
) -> list[Sample]:
    """The children after what they all go through."""
    return list(children) if then is None else then.rewrite(children, streams(seed, "then", address, slots))


def streams(seed: int, word: str, address: Address, slots: Sequence[int]) -> list[np.random.Generator]:
    """The stream of each of these places."""
    return [stream(seed, word, *address, int(slot)) for slot in slots]


def parents_of(draw: Draw, i: int) -> Parents:
    """The parents of one row of a draw."""
    return [(str(ref), float(weight)) for ref, weight in zip(draw.refs[i], draw.label_weights[i], strict=True) if ref]
