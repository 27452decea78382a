"""The arms of `lift.py`: ours and the peers', as training sets of a student.

Ours go through `pipeline/minting` as in a run: children of the training rows of the pair (and of its pool), through the
gates. The probe's samples are rows of its frozen encoder, so children are rows, too; changes of pictures are made as
pictures and encoded. The other students' samples are pictures: children are decoded, changes are made on the fly.

Peers: imbalanced-learn's SMOTE and ADASYN asked for as many new rows as ours make (of features for the probe, of pixels
else), random oversampling, Albumentations 2.0.8 with a fixed policy, mixup of inputs (Zhang et al. 2018). Both sides
know the same of the data: photos are mirrored, cells also turned upside down, characters neither.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

import albumentations
import numpy as np
import torch
from imblearn.over_sampling import ADASYN, SMOTE

from augmint.classic.image import ClassicImage
from augmint.core.protocols import Encoder
from augmint.core.types import F32, Sample, TrainingSet, Transform
from augmint.models import load_encoder
from augmint.numerics.probe import Probe
from augmint.pipeline.arms import Arm
from augmint.pipeline.encodings import Remembered, RowSpace, as_rows
from augmint.pipeline.minting import Children, Fold, Models, mint, training_set
from augmint.pipeline.workers import pixel_hash
from frozen import SQUEEZENET
from lift_cells import Task, pictures

Side = Literal["baseline", "peer", "ours", "pool", "auto"]
PROBE_MODEL, PROBE_PX = "squeezenet1_1", 128
CODEC_PX = {"cifar10": 64, "cells": 64, "digits": 128, "omniglot": 128}
FLIPS = {"cifar10": "horizontal", "cells": "both", "digits": "none", "omniglot": "none"}
CHANGED = 200
"""Most changed pictures that are made for a probe; encoding them is what its arms cost."""

PICKS = 150
"""Rows of a pool that are asked for, for each class; fewer where the pool has no more that both encoders agree on."""

Make = Callable[[Any, Fold, np.random.Generator], Children]


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes:
        name: of the arm.
        side: whose it is; "pool" is ours with a pool.
        arm: what the corridor is told; the reference where it is none of its business.
        children: makes what is added to the training rows; None for nothing.
        transform: on-the-fly change of pictures: "", "albumentations", "classic" or "classic PRESET".
        candidates: names of the lines that ``auto`` chooses among, in order of preference.
    """

    name: str
    side: Side
    arm: Arm = field(default_factory=lambda: Arm("none"))
    children: Make | None = None
    transform: str = ""
    candidates: tuple[str, ...] = ()


@dataclass
class Bench:
    """One pair, as a student sees it.

    Attributes:
        task: the pair.
        student: "probe" works on rows, the others on pictures.
        seed: of everything that is drawn for the pair.
    """

    task: Task
    student: str
    seed: int
    _made: dict[str, Children] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        names, data = self.task.classes, self.task.pictures
        pairs = zip(self.task.train, self.task.y, strict=True)
        own = [Sample(f"{i:05d}", data.x[i], target=names[c]) for i, c in pairs]
        self.pictures = Fold(tuple(own), names, data.samples(self.task.pool))
        self.test = data.samples(self.task.test)
        self.fold = self.pictures
        if self.on_rows:
            self.fold = Fold(self.rows(self.pictures.real), names, self.rows(self.pictures.pool))
            self.test = self.rows(self.test)

    @property
    def on_rows(self) -> bool:
        """Whether the student's samples are rows of its frozen encoder."""
        return self.student == "probe"

    @property
    def factor(self) -> float:
        """Rows after / rows before: twice as many children as rows, or as many where there are 50 of a class."""
        return 2.0 if len(self.task.train) >= 50 * len(self.task.classes) else 3.0

    def rows(self, samples: Sequence[Sample]) -> tuple[Sample, ...]:
        """Pictures as rows of the probe's encoder."""
        return as_rows(samples, known(self.task.pictures.name, PROBE_MODEL, PROBE_PX))

    def minted(self, arm: Arm, fold: Fold) -> Children:
        """Children of a method, made once for all arms that use them on the same rows."""
        key = repr((arm.method, arm.options, arm.model, arm.factor, arm.label_by, [sample.id for sample in fold.real]))
        if key not in self._made:
            # A pool is asked once: what is rejected is not made up for.
            once = {"max_rounds": 1, "max_tries": 1, "gates": []} if arm.needs_pool else {}
            self._made[key] = mint(arm.plan(self.seed, **once), fold, self.models(arm))
        return self._made[key]

    def training_set(self, line: Line, fold: Fold, rng: np.random.Generator) -> TrainingSet:
        """What the student of a line learns from, with these real rows."""
        children = line.children(self, fold, rng) if line.children else no_children(fold)
        return training_set(line.arm, fold, children, rng, transform(line, self.task.pictures.name))

    def knows_best(self, fold: Fold) -> str:
        """The encoder whose calibrated probe predicts training rows best that it was not fitted on."""
        if self.on_rows:
            return PROBE_MODEL
        at = [int(sample.id) for sample in fold.real]
        label = np.array([fold.classes.index(sample.target) for sample in fold.real])
        y, loss = np.eye(len(fold.classes), dtype=np.float32)[label], {}
        for model, size in (("tiny-judge", 64), (PROBE_MODEL, PROBE_PX)):
            probe = Probe().fit(self.task.pictures.encoded(model, size)[at], y)
            own = probe.held_out_[np.arange(len(at)), label][probe.held_out_ok_]
            loss[model] = -float(np.log(np.maximum(own, 1e-7)).mean()) if len(own) else 0.0
        return min(loss, key=lambda model: loss[model])

    def models(self, arm: Arm) -> Models:
        """The models that an arm works with."""
        name = self.task.pictures.name
        if self.on_rows:
            space = RowSpace(known(name, PROBE_MODEL, PROBE_PX).space)
            return Models(space, OtherView(name)) if arm.needs_pool else Models(space, space)
        sizes = {PROBE_MODEL: PROBE_PX, "tiny-judge": 64, "tiny-image": CODEC_PX[name]}
        return Models(known(name, arm.model, sizes[arm.model]), known(name, "tiny-judge", 64))


