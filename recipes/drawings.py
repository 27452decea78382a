"""Procedural pictures whose true midpoint is known: draw (A, B), and the picture halfway between their parameters.

Two families, both tensors of parameters in, pixels out: pen strokes on a plain ground, and soft discs on a mottled
ground. The mean of two parameter sets, drawn, is what a good latent space should decode at the mean of two latents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn import functional as F

STROKES, KNOTS, POINTS, DISCS = 3, 5, 17, 4


def uniform(g: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    """Uniform draws in low..high of the given shape."""
    return torch.rand(*shape, generator=g) * (high - low) + low


def chance(g: torch.Generator, p: float, *shape: int) -> Tensor:
    """True with probability p."""
    return torch.rand(*shape, generator=g) < p


def spline_basis() -> Tensor:
    """Catmull-Rom weights (POINTS, KNOTS): a curve through its knots, linear in them."""
    basis = torch.zeros(POINTS, KNOTS)
    for row, s in enumerate(torch.linspace(0, KNOTS - 1 - 1e-4, POINTS).tolist()):
        i, u = int(s), s - int(s)
        weights = (
            (-u + 2 * u * u - u**3) / 2,
            (2 - 5 * u * u + 3 * u**3) / 2,
            (u + 4 * u * u - 3 * u**3) / 2,
            (u**3 - u * u) / 2,
        )
        for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
            basis[row, min(max(i + offset, 0), KNOTS - 1)] += weight
    return basis


BASIS = spline_basis()


def grid(size: int) -> Tensor:
    """Pixel centres (size * size, 2) as (x, y) in -1..1."""
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


def lerp(a: object, b: object, t: Tensor) -> dict[str, Tensor]:
    """Field by field (1 - t) a + t b of two parameter sets; t is (n,)."""
    out = {}
    for field in fields(a):  # type: ignore[arg-type]
        x, y = getattr(a, field.name), getattr(b, field.name)
        out[field.name] = x + (y - x) * t.view(-1, *[1] * (x.ndim - 1))
    return out


@dataclass(frozen=True)
class Strokes:
    """knots (n, s, k, 2) in -1..1, pen (n,) radius, soft (n,) edge, ink and paper (n, 3), shown (n, s) 0 or 1."""

    knots: Tensor
    pen: Tensor
    soft: Tensor
    ink: Tensor
    paper: Tensor
    shown: Tensor


def glyph_knots(g: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
    """Skeletons of n characters: knots (n, s, k, 2), and which strokes exist (n, s)."""
    start = uniform(g, -0.6, 0.6, n, STROKES, 1, 2)
    heading = uniform(g, -math.pi, math.pi, n, STROKES, 1)
    bend = uniform(g, -1.4, 1.4, n, STROKES, 1)
    turns = bend * chance(g, 0.8, n, STROKES, 1) + uniform(g, -0.9, 0.9, n, STROKES, KNOTS - 1)
    angle = heading + turns.cumsum(-1)
    step = uniform(g, 0.2, 0.6, n, STROKES, 1, 1) * torch.stack([angle.cos(), angle.sin()], -1)
    knots = torch.cat([start, start + step.cumsum(2)], 2)
    for s in range(1, STROKES):  # most strokes leave from a knot of the one before
        anchor = knots[torch.arange(n), s - 1, torch.randint(KNOTS, (n,), generator=g)]
        shift = (anchor - knots[:, s, 0]) * chance(g, 0.7, n, 1)
        knots[:, s] += shift[:, None]
    ring = chance(g, 0.3, n, STROKES)
    knots[:, :, -1] = torch.where(ring[..., None], knots[:, :, 0], knots[:, :, -1])
    shown = torch.stack([torch.ones(n, dtype=torch.bool), chance(g, 0.55, n), chance(g, 0.25, n)], 1).float()
    return fit_box(knots, shown), shown


def fit_box(knots: Tensor, shown: Tensor) -> Tensor:
    """Centre the strokes that are shown and scale them to a height or width of about 1.4."""
    hidden = (shown[..., None, None] == 0).expand_as(knots)
    low = knots.masked_fill(hidden, 9).amin((1, 2), keepdim=True)
    high = knots.masked_fill(hidden, -9).amax((1, 2), keepdim=True)
    return (knots - (low + high) / 2) * (1.4 / (high - low).amax(-1, keepdim=True).clamp_min(0.3))


def affine(g: torch.Generator, n: int) -> Tensor:
    """Small linear maps (n, 2, 2): turn, slant, stretch."""
    turn, slant = uniform(g, -0.35, 0.35, n), uniform(g, -0.45, 0.45, n)
    sx, sy = uniform(g, 0.6, 1.1, n), uniform(g, 0.75, 1.1, n)
    return torch.stack(
        [
            torch.stack([turn.cos() * sx, -turn.sin() * sy + slant], 1),
            torch.stack([turn.sin() * sx, turn.cos() * sy], 1),
        ],
        1,
    )


def write(g: torch.Generator, knots: Tensor, shown: Tensor, colours: tuple[Tensor, Tensor]) -> Strokes:
    """One hand's version of given skeletons: turned, slanted, wobbly, with its own pen."""
    n = len(knots)
    wobble = torch.randn(knots.shape, generator=g) * uniform(g, 0.02, 0.11, n, 1, 1, 1)
    moved = torch.einsum("nij,nskj->nski", affine(g, n), knots + wobble) + uniform(g, -0.08, 0.08, n, 1, 1, 2)
    return Strokes(moved, uniform(g, 0.035, 0.13, n), uniform(g, 0.02, 0.05, n), *colours, shown)


