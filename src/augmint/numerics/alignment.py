r"""How alike two pictures are when one may be a piece of the other, mirrored, brighter or noisier.

With N(x) a map whose channels have mean zero and whose numbers have length 1, the distance of a map q to a map p is

.. math:: d(q, p) = \min_{f, w} \lVert N(f q) - N(p \circ w) \rVert = \sqrt{2 - 2 \max_{f, w} r}

over mirrorings f of q and windows w of p: 65 to 110 % of its height and of its width, anywhere in it. r is the
correlation, so that brightness and contrast do not count; 0 is the same picture, 1.41 an unrelated one. Two steps: a
grid of windows at COARSE x COARSE cells says which few maps and windows are worth looking at (:class:`Windows`), then
the window's four numbers follow the gradient of r, as in image registration (:func:`aligned`). What is aligned at S x S
is compared at S/2 x S/2, where noise and the traces of JPEG are weaker.

Shapes: maps (n, C, S, S) float32; a window is (top, height, left, width) as shares of the side.
Paper: Evangelidis & Psarakis 2008, "Parametric image alignment using enhanced correlation coefficient maximization".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augmint.core.types import F32, I64

COARSE = 8
"""Cells a side at which all windows of all maps are compared."""

SIDES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)
"""Sides of the windows of the grid; their corners are SPACING apart or nearer."""

SPACING = 0.05

FOUND = 24
"""Maps that are looked at closely for each query."""

STEPS = 6
"""Steps along the gradient."""

_LEAST, _MOST = 0.65, 1.1
_STRIDE = 0.06
_FLAT = 1e-3


@dataclass(frozen=True)
class Nearest:
    """The maps nearest to each query, nearest first: distances (n, k) and positions (n, k)."""

    distance: F32
    index: I64


class Windows:
    """Maps to look queries up in.

    Args:
        maps: (m, C, S, S), S a multiple of COARSE. 24 KB are kept for each of them beside itself.
    """

    def __init__(self, maps: F32) -> None:
        # Grey pictures need one channel; a query's colours are then averaged.
        grey = maps.shape[1] == 1 or bool((maps == maps[:, :1]).all())
        self.maps = np.ascontiguousarray(maps[:, :1] if grey else maps)
        self.grid = window_grid()
        plane = self.maps.mean(axis=1, keepdims=True)
        self._cells = np.stack([_rows(_window_means(plane, window)) for window in self.grid])

    def find(self, queries: F32, own: I64 | None = None) -> Nearest:
        """The FOUND maps that come nearest to each query, by their exact distances.

        Args:
            queries: (n, C, S, S).
            own: (n,) positions of the queries where they are among the maps: none is compared with itself.
        """
        asked = queries.mean(axis=1, keepdims=True) if self.maps.shape[1] == 1 else queries
        index, window, mirror = self._candidates(asked, own)
        n, k = index.shape
        distance = np.empty((n, k), np.float32)
        for i in range(n):
            turned = mirrored(asked[i : i + 1])[mirror[i], 0]
            distance[i] = aligned(turned, self.maps[index[i]], self.grid[window[i]])
        order = np.argsort(distance, axis=1, kind="stable")
        return Nearest(np.take_along_axis(distance, order, 1), np.take_along_axis(index, order, 1))

    def _candidates(self, queries: F32, own: I64 | None) -> tuple[I64, I64, I64]:
        """(n, k) map, window and mirroring of the best coarse matches."""
        n, m = len(queries), len(self.maps)
        whole = mirrored(queries.mean(axis=1, keepdims=True))
        cells = np.stack([_rows(_window_means(turned, np.array([0.0, 1.0, 0.0, 1.0]))) for turned in whole])
        best, how = np.full((n, m), -2.0, np.float32), np.zeros((n, m), np.int64)
        for v, known in enumerate(self._cells):
            for f, turned in enumerate(cells):
                r = turned @ known.T
                better = r > best
                best[better], how[better] = r[better], v * len(cells) + f
        if own is not None:
            best[np.arange(n), own] = -3.0
        k = min(FOUND, m if own is None else m - 1)
        index = np.argsort(-best, axis=1, kind="stable")[:, :k].astype(np.int64)
        chosen = np.take_along_axis(how, index, 1)
        return index, chosen // len(cells), chosen % len(cells)


def mirrored(maps: F32) -> F32:
    """(4, n, C, S, S): as they are, left to right, top to bottom, both."""
    return np.stack([maps, maps[..., ::-1], maps[..., ::-1, :], maps[..., ::-1, ::-1]])


def window_grid() -> F32:
    """(w, 4) windows of every one of SIDES, evenly spread."""
    found = []
    for side in SIDES:
        corners = np.linspace(0.0, 1.0 - side, round((1.0 - side) / SPACING) + 1)
        found += [(top, side, left, side) for top in corners for left in corners]
    return np.array(found, np.float32)


def normed(maps: F32) -> F32:
    """N: every channel with mean zero, every map of length 1; flat maps stay near zero."""
    centred = maps - maps.mean(axis=(2, 3), keepdims=True)
    out: F32 = centred / _length(centred)
    return out


def _length(centred: F32) -> F32:
    """(n, 1, 1, 1) lengths; flat maps count as FLAT long."""
    length: F32 = np.sqrt(np.einsum("ncij,ncij->n", centred, centred))[:, None, None, None]
    return np.maximum(length, _FLAT)


def aligned(queries: F32, maps: F32, windows: F32) -> F32:
    """(n,) distance of each query to its map, from this window on to the best near it."""
    side = maps.shape[-1]
    target, soft, window = _rows(queries), _rows(_halved(queries)), windows.astype(np.float64)
    best, said = np.full((2, len(maps)), -1.0, np.float32)
    for step in range(STEPS + 1):
        seen = _read(maps, window)
        found = _rows(seen)
        r = np.einsum("nd,nd->n", target, found)
        better = r > best
        best[better] = r[better]
        said[better] = np.einsum("nd,nd->n", soft, _rows(_halved(seen)))[better]
        if step < STEPS:
            window = _climb(window, target, seen, found, r, side)
    out: F32 = np.sqrt(np.maximum(2.0 - 2.0 * said, 0.0)).astype(np.float32)
    return out


def _rows(maps: F32) -> F32:
    return normed(maps).reshape(len(maps), -1)


def _halved(maps: F32) -> F32:
    """(n, C, S/2, S/2) means of 2 x 2 cells."""
    n, channels, side, _ = maps.shape
    out: F32 = maps.reshape(n, channels, side // 2, 2, side // 2, 2).mean(axis=(3, 5))
    return out


def _read(maps: F32, window: np.ndarray) -> F32:
    """The windows of the maps at the maps' own size, read between the pixels."""
    side = maps.shape[-1]
    down = _between(window[:, 0], window[:, 1], side)[:, None]
    across = _between(window[:, 2], window[:, 3], side)[:, None]
    out: F32 = (down @ maps @ across.transpose(0, 1, 3, 2)).astype(np.float32, copy=False)
    return out


