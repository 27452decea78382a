"""How much of each hand-made transform, and the presets."""

from __future__ import annotations

from dataclasses import dataclass

FLIPS = ("auto", "none", "horizontal", "vertical", "both")


@dataclass(frozen=True)
class Strengths:
    """How much of each transform.

    Attributes:
        flip: axes along which half of the pictures are mirrored: none, horizontal (left and right change places),
            vertical, both, or auto: horizontal where the classes of the data allow it (:mod:`augmint.classic.mirror`).
        crop: shift to either side and up or down, as a share of the side; the edge mirrors what comes in. 0..0.5.
        scale: zoom to either side of 1. 0..0.9.
        rotate: degrees to either side. 0..180.
        colour: brightness, contrast and saturation, to either side of 1. 0..1.
        noise: largest standard deviation of Gaussian noise; white is 1. 0..1.
        operations: of RandAugment, on each picture. 0..14.
        magnitude: of RandAugment's operations. 0..30.
    """

    flip: str = "none"
    crop: float = 0.0
    scale: float = 0.0
    rotate: float = 0.0
    colour: float = 0.0
    noise: float = 0.0
    operations: int = 0
    magnitude: float = 0.0

    @property
    def moves(self) -> bool:
        """Whether anything is moved, RandAugment's moves apart."""
        return self.flip != "none" or any((self.crop, self.scale, self.rotate))


PRESETS = {
    "light": Strengths(flip="auto", crop=0.125),
    "standard": Strengths(flip="auto", crop=0.125, scale=0.1, rotate=10.0, colour=0.2, noise=0.02),
    "randaugment": Strengths(flip="auto", crop=0.125, operations=2, magnitude=9.0),
}
RANGES = {
    "crop": (0, 0.5),
    "scale": (0, 0.9),
    "rotate": (0, 180),
    "colour": (0, 1),
    "noise": (0, 1),
    "operations": (0, 14),
    "magnitude": (0, 30),
}
