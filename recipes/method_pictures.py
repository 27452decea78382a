"""One picture for each method's page: docs/images/methods/NAME.png.

Top left, the method on a toy in the plane: three classes, real rows, minted rows in the colour of their label, lines
from parents to some of them. Top right, the same on real latents: handwritten digits (scikit-learn's) in the space of
tiny-image, on the first two principal components of the real rows. Below, what users see: real digits and their
children, decoded. Default options. Methods with a second source get other rows: a pool of digits of the same kinds
without labels, a base of other kinds with labels. ``classic``, which knows no latents: see classic_picture.py.

    pip install matplotlib                          # not a dependency of augmint; 3.11.2 was used
    python recipes/method_pictures.py               # all methods; or names: python recipes/method_pictures.py noise gan
"""

from __future__ import annotations

import argparse
import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

import classic_picture
from augmint.core.protocols import Codec, Synthesizer
from augmint.core.registry import build
from augmint.core.seeds import stream
from augmint.core.types import NO_PICK, Draw, Latents, Sample
from augmint.models import load_encoder
from augmint.numerics.rows import text_array
from augmint.synthesizers import TABLE

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images" / "methods"
COLOURS = np.array([[0.12, 0.38, 0.72], [0.85, 0.33, 0.10], [0.10, 0.58, 0.36]])
GREY = "0.62"
KINDS, OTHERS = (0, 4, 7), (1, 2, 6, 9)
"""Digits that are the real rows, and digits that are the base."""

SIDE, SIZE = 32, 128
"""Pixels of a digit as it is shown, and the working size of tiny-image."""

PAIRS = 12


@dataclass(frozen=True)
class Scene:
    """Rows to show a method on.

    Attributes:
        real: labelled rows; ``pool``: without labels; ``base``: of other classes.
        real_images, pool_images: the pictures behind the rows; empty for the toy.
    """

    real: Latents
    pool: Latents
    base: Latents
    real_images: list[Sample]
    pool_images: list[Sample]


def rows_of(z: np.ndarray, labels: np.ndarray, name: str, space: str) -> Latents:
    """Rows with one-hot labels and ids."""
    y = np.eye(int(labels.max()) + 1, dtype=np.float32)[labels]
    ids = text_array([f"{name}{i}" for i in range(len(z))])
    return Latents(ids, z.astype(np.float32), y, tuple(f"{name} class {c}" for c in range(y.shape[1])), space=space)


def toy() -> Scene:
    """A bow, a slanted ellipse and a small cloud in the plane; the pool is more of the same, the base lies beside."""
    rng = np.random.default_rng(3)

    def draw(counts: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        turn = rng.uniform(0.1, 0.9 * np.pi, counts[0])
        bow = 2.4 * np.stack([np.cos(turn), np.sin(turn)], 1) + rng.normal(0, 0.16, (counts[0], 2)) + [-2.2, 0.4]
        ellipse = rng.normal(0, 1, (counts[1], 2)) @ [[1.2, 0.7], [0.0, 0.25]] + [2.4, 0.6]
        cloud = rng.normal(0, 0.45, (counts[2], 2)) + np.array([0.2, -1.9])
        return np.concatenate([bow, ellipse, cloud]), np.repeat([0, 1, 2], counts)

    real = rows_of(*draw((30, 24, 6)), "real ", "plane")
    pool = rows_of(*draw((40, 40, 40)), "pool ", "plane")
    centers = np.repeat([[-3.6, -1.6], [3.4, -1.4], [0.4, 3.4]], 20, axis=0)
    base = rng.normal(0, 1, (60, 2)) * [0.6, 0.25] + centers
    return Scene(real, pool, rows_of(base, np.repeat([0, 1, 2], 20), "base ", "plane"), [], [])


def digits(codec: Codec) -> Scene:
    """Handwritten digits: 40, 40 and 12 real ones, a pool of 40 of each of the same kinds, a base of other kinds."""
    pixels, labels = load_digits(return_X_y=True)
    found = [np.flatnonzero(labels == kind) for kind in KINDS]
    real = [rows[:count] for rows, count in zip(found, (40, 40, 12), strict=True)]
    pool = [rows[60:100] for rows in found]
    base = [np.flatnonzero(labels == kind)[:30] for kind in OTHERS]

    def encode(parts: list[np.ndarray], name: str) -> tuple[Latents, list[Sample]]:
        images = [picture(pixels[row]) for row in np.concatenate(parts)]
        where = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return rows_of(codec.encode(images), where, name, codec.space), images

    (rows, images), (free, free_images), (lent, _) = (
        encode(part, name) for part, name in ((real, "real "), (pool, "pool "), (base, "base "))
    )
    return Scene(rows, free, lent, images, free_images)


def picture(row: np.ndarray) -> Sample:
    """64 numbers from 0 to 16 as a grey picture of SIDE px."""
    small = Image.fromarray(np.round(row.reshape(8, 8) * (255 / 16)).astype(np.uint8))
    return Sample("", np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC)))


