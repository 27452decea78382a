"""What to make: one frozen plan, from flags, a YAML file or keyword arguments.

A plan holds the keys that change the result and no others; where and how fast it runs (workers, progress, paths) is
not part of it. Its fingerprint names the run: the same plan on the same data continues, another one is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from augmint.core import registry
from augmint.core.errors import UsageError, did_you_mean
from augmint.gates import TABLE as GATES
from augmint.synthesizers import TABLE as METHODS

Options = Mapping[str, Any]
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
        model: card of the codec that encodes and decodes.
        size: working size in pixels, the side to which every image is scaled for the model; 0 chooses it from
            the data (64, 128 or 256) and the resolved plan says which.
        method: synthesizer; ``method_options`` are its fields.
        judge: card of the encoder in whose space gates look at the children.
        gates: quality filters, in order; ``gate_options`` maps a gate's name to its fields.
        factor: rows after / rows before, for every class, when ``strategy`` is empty.
        strategy: imbalanced-learn's words ("auto", "minority", "not minority", "not majority", "all"), or
            "rare=500,other=200" or the same as a mapping: rows of a class AFTER the run (0: leave it as it is).
        label: metadata column with the label ("" is the format's default); ``group``: with the group.
        seed: of every random stream.
        unit_size: children of one unit; a unit is what is redone after a crash.
        max_tries: draws for one place in a unit before it counts as short.
        max_rounds: refill rounds after the set gate.
        threads: threads inside one operation; changes the last bits of sums, so it belongs to the result.
        synthetic_only: write the children without the originals.
        keep_metadata: keep EXIF and other identifying segments in the originals.
    """

    model: str = "tiny-image"
    size: int = 0
    method: str = "interpolation"
    method_options: Options = field(default_factory=dict)
    judge: str = "tiny-judge"
    gates: tuple[str, ...] = DEFAULT_GATES
    gate_options: Mapping[str, Options] = field(default_factory=dict)
    factor: float = 2.0
    strategy: str | Mapping[str, int] = ""
    label: str = ""
    group: str = ""
    seed: int = 0
    unit_size: int = 32
    max_tries: int = 5
    max_rounds: int = 4
    threads: int = 1
    synthetic_only: bool = False
    keep_metadata: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(
                    f"{name} = {value}",
                    expected=f"a number from {low} to {high}",
                    do=f"change {name}",
                    code="range",
                )

    def as_dict(self) -> dict[str, Any]:
        """Plain values in the order of the fields, ready for YAML or JSON."""
        values = dataclasses.asdict(self)
        values["gates"] = list(self.gates)
        return {"version": 1, **values}

    def synthesizer(self) -> Any:
        """A fresh synthesizer with this plan's options."""
        return registry.build("synthesizers", "method", METHODS, self.method, self.method_options)

    def gate(self, name: str) -> Any:
        """A fresh gate with this plan's options."""
        return registry.build("gates", "gate", GATES, name, self.gate_options.get(name, {}))


def make_plan(values: Mapping[str, Any], *, where: Mapping[str, str] | None = None) -> Plan:
    """A plan from plain values, every name and type checked before anything is loaded.

    Args:
        values: keys of :class:`Plan`, and optionally ``version: 1``.
        where: place (``file:line``) of each key, for the messages.

    Raises:
        UsageError: unknown key, wrong type, value out of range, unknown method or gate.
    """
    fields = {f.name: f for f in dataclasses.fields(Plan)}
    defaults = Plan()
    clean: dict[str, Any] = {}
    for key, value in values.items():
        place = f" ({where[key]})" if where and key in where else ""
        if key == "version":
            _check_version(value, place)
            continue
        if key not in fields:
            raise UsageError(
                f"config key {key!r}{place}",
                expected=f"one of: {', '.join(sorted(fields))}",
                do=f"{did_you_mean(key, fields)} correct the key".strip(),
                code="unknown-key",
            )
        clean[key] = _checked(key, value, getattr(defaults, key), place)
    plan = Plan(**clean)
    plan.synthesizer()
    for name in (*plan.gates, *plan.gate_options):
        plan.gate(name)
    return plan


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


def read_config(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Values of a YAML file and the ``file:line`` of each top-level key.

    Raises:
        UsageError: unreadable file, YAML that does not parse (with its line), tags, duplicate keys.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"config {path}: {error}", expected="a YAML file", do="correct --config") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise UsageError(
            f"{path}{line}: {problem}", expected="plain YAML (no tags)", do="correct that line", code="yaml"
        ) from error
    if values is None:
        return {}, {}
    if not isinstance(values, dict) or not isinstance(node, yaml.MappingNode):
        raise UsageError(f"{path}: a {type(values).__name__}", expected="a mapping: key: value", do="correct the file")
    return values, _key_lines(path, node)


def _key_lines(path: Path, node: yaml.MappingNode) -> dict[str, str]:
    places: dict[str, str] = {}
    for key, _ in node.value:
        place = f"{path}:{key.start_mark.line + 1}"
        if key.value in places:
            raise UsageError(
                f"config key {key.value!r} twice ({places[key.value]} and {place})",
                expected="each key once",
                do="remove one",
                code="duplicate-key",
            )
        places[key.value] = place
    return places


def apply_settings(values: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """``key=value`` and ``options.key=value`` over a config; values are YAML scalars."""
    merged = dict(values)
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise UsageError(
                f"--set {setting!r}",
                expected="key=value, such as --set method_options.strength=0.5",
                do="correct it",
            )
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"--set {setting!r}", expected="a plain YAML value", do="correct it") from error
        *parents, last = name.split(".")
        place = merged
        for parent in parents:
            inner = place.get(parent)
            place[parent] = dict(inner) if isinstance(inner, Mapping) else {}
            place = place[parent]
        place[last] = value
    return merged
