"""Every loss of the GAN, by every way to read the label: 25 Gaussians without labels, 20 digits a class with them.

The options are those of gan_grid.py and the defaults, both chosen for the relativistic loss; nothing was tuned for the
others. ``modes`` and ``good`` are those of gan_grid.py. For the digits, ``agree`` is how often a support vector machine
that was trained on the other rows gives a generated row its own label, and ``novel`` the share of generated rows that
are not nearer to a training row than the 5 % quantile of the distances between training rows. ``distance`` and
``coverage`` are what the method measures after its fit, here against the training rows. Beside them, `diffusion`.

    python benchmarks/gan_losses.py   # about a quarter of an hour of one core; writes results/gan_losses.json
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.svm import SVC

import gan_grid
from augmint.core.types import Latents
from augmint.numerics.neighbors import nearest
from augmint.numerics.rows import text_array
from augmint.pipeline.machine import machine_facts
from augmint.synthesizers.diffusion import Diffusion
from augmint.synthesizers.gan import Gan
from augmint.synthesizers.gan_losses import LOSSES

RESULTS = Path(__file__).parent / "results" / "gan_losses.json"


def on_grid(method: Any, seed: int) -> dict[str, float]:
    """Modes and good samples."""
    real, centers = gan_grid.grid(seed)
    method.fit(real, np.random.default_rng(seed))
    modes, good = gan_grid.measure(method.sample(real, np.random.default_rng(seed + 100)).z, centers)
    return {"modes": modes, "good": good, **measured(method)}


def on_digits(method: Any, seed: int) -> dict[str, float]:
    """Label agreement and novelty."""
    pixels, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    few = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:20] for c in range(10)])
    rest = np.setdiff1d(np.arange(len(labels)), few)
    ids = text_array([f"{i:04d}" for i in few])
    real = Latents(ids, pixels[few].astype(np.float32), np.eye(10, dtype=np.float32)[labels[few]])
    anchors = real.take(np.tile(np.arange(len(real)), 5))
    z = method.fit(real, np.random.default_rng(seed)).sample(anchors, np.random.default_rng(seed + 1)).z
    apart = nearest(real.z, real.z, 1, same=True)[0][:, 0]
    novel = (nearest(z, real.z, 1)[0][:, 0] >= np.quantile(apart, 0.05)).mean()
    agree = (SVC(C=10).fit(pixels[rest], labels[rest]).predict(z) == anchors.labels).mean()
    return {"agree": float(agree), "novel": float(novel), **measured(method)}


def measured(method: Any) -> dict[str, float]:
    """What the method says of its own fit."""
    return {name: getattr(method, f"{name}_") for name in ("distance", "coverage") if hasattr(method, f"{name}_")}


def contestants() -> dict[str, tuple[Callable[[Any, int], dict[str, float]], Callable[[], Any]]]:
    """Name to (where it is measured, an unfitted method)."""
    out: dict[str, Any] = {f"grid, {loss}": (on_grid, grid_gan(loss)) for loss in LOSSES}
    out["grid, diffusion"] = (on_grid, lambda: Diffusion(conditional=False, vicinity=0.0, steps=8000))
    for loss in LOSSES:
        for condition in ("concat", "projection"):
            out[f"digits, {loss}, {condition}"] = (on_digits, digits_gan(loss=loss, condition=condition))
    out["digits, relativistic, concat, auxiliary 0.1"] = (on_digits, digits_gan(auxiliary=0.1))
    out["digits, wgan-gp, concat, auxiliary 0.1"] = (on_digits, digits_gan(loss="wgan-gp", auxiliary=0.1))
    for guidance in (0.0, 0.5, 1.0, 2.0):
        out[f"digits, diffusion, guidance {guidance:g}"] = (on_digits, flow(guidance))
    return out


def grid_gan(loss: str) -> Callable[[], Gan]:
    """The options of gan_grid.py with another loss."""
    return lambda: Gan(**{**gan_grid.OPTIONS, "loss": loss})


def digits_gan(**options: Any) -> Callable[[], Gan]:
    """The defaults but for these options."""
    return lambda: Gan(**options)


def flow(guidance: float) -> Callable[[], Diffusion]:
    """The defaults with more or less guidance."""
    return lambda: Diffusion(guidance=guidance)


def summary(rows: Iterable[dict[str, float]]) -> dict[str, Any]:
    """Mean of each figure, and the rows."""
    rows = [{name: round(value, 4) for name, value in row.items()} for row in rows]
    means = {name: round(statistics.mean(row[name] for row in rows), 4) for name in rows[0]}
    return {"mean": means, "rows": rows}


def main() -> None:
    """Run all and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", default="", help="names that begin with this")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for name, (measure, make) in contestants().items():
        if name.startswith(args.only):
            found[name] = summary(measure(make(), seed) for seed in args.seeds)
            print(name, found[name]["mean"], flush=True)
    facts = {"seeds": args.seeds, "results": found, "machine": machine_facts()}
    args.out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
