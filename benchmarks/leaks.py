"""Are planted near copies of held-out pictures caught, and real pictures left alone?

On each of four real data sets the guard knows the held-out part (whole slides of blood cells, whole drawers of
Omniglot). Copies of it are planted by kind of change and must be traced to their source; then training pictures are
compared as if they had been minted: every one that is flagged counts as a false alarm, even where the data set really
has the same picture twice (the flagged pairs are listed, and drawn in docs/images/leaks_real_pairs.png). Last,
midpoints of pairs of training pictures, which are blurred, as children are.

    python benchmarks/leaks.py            # needs ../shared/data or $AUGMINT_DATA; about five minutes on one core
    python benchmarks/leaks.py --quick    # a few pictures of each, nothing written

Exit code 1 where fewer than 19 of 20 copies are caught (crop, flip, JPEG and noise together, and in the first 20), or
more than 1 % of the real pictures are flagged.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from augmint.core.types import Sample
from augmint.evaluation.intervals import share_interval
from augmint.evaluation.leaks import LeakFinder
from augmint.models import load_encoder
from augmint.numerics.frames import small_maps
from augmint.pipeline.machine import machine_facts

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "leaks.json"
PAIRS = HERE.parent / "docs" / "images" / "leaks_real_pairs.png"
DATA = Path(os.environ.get("AUGMINT_DATA", HERE.parents[1] / "shared" / "data")) / "images"
MOST_HELD_OUT, MOST_REAL, EACH, MIDPOINTS = 2000, 1000, 100, 200

U8 = npt.NDArray[np.uint8]
Change = Callable[[U8, np.random.Generator], U8]


def crop(pixels: U8, rng: np.random.Generator) -> U8:
    """80 to 95 % of each side, anywhere, at the old size."""
    height, width = pixels.shape[:2]
    keep = rng.uniform(0.8, 0.95)
    h, w = round(height * keep), round(width * keep)
    y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    piece = Image.fromarray(np.ascontiguousarray(pixels[y : y + h, x : x + w]))
    return np.asarray(piece.resize((width, height), Image.Resampling.BICUBIC))


def flip(pixels: U8, rng: np.random.Generator) -> U8:
    """Left to right or top to bottom."""
    return np.ascontiguousarray(pixels[:, ::-1] if rng.random() < 0.5 else pixels[::-1])


def jpeg(pixels: U8, rng: np.random.Generator) -> U8:
    """Quality 30 to 75."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(30, 76)))
    return np.asarray(Image.open(file))


