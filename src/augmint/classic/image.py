"""The transforms that everybody knows, for pictures: flip, crop, zoom, turn, colour, noise, RandAugment.

A child is one real picture, changed by hand-made rules that keep its label. Two uses with the same strengths: written
to a data set (``--method classic``, ``--then classic``: bicubic, each child with a generator of its own), or afresh
each time a training loop sees a picture (:meth:`ClassicImage.transform`: bilinear, a batch at a time).

Order: flip, RandAugment's moves, turn and zoom, crop (all as one resampling), then RandAugment's pixel operations,
colour, noise. Random numbers come from the generator that is passed in. kornia's own augmentation classes draw from
torch's global one, and cost five times as much for a batch; of kornia, RandAugment's pixel arithmetic is used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import Self

import numpy as np

from augmint.classic.strengths import FLIPS, PRESETS, RANGES, Strengths
from augmint.core.errors import ModelError, UsageError
from augmint.core.protocols import Rewriter, State
from augmint.core.types import Bool, Sample, Transform


@dataclass
class ClassicImage(Rewriter):
    """Hand-made transforms of pictures: flip, crop, scale, rotate, colour, noise, RandAugment; None: as the preset.

    Attributes:
        preset: light (flip and crop), standard (and scale, rotate, colour, noise), or randaugment.
        flip: none, horizontal, vertical, both, or auto, as in all presets; None, here and below: as the preset says.
        crop, scale, rotate, colour, noise, operations, magnitude: see :class:`Strengths`.
        mirror_: (1,) whether the classes stay what they are when left and right change places.
    """

    preset: str = "standard"
    flip: str | None = None
    crop: float | None = None
    scale: float | None = None
    rotate: float | None = None
    colour: float | None = None
    noise: float | None = None
    operations: int | None = None
    magnitude: float | None = None
    mirror_: Bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(f"preset = {self.preset!r} must be one of: {', '.join(PRESETS)}")
        if self.flip is not None and self.flip not in FLIPS:
            raise ValueError(f"flip = {self.flip!r} must be one of: {', '.join(FLIPS)}")
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            kinds = (int,) if name == "operations" else (int, float)
            if value is None:
                continue
            if not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high:
                raise ValueError(f"{name} = {value!r} must be a number from {low} to {high}")

        if self.asked.operations and self.asked.magnitude and find_spec("kornia") is None:
            raise ModelError(
                "RandAugment without kornia, which is not installed",
                expected="the library that its pixel operations are made with",
                do="pip install 'augmint[classic]', or choose the preset standard",
                code="missing-extra",
            )

    @property
    def asked(self) -> Strengths:
        """The preset's strengths, and over them those that were given."""
        given = {f.name: getattr(self, f.name) for f in dataclasses.fields(Strengths)}
        return dataclasses.replace(PRESETS[self.preset], **{k: v for k, v in given.items() if v is not None})

    @property
    def strengths(self) -> Strengths:
        """What is done: as asked, with ``flip: auto`` decided by the fit; raises UsageError before it."""
        asked = self.asked
        if asked.flip != "auto":
            return asked
        if not hasattr(self, "mirror_"):
            raise UsageError(
                "flip: auto, and no pictures to tell from whether their mirror images keep the label",
                expected="a fit, or a flip that is given",
                do="call .fit(samples, rng) first, or pass flip='horizontal' or flip='none'",
                code="not-fitted",
            )
        return dataclasses.replace(asked, flip="horizontal" if self.mirror_[0] else "none")

    def fit(self, samples: Sequence[Sample], rng: np.random.Generator) -> Self:
        """Find out whether mirror images keep the label, where ``flip`` is auto; nothing else is learned."""
        if self.asked.flip == "auto":
            from augmint.classic.mirror import may_mirror  # torch is loaded when it is needed

            self.mirror_ = np.array([may_mirror(samples)])
        return self

    def rewrite(self, samples: Sequence[Sample], rngs: Sequence[np.random.Generator]) -> list[Sample]:
        """One child for each picture, of its size, channels and depth; grey or colour, with alpha or not.

        Raises DataError for content that is not an image of 1 to 4 channels, uint8 or uint16.
        """
        from augmint.classic.change import child_of

        return [child_of(sample, rng, self.strengths) for sample, rng in zip(samples, rngs, strict=True)]

    def transform(self) -> Transform:
        """The same on the fly: a torch batch (n, C, H, W), 0..1, and a generator -> the changed batch."""
        from augmint.classic.change import change

        return partial(change, strengths=self.strengths)

    def told(self) -> list[str]:
        """Whether pictures are mirrored, where that was left open."""
        if not hasattr(self, "mirror_"):
            return []
        mirrored = "mirror images keep the label, so left and right change places"
        return [f"{mirrored if self.mirror_[0] else 'pictures are not mirrored'} (flip: auto)"]

    def state(self) -> State:
        """Whether to mirror, where that was found out."""
        return {"mirror": self.mirror_.astype(np.uint8)} if hasattr(self, "mirror_") else {}

    def load(self, state: State) -> Self:
        """Take the arrays of :meth:`state`."""
        if "mirror" in state:
            self.mirror_ = state["mirror"].astype(np.bool_)
        return self