def mint(name: str, scene: Scene) -> tuple[Latents, Draw]:
    """One child of every real row, and of the rows of the smallest class as many as of the largest; with anchors."""
    method: Synthesizer = build("synthesizers", "method", TABLE, name, {})
    second: dict[str, Any] = {source: getattr(scene, source) for source in method.uses}
    method.fit(scene.real, stream(0, "picture", "fit"), **second)
    anchors = scene.real.take(np.arange(len(scene.real)))
    draw = method.sample(anchors, stream(0, "picture", "draw"))
    given = np.flatnonzero(draw.pick != NO_PICK) if draw.pick is not None else np.arange(len(draw))
    pick = None if draw.pick is None else draw.pick[given]
    return anchors.take(given), Draw(draw.z[given], draw.refs[given], draw.label_weights[given], pick=pick)


def labels_of(draw: Draw, scene: Scene) -> np.ndarray:
    """(n, k) labels by provenance."""
    none = np.zeros(scene.real.y.shape[1])
    y = {f"data:{name}": row for name, row in zip(scene.real.ids, scene.real.y, strict=True)}
    return np.asarray(
        [
            sum((weight * y.get(str(ref), none) for ref, weight in zip(*pair, strict=True)), none)
            for pair in zip(draw.refs, draw.label_weights, strict=True)
        ]
    )


def show_rows(axes: Axes, name: str, scene: Scene, minted: tuple[Latents, Draw], flat: Any) -> None:
    """Real and minted rows in the plane that ``flat`` projects to, with lines from parents."""
    anchors, draw = minted
    uses = build("synthesizers", "method", TABLE, name, {}).uses
    for source, mark in (("pool", "."), ("base", "x")):
        if source in uses:
            dots(axes, flat(getattr(scene, source).flat), s=14, c=GREY, marker=mark, lw=0.8, label=source)
    real, made = flat(scene.real.flat), flat(draw.z.reshape(len(draw), -1))
    dots(axes, real, s=26, c=COLOURS[scene.real.labels], alpha=0.35, lw=0, label="real")
    at = {f"data:{name}": row for name, row in zip(scene.real.ids, real, strict=True)}
    lent = flat(scene.base.flat)
    at |= {f"base:{kind}": lent[scene.base.labels == c].mean(axis=0) for c, kind in enumerate(scene.base.classes)}
    for i in shown(anchors, PAIRS):
        for ref in draw.refs[i]:
            if str(ref) in at:
                (x0, y0), (x1, y1) = at[str(ref)], made[i]
                main = str(ref) == f"data:{anchors.ids[i]}"
                style: dict[str, Any] = {"c": "0.25", "lw": 0.8} if main else {"c": "0.6", "lw": 0.6, "ls": ":"}
                axes.plot([x0, x1], [y0, y1], zorder=2, **style)
    colour = np.clip(labels_of(draw, scene) @ COLOURS, 0, 1)
    dots(axes, made, s=24, c=colour, marker="D", edgecolors="k", lw=0.5, zorder=3, label="minted")
    everything = np.concatenate([real, made])
    low, high = np.quantile(everything, 0.005, axis=0), np.quantile(everything, 0.995, axis=0)
    margin = 0.12 * (high - low)
    axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
    axes.set_xticks([])
    axes.set_yticks([])


