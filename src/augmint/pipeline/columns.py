"""The provenance columns of the data set that a run writes, the same for files and for rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from augmint.core.types import Entry
from augmint.pipeline.assembly import Assembly
from augmint.pipeline.barrier import Child
from augmint.pipeline.manifest import dump_json


@dataclass(frozen=True)
class Columns:
    """Gives the columns of a sample.

    Attributes:
        classes: in class order.
        recipe: how children were made; ``space``: in which model's space.
        soft: whether every row has the weight of each class.
    """

    classes: tuple[str, ...]
    recipe: str
    space: str
    soft: bool

    @classmethod
    def of_run(cls, assembly: Assembly) -> Columns:
        """The columns of a run's data set."""
        setup = assembly.setup
        return cls(setup.classes, setup.plan.recipe, setup.space, assembly.soft)

    def of(self, source: Entry | Child, label: str) -> dict[str, Any]:
        """The columns of an original or of a child with this label."""
        own = self._child(source) if isinstance(source, Child) else self._original(source)
        return own | self._probs(source, label)

    def _child(self, child: Child) -> dict[str, Any]:
        facts = child.facts
        made = {key: facts[key] for key in ("id", "group", "refs", "label_weights", "label_by", "note")}
        scores = dump_json(facts["scores"])
        return made | {"is_synthetic": True, "scores": scores, "method": self.recipe, "model": self.space}

    def _original(self, entry: Entry) -> dict[str, Any]:
        # Every column has one type in every row and split, or load_dataset refuses: no empty lists, no nulls.
        return {
            "is_synthetic": False,
            "id": entry.id,
            "group": entry.group,
            "refs": [f"data:{entry.id}"],
            "label_weights": [1.0],
            "label_by": "",
            "scores": "",
            "note": "",
            "method": "",
            "model": "",
        }

    def _probs(self, source: Entry | Child, label: str) -> dict[str, list[float]]:
        """The weight of each class, in class order; in every row or in none."""
        if not self.soft:
            return {}
        facts = source.facts if isinstance(source, Child) else {}
        hard = [float(name == label) for name in self.classes]
        return {"label_probs": facts.get("label_probs", hard)}
