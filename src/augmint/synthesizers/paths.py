r"""Points on a path through two rows a and b: on the line, or on the sphere.

.. math:: \mathrm{line} = (1 - u)\,a + u\,b \qquad
          \mathrm{sphere} = \bigl((1 - u)\lVert a \rVert + u \lVert b \rVert\bigr)\,
          \frac{\sin((1 - u)\theta)\,\hat a + \sin(u\theta)\,\hat b}{\sin\theta}

with hats for unit vectors and theta for the angle between them. The direction turns evenly and the length goes evenly
from one to the other; a length below zero (u far outside [0, 1]) is zero. Where the rows are (anti)parallel within a
thousandth, or one is zero, the sphere is the line: for parallel rows they agree, for antiparallel ones there is no
direction to turn in.

Shapes: a, b (n, d), u (n,) -> (n, d), all float32.
Paper: Shoemake 1985, "Animating rotation with quaternion curves", SIGGRAPH; for latents: White 2016, arXiv:1609.04468.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from augmint.core.types import F32

Path = Callable[[F32, F32, F32], F32]


def line(a: F32, b: F32, u: F32) -> F32:
    """Points on the straight line; ``b`` is overwritten with them."""
    b *= u[:, None]
    b += a * (np.float32(1.0) - u)[:, None]
    return b


def sphere(a: F32, b: F32, u: F32) -> F32:
    """Points on the arc of a circle, with a length in between; ``b`` is overwritten with them."""
    length = [np.sqrt(np.einsum("nd,nd->n", x, x, dtype=np.float64)) for x in (a, b)]
    product = length[0] * length[1]
    cosine = np.clip(np.einsum("nd,nd->n", a, b, dtype=np.float64) / np.where(product > 0, product, 1.0), -1.0, 1.0)
    angle = np.arccos(np.where(product > 0, cosine, 1.0))
    bent = np.sin(angle) > 1e-3
    inner, t, angle = np.where(bent, product, 1.0), u.astype(np.float64), np.where(bent, angle, 1.0)
    size = np.maximum((1.0 - t) * length[0] + t * length[1], 0.0) / (np.sin(angle) * inner)
    # Divided by both lengths above, so each row is multiplied by the other's length here.
    share = [size * np.sin((1.0 - t) * angle) * length[1], size * np.sin(t * angle) * length[0]]
    share[0], share[1] = np.where(bent, share[0], 1.0 - t), np.where(bent, share[1], t)
    b *= share[1].astype(np.float32)[:, None]
    b += share[0].astype(np.float32)[:, None] * a
    return b


PATHS: dict[str, Path] = {"line": line, "sphere": sphere}
