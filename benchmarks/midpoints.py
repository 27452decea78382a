"""Measure tiny-image and tiny-judge on data that neither was trained on.

Round trip on held-out photos; linear probes; and the claim that matters: same-class midpoints in latent space beat
pixel averages of the same pairs, judged by small CNNs trained here from scratch on each data set's own train rows.

Run: python benchmarks/midpoints.py   (writes benchmarks/results/tiny_image.json and docs/images/tiny_image_*.png)
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

from augmint.models.cards import choose_size
from augmint.models.tiny_image import STRIDE, TinyImage
from augmint.models.tiny_judge import TinyJudge
from augmint.numerics.frames import fit, unfit
from examiner import (
    NEIGHBOURS,
    Array,
    Encode,
    Examiner,
    Labelled,
    batched,
    examiners,
    paired_interval,
    precision_density,
)

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("AUGMINT_DATA", ROOT.parent / "shared" / "data"))
WEIGHTS = ROOT / "src/augmint/models/weights"
PROBE_PX = 128


def resize(x: Tensor, size: int) -> Tensor:
    """To the working size: (n, 3, h, w) to (n, 3, size, size)."""
    return fit(x, size, size)


def to_pixels(x: Array) -> Tensor:
    """uint8 (n, h, w) or (n, h, w, 3) to floats (n, 3, h, w) in 0..1."""
    x = np.repeat(x[..., None], 3, -1) if x.ndim == 3 else x
    return torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255


def labelled(x: Array, y: Array, x_test: Array, y_test: Array) -> Labelled:
    """A `Labelled` of numpy arrays."""
    return Labelled(to_pixels(x), torch.from_numpy(y).long(), to_pixels(x_test), torch.from_numpy(y_test).long())


def read_sets() -> dict[str, Labelled]:
    """MNIST, CIFAR-10, blood cells (whole slides held out) and sklearn's digits (every third row held out)."""
    mnist = dict(np.load(DATA / "images/mnist_5k_10k.npz"))
    cifar = dict(np.load(DATA / "images/cifar10_5k_2k.npz"))
    cells = dict(np.load(DATA / "images/bccd_cells_64.npz"))
    seen = cells["split"] == "train"
    digits = load_digits()
    pixels, names = (digits.images / 16 * 255).astype(np.uint8), digits.target
    out = np.arange(len(names)) % 3 == 0
    return {
        "mnist": labelled(mnist["x_train"], mnist["y_train"], mnist["x_test"][::2], mnist["y_test"][::2]),
        "cifar10": labelled(cifar["x_train"], cifar["y_train"], cifar["x_test"], cifar["y_test"]),
        "cells": labelled(cells["x"][seen], cells["y"][seen], cells["x"][~seen], cells["y"][~seen]),
        "digits": labelled(pixels[~out], names[~out], pixels[out], names[out]),
    }


# --- round trip ---------------------------------------------------------------------------------------------------


def held_out_photos(size: int) -> Tensor:
    """Photos 900-999, which no recipe saw, resized."""
    archive = dict(np.load(DATA / "images/imagenet_sample_1000_224.npz"))
    blob, off = archive["bytes"], archive["off"]
    images = [Image.open(io.BytesIO(blob[off[i] : off[i + 1]].tobytes())).convert("RGB") for i in range(900, 1000)]
    small = [np.asarray(image.resize((size, size), Image.Resampling.BICUBIC)) for image in images]
    return to_pixels(np.stack(small))


def psnr(codec: TinyImage, x: Tensor) -> Tensor:
    """Peak signal to noise of the round trip, dB, per image; pixels rounded to 8 bits."""
    y = batched(lambda part: codec.decode(codec.encode(part)), x, 10)
    error = ((y * 255).round() / 255 - x).square().mean((1, 2, 3))
    return -10 * torch.log10(error.clamp_min(1e-10))


