"""The arms of `lift_text.py`: ours and the peers', as training sets of a student.

The probe's samples are rows of frozen MiniLM; children that are texts are encoded for it. The other students read
texts. Ours go through `pipeline/minting`, rewriters and feature-space methods with twice as many children as rows (as
many at 50 a class), without gates: at five rows a class a gate has learned little, and it costs an encoding a child.

Peers: EDA (our own `classic-text`, preset eda, which is its paper's recipe), and nlpaug's ContextualWordEmbsAug, whose
children would be made in an environment of its own (`nlpaug_env.sh`) and are read from files where they are there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from augmint.core.types import Sample, TrainingSet
from augmint.models import load_encoder, load_lm
from augmint.pipeline.arms import Arm
from augmint.pipeline.encodings import Remembered, RowSpace, as_rows
from augmint.pipeline.minting import Children, Fold, Models, mint, training_set
from augmint.pipeline.neutral import neutral_texts
from augmint.pipeline.workers import pixel_hash
from lift_arms import Line, no_children
from lift_text_cells import ENCODER, ROWS, Task, encoded, texts

PICKS = 150
"""Rows of a pool that are asked for, for each class, at most; fewer where there are many classes."""

MOST = 1500
"""Children of one arm that picks."""

NEUTRAL = 1500
"""Texts of the embedded corpus that an arm gets."""

SOFT = {"labels": "soft", "confidence": 0.0, "pick": "margin"}
"""Options of `retrieval`: nearly all is asked for, so that unlikeness need not be looked for."""


@dataclass
class Bench:
    """One pair, as a student sees it.

    Attributes:
        task: the pair.
        student: "probe" works on rows, the others on texts.
        seed: of everything that is drawn for the pair.
        shots: training rows of each class.
        made: children that are there, for all students of the pair.
    """

    task: Task
    student: str
    seed: int
    shots: int
    made: dict[str, Children] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        data, names = self.task.texts, self.task.texts.classes
        self.texts = Fold(data.samples(self.task.train, labelled=True), names, data.samples(self.task.pool))
        self.test, self.fold = data.samples(self.task.test), self.texts
        if self.on_rows:
            self.fold = Fold(self.rows(self.texts.real), names, self.rows(self.texts.pool))
            self.test = self.rows(self.test)

    @property
    def on_rows(self) -> bool:
        """Whether the student's samples are rows of MiniLM."""
        return self.student == "probe"

    @property
    def factor(self) -> float:
        """Rows after / rows before."""
        return 2.0 if self.shots >= 50 else 3.0

    def rows(self, samples: Sequence[Sample]) -> tuple[Sample, ...]:
        """Texts as rows of the probe's encoder."""
        return as_rows(samples, known(self.task.texts.name))

    def minted(self, arm: Arm, fold: Fold) -> Children:
        """Children of a method, made once for all arms that use them on the same rows."""
        key = repr((self.on_rows, arm, [sample.id for sample in fold.real]))
        if key not in self.made:
            once = {"max_rounds": 1, "max_tries": 1} if arm.needs_pool else {}
            self.made[key] = mint(arm.plan(self.seed, gates=[], **once), fold, self.models(arm))
        return self.made[key]

    def training_set(self, line: Line, fold: Fold, rng: np.random.Generator) -> TrainingSet:
        """What the student of a line learns from, with these real rows."""
        children = line.children(self, fold, rng) if line.children else no_children(fold)
        return training_set(line.arm, fold, children, rng)

    def models(self, arm: Arm) -> Models:
        """The models that an arm works with."""
        if self.on_rows:
            space = RowSpace(known(self.task.texts.name).space)
            return Models(space, space)
        encoder = known(self.task.texts.name)
        return Models(encoder, encoder, language_model(arm.model) if arm.model != ENCODER else None)

    def readable(self, fold: Fold) -> Fold:
        """The texts of a fold of rows."""
        at = {sample.id: sample for sample in self.texts.real}
        return replace(self.texts, real=tuple(at[sample.id] for sample in fold.real))

    def as_seen(self, children: Children) -> Children:
        """Children that are texts, in the form that the student takes."""
        return replace(children, samples=self.rows(children.samples)) if self.on_rows else children


@cache
def known(name: str) -> Remembered:
    """MiniLM, with every text of a data set and of the embedded corpus remembered."""
    encoder, data = load_encoder(ENCODER), texts(name)
    keys = [pixel_hash(Sample("", text)) for text in data.x]
    return Remembered(encoder, _rows={**dict(zip(keys, encoded(name), strict=True)), **_neutral_rows()})


@cache
def _neutral_rows() -> dict[str, Any]:
    samples, path = neutral_texts(), ROWS / "neutral.npy"
    if not path.exists():
        np.save(path, load_encoder(ENCODER).encode(samples).astype(np.float16))
    rows = np.load(path).astype(np.float32)
    return dict(zip([pixel_hash(sample) for sample in samples], rows, strict=True))


@cache
def language_model(name: str) -> Any:
    """A language model by name."""
    return load_lm(name)