def noise(pixels: U8, rng: np.random.Generator) -> U8:
    """Gaussian, standard deviation 3 to 12 of 255."""
    noisy = pixels + rng.normal(0, rng.uniform(3, 12), pixels.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def brightness(pixels: U8, rng: np.random.Generator) -> U8:
    """75 to 125 %, and up to 15 levels up or down."""
    lit = pixels * rng.uniform(0.75, 1.25) + rng.uniform(-15, 15)
    return np.clip(np.round(lit), 0, 255).astype(np.uint8)


def all_of_them(pixels: U8, rng: np.random.Generator) -> U8:
    """Crop, flip, brightness and JPEG, one after the other."""
    return jpeg(brightness(flip(crop(pixels, rng), rng), rng), rng)


def halved(pixels: U8, rng: np.random.Generator) -> U8:
    """Half the pixels a side, and back: beyond what is promised."""
    height, width = pixels.shape[:2]
    small = Image.fromarray(pixels).resize((width // 2, height // 2), Image.Resampling.BILINEAR)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def turned(pixels: U8, rng: np.random.Generator) -> U8:
    """Rotated by 3 to 8 degrees: beyond what is promised."""
    edge = np.median(pixels.reshape(-1, *pixels.shape[2:]), axis=0).astype(int)
    fill = int(edge) if pixels.ndim == 2 else tuple(int(value) for value in edge)
    angle = rng.uniform(3, 8) * rng.choice([-1, 1])
    return np.asarray(Image.fromarray(pixels).rotate(angle, Image.Resampling.BILINEAR, fillcolor=fill))


PROMISED: dict[str, Change] = {"crop": crop, "flip": flip, "jpeg": jpeg, "noise": noise}
MORE: dict[str, Change] = {
    "brightness": brightness,
    "crop, flip, brightness, jpeg": all_of_them,
    "half size and back": halved,
    "rotated 3 to 8 degrees": turned,
}


def load(name: str) -> tuple[U8, npt.NDArray[Any], U8]:
    """(training pictures, their labels, held-out pictures)."""
    if name == "cifar10":
        a = dict(np.load(DATA / "cifar10_5k_2k.npz"))
        return a["x_train"], a["y_train"], a["x_test"]
    if name == "digits":
        a = dict(np.load(DATA / "mnist_5k_10k.npz"))
        return a["x_train"], a["y_train"], a["x_test"]
    if name == "blood cells":
        a = dict(np.load(DATA / "bccd_cells_64.npz"))
        train = a["split"] == "train"
    else:
        a = dict(np.load(DATA / "omniglot_small_28.npz"))
        train = a["drawer"] < 14
    return a["x"][train], a["y"][train], a["x"][~train]


def maps_of(pictures: Sequence[U8]) -> U8:
    """Small maps of pictures."""
    return small_maps([Sample(str(i), picture) for i, picture in enumerate(pictures)])


def midpoints(train: U8, y: npt.NDArray[Any], count: int, rng: np.random.Generator) -> list[U8]:
    """Midpoints of pairs of training pictures of one class, decoded by tiny-image."""
    codec = load_encoder("tiny-image")
    first = rng.permutation(len(train))[:count]
    second = np.array([rng.choice(np.flatnonzero((y == y[i]) & (np.arange(len(y)) != i))) for i in first])
    z = 0.5 * (codec.encode(list(train[first])) + codec.encode(list(train[second])))
    return [child.content for child in codec.decode(z, list(train[first]))]  # type: ignore[attr-defined]


def share(hits: int, of: int) -> dict[str, Any]:
    """A share with its 95 % Wilson interval."""
    interval = [round(end, 4) for end in share_interval(hits, of)]
    return {"hits": hits, "of": of, "share": round(hits / of, 4), "interval": interval}


def measure(name: str, quick: bool) -> tuple[dict[str, Any], list[tuple[U8, U8]]]:
    """Recall by kind and false alarms on one data set, and the real pairs that were flagged."""
    rng = np.random.default_rng(0)
    train, y, apart = load(name)
    each, most = (10, 40) if quick else (EACH, MOST_REAL)
    apart = apart[np.sort(rng.permutation(len(apart))[: 300 if quick else MOST_HELD_OUT])]
    begin = time.perf_counter()
    finder = LeakFinder(maps_of(list(apart)))
    fitted = time.perf_counter()
    sources = rng.permutation(len(apart))[: 4 * each]
    caught, recall = {}, {}
    for k, (kind, change) in enumerate({**PROMISED, **MORE}.items()):
        at = sources[(k % 4) * each :][:each]
        found = finder.find(maps_of([change(apart[i], np.random.default_rng(int(i))) for i in at]))
        caught[kind] = found.near & (found.source == at)
        recall[kind] = share(int(caught[kind].sum()), len(at))
    promised = np.stack([caught[kind] for kind in PROMISED])
    some = np.sort(rng.permutation(len(train))[:most])
    asked = time.perf_counter()
    real = finder.find(maps_of(list(train[some])))
    seconds = time.perf_counter() - asked
    children = finder.find(maps_of(midpoints(train, y, 10 if quick else MIDPOINTS, rng)))
    flagged = np.flatnonzero(real.near)
    facts = {
        "data": name,
        "held_out": len(apart),
        "bar": round(finder.bar, 4),
        "first_20_caught": int(promised[:, :5].sum()),
        "promised": share(int(promised.sum()), promised.size),
        "recall": recall,
        "real": share(len(flagged), len(some)),
        "real_pairs": [
            {"train": int(some[i]), "held_out": int(real.source[i]), "score": round(float(real.score[i]), 4)}
            for i in flagged
        ],
        "midpoints": share(int(children.near.sum()), len(children.near)),
        "ms_per_picture": round(1000 * seconds / len(some), 2),
        "seconds_to_set_up": round(fitted - begin, 1),
    }
    return facts, [(train[some[i]], apart[real.source[i]]) for i in flagged]


def draw(pairs: list[tuple[U8, U8]]) -> None:
    """The flagged real pairs, training above, held-out below."""
    side, gap = 64, 4
    sheet = Image.new("RGB", (max(1, len(pairs)) * (side + gap), 2 * side + gap), "white")
    for i, pair in enumerate(pairs):
        for j, pixels in enumerate(pair):
            shown = Image.fromarray(pixels).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
            sheet.paste(shown, (i * (side + gap), j * (side + gap)))
    PAIRS.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(PAIRS, optimize=True)


def main() -> int:
    """All data sets; 1 where one misses what must be shown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows, pairs = [], []
    for name in ("cifar10", "blood cells", "digits", "omniglot"):
        facts, flagged = measure(name, args.quick)
        rows.append(facts)
        pairs += flagged
        print(json.dumps(facts), flush=True)
    missed = [
        row["data"]
        for row in rows
        if row["first_20_caught"] < 19 or row["promised"]["share"] < 0.95 or row["real"]["share"] > 0.01
    ]
    print(f"missed on: {', '.join(missed) or 'none'}")
    if not args.quick:
        RESULTS.write_text(json.dumps({"sets": rows, "machine": machine_facts()}, indent=1) + "\n")
        draw(pairs)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