@cache
def known(name: str, model: str, size: int) -> Remembered:
    """A model that remembers every picture of a data set from the cache."""
    rows, encoder = pictures(name).encoded(model, size), load_encoder(model, size=size, path=_path(model))
    return Remembered(encoder, _rows=dict(zip(_hashes(name), rows, strict=True)))


def _path(model: str) -> str | None:
    return SQUEEZENET if model == PROBE_MODEL else None


@cache
def _hashes(name: str) -> list[str]:
    return [pixel_hash(Sample("", image)) for image in pictures(name).x]


@dataclass(frozen=True)
class OtherView(Encoder):
    """The judge of picked rows: what the embedded judge saw of the picture that a row of the probe's encoder is of."""

    name: str

    @property
    def space(self) -> str:
        """Of the judge."""
        return known(self.name, "tiny-judge", 64).space

    def encode(self, samples: Sequence[Sample]) -> F32:
        """(n, 768); KeyError for a row that is of no picture of the data set."""
        seen, rows = _views(self.name)
        return rows[[seen[np.asarray(sample.content, np.float32).tobytes()] for sample in samples]]


@cache
def _views(name: str) -> tuple[dict[bytes, int], F32]:
    data = pictures(name)
    rows = data.encoded(PROBE_MODEL, PROBE_PX)
    return {row.tobytes(): i for i, row in enumerate(rows)}, data.encoded("tiny-judge")


# --- ours -------------------------------------------------------------------------------------------------------------


def _of(method: str, **options: Any) -> Make:
    """Children of a method, at the cell's factor."""
    return lambda bench, fold, rng: bench.minted(Arm(method, method, options, factor=bench.factor), fold)


def _picked(bench: Bench, fold: Fold, rng: np.random.Generator) -> Children:
    """Rows of the pool that both encoders give to the class.

    Where they agree so rarely that a class gets less than half of its even share, the word of the one that tells
    held-out training rows better is enough; for a probe that is its own, whose rows the method works on. With one row
    of a class nothing can be calibrated, so agreement has to do without a threshold.
    """
    single = len(fold.real) <= len(fold.classes)
    arm = Arm("retrieval", "retrieval", {"confidence": 0.0} if single else {}, model=PROBE_MODEL, label_by="judge",
              needs_pool=True, factor=1.0 + PICKS * len(fold.classes) / len(fold.real))  # fmt: skip
    agreed = bench.minted(arm, fold)
    counts = np.bincount(agreed.y.argmax(axis=1), minlength=len(fold.classes)) if len(agreed) else np.zeros(1)
    if single or counts.min() * 2 >= counts.mean() > 0:
        return agreed
    return bench.minted(replace(arm, model=bench.knows_best(fold), label_by="parents"), fold)


