"""What a report is made of. It is handed over; this room opens no file of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from augmint.core.types import F32
from augmint.report.thumbnails import Picture


@dataclass(frozen=True)
class Shown:
    """A sample by name (``data:ID``, ``pool:ID``, ``base:CLASS``, a child's id) and what is there to see of it.

    Attributes:
        name: what it is called.
        picture: of an image.
        texts: (column, text) of each text; the column of a single one is "".
    """

    name: str
    picture: Picture | None = None
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Strip:
    """A child beside its parents.

    Attributes:
        child: what was made.
        parents: with the weight of each in the label.
        label: class of the child; ``label_by`` says who gave it.
        scores: of the row gates, by name.
        note: where a method did something else than its name says.
    """

    child: Shown
    parents: tuple[tuple[Shown, float], ...]
    label: str
    label_by: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Rejection:
    """A draw that a gate said no to; ``threshold`` is NaN for gates that compare draws with each other."""

    strip: Strip
    gate: str
    score: float
    threshold: float = np.nan


@dataclass(frozen=True)
class Film:
    """A path through the codec's space: two real samples and what the codec decodes on the way, ends included."""

    label: str
    first: Shown
    last: Shown
    frames: tuple[Picture, ...]


@dataclass(frozen=True)
class Cloud:
    """Rows of one kind on the map; ``total`` is how many there are, of which ``at`` (n, 2) are drawn."""

    kind: Literal["real", "minted", "held-out"]
    at: F32
    total: int


@dataclass(frozen=True)
class SpaceMap:
    """Rows on the two strongest directions of the real rows; ``share`` of their variance lies in each."""

    space: str
    share: tuple[float, float]
    clouds: tuple[Cloud, ...]


@dataclass(frozen=True)
class ClassRow:
    """Counts of a class: real rows before, children asked for and made, rejected draws by gate."""

    name: str
    before: int
    asked: int
    made: int
    rejected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoreRow:
    """A score of the whole set: direction, range, and what real rows get in the minted ones' place (NaN: unknown)."""

    name: str
    value: float
    better: str
    low: float
    high: float
    n: int
    interval: tuple[float, float] | None = None
    reference: float = np.nan
    matched: float = np.nan
    note: str = ""


@dataclass(frozen=True)
class ScoreFacts:
    """Scores of the minted set in a space; the headline says in one line how to take them, or why there is none."""

    space: str
    headline: str
    rows: tuple[ScoreRow, ...]


@dataclass(frozen=True)
class ModelFacts:
    """A pretrained model that took part."""

    role: str
    name: str
    licence: str
    sha256: str
    source: str
    summary: str
    trained_on: tuple[str, ...]


@dataclass(frozen=True)
class Effect:
    """What an arm changes in one metric, against the same students without it; in units of the metric."""

    mean: float
    low: float
    high: float
    verdict: str
    headline: str


@dataclass(frozen=True)
class ArmResult:
    """One arm of a cell: mean scores, recall of each class, effects by metric (none for the reference)."""

    name: str
    scores: Mapping[str, float]
    recall: Mapping[str, float]
    effects: Mapping[str, Effect]
    minted: float


@dataclass(frozen=True)
class Cell:
    """One student at one number of real rows a class ("all" for what there is).

    ``status`` is "done", "partial" or "not run": so many ``pairs`` of those ``planned``.
    """

    student: str
    shots: str
    status: str
    scheme: str
    pairs: int
    planned: int
    arms: tuple[ArmResult, ...]

    @property
    def rows(self) -> str:
        """How many real rows, in words."""
        return "all samples" if self.shots == "all" else f"{self.shots} a class"


@dataclass(frozen=True)
class Transfer:
    """Share of the gap between the scratch student and the pretrained probe that an arm closes, with its interval."""

    arm: str
    shots: str
    headline: str


@dataclass(frozen=True)
class LiftFacts:
    """A measured lift: its cells, in words what every arm could spend, the recipes of arms that mint, the data."""

    metric: str
    budget: str
    cells: tuple[Cell, ...]
    transfer: tuple[Transfer, ...] = ()
    recipes: tuple[str, ...] = ()
    data: str = ""


@dataclass(frozen=True)
class Report:
    """Everything that a page shows; a section without facts is left out.

    Attributes:
        title: what the page is about.
        summary: lines that a hurried reader needs.
        alarms: what is wrong: problems of the run, a judge that flatters, an arm that harms.
        classes, strips, rejections, films, map, scores, lift, models: see their classes.
        strips_total: children of which ``strips`` are some.
        rejections_total: draws of which ``rejections`` are some.
        settings: the resolved plan, key by key.
        leak_check: its result in words.
        commands: (what for, command) to make the same again.
        missing: (section, why it is not here).
        version: of augmint.
    """

    title: str
    version: str
    summary: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    classes: tuple[ClassRow, ...] = ()
    strips: tuple[Strip, ...] = ()
    strips_total: int = 0
    rejections: tuple[Rejection, ...] = ()
    rejections_total: int = 0
    films: tuple[Film, ...] = ()
    map: SpaceMap | None = None
    scores: ScoreFacts | None = None
    lift: LiftFacts | None = None
    models: tuple[ModelFacts, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    leak_check: str = ""
    commands: tuple[tuple[str, str], ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