def stroke_pair(g: torch.Generator, n: int) -> tuple[Strokes, Strokes]:
    """Two versions each of n characters, mostly white on black."""
    knots, shown = glyph_knots(g, n)
    plain = chance(g, 0.75, n, 1)
    ink = torch.where(plain, torch.ones(n, 3), torch.rand(n, 3, generator=g))
    paper = torch.where(plain, torch.zeros(n, 3), torch.rand(n, 3, generator=g))
    return write(g, knots, shown, (ink, paper)), write(g, knots, shown, (ink, paper))


def draw_strokes(p: Strokes, size: int) -> Tensor:
    """Pixels (n, 3, size, size) in 0..1."""
    path = torch.einsum("pk,nskc->nspc", BASIS, p.knots)
    a, ab = path[:, :, None, :-1], (path[:, :, 1:] - path[:, :, :-1])[:, :, None]
    ap = grid(size)[None, None, :, None] - a
    along = ((ap * ab).sum(-1) / ab.square().sum(-1).clamp_min(1e-6)).clamp(0, 1)
    distance = (ap - along[..., None] * ab).square().sum(-1).amin(-1).sqrt()  # (n, s, pixels)
    distance = (distance + (1 - p.shown[..., None]) * 9).amin(1)
    cover = torch.sigmoid((p.pen[:, None] - distance) / p.soft[:, None] * 2).view(-1, 1, size, size)
    return p.paper[..., None, None] + cover * (p.ink - p.paper)[..., None, None]


@dataclass(frozen=True)
class Discs:
    """centre (n, d, 2), radius (n, d, 2), turn (n, d), soft (n, d), rim and core (n, d, 3), pale (n, d) core size,
    wave (n, d, 3) lobes, ground (n, 3), mottle (n, 3, 8, 8)."""

    centre: Tensor
    radius: Tensor
    turn: Tensor
    soft: Tensor
    rim: Tensor
    core: Tensor
    pale: Tensor
    wave: Tensor
    ground: Tensor
    mottle: Tensor


def discs(g: torch.Generator, n: int) -> Discs:
    """n scenes: a disc near the centre, up to three more elsewhere, on a light or any ground."""
    centre = uniform(g, -1.2, 1.2, n, DISCS, 2)
    centre[:, -1] = uniform(g, -0.15, 0.15, n, 2)
    size = uniform(g, 0.1, 0.8, n, DISCS, 1) * chance(g, 0.6, n, DISCS, 1)
    size[:, -1] = uniform(g, 0.15, 0.9, n, 1)
    ground = torch.where(chance(g, 0.6, n, 1), uniform(g, 0.7, 0.95, n, 3), torch.rand(n, 3, generator=g))
    rim = torch.rand(n, DISCS, 3, generator=g)
    core = rim + torch.randn(n, DISCS, 3, generator=g) * 0.25
    return Discs(
        centre,
        (size * uniform(g, 0.8, 1.25, n, DISCS, 2)).clamp_min(0.02),
        uniform(g, -1, 1, n, DISCS),
        uniform(g, 0.02, 0.12, n, DISCS),
        rim,
        core.clamp(0, 1),
        uniform(g, 0.2, 0.8, n, DISCS),
        torch.randn(n, DISCS, 3, generator=g) * 0.12 * chance(g, 0.6, n, DISCS, 1),
        ground,
        torch.randn(n, 3, 8, 8, generator=g) * uniform(g, 0, 0.06, n, 1, 1, 1),
    )