def _between(start: np.ndarray, length: np.ndarray, side: int) -> F32:
    """(n, S, S) matrices that read S positions of a line of S pixels, linearly between two of them."""
    places = (start[:, None] + length[:, None] * (np.arange(side) + 0.5) / side) * side - 0.5
    places = np.clip(places, 0, side - 1)
    low = np.minimum(np.floor(places), side - 2)
    share = (places - low)[..., None]
    offset = np.arange(side) - low[..., None]
    out: F32 = ((offset == 0) * (1.0 - share) + (offset == 1) * share).astype(np.float32)
    return out


def _climb(window: np.ndarray, target: F32, seen: F32, found: F32, r: F32, side: int) -> np.ndarray:
    """The windows after one Gauss-Newton step towards a larger correlation."""
    n = len(window)
    length = _length(seen - seen.mean(axis=(2, 3), keepdims=True))
    at = ((np.arange(side) + 0.5) / side).astype(np.float32)
    slopes = []
    for axis, place in ((2, at[:, None]), (3, at[None, :])):
        # From the slope along the window's pixels to that along the map's side.
        scale = (side / window[:, 2 * axis - 3]).astype(np.float32)[:, None, None, None]
        slope = np.gradient(seen, axis=axis) * scale / length
        slopes += [slope, slope * place]
    jacobian = np.stack([(s - s.mean(axis=(2, 3), keepdims=True)).reshape(n, -1) for s in slopes], axis=1)
    jacobian -= np.einsum("npd,nd->np", jacobian, found)[:, :, None] * found[:, None]
    # The query is about r times the window: what is left of it is what the four slopes should explain.
    left = target / np.maximum(r, 0.3)[:, None] - found
    square = jacobian @ jacobian.transpose(0, 2, 1)
    ridge = 1e-3 * np.trace(square, axis1=1, axis2=2) / 4 + 1e-6
    square = square + ridge[:, None, None] * np.eye(4, dtype=np.float32)
    stride = np.linalg.solve(square, np.einsum("npd,nd->np", jacobian, left)[:, :, None])[:, :, 0]
    out: np.ndarray = window + np.clip(stride, -_STRIDE, _STRIDE)
    out[:, 1::2] = np.clip(out[:, 1::2], _LEAST, _MOST)
    return out


def _window_means(maps: F32, window: np.ndarray) -> F32:
    """(n, C, COARSE, COARSE) means of the cells of one window."""
    down, across = (_cells(float(window[at]), float(window[at + 1]), maps.shape[-1]) for at in (0, 2))
    out: F32 = (down @ maps @ across.T).astype(np.float32, copy=False)
    return out


def _cells(start: float, length: float, side: int) -> F32:
    """(COARSE, S) matrix of the means over the cells of a line of S pixels."""
    edges = (start + length * np.arange(COARSE + 1) / COARSE) * side
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(side)
    shared = np.minimum(high, pixel + 1) - np.maximum(low, pixel)
    out: F32 = (np.maximum(shared, 0.0) / (high - low)).astype(np.float32)
    return out
