"""One estimator for each method of the table, made from the fields of its dataclass.

The class gets an explicit signature (``inspect.signature``, ``get_params``, ``clone``, completion in a notebook) and
a docstring from the method's own, and lives in :mod:`augmint.adapters` under its name, so that it can be pickled.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Any

from augmint.adapters.sampler import FeatureAugmenter, LatentSampler
from augmint.core.registry import lookup
from augmint.synthesizers import TABLE

OWN = ("sampling_strategy", "factor", "random_state")
"""Parameters of every estimator, before the method's own."""

SECOND = ("pool", "base")
"""Parameters of the estimators whose method uses these; with either comes ``space``."""


def estimator(class_name: str, method: str) -> type[LatentSampler]:
    """The estimator class of a method."""
    kind = lookup("synthesizers", "method", TABLE, method)
    options = [f.name for f in dataclasses.fields(kind) if f.init]
    signature = _signature(kind)

    def _chosen(self: LatentSampler) -> tuple[str, Mapping[str, Any]]:
        return method, {name: getattr(self, name) for name in options}

    members = {
        "__init__": _initialiser(signature),
        "_chosen": _chosen,
        "__doc__": _docstring(kind, signature, options),
        "__module__": "augmint.adapters",
        "__qualname__": class_name,
    }
    return type(class_name, (LatentSampler,), members)


def _signature(kind: type[Any]) -> Signature:
    """Common parameters, the method's fields, and what the method can use beside X and y; all by keyword."""
    second = [name for name in SECOND if name in kind.uses]
    common = inspect.signature(FeatureAugmenter.__init__).parameters
    fields = inspect.signature(kind).parameters.values()
    extra = [*second, *(["space"] if second else []), "target"]
    clash = {p.name for p in fields} & set(common)
    if clash:
        raise TypeError(f"{kind.__name__} has options named as parameters of every estimator: {sorted(clash)}")
    found = [*(common[name] for name in OWN), *fields, *(common[name] for name in extra)]
    by_keyword = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in found]
    return Signature([Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *by_keyword])


def _initialiser(signature: Signature) -> Callable[..., None]:
    def initialise(self: Any, **options: Any) -> None:
        given = signature.bind(self, **options)
        given.apply_defaults()
        for name, value in list(given.arguments.items())[1:]:
            setattr(self, name, value)

    initialise.__name__ = "__init__"
    initialise.__signature__ = signature  # type: ignore[attr-defined]
    return initialise


def _docstring(kind: type[Any], signature: Signature, options: list[str]) -> str:
    """Summary of the method, its options and the common parameters, and what is there after a fit."""
    about = _entries(kind, "Attributes") | _entries(FeatureAugmenter, "Parameters")
    summary = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0]
    lines = [f"        {name}: {about.get(name, 'option of the method.')}" for name in list(signature.parameters)[1:]]
    fitted = inspect.cleandoc(FeatureAugmenter.__doc__ or "").partition("Attributes:\n")[2]
    return "\n".join([summary, "", f"    The method is documented in ``{kind.__module__}``.", "", "    Parameters:",
                      *lines, "", "    Attributes:", *("    " + line for line in fitted.splitlines())])  # fmt: skip


def _entries(kind: type[Any], section: str) -> dict[str, str]:
    """``name: text`` entries of one section of a docstring, text on one line."""
    body = inspect.cleandoc(kind.__doc__ or "").partition(f"{section}:\n")[2].split("\n\n")[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", body, flags=re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text) for name, text in entries}