# --- what adds children -----------------------------------------------------------------------------------------------


def _of(method: str, model: str = ENCODER, label_by: str = "parents", **options: Any) -> Any:
    """Children of a method on the student's samples, at the cell's factor."""
    return lambda bench, fold, rng: bench.minted(
        Arm(method, method, options, model=model, factor=bench.factor, label_by=label_by), fold
    )


def _rewritten(method: str, model: str = "tiny-text", **options: Any) -> Any:
    """Children that are texts, encoded where the student wants rows."""

    def make(bench: Bench, fold: Fold, rng: np.random.Generator) -> Children:
        arm = Arm(method, method, options, model=model, factor=bench.factor)
        own = replace(bench, student="scratch") if bench.on_rows else bench
        return bench.as_seen(own.minted(arm, bench.readable(fold)))

    return make


def picked(soft: bool) -> Any:
    """Rows of the pool: surely of the class and with its label, or all that is asked for with balanced soft labels."""

    def make(bench: Bench, fold: Fold, rng: np.random.Generator) -> Children:
        classes = len(fold.classes)
        wanted = MOST if soft else min(PICKS * classes, MOST)
        options = SOFT if soft else {}
        arm = Arm("retrieval", "retrieval", options, model=ENCODER, label_by="parents", needs_pool=True,
                  factor=1.0 + wanted / len(fold.real))  # fmt: skip
        return bench.minted(arm, fold)

    return make


def neutral(bench: Bench, fold: Fold, rng: np.random.Generator) -> Children:
    """Sentences of the embedded corpus near the training texts, with balanced soft labels."""
    samples = neutral_texts()
    pool = bench.rows(samples) if bench.on_rows else samples
    arm = Arm("neutral", "retrieval", SOFT, model=ENCODER, label_by="parents",
              needs_pool=True, factor=1.0 + NEUTRAL / len(fold.real))  # fmt: skip
    return bench.minted(arm, replace(fold, pool=pool))


def nlpaug(bench: Bench, fold: Fold, rng: np.random.Generator) -> Children:
    """nlpaug's children of the rows of this fold."""
    made = json.loads(nlpaug_path(bench.task.texts.name, bench.shots, bench.seed).read_text(encoding="utf8"))
    name = {sample.id: sample.target for sample in fold.real}
    wanted = [(parent, text) for parent, text in made if parent in name]
    samples = tuple(Sample(f"peer-{i}", text, name[parent]) for i, (parent, text) in enumerate(wanted))
    y = np.array([[sample.target == c for c in fold.classes] for sample in samples], np.float32)
    parents = tuple([(f"data:{parent}", 1.0)] for parent, _ in wanted)
    return bench.as_seen(Children(samples, y.reshape(-1, len(fold.classes)), parents))


def nlpaug_path(name: str, shots: int, pair: int) -> Any:
    """Where the peer's children of a pair are kept: [parent, text] each."""
    return ROWS / "nlpaug" / f"{name}-{shots:02d}-{pair:02d}.json"


# --- the lines --------------------------------------------------------------------------------------------------------

BASELINES = (
    Line("none", "baseline"),
    Line("class weights", "baseline", Arm("class weights", class_weights=True)),
    Line("random oversampling", "baseline", Arm("random oversampling", oversample=True)),
    Line("EDA", "peer", children=_rewritten("classic-text", ENCODER, preset="eda")),
    Line("nlpaug", "peer", children=nlpaug),
)
REWRITERS = (
    Line("masked-lm", "ours", children=_rewritten("masked-lm")),
    Line("masked-lm half", "ours", children=_rewritten("masked-lm", share=0.5, insert=0.2, at_once=True)),
    Line("masked-lm labelled", "ours", children=_rewritten("masked-lm", condition="prepend", steps=50)),
    Line("ssmba", "ours", children=_rewritten("ssmba")),
)
PICKED = (
    Line("neutral", "ours", children=neutral),
    Line("retrieval", "pool", children=picked(False)),
    Line("retrieval soft", "pool", children=picked(True)),
)
TEXT_LINES = (
    *BASELINES,
    Line("classic-text heavy", "ours", children=_rewritten("classic-text", ENCODER, preset="heavy")),
    *REWRITERS,
    *PICKED,
    Line("auto", "auto", candidates=("retrieval",)),
)
LATENT = ("noise", "interpolation", "extrapolation", "calibration", "tail")
ROW_LINES = (
    *BASELINES,
    Line("mixup", "peer", Arm("mixup", mixup=0.4)),
    *(Line(name, "ours", children=_of(name)) for name in LATENT),
    *REWRITERS,
    *PICKED,
    Line("auto", "auto", candidates=("retrieval", "interpolation")),
)  # fmt: skip
FINE = ("none", "EDA", "nlpaug", "retrieval", "auto")


def lines(student: str) -> Sequence[Line]:
    """The lines of a student's table."""
    fine = tuple(line for line in TEXT_LINES if line.name in FINE)
    return {"probe": ROW_LINES, "scratch": TEXT_LINES, "finetune": fine}[student]
