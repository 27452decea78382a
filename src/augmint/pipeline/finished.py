"""A finished run as its output folder tells it: what a report reads, without a model and without the input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from augmint.core.errors import DataError, SampleError
from augmint.formats.images import read_image
from augmint.pipeline.counts import children_per_class
from augmint.pipeline.fitting import usable_rows
from augmint.pipeline.manifest import Manifest, Rows
from augmint.pipeline.modality import MEDIA, Medium
from augmint.pipeline.plan import rewriter_class, rewriter_names
from augmint.report.facts import Shown


@dataclass(frozen=True)
class Finished:
    """The folder of a finished run."""

    out: Path

    @staticmethod
    def is_at(out: Path) -> bool:
        """Whether a finished run is there."""
        return (out / "SHA256SUMS").is_file() and (out / ".augmint" / "plan.json").is_file()

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
        """The method and what its children go through then, in one word."""
        return f"{self.plan['method']}+{self.plan['then']}" if self.plan.get("then") else str(self.plan["method"])

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

    @cached_property
    def real(self) -> Rows:
        """Metadata of the originals in ``train``; none where the children were written alone."""
        return [row for row in self._rows("train/metadata.jsonl") if not row["is_synthetic"]]

    @cached_property
    def children(self) -> Rows:
        """Metadata of the children."""
        return [row for row in self._rows("train/metadata.jsonl") if row["is_synthetic"]]

    @cached_property
    def rejects(self) -> Rows:
        """Draws that a gate rejected."""
        return self._rows("rejects.jsonl")

    @cached_property
    def skipped(self) -> Rows:
        """Inputs that could not be used."""
        return self._rows("skipped.jsonl")

    @cached_property
    def before(self) -> dict[str, int]:
        """Usable real rows of each class."""
        labels = [row["label"] for row in self.real]
        if self.plan["synthetic_only"] and self.manifest.finished("fit"):
            labels = [row["target"] for row in usable_rows(self.manifest)]
        return {name: labels.count(name) for name in self.classes}

    @cached_property
    def asked(self) -> dict[str, int]:
        """Children asked for in each class."""
        return children_per_class(self.before, self.plan["factor"], self.plan["strategy"])

    def rows(self, split: str) -> Rows:
        """Metadata of a split that was passed through; none where there is no such split."""
        return self._rows(f"{split}/metadata.jsonl")

    def shown(self, ref: str) -> Shown:
        """A parent with its picture: an original of this folder; others are shown by name alone."""
        row = self._originals.get(ref.removeprefix("data:")) if ref.startswith("data:") else None
        return self.picture(ref, row["file_name"]) if row else Shown(ref)

    def picture(self, name: str, file_name: str) -> Shown:
        """A file of ``train`` under a name; without picture where it cannot be read any more."""
        try:
            return Shown(name, read_image((self.out / "train" / file_name).read_bytes())[0])
        except (OSError, SampleError):
            return Shown(name)

    @cached_property
    def _originals(self) -> dict[str, dict[str, Any]]:
        return {row["id"]: row for row in self.real}

    def _object(self, path: Path) -> dict[str, Any]:
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise self._damaged(path, str(error)) from error
        if not isinstance(found, dict):
            raise self._damaged(path, f"a {type(found).__name__}")
        return found

    def _rows(self, name: str) -> Rows:
        path = self.out / name
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        except FileNotFoundError:
            return []
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
