"""What to make: one frozen plan, from flags, a YAML file or keyword arguments.

A plan holds the keys that change the result and no others; where and how fast it runs (workers, progress, paths) is
not part of it. Its fingerprint names the run: the same plan on the same data continues, another one is refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from augmint.classic import TABLE as CLASSIC
from augmint.core import registry
from augmint.core.errors import UsageError, did_you_mean, unknown
from augmint.core.protocols import Rewriter, Synthesizer
from augmint.gates import TABLE as GATES
from augmint.rewriters import TABLE as REBUILD
from augmint.synthesizers import TABLE as METHODS
from augmint.synthesizers.pool_nearest import PoolNearest

Options = Mapping[str, Any]
LABEL_BY = ("auto", "parents", "judge")
DECODE = ("", "pool", "rows")
AUTO = "auto"
"""In place of a method: let a search decide, or abstain."""

REWRITERS: Mapping[str, dict[str, str]] = {"classic": CLASSIC, "rewriters": REBUILD}
"""The rooms of methods that work on samples."""

DEFAULT_GATES = ("consistency", "novelty", "realism", "diversity")
_RANGES = {
    "factor": (1.0, 1000.0),
    "seed": (0, 2**63 - 1),
    "unit_size": (1, 4096),
    "max_tries": (1, 1000),
    "max_rounds": (1, 1000),
    "threads": (1, 256),
    "size": (0, 1024),
}


@dataclass(frozen=True)
class Plan:
    """The keys that change the result.

    Attributes:
        model: card of the model that the method works with: a codec that encodes and decodes, or a language model.
        size: working size: in pixels, the side to which every image is scaled for the model; in tokens, the most
            of a text that it reads. 0 chooses it from the data or the card, and the resolved plan says which.
        method: synthesizer, or a hand-made transform; ``method_options`` are its fields. "auto" stands for a search
            that settles it and more, or abstains; the resolved plan says for what.
        then: hand-made transform that every child goes through, rows of a pool too; "" for none. ``then_options`` are
            its fields.
        judge: card of the encoder in whose space gates look at the children.
        gates: quality filters, in order; ``gate_options`` maps a gate's name to its fields.
        factor: rows after / rows before, for every class, when ``strategy`` is empty.
        strategy: imbalanced-learn's words ("auto", "minority", "not minority", "not majority", "all"), or
            "rare=500,other=200" or the same as a mapping: rows of a class AFTER the run (0: leave it as it is).
        label: metadata column with the label ("" is the format's default); ``group``: with the group.
        text: column with the text, or two with a comma between; ``spans``: with the parts of a text that have labels.
        decode: how a row that a method on rows draws becomes a sample: "" by the model, which must be a codec, "pool":
            the nearest row of an unlabelled pool that no child has got yet (the default for texts), "rows": not at all,
            the rows are what is written (`row_file`).
        label_by: who labels a child: "parents" (the weighted mean of their labels), "judge" (a calibrated probe on
            the judge's features, which must agree with them), or "auto": the judge for what was picked from a
            pool, parents else.
        seed: of every random stream.
        unit_size: children of one unit; a unit is what is redone after a crash.
        max_tries: draws for one place in a unit before it counts as short.
        max_rounds: refill rounds after the set gate.
        threads: threads inside one operation; changes the last bits of sums, so it belongs to the result.
        synthetic_only: write the children without the originals.
        keep_metadata: keep EXIF and other identifying segments in the originals.
        abstained: tuning found nothing that should be added: nothing is made, the originals are written.
    """

    model: str = "tiny-image"
    size: int = 0
    method: str = "interpolation"
    method_options: Options = field(default_factory=dict)
    then: str = ""
    then_options: Options = field(default_factory=dict)
    judge: str = "tiny-judge"
    gates: tuple[str, ...] = DEFAULT_GATES
    gate_options: Mapping[str, Options] = field(default_factory=dict)
    factor: float = 2.0
    strategy: str | Mapping[str, int] = ""
    label: str = ""
    group: str = ""
    text: str = ""
    spans: str = ""
    decode: str = ""
    label_by: str = "auto"
    seed: int = 0
    unit_size: int = 32
    max_tries: int = 8
    max_rounds: int = 12
    threads: int = 1
    synthetic_only: bool = False
    keep_metadata: bool = False
    abstained: bool = False

    def __post_init__(self) -> None:
        for name in _RANGES:
            _check_range(name, getattr(self, name))
        if self.label_by not in LABEL_BY:
            raise unknown("label_by", self.label_by, LABEL_BY)
        if self.decode not in DECODE:
            raise unknown("decode", self.decode, DECODE)
        if self.abstained and (self.factor != 1.0 or self.strategy):
            raise UsageError(
                f"abstained with factor {self.factor:g}" + (f", strategy {self.strategy!r}" if self.strategy else ""),
                expected="factor 1 and no strategy: nothing is made",
                do="remove abstained, or the others",
                code="abstained",
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain values in the order of the fields, ready for YAML or JSON; keys of tables only where they are set."""
        values = dataclasses.asdict(self)
        for name in ("text", "spans", "decode"):
            if not values[name]:
                del values[name]
        values["gates"] = list(self.gates)
        return {"version": 1, **values}

    @property
    def rewrites(self) -> bool:
        """Whether the method works on samples: nothing is encoded for it, and nothing decoded."""
        return family(self.method) in REWRITERS

    @property
    def model_kinds(self) -> frozenset[str]:
        """The kinds of model that the method works with; none where it needs none."""
        found = method_class(self.method)
        return found.model_kinds if issubclass(found, Rewriter) else frozenset({"codec"})

    @property
    def uses_model(self) -> bool:
        """Whether a model has a part in how children are made."""
        return bool(self.model_kinds)

    @property
    def further_models(self) -> dict[str, str]:
        """Models that the method's options name, by the field in which it is handed each."""
        found = method_class(self.method)
        wanted = found.further_models.items() if issubclass(found, Rewriter) else ()
        return {field_: self.method_options[option] for option, field_ in wanted if self.method_options.get(option)}

    @property
    def changeable(self) -> frozenset[str]:
        """Options of the method that a run may change when it goes on: no child depends on them."""
        found = method_class(self.method)
        return found.changeable if issubclass(found, Rewriter) else frozenset()

    @property
    def uses(self) -> frozenset[str]:
        """The second sources that the method looks at: "pool", "base", both or none."""
        if self.rewrites:
            return frozenset()
        return frozenset(self._on_rows().uses) | ({"pool"} if self.decode == "pool" else set())

    @property
    def recipe(self) -> str:
        """As `recipe_of`."""
        return recipe_of(self.method, self.then)

    def synthesizer(self) -> Any:
        """A fresh synthesizer with this plan's options, on top of which `decode` may put another."""
        method = self._on_rows()
        return PoolNearest(method) if self.decode == "pool" and "pool" not in method.uses else method

    def _on_rows(self) -> Any:
        return registry.build("synthesizers", "method", METHODS, self.method, self.method_options)

    def rewriter(self, lm: Any = None) -> Any:
        """The method, fresh, where it works on samples; ``lm`` is the model it is handed, or all of them by field."""
        room = family(self.method)
        built = registry.build(room, "method", REWRITERS[room], self.method, self.method_options)
        return built if lm is None else dataclasses.replace(built, **(lm if isinstance(lm, dict) else {"lm": lm}))

    def then_rewriter(self) -> Any:
        """What every child goes through, fresh; None where there is no such thing."""
        return registry.build("classic", "then", CLASSIC, self.then, self.then_options) if self.then else None

    def gate(self, name: str, lm: Any = None) -> Any:
        """A fresh gate with this plan's options; ``lm`` is the model of one that reads through a model of its own."""
        built = registry.build("gates", "gate", GATES, name, self.gate_options.get(name, {}))
        return built if lm is None else dataclasses.replace(built, lm=lm)

    @property
    def gate_models(self) -> dict[str, str]:
        """The models of gates that read through one of their own, by the gate's name."""
        gates = {name: self.gate(name) for name in self.gates}
        return {name: gate.model for name, gate in gates.items() if getattr(gate, "model_kinds", None)}


def family(method: str) -> str:
    """The room that a method is of: "synthesizers" in latent space, or "classic" or "rewriters" on samples."""
    rooms = {"synthesizers": METHODS, **REWRITERS}
    known = {room: registry.names(room, table) for room, table in rooms.items()}
    for room, names in known.items():
        if method in names:
            return room
    raise unknown("method", method, {name for names in known.values() for name in names})


def method_class(method: str) -> type[Synthesizer] | type[Rewriter]:
    """The class of a method of any room; raises UsageError with the nearest name when there is none."""
    room = family(method)
    return registry.lookup(room, "method", {"synthesizers": METHODS, **REWRITERS}[room], method)


def rewriter_class(method: str) -> type[Rewriter]:
    """The class of a method that works on samples."""
    found = method_class(method)
    assert issubclass(found, Rewriter)
    return found


def rewriter_names() -> list[str]:
    """All methods that work on samples, plug-ins too."""
    return [name for room, table in REWRITERS.items() for name in registry.names(room, table)]


def recipe_of(method: str, then: str) -> str:
    """A method and what its children go through then ("" for nothing), in one word."""
    return f"{method}+{then}" if then else method


def make_plan(values: Mapping[str, Any], *, where: Mapping[str, str] | None = None) -> Plan:
    """A plan from plain values, every name and type checked before anything is loaded.

    Args:
        values: keys of :class:`Plan`, and optionally ``version: 1``.
        where: place (``file:line``) of each key that a file gave, inner keys as ``outer.inner``, for the messages.

    Raises:
        UsageError: unknown key, wrong type, value out of range, unknown method or gate.
    """
    fields = {f.name: f for f in dataclasses.fields(Plan)}
    defaults, places = Plan(), where or {}
    clean: dict[str, Any] = {}
    for key, value in values.items():
        place = f" ({places[key]})" if key in places else ""
        if key == "version":
            _check_version(value, place)
            continue
        if key not in fields:
            raise UsageError(
                f"config key {key!r}{place}",
                expected=f"one of: {', '.join(sorted(fields))}",
                do=f"{did_you_mean(str(key), fields)} correct the key".strip(),
                code="unknown-key",
            )
        clean[key] = _checked(key, value, getattr(defaults, key), place)
    for key, value in clean.items():
        with _at(places, key):
            _check_range(key, value)
    plan = Plan(**clean)
    _check_names(plan, places, "factor" in clean)
    return plan


def _check_names(plan: Plan, places: Mapping[str, str], counted: bool) -> None:
    """The method and the gates exist and take their options; ``counted``: a factor was given."""
    if plan.method == AUTO:
        _check_auto(plan, counted)
    else:
        with _at(places, "method"):
            family(plan.method)
        with _at(places, "method_options"):
            plan.rewriter() if plan.rewrites else plan.synthesizer()
    _check_then(plan, places)
    for name in plan.gates:
        with _at(places, "gates"):
            registry.lookup("gates", "gate", GATES, name)
    for name in dict.fromkeys((*plan.gates, *plan.gate_options)):
        with _at(places, f"gate_options.{name}"):
            plan.gate(name)


def _check_auto(plan: Plan, counted: bool) -> None:
    """What a search settles cannot be set, and originals must be written should it abstain."""
    set_ = [name for name in ("method_options", "then", "synthetic_only") if getattr(plan, name)]
    set_ += ["factor"] if counted else []
    if set_:
        raise UsageError(
            f"method auto with {', '.join(set_)}",
            expected="nothing that the search settles (options, then, factor), and originals in the output",
            do=f"leave out {', '.join(set_)} (strategy sets the amount), or name a method",
            code="auto",
        )


def _check_then(plan: Plan, places: Mapping[str, str]) -> None:
    if not plan.then and plan.then_options:
        place = f" ({places['then_options']})" if "then_options" in places else ""
        raise UsageError(
            f"then_options without then{place}", expected="then: classic", do="add --then classic", code="then"
        )
    with _at(places, "then"):
        if plan.then:
            registry.lookup("classic", "then", CLASSIC, plan.then)
    with _at(places, "then_options"):
        plan.then_rewriter()


@contextlib.contextmanager
def _at(places: Mapping[str, str], key: str) -> Iterator[None]:
    """Name the place of a key, or of the option in it that is at fault, in errors raised inside."""
    try:
        yield
    except UsageError as error:
        place = places.get(key, "")
        for name, inner in places.items():
            if name.startswith(f"{key}.") and f"option {name.removeprefix(f'{key}.')!r} " in error.got:
                place = inner
        got = f"{error.got} ({place})" if place else error.got
        raise UsageError(got, expected=error.expected, do=error.do, code=error.code) from error


def _checked(key: str, value: Any, default: Any, place: str) -> Any:
    if key == "gates":
        return _gate_names(value, place)
    if key == "strategy" and isinstance(value, Mapping):
        return {str(name): number for name, number in value.items()}
    if isinstance(default, dict):
        if not isinstance(value, Mapping):
            raise _wrong_type(key, value, "a mapping of options", place)
        return dict(value)
    registry.check_type(f"config key {key!r}{place}", value, default)
    return float(value) if isinstance(default, float) else value


def _check_range(name: str, value: Any) -> None:
    if name in _RANGES and not _RANGES[name][0] <= value <= _RANGES[name][1]:
        low, high = _RANGES[name]
        raise UsageError(
            f"{name} = {value}", expected=f"a number from {low} to {high}", do=f"change {name}", code="range"
        )


def _gate_names(value: Any, place: str) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise _wrong_type("gates", value, "a list of gate names, or none", place)
    return tuple(name for name in dict.fromkeys(names) if name != "none")


def _wrong_type(key: str, value: Any, expected: str, place: str) -> UsageError:
    return UsageError(
        f"config key {key!r} = {value!r}{place}", expected=expected, do="correct the value", code="wrong-type"
    )


def _check_version(value: Any, place: str) -> None:
    if value != 1:
        raise UsageError(f"config version {value!r}{place}", expected="version: 1", do="correct it", code="version")
