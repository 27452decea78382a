"""A plan as people write it: a YAML file, and ``key=value`` on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from augmint.core.errors import UsageError
from augmint.core.protocols import Modality
from augmint.pipeline.modality import settled
from augmint.pipeline.plan import Plan, make_plan


def plan_from(
    config: Path | None,
    values: Mapping[str, Any],
    settings: Sequence[str] = (),
    *,
    modality: Modality = "image",
) -> Plan:
    """The plan of a command line: defaults of the data's modality, then file, then ``--set``, then flags."""
    read, where = read_config(config) if config else ({}, {})
    over = {*values, *(setting.partition("=")[0] for setting in settings)}
    # What a flag says is not the file's fault.
    places = {key: place for key, place in where.items() if not any(_overlap(key, name) for name in over)}
    return make_plan(settled({**apply_settings(read, settings), **values}, modality), where=places)


def _overlap(key: str, other: str) -> bool:
    """Whether one of two dotted keys is the other or is inside it."""
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")


class _Loader(yaml.SafeLoader):
    """The safe loader, with a line in every complaint."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:  # such as the date 2026-99-99
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error


def read_config(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Values of a YAML file and the ``file:line`` of each key, inner keys as ``outer.inner``.

    Raises:
        UsageError: unreadable file, YAML that does not parse (with its line), tags, anchors, duplicate keys.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        alias = next((token for token in yaml.scan(text) if isinstance(token, yaml.AliasToken)), None)
        if alias:  # a few lines of aliases can stand for gigabytes
            raise yaml.MarkedYAMLError(problem="an alias (*)", problem_mark=alias.start_mark)
        node = yaml.compose(text, Loader=_Loader)
        values = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
    except OSError as error:
        raise UsageError(
            f"config {path}: {error.strerror}", expected="a YAML file", do="correct --config", code="config"
        ) from error
    except (UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        line, problem = _fault(path, error)
        raise UsageError(
            f"{path}:{line}: {problem}", expected="plain YAML (no tags)", do="correct that line", code="yaml"
        ) from error
    if values is None:
        return {}, {}
    if not isinstance(values, dict) or not isinstance(node, yaml.MappingNode):
        raise UsageError(
            f"{path}:1: a {type(values).__name__}", expected="a mapping: key: value", do="correct the file", code="yaml"
        )
    return values, _key_lines(path, node)


def _fault(path: Path, error: Exception) -> tuple[int, str]:
    """Line and problem of text that is not YAML."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return error.problem_mark.line + 1, error.problem or "not YAML"
    if isinstance(error, UnicodeDecodeError):
        return error.object[: error.start].count(b"\n") + 1, "bytes that are not UTF-8"
    if isinstance(error, yaml.reader.ReaderError):
        before = path.read_bytes().decode("utf-8-sig")[: error.position]
        return before.count("\n") + 1, f"character {error.character!r} is not allowed"
    return 1, "nested too deeply" if isinstance(error, RecursionError) else "not YAML"


def _key_lines(path: Path, node: yaml.MappingNode, outer: str = "") -> dict[str, str]:
    places: dict[str, str] = {}
    for key, value in node.value:
        name, place = f"{outer}{key.value}", f"{path}:{key.start_mark.line + 1}"
        if name in places:
            raise UsageError(
                f"config key {name!r} twice ({places[name]} and {place})",
                expected="each key once",
                do="remove one",
                code="duplicate-key",
            )
        if not outer and not key.tag.endswith(":str"):
            raise UsageError(
                f"config key {key.value!r} ({place})", expected="a word", do="correct the key", code="unknown-key"
            )
        places[name] = place
        if isinstance(value, yaml.MappingNode):
            places |= _key_lines(path, value, f"{name}.")
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
                code="set",
            )
        try:
            value = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
        except (RecursionError, yaml.YAMLError) as error:
            raise UsageError(
                f"--set {setting!r}", expected="a plain YAML value", do="correct it", code="set"
            ) from error
        *parents, last = name.split(".")
        place = merged
        for parent in parents:
            inner = place.get(parent)
            place[parent] = dict(inner) if isinstance(inner, Mapping) else {}
            place = place[parent]
        place[last] = value
    return merged
