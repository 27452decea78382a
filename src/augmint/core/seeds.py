"""Random streams addressed by what they are for, never by who draws them or when.

Every draw belongs to (seed, operation, class, unit, round, attempt); the stream is a Philox generator keyed by a
hash of these words, so that neither the number of workers nor the order of work can change a single bit.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream_key(seed: int, *address: str | int) -> bytes:
    """32 bytes that name one stream: BLAKE2b over the length-prefixed words, so no two addresses collide."""
    digest = hashlib.blake2b(digest_size=32)
    for word in (seed, *address):
        data = f"{type(word).__name__}:{word}".encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.digest()


def stream(seed: int, *address: str | int) -> np.random.Generator:
    """The generator of one address.

    Args:
        seed: the run's seed.
        address: operation, class name, unit, round, attempt: whatever names the draw.
    """
    words = np.frombuffer(stream_key(seed, *address)[:16], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=words))


def torch_seed(rng: np.random.Generator) -> int:
    """A seed for a ``torch.Generator``, drawn from ``rng``: one address feeds both libraries."""
    return int(rng.integers(0, 2**63 - 1))