def _whole_pool(bench: Bench, fold: Fold, rng: np.random.Generator) -> Children:
    """Rows of the pool without a threshold, with the soft labels of the probe's encoder."""
    factor = 1.0 + len(fold.pool) / len(fold.real)
    arm = Arm("retrieval", "retrieval", {"confidence": 0.0}, model=PROBE_MODEL, label_by="judge", needs_pool=True,
              factor=factor)  # fmt: skip
    encoder = known(bench.task.pictures.name, PROBE_MODEL, PROBE_PX)
    return mint(arm.plan(bench.seed, max_rounds=1, max_tries=1, gates=[]), fold, Models(encoder, encoder))


def _classic_rows(bench: Bench, fold: Fold, rng: np.random.Generator) -> Children:
    """Rows of changed pictures, for the probe."""
    changes = classic(bench.task.pictures.name)
    return _changed(bench, fold, rng, lambda anchors: changes.rewrite(anchors, rng.spawn(len(anchors))))


def _changed(
    bench: Bench, fold: Fold, rng: np.random.Generator, change: Callable[[list[Sample]], Sequence[Sample]]
) -> Children:
    """The pictures of the training rows, changed factor - 1 times each, at most CHANGED in all, and encoded."""
    wanted = min(CHANGED, round((bench.factor - 1) * len(fold.real)))
    at = np.resize(rng.permutation(len(fold.real)), wanted)
    anchors = [replace(fold.real[i], content=bench.task.pictures.x[int(fold.real[i].id)]) for i in at]
    encoder = known(bench.task.pictures.name, PROBE_MODEL, PROBE_PX).inner
    return _children(as_rows(change(anchors), encoder), fold, [fold.real[i].id for i in at])


def classic(name: str, preset: str = "standard") -> ClassicImage:
    """Our hand-made changes for a data set."""
    return ClassicImage(preset, flip=FLIPS[name])


# --- peers ------------------------------------------------------------------------------------------------------------


def no_children(fold: Fold) -> Children:
    """Nothing minted."""
    return Children(y=np.zeros((0, len(fold.classes)), np.float32))


def _children(samples: Sequence[Sample], fold: Fold, parents: Sequence[str]) -> Children:
    """Samples with a class as target, as children of one parent each ("" where nobody knows it)."""
    y = np.array([[sample.target == name for name in fold.classes] for sample in samples], np.float32)
    known_parents = tuple([(f"data:{name}", 1.0)] if name else [] for name in parents)
    named = tuple(replace(sample, id=f"peer-{i}") for i, sample in enumerate(samples))
    return Children(named, y.reshape(len(samples), len(fold.classes)), known_parents)


