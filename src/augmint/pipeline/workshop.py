"""The models of a lift, loaded once, and what is made with them: children of a fold, students."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from augmint.classic import TABLE as CLASSIC
from augmint.core import registry
from augmint.core.protocols import Student
from augmint.core.seeds import stream
from augmint.core.types import Sample, TrainingSet, Transform
from augmint.models import LANGUAGE_MODELS, get_card, load_encoder, load_lm, load_network
from augmint.pipeline.arms import Arm
from augmint.pipeline.encodings import Remembered
from augmint.pipeline.lift_plan import LiftPlan
from augmint.pipeline.minting import Children, Fold, Models, mint, training_set
from augmint.students import TABLE as STUDENTS

if TYPE_CHECKING:
    from torch import nn


@dataclass
class Workshop:
    """Makes children and students for any fold; rows of real samples are worked out once.

    Attributes:
        plan: of the lift.
        rows: whether methods and students are given rows, so that no model is needed.
        device: of the models.
        keys: further keys of the plan of every minting.
    """

    plan: LiftPlan
    rows: bool
    device: str = "cpu"
    keys: Mapping[str, Any] = field(default_factory=dict)
    _models: dict[tuple[str, int | None], Remembered] = field(default_factory=dict, repr=False)
    _lms: dict[str, Any] = field(default_factory=dict, repr=False)

    def encoder(self, name: str, size: int | None = None) -> Remembered:
        """A model that remembers what it has encoded."""
        if (name, size) not in self._models:
            self._models[name, size] = Remembered(load_encoder(name, size=size, device=self.device))
        return self._models[name, size]

    def models(self, arm: Arm) -> Models:
        """The models that an arm mints with."""
        if self.rows:
            return Models.of_rows()
        judge, card = self.encoder(self.plan.judge), get_card(arm.model) if arm.model else None
        if card is None:
            return Models(judge, judge)  # a method by hand: the codec is not asked
        if card.kind in LANGUAGE_MODELS:
            further = {key: self._language_model(name) for key, name in arm.plan(0).further_models.items()}
            lm = self._language_model(arm.model)
            return Models(judge, judge, {"lm": lm, **further} if further else lm)
        return Models(self.encoder(arm.model, self.plan.size or None), judge)

    def _language_model(self, name: str) -> Any:
        """A language model, loaded once."""
        if name not in self._lms:
            self._lms[name] = load_lm(name, device=self.device)
        return self._lms[name]

    def children(self, arm: Arm, fold: Fold, seed: int) -> Children:
        """What the arm's method makes of the fold; nothing for an arm without one."""
        if not arm.method:
            return Children(y=np.zeros((0, len(fold.classes)), np.float32))
        gates = self.plan.gates if arm.gates is None else arm.gates
        keys: dict[str, Any] = {"judge": self.plan.judge, "gates": list(gates), "size": self.plan.size, **self.keys}
        plan = arm.plan(seed, **keys)
        lms = {name: self._language_model(model) for name, model in plan.gate_models.items()}
        return mint(plan, fold, replace(self.models(arm), gate_lms=lms))

    def training_set(self, arm: Arm, fold: Fold, children: Children, seed: int) -> TrainingSet:
        """What a student of the arm learns from."""
        return training_set(arm, fold, children, stream(seed, "repeat"), transform_of(arm, fold.real))

    def student(self, name: str) -> Student:
        """A fresh student; the pretrained part of those that have one is the plan's ``encoder``."""
        found = registry.lookup("students", "student", STUDENTS, name)
        takes, options = inspect.signature(found).parameters, dict[str, Any]()
        if "encoder" in takes:
            options["encoder"] = None if self.rows else self.encoder(self.plan.encoder)
        if "network" in takes:
            options["network"] = partial(_network, self.plan.encoder)
        made = found(**options)
        assert isinstance(made, Student)
        return made


def _network(name: str) -> nn.Module:
    """A new copy of a pretrained network."""
    return load_network(name)[0]


def transform_of(arm: Arm, real: Sequence[Sample]) -> Transform | None:
    """The on-the-fly transform of an arm; what it finds out of the data it finds out of these samples."""
    if not arm.transform:
        return None
    found = registry.build("classic", "transform", CLASSIC, arm.transform, {})
    made: Transform = found.fit(real, stream(0, "fit", arm.transform)).transform()
    return made