def round_trips(codec: TinyImage) -> dict[str, dict[str, float]]:
    """PSNR of the held-out photos at several sizes."""
    found = {}
    for size in (64, 128, 224):
        values = psnr(codec, resize(held_out_photos(size), size // STRIDE * STRIDE))
        found[str(size)] = {"mean_db": float(values.mean()), "worst_db": float(values.min())}
    return found


def sizes_that_work(codec: TinyImage) -> dict[str, bool]:
    """Whether images of 8..1024 px survive encode and decode (8 px is first resized to one cell, 16 px)."""
    found = {}
    for size in (8, 16, 28, 32, 100, 256, 512, 1024):
        cells = max(1, round(size / STRIDE))
        x = resize(torch.rand(1, 3, size, size), cells * STRIDE)
        y = batched(lambda part: codec.decode(codec.encode(part)), x)
        found[str(size)] = bool(y.shape == x.shape and y.isfinite().all())
    return found


# --- linear probes ------------------------------------------------------------------------------------------------


def probe(x: Array, y: Array, x_test: Array, y_test: Array) -> dict[str, float]:
    """Logistic regression on standardised features; its strength chosen on a fifth of the train rows."""
    scaler = StandardScaler().fit(x)
    x, x_test = scaler.transform(x), scaler.transform(x_test)
    aside = np.arange(len(y)) % 5 == 0
    scores = {}
    for strength in (3e-5, 3e-4, 3e-3, 3e-2):
        model = LogisticRegression(C=strength, max_iter=300).fit(x[~aside], y[~aside])
        scores[strength] = float(model.score(x[aside], y[aside]))
    best = max(scores, key=lambda c: scores[c])
    model = LogisticRegression(C=best, max_iter=300).fit(x, y)
    return {"accuracy": float(model.score(x_test, y_test)), "C": best}


def pooled(codec: TinyImage, x: Tensor) -> Tensor:
    """Latents averaged to 4x4 cells and flattened: (n, 1024)."""
    return F.adaptive_avg_pool2d(codec.encode(x), 4).flatten(1)


def probes(encode: Encode, sets: dict[str, Labelled], working: int) -> dict[str, dict[str, float]]:
    """A probe on each set, pictures resized to `working` px."""
    found = {}
    for name, data in sets.items():
        x, x_test = (batched(encode, resize(part, working)).flatten(1).numpy() for part in (data.x, data.x_test))
        found[name] = probe(x, data.y.numpy(), x_test, data.y_test.numpy())
    return found


# --- midpoints ----------------------------------------------------------------------------------------------------


@dataclass
class Pairs:
    """Rows a and b of the train rows, of the same class."""

    a: Tensor
    b: Tensor


def random_pairs(y: Tensor, classes: list[int], n: int, g: torch.Generator) -> Pairs:
    """n pairs of different rows for each class."""
    a, b = [], []
    for name in classes:
        rows = torch.nonzero(y == name)[:, 0]
        first = torch.randint(len(rows), (n,), generator=g)
        other = (first + torch.randint(1, len(rows), (n,), generator=g)) % len(rows)
        a.append(rows[first])
        b.append(rows[other])
    return Pairs(torch.cat(a), torch.cat(b))


def near_pairs(z: Tensor, y: Tensor, pairs: Pairs, g: torch.Generator) -> Pairs:
    """The same anchors, each with one of its 5 nearest rows of its class in latent space."""
    b = []
    for row in pairs.a.tolist():
        rows = torch.nonzero(y == y[row])[:, 0]
        distance = (z[rows] - z[row]).square().sum(1)
        near = rows[distance.argsort()[1 : NEIGHBOURS + 1]]
        b.append(near[torch.randint(len(near), (1,), generator=g)])
    return Pairs(pairs.a, torch.cat(b))


def make_rivals(codec: TinyImage, data: Labelled, z: Tensor, pairs: Pairs) -> dict[str, Tensor]:
    """Pictures at the set's own size: latent midpoints, pixel averages, the rebuilt first parent, and it as it is."""
    size = data.x.shape[-1]
    middle = batched(codec.decode, (z[pairs.a] + z[pairs.b]) / 2, 50)
    return {
        "latent": unfit(middle, size, size),
        "pixel": (data.x[pairs.a] + data.x[pairs.b]) / 2,
        "rebuilt": unfit(batched(codec.decode, z[pairs.a], 50), size, size),
        "real": data.x[pairs.a],
    }


def examine(nets: list[Examiner], data: Labelled, y: Tensor, rivals: dict[str, Tensor]) -> dict[str, Array]:
    """Scores (seeds, n) under 'rival.measure', each class measured against its own held-out rows."""
    scores: dict[str, list[Array]] = {}
    for net in nets:
        real = batched(net.features, data.x_test, 500)
        for rival, images in rivals.items():
            fake, said = batched(net.features, images, 500), batched(net, images, 500).argmax(1)
            row = {"precision": np.zeros(len(y)), "density": np.zeros(len(y))}
            for name in y.unique():
                mine = (y == name).numpy()
                row["precision"][mine], row["density"][mine] = precision_density(
                    real[data.y_test == name], fake[torch.from_numpy(mine)]
                )
            row["read_as_class"] = (said == y).float().numpy()
            for measure, values in row.items():
                scores.setdefault(f"{rival}.{measure}", []).append(values)
    return {key: np.stack(values) for key, values in scores.items()}


def summary(scores: dict[str, Array]) -> dict[str, Any]:
    """Mean of every score, and latent minus pixel with its interval.

    Also real minus pixel: where real photos themselves lose to averages, the measure rewards what is average.
    """
    found: dict[str, Any] = {key: float(values.mean()) for key, values in scores.items()}
    for measure in ("precision", "density", "read_as_class"):
        for rival in ("latent", "real"):
            difference = scores[f"{rival}.{measure}"] - scores[f"pixel.{measure}"]
            found[f"{rival}-pixel.{measure}"] = paired_interval(difference)
    return found


MATCHES: dict[str, tuple[str, list[int], int, int, bool]] = {
    "mnist": ("mnist", list(range(10)), 60, 8, False),
    "cifar_cats": ("cifar10", [3], 1000, 15, True),
    "cifar_cars": ("cifar10", [1], 1000, 15, True),
    "cells": ("cells", [0, 1, 2], 300, 24, True),
}
"""Name -> data set, classes, pairs a class, examiner epochs, whether the examiner may see mirror images."""


def sheet(path: Path, data: Labelled, pairs: Pairs, rivals: dict[str, Tensor], columns: int = 24) -> None:
    """Contact sheet: rows are parent, parent, pixel average, latent midpoint, the first parent rebuilt."""
    pick = torch.linspace(0, len(pairs.a) - 1, columns).long()
    rows = [
        data.x[pairs.a[pick]],
        data.x[pairs.b[pick]],
        *(rivals[k][pick] for k in ("pixel", "latent", "rebuilt")),
    ]
    image = torch.cat([torch.cat(list(F.interpolate(row, size=56)), 2) for row in rows], 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).save(path)


def match(codec: TinyImage, sets: dict[str, Labelled], name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Midpoints against pixel averages on one data set, for random and for near pairs."""
    source, classes, n, epochs, mirror = MATCHES[name]
    data, g = sets[source], torch.Generator().manual_seed(7)
    nets = examiners(source, data, args.seeds, epochs, mirror, args.cache)
    accuracy = [float((batched(net, data.x_test, 500).argmax(1) == data.y_test).float().mean()) for net in nets]
    mine = torch.isin(data.y, torch.tensor(classes))
    data = Labelled(data.x[mine], data.y[mine], data.x_test, data.y_test)
    working = args.working or choose_size([data.x.shape[-1]])
    z = batched(codec.encode, resize(data.x, working), 50)
    pairs = random_pairs(data.y, classes, n, g)
    found: dict[str, Any] = {"examiner_accuracy": accuracy, "pairs": len(pairs.a), "working_px": working}
    for kind, chosen in {"random": pairs, "near": near_pairs(z.flatten(1), data.y, pairs, g)}.items():
        rivals = make_rivals(codec, data, z, chosen)
        found[kind] = summary(examine(nets, data, data.y[chosen.a], rivals))
        sheet(args.sheets / f"tiny_image_{name}_{kind}.png", data, chosen, rivals)
        print(name, kind, json.dumps(found[kind]), flush=True)
    return found


# --- everything ---------------------------------------------------------------------------------------------------


def load(model: nn.Module, path: Path) -> nn.Module:
    """fp16 weights into float32."""
    state = {k: v.float() for k, v in load_file(path).items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or any(not key.endswith("num_batches_tracked") for key in missing):
        raise ValueError(f"{path}: missing {missing}, unexpected {unexpected}")
    return model.eval()


def file_facts(path: Path) -> dict[str, Any]:
    """Bytes and sha256."""
    return {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def machine() -> dict[str, Any]:
    """Where this ran."""
    cpu = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "cpu": cpu[0],
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", type=Path, default=WEIGHTS / "tiny_image.safetensors")
    parser.add_argument("--judge", type=Path, default=WEIGHTS / "tiny_judge.safetensors")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/tiny_image.json")
    parser.add_argument("--sheets", type=Path, default=ROOT / "docs/images")
    parser.add_argument(
        "--working", type=int, default=0, help="px that pictures are resized to; 0: what `augmint run` takes"
    )
    parser.add_argument("--seeds", type=int, default=3, help="examiners per data set")
    parser.add_argument("--only", nargs="*", default=["psnr", "probes", "judge", *MATCHES])
    parser.add_argument("--cache", type=Path, help="folder to keep trained examiners in")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    """Measure all that `--only` names."""
    args, start = options(), time.time()
    torch.set_num_threads(args.threads)
    sets, codec = read_sets(), load(TinyImage(), args.codec)
    assert isinstance(codec, TinyImage)
    found: dict[str, Any] = {
        "machine": machine(),
        "codec": file_facts(args.codec),
    }
    if "psnr" in args.only:
        found["round_trip"], found["sizes"] = round_trips(codec), sizes_that_work(codec)
        print(json.dumps(found["round_trip"]), flush=True)
    if "probes" in args.only:
        found["codec_probes"] = probes(lambda x: pooled(codec, x), sets, args.working or PROBE_PX)
        print(json.dumps(found["codec_probes"]), flush=True)
    if "judge" in args.only:
        found["judge"] = file_facts(args.judge)
        found["judge_probes"] = probes(load(TinyJudge(), args.judge), sets, 64)
        print(json.dumps(found["judge_probes"]), flush=True)
    found["midpoints"] = {name: match(codec, sets, name, args) for name in MATCHES if name in args.only}
    found["seconds"] = round(time.time() - start, 1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
