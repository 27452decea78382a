"""Which of very many things are the same: 16 bytes of a digest each, sorted at the end."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator

import numpy as np


class Twins:
    """Collects keys of numbered things, and gives the numbers of those with one key."""

    def __init__(self) -> None:
        self._digests = bytearray()
        self._numbers = array("q")

    def add(self, number: int, key: bytes) -> None:
        """A thing and its key."""
        self._digests += hashlib.blake2b(key, digest_size=16).digest()
        self._numbers.append(number)

    def groups(self) -> Iterator[list[int]]:
        """The numbers of every key that more than one thing has, in the order they were added."""
        halves = np.frombuffer(self._digests, np.uint64).reshape(-1, 2)
        order = np.lexsort((halves[:, 1], halves[:, 0]))  # stable
        same = (halves[order][1:] == halves[order][:-1]).all(axis=1)
        edges = np.diff(np.concatenate([[0], same.astype(np.int8), [0]]))
        for first, last in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
            yield [self._numbers[at] for at in order[first : last + 1]]
