"""Arms: what is compared with what. One arm is one line of a table of lifts.

An arm says what happens to the training rows of a student: nothing, heavier small classes, children of a method,
changes on the fly, or a few of these at once. All arms of a pair share the real rows, the test rows, the student and
its budget; ``none`` is what the others are measured against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from augmint.classic import TABLE as CLASSIC
from augmint.core import registry
from augmint.core.errors import UsageError, unknown
from augmint.core.protocols import Modality
from augmint.pipeline.modality import MEDIA, default_model
from augmint.pipeline.plan import Plan, family, make_plan, rewriter_names
from augmint.synthesizers import TABLE as METHODS

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Arm:
    """One line of a table.

    Attributes:
        name: as the user wrote it, such as ``gan+classic``.
        method: synthesizer or hand-made transform that makes children; "" for none.
        options: fields of the method.
        then: hand-made transform that every child goes through; "" for none.
        class_weights: rows are met in inverse proportion to the size of their class.
        oversample: rows of small classes are repeated at random until all classes are even.
        transform: hand-made transform of each batch, afresh each time; "" for none.
        mixup: parameter of the Beta distribution of on-the-fly mixup of inputs; 0 for none.
        model: codec, encoder or language model that the method works with.
        factor: rows after / rows before, for arms with a method.
        label_by: as in :class:`~augmint.pipeline.plan.Plan`.
        needs_pool: the method picks from unlabelled samples.
        gates: quality filters of the children; None for those of the table.
    """

    name: str
    method: str = ""
    options: Options = field(default_factory=dict)
    then: str = ""
    class_weights: bool = False
    oversample: bool = False
    transform: str = ""
    mixup: float = 0.0
    model: str = "tiny-image"
    factor: float = 3.0
    label_by: str = "auto"
    needs_pool: bool = False
    gates: tuple[str, ...] | None = None

    @property
    def rewrites(self) -> bool:
        """Whether samples themselves are changed, pictures or texts, so that it has no meaning for rows."""
        return bool(self.then or self.transform) or self.method in rewriter_names()

    def plan(self, seed: int, **keys: Any) -> Plan:
        """The plan of a run that would make this arm's children; ``keys`` are further keys of the plan."""
        own = {"model": self.model, "method": self.method, "method_options": dict(self.options)}
        values = {**own, "factor": self.factor, "label_by": self.label_by, "seed": seed, **keys}
        return make_plan({**values, "then": self.then} if self.then else values)


NONE = Arm("none")
"""What all arms are measured against."""

WORDS: dict[str, dict[str, Any]] = {
    "none": {},
    "class-weights": {"class_weights": True},
    "oversampling": {"oversample": True},
    "on-the-fly": {"transform": "classic"},
    "input-mixup": {"mixup": 0.2},
}
"""Arms that mint nothing; ``mixup`` is the method in latent space, ``input-mixup`` the change of batches."""


def arm_names() -> list[str]:
    """All words that :func:`parse_arms` knows, without their combinations."""
    return [*WORDS, *sorted({*registry.names("synthesizers", METHODS), *rewriter_names()})]


def parse_arms(
    words: str | Sequence[str], *, factor: float = 3.0, model: str = "", modality: Modality = "image"
) -> tuple[Arm, ...]:
    """Arms from ``none,gan,gan+classic``, in this order and each once; ``none`` comes first whether named or not.

    Args:
        words: names, or one string with commas. ``+`` joins what one arm does: a method, then transforms of its
            children (``gan+classic``) and any of :data:`WORDS` (``gan+class-weights+on-the-fly``).
        factor: rows after / rows before.
        model: of the methods; "" for the default of each.
        modality: of the data; ``classic`` means that modality's own transform.

    Raises:
        UsageError: an unknown word, or two methods in one arm.
    """
    listed = words.split(",") if isinstance(words, str) else list(words)
    names = dict.fromkeys(name for word in listed if (name := word.strip()))
    arms = [own_words(_arm(name), modality) for name in names if name != NONE.name]
    return (NONE, *(replace(arm, factor=factor, model=model or default_model(arm.method, modality)) for arm in arms))


def own_words(arm: Arm, modality: Modality) -> Arm:
    """The arm with the modality's own transform wherever it says ``classic``."""
    own = MEDIA[modality].classic
    said = {key: own for key in ("method", "then", "transform") if getattr(arm, key) == "classic"}
    return replace(arm, **said)  # type: ignore[arg-type]


def _arm(name: str) -> Arm:
    """One arm from its name."""
    fields: dict[str, Any] = {}
    for word in name.split("+"):
        fields |= _meaning(word, name, bool(fields.get("method")))
    return Arm(name, **fields)


def _meaning(word: str, name: str, after_method: bool) -> dict[str, Any]:
    """What one word of an arm's name sets."""
    if word in WORDS:
        return WORDS[word]
    if word in registry.names("classic", CLASSIC) and after_method:
        return {"then": word}
    if word not in arm_names():
        raise unknown("method", word, arm_names(), where=f"arm {name!r}" if word != name else "")
    if after_method:
        raise UsageError(
            f"arm {name!r} with two methods",
            expected="one method in an arm, and after + transforms of its children",
            do=f"separate them with a comma: {name.replace('+', ',')}",
            code="two-methods",
        )
    if family(word) != "synthesizers":
        return {"method": word}
    uses = registry.lookup("synthesizers", "method", METHODS, word).uses
    return {"method": word, "needs_pool": "pool" in uses}