def _imbalanced(peer: str) -> Make:
    """New rows or pictures of imbalanced-learn; none where it refuses (SMOTE wants two rows, ADASYN mixed classes)."""

    def make(bench: Bench, fold: Fold, rng: np.random.Generator) -> Children:
        shape = fold.real[0].content.shape
        x = np.stack([sample.content.ravel() for sample in fold.real]).astype(np.float32)
        labels = np.array([fold.classes.index(sample.target) for sample in fold.real])
        counts, seed = np.bincount(labels), int(rng.integers(2**31))
        near, wanted = min(5, counts.min() - 1), {c: round(bench.factor * n) for c, n in enumerate(counts)}
        if near < 1:
            return no_children(fold)
        makers = {"SMOTE": lambda: SMOTE(sampling_strategy=wanted, k_neighbors=near, random_state=seed),
                  "ADASYN": lambda: ADASYN(sampling_strategy=wanted, n_neighbors=near, random_state=seed)}  # fmt: skip
        made, given = x[:0], labels[:0]
        with contextlib.suppress(ValueError, RuntimeError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, y = makers[peer]().fit_resample(x, labels)
            made, given = found[len(x) :], y[len(x) :]
        if not bench.on_rows:
            made = np.rint(made).clip(0, 255).astype(np.uint8)
        rows = [Sample("", row.reshape(shape), target=fold.classes[c]) for row, c in zip(made, given, strict=True)]
        return _children(rows, fold, [""] * len(rows))

    return make


@cache
def policy(name: str) -> albumentations.Compose:
    """A fixed policy of Albumentations: mirrored where that is sensible, moved, zoomed, turned, recoloured, a hole."""
    steps: list[Any] = []
    if FLIPS[name] != "none":
        steps.append(albumentations.HorizontalFlip(p=0.5))
    if FLIPS[name] == "both":
        steps.append(albumentations.VerticalFlip(p=0.5))
    move = {"translate_percent": (-0.1, 0.1), "scale": (0.9, 1.1), "rotate": (-15, 15)}
    steps.append(albumentations.Affine(**move, p=0.9, border_mode=4))
    steps.append(albumentations.RandomBrightnessContrast(0.2, 0.2, p=0.8))
    if pictures(name).x.ndim == 4:
        steps.append(albumentations.HueSaturationValue(10, 30, 0, p=0.5))
    hole = {"hole_height_range": (0.15, 0.3), "hole_width_range": (0.15, 0.3)}
    steps.append(albumentations.CoarseDropout(num_holes_range=(1, 1), **hole, p=0.3))
    return albumentations.Compose(steps)


def _albumentations_rows(bench: Bench, fold: Fold, rng: np.random.Generator) -> Children:
    """Rows of pictures that Albumentations changed, for the probe."""
    changes = policy(bench.task.pictures.name)
    changes.set_random_seed(int(rng.integers(2**31)))

    def change(anchors: list[Sample]) -> list[Sample]:
        made = [changes(image=_planes(sample.content))["image"] for sample in anchors]
        pairs = zip(anchors, made, strict=True)
        return [Sample("", pixels.reshape(anchor.content.shape), target=anchor.target) for anchor, pixels in pairs]

    return _changed(bench, fold, rng, change)


def _planes(pixels: Any) -> Any:
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def albumentations_transform(name: str) -> Transform:
    """The same policy on the fly."""

    def change(batch: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        changes = policy(name)
        changes.set_random_seed(int(rng.integers(2**31)))
        pixels = (batch * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        made = np.stack([_planes(changes(image=np.ascontiguousarray(image))["image"]) for image in pixels])
        return torch.from_numpy(made).permute(0, 3, 1, 2).float().div_(255)

    return change


# --- the lines --------------------------------------------------------------------------------------------------------

BASELINES = (
    Line("none", "baseline"),
    Line("class weights", "baseline", Arm("class weights", class_weights=True)),
    Line("random oversampling", "peer", Arm("random oversampling", oversample=True)),
)
MIXED = Arm("mixup", mixup=0.4)

FINE = ("none", "class weights", "Albumentations", "classic", "retrieval + classic", "auto")
"""Lines of the student that is dear to train, with the peer that was best from scratch."""

PICTURE_LINES = (
    *BASELINES,
    Line("SMOTE", "peer", children=_imbalanced("SMOTE")),
    Line("mixup", "peer", MIXED),
    Line("Albumentations", "peer", transform="albumentations"),
    Line("classic", "ours", transform="classic"),
    Line("interpolation + classic", "ours", children=_of("interpolation"), transform="classic"),
    Line("retrieval", "pool", children=_picked),
    Line("retrieval + classic", "pool", children=_picked, transform="classic"),
    Line("auto", "auto", candidates=("retrieval + classic", "retrieval")),
    Line("classic light", "ours", transform="classic light"),
    Line("classic randaugment", "ours", transform="classic randaugment"),
)

TRANSFER_LINES = (
    Line("none", "baseline"),
    Line("Albumentations", "peer", transform="albumentations"),
    Line("classic", "ours", transform="classic"),
    Line("retrieval + classic", "pool", children=_picked, transform="classic"),
    Line("retrieval of the whole pool + classic", "pool", children=_whole_pool, transform="classic"),
)

FINE_LINES = tuple(line for line in PICTURE_LINES if line.name in FINE)

ROW_LINES = (
    *BASELINES,
    Line("SMOTE", "peer", children=_imbalanced("SMOTE")),
    Line("ADASYN", "peer", children=_imbalanced("ADASYN")),
    Line("mixup", "peer", MIXED),
    Line("Albumentations", "peer", children=_albumentations_rows),
    Line("classic", "ours", children=_classic_rows),
    Line("isda", "ours", children=_of("isda")),
    Line("interpolation", "ours", children=_of("interpolation")),
    Line("calibration", "ours", children=_of("calibration")),
    Line("tail", "ours", children=_of("tail")),
    Line("retrieval", "pool", children=_picked),
    Line("auto", "auto", candidates=("retrieval", "interpolation")),
    Line("gan", "ours", children=_of("gan")),
    Line("diffusion", "ours", children=_of("diffusion")),
)


def lines(student: str) -> Sequence[Line]:
    """The lines of a student's table."""
    return {"probe": ROW_LINES, "scratch": PICTURE_LINES, "finetune": FINE_LINES, "transfer": TRANSFER_LINES}[student]


def transform(line: Line, name: str) -> Transform | None:
    """What is done to each batch."""
    if not line.transform:
        return None
    if line.transform == "albumentations":
        return albumentations_transform(name)
    return classic(name, *line.transform.split()[1:]).transform()
