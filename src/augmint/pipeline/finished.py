"""A finished run as its output folder tells it: what a report reads, without a model and without the input."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from augmint.core.errors import DataError, SampleError
from augmint.core.types import ReadOptions
from augmint.formats.images import read_image
from augmint.formats.tables import originals, restore
from augmint.pipeline.barrier import drawn_children
from augmint.pipeline.counts import children_per_class
from augmint.pipeline.fitting import usable_rows
from augmint.pipeline.manifest import Manifest, Rows
from augmint.pipeline.modality import MEDIA, Medium
from augmint.pipeline.plan import recipe_of, rewriter_class, rewriter_names
from augmint.report.facts import Shown


@dataclass(frozen=True)
class Tally:
    """Counts of a finished run.

    Attributes:
        first: id of a child; "" where there is none.
        made: children of each class.
        rejected: draws of a class that a gate rejected, by (class, gate).
        notes: children by note, where there is one.
    """

    first: str
    made: Counter[str]
    rejected: Counter[tuple[str, str]]
    notes: dict[str, int]


@dataclass(frozen=True)
class Finished:
    """The folder of a finished run."""

    out: Path

    @staticmethod
    def is_at(out: Path) -> bool:
        """Whether a finished run is there."""
        return (out / "SHA256SUMS").is_file() and (out / ".augmint" / "plan.json").is_file()

    @classmethod
    def around(cls, data: Path) -> Finished | None:
        """The finished run whose output, with children in it, a data set is; None for any other data set."""
        runs = [cls(out) for out in (data, data.parent) if cls.is_at(out)]
        return next((run for run in runs if not run.is_rows and next(run.children(), None) is not None), None)

    @property
    def is_rows(self) -> bool:
        """Whether its product is rows, so that there is nothing to look at."""
        return self.plan.get("decode") == "rows"

    @property
    def manifest(self) -> Manifest:
        """State of the run."""
        return Manifest(self.out)

    @cached_property
    def plan(self) -> dict[str, Any]:
        """The resolved plan, and digests of data and models."""
        return self._object(self.out / ".augmint" / "plan.json")

    @property
    def recipe(self) -> str:
        """As `recipe_of`."""
        return recipe_of(self.plan["method"], self.plan.get("then", ""))

    @property
    def medium(self) -> Medium:
        """What its samples are."""
        return MEDIA[self.plan.get("modality", "image")]

    @cached_property
    def rewrites(self) -> bool:
        """Whether the method works on samples."""
        return self.plan["method"] in rewriter_names()

    @cached_property
    def uses_model(self) -> bool:
        """Whether a model had a part in how children were made."""
        return not self.rewrites or bool(rewriter_class(self.plan["method"]).model_kinds)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """run.json: where, when and with what."""
        return self._object(self.out / "run.json")

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """In class order."""
        return tuple(self.plan["classes"])

    def children(self) -> Iterator[dict[str, Any]]:
        """Facts of the children, one after the other, in the order of the data set."""
        if self.medium.name == "image":
            yield from (row for row in self._rows("train/metadata.jsonl") if row["is_synthetic"])
        else:
            yield from (
                {**child.facts, "unit": child.unit} for child in drawn_children(self.manifest) if child.accepted
            )

    def rejects(self) -> Iterator[dict[str, Any]]:
        """Draws that a gate rejected."""
        return self._rows("rejects.jsonl")

    @cached_property
    def tally(self) -> Tally:
        """Counts of children and of rejected draws."""
        made, notes, first = Counter[str](), Counter[str](), ""
        for row in self.children():
            first = first or row["id"]
            made[row["label"]] += 1
            notes[row["note"]] += 1
        gates = Counter((row["label"], row["gate"]) for row in self.rejects())
        return Tally(first, made, gates, {note: count for note, count in sorted(notes.items()) if note})

    @cached_property
    def skipped(self) -> int:
        """Inputs that could not be used."""
        return sum(1 for _ in self._rows("skipped.jsonl"))

    @cached_property
    def before(self) -> dict[str, int]:
        """Usable real rows of each class."""
        if self.medium.name == "image" and not (self.plan["synthetic_only"] and self.manifest.finished("fit")):
            counts = Counter(row["label"] for row in self._originals.values())
        else:
            counts = Counter(row["target"] for row in usable_rows(self.manifest))
        return {name: counts[name] for name in self.classes}

    @cached_property
    def asked(self) -> dict[str, int]:
        """Children asked for in each class."""
        return children_per_class(self.before, self.plan["factor"], self.plan["strategy"])

    def parents(self, rows: Rows) -> Mapping[str, Shown]:
        """The parents of children by their names, with what there is to see of them."""
        refs = dict.fromkeys(ref for row in rows for ref in row["refs"])
        if self.medium.name == "image":
            return {ref: self.shown(ref) for ref in refs}
        ids = {ref.removeprefix("data:") for ref in refs if ref.startswith("data:")}
        options = ReadOptions(self.plan["label"], self.plan["group"], text=self.plan.get("text", ""))
        texts = originals(self.out, ids, options)
        return {ref: Shown(ref, texts=by_column(texts.get(ref.removeprefix("data:"), {}))) for ref in refs}

    def shown(self, ref: str) -> Shown:
        """A parent with its picture: an original of this folder; others are shown by name alone."""
        row = self._originals.get(ref.removeprefix("data:")) if ref.startswith("data:") else None
        return self.picture(ref, row["file_name"]) if row else Shown(ref)

    def child(self, row: dict[str, Any]) -> Shown:
        """A child with its picture or its text."""
        return self.picture(row["id"], row["file_name"]) if "file_name" in row else self.drawn(row)

    def drawn(self, row: dict[str, Any]) -> Shown:
        """A draw out of its unit, where the bytes of one that was rejected are alone."""
        unit, name = self.manifest.load(row["unit"]), row["id"]
        position = next((i for i, facts in enumerate(unit.rows[1:]) if facts["id"] == name), None)
        if position is None:
            return Shown(name)
        arrays = unit.arrays()
        start, stop = arrays["offsets"][position : position + 2]
        stored = arrays["blob"][start:stop].tobytes()
        if self.medium.name == "text":
            return Shown(name, texts=by_column(restore(stored).content))
        try:
            return Shown(name, read_image(stored)[0])
        except SampleError:
            return Shown(name)

    def picture(self, name: str, file_name: str) -> Shown:
        """A file of ``train`` under a name; without picture where it cannot be read any more."""
        try:
            return Shown(name, read_image((self.out / "train" / file_name).read_bytes())[0])
        except (OSError, SampleError):
            return Shown(name)

    @cached_property
    def _originals(self) -> dict[str, dict[str, Any]]:
        """Metadata of the originals in ``train``, by id; none where the children were written alone."""
        return {row["id"]: row for row in self._rows("train/metadata.jsonl") if not row["is_synthetic"]}

    def _object(self, path: Path) -> dict[str, Any]:
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise self._damaged(path, str(error)) from error
        if not isinstance(found, dict):
            raise self._damaged(path, f"a {type(found).__name__}")
        return found

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        """The lines of a file, one after the other; none where there is no such file."""
        path = self.out / name
        try:
            with path.open(encoding="utf-8", newline="\n") as file:
                yield from (json.loads(line) for line in file if line != "\n")
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise self._damaged(path, str(error)) from error

    @staticmethod
    def _damaged(path: Path, why: str) -> DataError:
        return DataError(
            f"{path}: {why}",
            expected="a file of a finished run",
            do="run the same command again: it writes the file anew",
            code="not-a-run",
        )


def by_column(content: str | dict[str, str]) -> tuple[tuple[str, str], ...]:
    """(column, text) of each text of a sample."""
    return tuple(content.items()) if isinstance(content, dict) else (("", content),)
