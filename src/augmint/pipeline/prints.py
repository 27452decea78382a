"""What the leak guard keeps of held-out samples, and how children are compared with it, by medium."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from augmint.core.types import Sample
from augmint.evaluation.leaks import LeakFinder, Leaks
from augmint.evaluation.text_leaks import TextLeakFinder
from augmint.formats.images import read_image
from augmint.formats.tables import restore
from augmint.numerics.frames import small_maps
from augmint.numerics.word_prints import WordPrints, joined, word_prints


class Finder(Protocol):
    """Tells near copies of held-out samples by their prints; ``bar`` is what it measured on these."""

    bar: float

    def find(self, prints: Any, /) -> Leaks:
        """Compare prints with those held out."""


class Prints(ABC):
    """Prints of samples of one medium, small enough to be held all at once."""

    @abstractmethod
    def of(self, samples: Sequence[Sample]) -> Any:
        """Prints of these samples; they have a length."""

    @abstractmethod
    def arrays(self, prints: Any) -> dict[str, np.ndarray]:
        """The arrays of a unit."""

    @abstractmethod
    def joined(self, units: Sequence[Mapping[str, np.ndarray]]) -> Any:
        """The prints of all these units, in order."""

    @abstractmethod
    def finder(self, prints: Any, bar: float | None = None) -> Finder:
        """What compares with these."""

    @abstractmethod
    def content(self, stored: bytes) -> Any:
        """The content of a child from its stored form."""


class _PicturePrints(Prints):
    """Small maps."""

    def of(self, samples: Sequence[Sample]) -> Any:
        return small_maps(samples)

    def arrays(self, prints: Any) -> dict[str, np.ndarray]:
        return {"maps": prints}

    def joined(self, units: Sequence[Mapping[str, np.ndarray]]) -> Any:
        return np.concatenate([small_maps([]), *(unit["maps"] for unit in units)])

    def finder(self, prints: Any, bar: float | None = None) -> Finder:
        return LeakFinder(prints, bar)

    def content(self, stored: bytes) -> Any:
        return read_image(stored)[0]


class _TextPrints(Prints):
    """Hashes of words."""

    def of(self, samples: Sequence[Sample]) -> Any:
        return word_prints(samples)

    def arrays(self, prints: Any) -> dict[str, np.ndarray]:
        return {"words": prints.words, "ends": prints.ends}

    def joined(self, units: Sequence[Mapping[str, np.ndarray]]) -> Any:
        return joined([WordPrints(unit["words"], unit["ends"]) for unit in units])

    def finder(self, prints: Any, bar: float | None = None) -> Finder:
        return TextLeakFinder(prints, bar)

    def content(self, stored: bytes) -> Any:
        return restore(stored).content


PRINTS: dict[str, Prints] = {"image": _PicturePrints(), "text": _TextPrints()}
"""By modality."""