def dots(axes: Axes, rows: np.ndarray, **style: Any) -> None:
    """Points (n, 2)."""
    axes.scatter(rows[:, 0], rows[:, 1], **style)


def shown(anchors: Latents, count: int) -> np.ndarray:
    """Some rows, as many of each class as can be, each class evenly spread."""
    classes = np.unique(anchors.labels)
    picked = []
    for c in classes:
        rows = np.flatnonzero(anchors.labels == c)
        picked.append(rows[np.linspace(0, len(rows) - 1, min(len(rows), count // len(classes))).astype(int)])
    return np.concatenate(picked)


def children(codec: Codec, scene: Scene, minted: tuple[Latents, Draw], rows: np.ndarray) -> list[np.ndarray]:
    """Pictures of these children: decoded, or the pool's own where one was picked."""
    anchors, draw = minted
    at = {name: i for i, name in enumerate(scene.real.ids)}
    like = [scene.real_images[at[anchors.ids[i]]] for i in rows]
    made = codec.decode(draw.z[rows], like)
    if draw.pick is not None:
        made = [scene.pool_images[p] if p >= 0 else own for p, own in zip(draw.pick[rows], made, strict=True)]
    return [sample.content for sample in made]


def strip(upper: list[np.ndarray], lower: list[np.ndarray]) -> np.ndarray:
    """Two rows of pictures with white gaps."""
    lines = [np.concatenate([np.pad(p, 2, constant_values=255) for p in row], axis=1) for row in (upper, lower)]
    return np.concatenate(lines)


def page(name: str, codec: Codec, plane: Scene, latents: Scene) -> bytes:
    """The picture of one method as PNG."""
    figure = plt.figure(figsize=(9.6, 6.0), dpi=100, layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(3.4, 1.45))
    left, right, below = (figure.add_subplot(spot) for spot in (grid[0, 0], grid[0, 1], grid[1, :]))
    show_rows(left, name, plane, mint(name, plane), lambda rows: rows)
    left.set_title(f"{name} on a toy", fontsize=11)
    left.legend(fontsize=8, loc="upper right", framealpha=0.9)
    minted = mint(name, latents)
    center = latents.real.flat.mean(axis=0)
    basis = np.linalg.svd(latents.real.flat - center, full_matrices=False)[2][:2].T
    show_rows(right, name, latents, minted, lambda rows: (rows - center) @ basis)
    right.set_title("on latents of digits (tiny-image), first two components", fontsize=11)
    rows = shown(minted[0], PAIRS)
    at = {name: i for i, name in enumerate(latents.real.ids)}
    upper = [latents.real_images[at[minted[0].ids[i]]].content for i in rows]
    below.imshow(strip(upper, children(codec, latents, minted, rows)), cmap="gray", vmin=0, vmax=255)
    below.set_yticks([SIDE / 2 + 2, SIDE * 1.5 + 6], ["real", "minted"], fontsize=10)
    below.set_xticks([])
    below.tick_params(length=0)
    for side in below.spines.values():
        side.set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return small_png(buffer.getvalue())


def small_png(data: bytes) -> bytes:
    """The same picture with a palette of 128 colours: a third of the bytes."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def main() -> None:
    """Draw the pictures of the named methods, or of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=sorted([*TABLE, "classic"]))
    args = parser.parse_args()
    codec = load_encoder("tiny-image", size=SIZE)
    assert isinstance(codec, Codec)
    plane, latents = toy(), digits(codec)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in args.names:
        begin = time.perf_counter()
        data = classic_picture.page() if name == "classic" else page(name, codec, plane, latents)
        (FOLDER / f"{name}.png").write_bytes(data)
        print(f"{name}: {len(data) / 1024:.0f} KiB, {time.perf_counter() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    main()
