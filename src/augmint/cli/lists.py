"""Commands that list: ``models``, ``methods``, ``gates``, ``env``."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Iterable
from typing import Any

from augmint.classic import TABLE as CLASSIC
from augmint.cli.show import console_of
from augmint.core.errors import UsageError
from augmint.core.registry import describe, lookup
from augmint.gates import TABLE as GATES
from augmint.models import get_card, list_cards
from augmint.models.hub import fetch
from augmint.pipeline.machine import machine_facts
from augmint.pipeline.modality import MEDIA
from augmint.rewriters import TABLE as REBUILD
from augmint.synthesizers import TABLE as METHODS

_VARIABLES = {
    "AUGMINT_DEBUG": "1 shows tracebacks",
    "AUGMINT_MODELS": "folder with a subfolder for each model",
    "AUGMINT_OFFLINE": "1 never asks the network",
    "HF_HOME": "cache of Hugging Face",
    "HF_HUB_OFFLINE": "1 never asks the hub",
    "NO_COLOR": "no colours",
}


def models(args: argparse.Namespace) -> int:
    """``augmint models list|fetch``."""
    console = console_of(args)
    if args.action == "fetch":
        if not args.name:
            raise UsageError("models fetch without a name", expected="a model's name", do="see: augmint models list")
        files = fetch(get_card(args.name))
        console.json({"name": args.name, "files": {name: str(path) for name, path in files.items()}})
        for path in files.values():
            console.text(str(path))
        return 0
    cards = list_cards()
    console.json({"models": [dataclasses.asdict(card) for card in cards]})
    rows = [
        [c.name, c.kind, c.modality, f"{c.weights.bytes / 1e6:.1f} MB", c.licence, c.source, c.summary] for c in cards
    ]
    console.table(["model", "kind", "modality", "size", "licence", "source", ""], rows)
    return 0


def methods(args: argparse.Namespace) -> int:
    """``augmint methods list``."""
    found = [{**row, "works_on": "latent space"} for row in describe("synthesizers", "method", METHODS)]
    for room, table in (("classic", CLASSIC), ("rewriters", REBUILD)):
        for row in describe(room, "method", table):
            method = lookup(room, "method", table, row["name"])
            handed = f", with a {' or '.join(sorted(method.model_kinds))} model" if method.model_kinds else ""
            found.append({**row, "works_on": _nouns(method.modalities) + handed})
    return _list(args, "methods", found)


def gates(args: argparse.Namespace) -> int:
    """``augmint gates list``."""
    found = describe("gates", "gate", GATES)
    for row in found:
        read = getattr(lookup("gates", "gate", GATES, row["name"]), "modalities", None)
        row |= {"works_on": f"{_nouns(read)} alone"} if read else {}
    return _list(args, "gates", found)


def _nouns(modalities: Iterable[str]) -> str:
    return " and ".join(MEDIA[name].noun for name in sorted(modalities))


def _list(args: argparse.Namespace, word: str, found: list[dict[str, Any]]) -> int:
    console = console_of(args)
    console.json({word: found})
    for row in found:
        console.text(f"{row['name']}: {row['summary']}" + (f" [on {row['works_on']}]" if "works_on" in row else ""))
        for name, default in row["options"].items():
            console.text(f"    {name} = {default}")
    return 0


def env(args: argparse.Namespace) -> int:
    """``augmint env``."""
    console = console_of(args)
    facts = machine_facts()
    settings = {name: os.environ.get(name, "") for name in _VARIABLES}
    console.json({**facts, "settings": settings})
    for key, value in facts.items():
        console.text(f"{key}: {value}")
    for name, meaning in _VARIABLES.items():
        console.text(f"{name}={settings[name]}    ({meaning})")
    return 0
