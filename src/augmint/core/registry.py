"""Names to classes: a table in each room, entry points from outside, loaded only when asked for.

A room's ``TABLE`` maps a name to ``"module:Class"``. Outside packages add names through the entry-point group
``augmint.<room>``; a name that is already taken is refused, so that a plug-in cannot silently replace a method.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from typing import Any

from augmint.core.errors import UsageError, did_you_mean, unknown


def names(room: str, table: Mapping[str, str]) -> dict[str, str]:
    """All names of a room: its table and the entry points of group ``augmint.<room>``."""
    found = dict(table)
    for point in _plug_ins(entry_points, f"augmint.{room}"):
        if point.name in found:
            raise UsageError(
                f"plug-in {point.value!r} registers {room} {point.name!r}",
                expected="a name that is not taken",
                do=f"uninstall the plug-in or rename it; {point.name!r} is {found[point.name]}",
                code="plugin-clash",
            )
        found[point.name] = point.value
    return found


@cache
def _plug_ins(find: Callable[..., EntryPoints], group: str) -> EntryPoints:
    """The entry points of a group, found once: each search reads the metadata of all installed packages."""
    return find(group=group)


def lookup(room: str, kind: str, table: Mapping[str, str], name: str) -> type[Any]:
    """The class behind a name; raises UsageError with the nearest name when there is none."""
    known = names(room, table)
    if name not in known:
        raise unknown(kind, name, known)
    module, _, attribute = known[name].partition(":")
    found = getattr(importlib.import_module(module), attribute)
    assert isinstance(found, type)
    return found


def build(room: str, kind: str, table: Mapping[str, str], name: str, options: Mapping[str, Any]) -> Any:
    """An instance of the named class with these fields; a wrong or ill-typed field is a UsageError."""
    found = lookup(room, kind, table, name)
    fields = _options(found)
    for key, value in options.items():
        if key not in fields:
            hint = did_you_mean(key, fields)
            raise UsageError(
                f"option {key!r} of {kind} {name!r}",
                expected=f"one of: {', '.join(sorted(fields)) or 'none, it takes no options'}",
                do=f"{hint} correct the key".strip(),
                code="unknown-option",
            )
        check_type(f"option {key!r} of {kind} {name!r}", value, fields[key].default)
    try:
        return found(**options)
    except ValueError as error:
        raise UsageError(
            f"{kind} {name!r}: {error}", expected="values inside their range", do="correct the option"
        ) from error


def _options(found: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    """Fields that are configuration; one that is not part of the repr is filled by the pipeline (a model)."""
    return {f.name: f for f in dataclasses.fields(found) if f.init and f.repr}


def check_type(what: str, value: Any, default: Any) -> None:
    """Refuse a value whose type is not the default's (an int passes for a float; a bool never for a number)."""
    kind = type(default)
    fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if kind is not bool and isinstance(value, bool):
        fits = False
    if default is not dataclasses.MISSING and default is not None and not fits:
        raise UsageError(
            f"{what} = {value!r} ({type(value).__name__})",
            expected=f"{kind.__name__}, such as {default!r}",
            do="correct the value",
            code="wrong-type",
        )


def describe(room: str, kind: str, table: Mapping[str, str]) -> list[dict[str, Any]]:
    """Name, first docstring line and fields with defaults of every class of a room."""
    rows = []
    for name in names(room, table):
        found = lookup(room, kind, table, name)
        fields = {name: field.default for name, field in _options(found).items()}
        summary = (found.__doc__ or "").strip().splitlines()[0]
        rows.append({"name": name, "summary": summary, "options": fields})
    return rows
