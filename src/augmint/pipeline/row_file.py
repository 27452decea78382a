"""Rows as the product of a run (``--space rows``): for encoders without a decoder, and for training on features.

``rows.npz`` holds, for the n originals and children together: ``z`` (n, *shape) float32, ``y`` (n,) class names,
``label_probs`` (n, k) with ``classes`` (k,), ``ids`` (n,), ``refs`` (n, p) and ``label_weights`` (n, p),
``is_synthetic`` (n,) and ``space``. Plain arrays of numbers and strings; ``np.load(path)`` opens it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from augmint.core.errors import DataError
from augmint.core.types import Latents
from augmint.pipeline.assemble import put_facts
from augmint.pipeline.counts import children_per_class
from augmint.pipeline.encode_units import Encoding
from augmint.pipeline.fitting import as_latents, gather
from augmint.pipeline.memory import Minted, labels_of, mint
from augmint.pipeline.plan import Plan
from augmint.pipeline.progress import Progress
from augmint.pipeline.second import second_latents
from augmint.pipeline.setup import Setup
from augmint.pipeline.sums import write_sums

ROWS = "rows.npz"


@dataclass(frozen=True)
class DrawnRows:
    """What `rows.npz` holds, and the counts of each class: real rows, children asked for and made, and by note."""

    arrays: dict[str, np.ndarray]
    before: dict[str, int]
    asked: dict[str, int]
    made: dict[str, int]
    notes: dict[str, int]


def draw_rows(setup: Setup, progress: Progress) -> DrawnRows:
    """Fit and draw, all in memory, from rows that are encoded. The same plan and rows give the same arrays."""
    plan, manifest = setup.plan, setup.room.manifest
    z, facts = gather(manifest, Encoding.of(setup, "data").jobs.units, "z")
    real = as_latents(z, facts, setup.classes, setup.space)
    before = _by_class(real.labels, real.classes)
    asked = children_per_class(before, plan.factor, plan.strategy)
    counts = [asked[name] for name in real.classes]
    none, second = np.empty((0, *real.shape), np.float32), second_latents(manifest, setup, before, progress)
    z, minted = mint(plan.synthesizer(), real, counts, plan.seed, none, **second)
    made = _by_class(real.labels[minted.anchors], real.classes)
    return DrawnRows(arrays_of(plan, real, minted, z), before, asked, made, dict(minted.notes))


def _by_class(labels: np.ndarray, classes: Sequence[str]) -> dict[str, int]:
    return dict(zip(classes, np.bincount(labels, minlength=len(classes)).tolist(), strict=True))


def write_rows(setup: Setup, drawn: DrawnRows, skipped: Sequence[Mapping[str, Any]]) -> None:
    """``rows.npz``, the files that every run writes, and the sums."""
    manifest = setup.room.manifest
    buffer = io.BytesIO()
    np.savez(buffer, **drawn.arrays)  # type: ignore[arg-type, unused-ignore]
    manifest.write(manifest.out / ROWS, buffer.getvalue())
    put_facts(setup, skipped)
    write_sums(manifest)


def child_of(arrays: Mapping[str, np.ndarray], name: str) -> tuple[bytes, dict[str, Any]]:
    """The row of a child as the bytes of a ``.npy`` file, and its facts; raises DataError where there is no such."""
    at = np.flatnonzero((arrays["ids"] == name) & arrays["is_synthetic"])
    if not len(at):
        raise DataError(
            f"no child {name!r} among the rows",
            expected=f"one of the ids of children in {ROWS}: syn-000000 and on",
            do=f"numpy.load('{ROWS}')['ids'] lists them",
            code="unknown-sample",
        )
    buffer, i = io.BytesIO(), int(at[0])
    np.save(buffer, arrays["z"][i])
    refs = [str(ref) for ref in arrays["refs"][i] if ref]
    weights = [float(weight) for weight in arrays["label_weights"][i][: len(refs)]]
    probabilities = arrays["label_probs"][i].tolist()
    facts = {"label": str(arrays["y"][i]), "label_probs": probabilities, "refs": refs, "label_weights": weights}
    return buffer.getvalue(), facts


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
