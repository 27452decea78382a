"""The dry run: what a run would make, how large it would be, and how long it would take."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augmint.core.protocols import Codec, Encoder
from augmint.core.seeds import stream
from augmint.core.types import Sample
from augmint.engine import intra_op_threads
from augmint.models import get_card
from augmint.pipeline.counts import children_per_class
from augmint.pipeline.fitting import as_latents
from augmint.pipeline.making import restyled, streams
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.output import check_folder
from augmint.pipeline.plan import Plan
from augmint.pipeline.setup import Setup, survey
from augmint.pipeline.sources import Inputs
from augmint.pipeline.workers import read_entry

_PROBE = 24
_START_SECONDS = 4.0  # a worker process: interpreter, torch, weights


@dataclass(frozen=True)
class Estimate:
    """A forecast; seconds come from a probe of a few samples on this machine.

    Attributes:
        layout: what was recognised.
        before: entries of each class (not yet decoded); ``asked``: new rows.
        second: samples in each second data set that is used (pool, base, heldout).
        plan: resolved.
        models: name, bytes, licence of each model.
        seconds: of the whole run; ``probe``: seconds per sample of encode and mint, and of the fit.
        disk_bytes: of the output folder; ``disk_free``: where it would go.
        memory_bytes: peak of all processes.
    """

    layout: str
    before: dict[str, int]
    asked: dict[str, int]
    second: dict[str, int]
    plan: dict[str, Any]
    models: tuple[dict[str, Any], ...]
    seconds: float
    probe: dict[str, float]
    disk_bytes: int
    disk_free: int
    memory_bytes: int
    warnings: tuple[str, ...]


def estimate(plan: Plan, inputs: Inputs, out: Path, workers: int, device: str = "cpu") -> Estimate:
    """Forecast a run without writing anything.

    Raises:
        UsageError, DataError, ModelError: as the run itself would.
    """
    check_folder(out, inputs)
    setup = survey(plan, inputs, Manifest(out), device)
    before = setup.listed
    asked = children_per_class(before, setup.plan.factor, setup.plan.strategy)
    with intra_op_threads(setup.plan.threads):
        probe = _probe(setup)
    encoded = sum(map(len, setup.encoded.values()))
    gates = (get_card(model) for model in setup.plan.gate_models.values())
    cards = (setup.model if setup.plan.uses_model else None, setup.judge, *gates)
    if "pool" in setup.sources and not setup.plan.then:
        probe["mint"] = 0.0  # rows that are picked are neither decoded nor encoded again
    work = probe["encode"] * encoded + probe["mint"] * sum(asked.values())
    row_bytes = int(probe["row_bytes"])
    return Estimate(
        layout=setup.listing.layout,
        before=before,
        asked=asked,
        second={
            **{name: len(source.entries) for name, source in setup.sources.items()},
            **({"heldout": len(setup.heldout.entries)} if setup.heldout else {}),
        },
        plan=setup.plan.as_dict(),
        models=tuple(
            {"name": card.name, "bytes": card.weights.bytes, "licence": card.licence}
            for card in {card.tag: card for card in cards if card is not None}.values()
        ),
        seconds=round(_START_SECONDS + work / max(1, workers) + probe["fit"], 1),
        probe={key: round(value, 5) for key, value in probe.items() if not key.endswith("bytes")},
        disk_bytes=_disk(len(setup.train), sum(asked.values()), probe["file_bytes"], row_bytes, encoded),
        disk_free=shutil.disk_usage(_existing(out)).free,
        memory_bytes=workers * 600_000_000 + 3 * row_bytes * encoded,
        warnings=setup.warnings,
    )


def _disk(real: int, new: int, file_bytes: float, row_bytes: int, encoded: int) -> int:
    # A child is kept twice: in the data set, and in its unit, from which the data set can be written again.
    return int(file_bytes * (real + 2 * new)) + row_bytes * encoded


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.resolve().parent)


def _probe(setup: Setup) -> dict[str, float]:
    """Seconds per sample of encoding and minting, seconds of the fit, bytes per row and file: from a few samples."""
    room, reader = setup.room, setup.room.open_format()
    step = max(1, len(setup.train) // _PROBE)
    read = [read_entry(reader, entry) for entry in setup.train[::step][:_PROBE]]
    samples = [sample for sample, _ in read if sample is not None]
    if not samples:
        return dict.fromkeys(("encode", "mint", "fit", "row_bytes", "file_bytes"), 0.0)
    codec, judge, lm = room.load_codec(), room.load_judge(), room.load_lm()
    begin = time.perf_counter()
    mint = _minter(setup, samples, codec, lm)
    fitted = time.perf_counter() - begin
    mint(samples[:1], _rows(samples[:1], codec))  # the first call also pays for warming up
    judge.encode(samples[:1])
    begin = time.perf_counter()
    z, features = _rows(samples, codec), judge.encode(samples)
    encoded = time.perf_counter()
    children = mint(samples, z)
    judge.encode(children)
    files = [reader.dump(child) for child in children]
    minted = time.perf_counter()
    return {
        "encode": (encoded - begin) / len(samples),
        "mint": (minted - encoded) / len(samples),
        "fit": _fit_seconds(setup, samples, z, fitted),
        "row_bytes": float(z[0].nbytes + features[0].nbytes),
        "file_bytes": float(np.mean([len(data) for data in files])),
    }


def _rows(samples: list[Sample], codec: Encoder | None) -> np.ndarray:
    return np.zeros((len(samples), 1), np.float32) if codec is None else codec.encode(samples)


def _minter(
    setup: Setup, samples: list[Sample], codec: Encoder | None, lm: Any
) -> Callable[[list[Sample], np.ndarray], list[Sample]]:
    """What makes children that cost what those of the run will cost, of samples and their rows."""
    address, plan, method = ("", 0, 0, 0), setup.plan, None
    if plan.rewrites:
        method = plan.rewriter(lm).fit(samples, stream(plan.seed, "fit", plan.method))
    then = plan.then_rewriter()
    if then is not None:
        then.fit(samples, stream(plan.seed, "fit", plan.then))

    def mint(likes: list[Sample], z: np.ndarray) -> list[Sample]:
        places, made = range(len(likes)), likes
        if method is not None and not method.outside:  # nobody outside is asked for a forecast: it may cost money
            made = method.rewrite(likes, streams(plan.seed, "probe", address, places))
        elif isinstance(codec, Codec) and "pool" not in setup.sources:
            made = codec.decode(z, likes)
        return restyled(then, plan.seed, made, address, places)

    return mint


def _fit_seconds(setup: Setup, samples: list[Sample], z: np.ndarray, few: float) -> float:
    """Seconds of the fit; ``few`` is what it took on a few samples, where the method works on samples."""
    if setup.plan.rewrites:  # hand-made transforms look at some of the data, language models learn from all
        return few * len(setup.train) / len(samples) if setup.plan.uses_model else 0.0
    rows = [{"id": sample.id, "target": sample.target, "group": sample.group} for sample in samples]
    return float(setup.plan.synthesizer().fit_seconds(as_latents(z, rows, setup.classes, setup.space)))