def vary(g: torch.Generator, p: Discs) -> Discs:
    """Another scene of the same kind: everything moved a little, the bystanders a lot."""
    n = len(p.ground)
    shift = torch.randn(n, DISCS, 2, generator=g) * 0.12
    tint = torch.randn(n, DISCS, 3, generator=g) * 0.07
    return replace(
        p,
        centre=p.centre + shift,
        radius=p.radius * uniform(g, 0.75, 1.33, n, DISCS, 2),
        turn=p.turn + uniform(g, -0.7, 0.7, n, DISCS),
        rim=(p.rim + tint).clamp(0, 1),
        core=(p.core + tint + torch.randn(n, DISCS, 3, generator=g) * 0.05).clamp(0, 1),
        pale=(p.pale + uniform(g, -0.2, 0.2, n, DISCS)).clamp(0.1, 0.9),
        wave=p.wave + torch.randn(n, DISCS, 3, generator=g) * 0.08,
        ground=(p.ground + torch.randn(n, 3, generator=g) * 0.04).clamp(0, 1),
        mottle=p.mottle + torch.randn(n, 3, 8, 8, generator=g) * 0.01,
    )


def draw_discs(p: Discs, size: int) -> Tensor:
    """Pixels (n, 3, size, size) in 0..1; later discs lie over earlier ones."""
    n, at = len(p.ground), grid(size)
    mottle = F.interpolate(p.mottle, size=(size, size), mode="bilinear", align_corners=False)
    image = p.ground[..., None, None] + mottle
    for d in range(DISCS):
        offset = at[None] - p.centre[:, d, None]
        c, s = p.turn[:, d, None].cos(), p.turn[:, d, None].sin()
        x = (offset[..., 0] * c + offset[..., 1] * s) / p.radius[:, d, None, 0]
        y = (offset[..., 1] * c - offset[..., 0] * s) / p.radius[:, d, None, 1]
        angle = torch.atan2(y, x)
        lobes = sum(p.wave[:, d, None, k] * torch.sin((k + 2) * angle + k) for k in range(3))
        r = (x.square() + y.square()).sqrt() * (1 + lobes)
        width = (p.soft[:, d, None] / p.radius[:, d].mean(1, keepdim=True)).clamp_min(0.02)
        inner = torch.sigmoid((p.pale[:, d, None] - r) / width / 2).view(n, 1, size, size)
        cover = torch.sigmoid((1 - r) / width * 2).view(n, 1, size, size)
        colour = p.rim[:, d, :, None, None] * (1 - inner) + p.core[:, d, :, None, None] * inner
        image = image + cover * (colour + 0.5 * mottle - image)
    return image.clamp(0, 1)


def stroke_triples(g: torch.Generator, n: int, t: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures A, B and the one at t between them, each (n, 3, size, size)."""
    a, b = stroke_pair(g, n)
    parts = (a, b, Strokes(**lerp(a, b, t)))
    return tuple(draw_strokes(p, size) for p in parts)  # type: ignore[return-value]


def drawn_pairs(g: torch.Generator, strokes: int, scenes: int, size: int) -> tuple[Tensor, Tensor]:
    """Two versions each of characters, then of disc scenes, without their midpoints: two of (n, 3, size, size)."""
    a, b = stroke_pair(g, strokes)
    c = discs(g, scenes)
    d = vary(g, c)
    first = torch.cat([draw_strokes(a, size), draw_discs(c, size)])
    return first, torch.cat([draw_strokes(b, size), draw_discs(d, size)])


def disc_triples(g: torch.Generator, n: int, t: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """As `stroke_triples`, of discs."""
    a = discs(g, n)
    b = vary(g, a)
    parts = (a, b, Discs(**lerp(a, b, t)))
    return tuple(draw_discs(p, size) for p in parts)  # type: ignore[return-value]
