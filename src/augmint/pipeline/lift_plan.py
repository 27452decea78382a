"""What a lift compares: the keys that change its result, and no others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from augmint.core import registry
from augmint.core.errors import UsageError, unknown
from augmint.core.protocols import Modality
from augmint.core.types import Budget
from augmint.evaluation.metrics import METRICS
from augmint.pipeline.arms import NONE, Arm
from augmint.pipeline.modality import MEDIA, check_encoders
from augmint.pipeline.plan import DEFAULT_GATES
from augmint.pipeline.splits import ALL
from augmint.students import TABLE as STUDENTS

Space = Literal["samples", "rows"]


@dataclass(frozen=True)
class LiftPlan:
    """The keys that change the result.

    Attributes:
        arms: what is compared; the first is ``none``.
        students: who learns.
        shots: rows of each class to train on; 0 for two thirds of all rows.
        pairs: of each cell.
        metric: what conclusions are drawn from; all others are measured as well.
        budget: of every student in every arm.
        seed: of every random stream.
        judge: encoder in whose space gates look at children; ``encoder``: of the probe.
        gates: quality filters of the children.
        size: working size of the codec in pixels, 0 for rows.
        space: "samples": children are decoded, and a probe encodes them as it does real samples; "rows": the methods
            work on the probe's own rows.
    """

    arms: tuple[Arm, ...] = (NONE,)
    students: tuple[str, ...] = ("probe",)
    shots: tuple[int, ...] = (ALL,)
    pairs: int = 10
    metric: str = "accuracy"
    budget: Budget = field(default_factory=lambda: Budget(trials=3))
    seed: int = 0
    judge: str = "tiny-judge"
    encoder: str = "tiny-judge"
    gates: tuple[str, ...] = DEFAULT_GATES
    size: int = 0
    space: Space = "samples"

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise unknown("metric", self.metric, METRICS)
        for name in self.students:
            registry.lookup("students", "student", STUDENTS, name)
        numbers = {"pairs": self.pairs, **{f"budget {k}": v for k, v in dataclasses.asdict(self.budget).items()}}
        for name, number in {**numbers, "shots": min(self.shots) + 1}.items():
            if number < 1:
                raise UsageError(
                    f"{name} = {number}", expected="a whole number, 1 or more", do=f"change {name}", code="range"
                )
        _refuse_twice("arm", [arm.name for arm in self.arms])
        _refuse_twice("student", self.students)
        _refuse_twice("shots", [shots_name(shots) for shots in self.shots])

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        values = dataclasses.asdict(self)
        values["arms"] = [{**dataclasses.asdict(arm), "options": dict(arm.options)} for arm in self.arms]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    def check_kind(self, rows: bool, modality: Modality) -> None:
        """Refuse what cannot be done with samples of this kind: pictures, texts, or rows.

        Raises:
            UsageError: a picture's transform or pretrained network for rows, the probe's rows for another student, a
                student of texts for pictures, or a judge or encoder that cannot read the samples.
        """
        if not rows:
            check_encoders(self.judge, self.encoder, MEDIA[modality])
        if "scratch-cnn" in self.students and modality != "text" and not rows:
            raise UsageError(
                "student 'scratch-cnn', for pictures", expected="texts", do="use scratch for pictures", code="modality"
            )
        on_rows = rows or self.space == "rows"
        bad = [arm.name for arm in self.arms if arm.rewrites] if on_rows else []
        bad += [name for name in self.students if name in ("finetune", "scratch-cnn")] if on_rows else []
        bad += [name for name in self.students if name != "probe"] if self.space == "rows" and not rows else []
        if bad:
            raise UsageError(
                f"{', '.join(bad)}, on rows of numbers",
                expected="arms and students that do not need pictures",
                do="leave them out" if rows else "leave them out, or use --space samples",
                code="rows",
            )


def shots_name(shots: int) -> str:
    """The number, or "all"."""
    return "all" if shots == ALL else str(shots)


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    twice = next((name for i, name in enumerate(names) if name in names[:i]), "")
    if twice:
        raise UsageError(f"{what} {twice!r} twice", expected="each once", do="remove one", code="twice")
