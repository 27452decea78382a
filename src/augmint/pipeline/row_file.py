"""Rows as the product of a run (``--space rows``): for encoders without a decoder, and for training on features.

``rows.npz`` holds, for the n originals and children together: ``z`` (n, *shape) float32, ``y`` (n,) class names,
``label_probs`` (n, k) with ``classes`` (k,), ``ids`` (n,), ``refs`` (n, p) and ``label_weights`` (n, p),
``is_synthetic`` (n,) and ``space``. Plain arrays of numbers and strings; ``np.load(path)`` opens it.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from augmint.core.types import Latents
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.memory import Minted, labels_of, mint
from augmint.pipeline.plan import Plan
from augmint.pipeline.sums import format_sums

ROWS = "rows.npz"


def write_rows(
    plan: Plan, real: Latents, second: Mapping[str, Latents], asked: Mapping[str, int], manifest: Manifest
) -> tuple[dict[str, int], Counter[str]]:
    """Fit, draw, and write ``rows.npz`` with its sum; children made of each class, and by note.

    The same plan and rows give the same bytes.
    """
    counts = [asked[name] for name in real.classes]
    z = np.empty((sum(counts), *real.z.shape[1:]), np.float32)
    minted = mint(plan.synthesizer(), real, counts, plan.seed, z, **second)
    z = z[: len(minted.refs)]  # a pool may have had fewer
    arrays = arrays_of(plan, real, minted, z)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type, unused-ignore]
    manifest.write(manifest.out / ROWS, buffer.getvalue())
    manifest.write(manifest.out / "SHA256SUMS", format_sums(manifest.out, [Path(ROWS)]).encode())
    made = np.bincount(real.labels[minted.anchors], minlength=len(real.classes)).tolist()
    return dict(zip(real.classes, made, strict=True)), minted.notes


def arrays_of(plan: Plan, real: Latents, minted: Minted, z: np.ndarray) -> dict[str, np.ndarray]:
    """What the file holds; without the originals where the plan says so."""
    own = np.char.add("data:", real.ids.astype(np.str_))
    labels = labels_of(minted, own, real.y.astype(np.float64))
    width = minted.refs.shape[1]
    kept = slice(0, 0) if plan.synthetic_only else slice(None)
    refs = np.zeros((len(real), width), np.result_type(own.dtype, minted.refs.dtype))
    weights = np.zeros((len(real), width), np.float32)
    refs[:, 0], weights[:, 0] = own, 1.0  # an original is its own parent, as in a run's metadata
    probabilities = np.concatenate([real.y[kept], labels.astype(np.float32)])
    ids = np.array([f"syn-{i:06d}" for i in range(len(z))])
    classes = np.array(real.classes)
    return {
        "z": np.concatenate([real.z[kept], z]),
        "y": classes[probabilities.argmax(1)],
        "label_probs": probabilities,
        "classes": classes,
        "ids": np.concatenate([real.ids.astype(np.str_)[kept], ids]),
        "refs": np.concatenate([refs[kept], minted.refs]),
        "label_weights": np.concatenate([weights[kept], minted.label_weights]),
        "is_synthetic": np.arange(len(probabilities)) >= len(real.ids[kept]),
        "space": np.array(real.space),
    }
