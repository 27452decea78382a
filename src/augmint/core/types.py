"""The nouns: a sample, a set of latents, a draw. Plain numpy, no modality, no model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Text = npt.NDArray[np.str_]

TargetKind = Literal["class", "soft", "multilabel", "number"]

Transform = Callable[[Any, np.random.Generator], Any]
"""A random change of a batch in the form a student holds it, afresh each time.

Images: torch (n, C, H, W), 0..1. Texts: a list of contents, strings or dicts of strings, to a list as long.
"""

SPLIT_NAMES = ("train", "val", "test")
"""The splits of a data set."""

NO_PICK = -2
"""In ``Draw.pick``: the pool had no row left to give; the row is a stand-in for whoever cannot leave it out."""


@dataclass(frozen=True)
class Sample:
    """One example of a data set.

    Attributes:
        id: unique in its data set; for a file, its path relative to the data set, with ``/``.
        content: image ``(H, W)`` or ``(H, W, C)`` array; ``(C, T)`` array and rate; string; series array and
            time; or a dict of these.
        target: class name, vector of label weights, or number; None when unlabelled.
        group: rows that must stay on one side of a split (patient, speaker, slide); "" when there is none.
        split: "train", "val" or "test" as the data set says.
        raw: the bytes as they were stored, where the content came from a file.
        spans: parts of the content that carry labels of their own (answers, entities).
        info: what a format needs to write the content back as it was (colour profile, palette, bit depth).
    """

    id: str
    content: Any
    target: Any = None
    group: str = ""
    split: str = "train"
    raw: bytes | None = None
    spans: tuple[Any, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadOptions:
    """How the user says the data set is to be read; "" means the format's own default.

    Attributes:
        label: name of the metadata column with the label.
        group: name of the metadata column with the group.
        unlabelled: every picture is one entry without target, wherever it lies; labels are not looked for.
        text: name of the column with the text; ``a,b`` for a pair (premise and hypothesis).
        spans: name of the column with the spans of the text (entities, answers); "" reads none.
    """

    label: str = ""
    group: str = ""
    unlabelled: bool = False
    text: str = ""
    spans: str = ""


@dataclass(frozen=True)
class Entry:
    """One row of a listing, before anything is decoded.

    Attributes:
        id: unique; relative path with ``/``, or a row number.
        source: the file it is in.
        row: the row inside ``source`` for files of many samples, -1 when the file is the sample.
        target: class name, or None.
        group: group name, or "".
        split: "train", "val" or "test".
    """

    id: str
    source: Path
    row: int = -1
    target: str | None = None
    group: str = ""
    split: str = "train"


@dataclass(frozen=True, eq=False)
class Entries(Sequence[Entry]):
    """Entries that are made when they are looked at, so that a million rows are a few numbers each.

    Attributes:
        make: the entry of a row of the data set; picklable.
        rows: (n,) the rows that are in this sequence, in its order.
        splits: (N,) split of every row of the data set, as index into :data:`SPLIT_NAMES`.
        labels: (N,) class of every row of the data set, as index into the listing's classes, -1 for none.
    """

    make: Callable[[int], Entry]
    rows: I64
    splits: npt.NDArray[np.int8]
    labels: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> Entries: ...
    def __getitem__(self, at: int | slice) -> Entry | Entries:
        return self.take(self.rows[at]) if isinstance(at, slice) else self.make(int(self.rows[at]))

    @property
    def codes(self) -> npt.NDArray[np.int32]:
        """(n,) class of each entry, as index into the listing's classes, -1 for none."""
        return self.labels[self.rows]

    def take(self, rows: npt.NDArray[Any]) -> Entries:
        """These rows of the data set, in this order."""
        return dataclasses.replace(self, rows=np.asarray(rows, np.int64))

    def of(self, split: str) -> Entries:
        """The entries of one split."""
        return self.take(self.rows[self.splits[self.rows] == SPLIT_NAMES.index(split)])


@dataclass(frozen=True)
class Listing:
    """What a data set holds.

    Attributes:
        root: the folder or file that was read.
        entries: sorted by id, rows of tables as they lie; those of split "train" are the only ones a generator may
            see. :class:`Entries` where there may be very many.
        classes: in the data set's own order; a class may be empty.
        layout: one line that says what was recognised.
        warnings: things the user should know (empty classes, files of other types left alone).
        unreadable: (id, reason) of entries that could be ruled out without decoding them.
    """

    root: Path
    entries: Sequence[Entry]
    classes: tuple[str, ...]
    layout: str
    warnings: tuple[str, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()

    @property
    def unlisted(self) -> list[dict[str, Any]]:
        """The ``unreadable`` as rows of skipped.jsonl."""
        return [{"id": id, "skipped": why, "detail": "", "sha256": ""} for id, why in self.unreadable]

    def of(self, split: str) -> Sequence[Entry]:
        """The entries of one split, in order."""
        if isinstance(self.entries, Entries):
            return self.entries.of(split)
        return tuple(entry for entry in self.entries if entry.split == split)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have entries, train first."""
        if isinstance(self.entries, Entries):
            found = {SPLIT_NAMES[code] for code in np.unique(self.entries.splits[self.entries.rows])}
        else:
            found = {entry.split for entry in self.entries}
        return tuple(split for split in SPLIT_NAMES if split in found)


@dataclass(frozen=True)
class Latents:
    """Rows of a model's space.

    Attributes:
        ids: (n,) sample ids.
        z: (n, *shape) float32; ``shape`` is (d,) for vectors, (C, h, w) for maps, (T, d) for sequences.
        y: (n, k) float32 label weights (one-hot for classes), or (n, k) numbers.
        classes: the k names of the columns of ``y``; class order is the data set's.
        length: (n,) valid length along the first axis of ``shape`` when rows are ragged, else None.
        target: what ``y`` means.
        groups: (n,) group names, "" where there is none.
        space: name of the space (model, revision, size); rows of different spaces must not be mixed.
    """

    ids: Text
    z: F32
    y: F32
    classes: tuple[str, ...] = ()
    length: I64 | None = None
    target: TargetKind = "class"
    groups: Text | None = None
    space: str = ""

    def __post_init__(self) -> None:
        sizes = {"ids": len(self.ids), "z": len(self.z), "y": len(self.y)}
        if self.length is not None:
            sizes["length"] = len(self.length)
        if self.groups is not None:
            sizes["groups"] = len(self.groups)
        if len(set(sizes.values())) > 1:
            raise ValueError(f"got: Latents with unequal rows {sizes}; expected: the same number everywhere")
        if self.y.ndim != 2:
            raise ValueError(f"got: y of shape {self.y.shape}; expected: (n, k)")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self.z.shape[1:]

    @property
    def labels(self) -> I64:
        """(n,) index of the heaviest label of each row."""
        heaviest: I64 = np.argmax(self.y, axis=1).astype(np.int64)
        return heaviest

    @property
    def flat(self) -> F32:
        """(n, d) view with each row flattened."""
        return self.z.reshape(len(self), int(np.prod(self.shape)))

    def take(self, rows: npt.NDArray[Any]) -> Latents:
        """The rows at these positions (or under this mask), in this order."""
        return dataclasses.replace(
            self,
            ids=self.ids[rows],
            z=self.z[rows],
            y=self.y[rows],
            length=None if self.length is None else self.length[rows],
            groups=None if self.groups is None else self.groups[rows],
        )


@dataclass(frozen=True)
class Draw:
    """New rows and where they came from.

    Attributes:
        z: (n, *shape) float32.
        refs: (n, p) ids of the rows each new row was made from: ``data:ID``, ``pool:ID`` or ``base:ID``;
            "" pads rows with fewer parents.
        label_weights: (n, p) float32, >= 0, each row sums to 1: the label of a new row is the weighted mean
            of its refs' labels. Geometric weights (negative in extrapolation) are not label weights.
        length: (n,) valid lengths, or None.
        pick: (n,) row of the pool to be copied unchanged, -1 where the row is decoded, :data:`NO_PICK` where the
            pool had no row left: such a row is a stand-in and no new sample.
        note: (n,) "" or why the method did something else than its name says ("fallback: ...").
        parents: (n, p) positions of the parents among the fitted rows, -1 for none. Only from
            :meth:`~augmint.core.protocols.Synthesizer.sample_fitted`, in place of ``refs``, which are then (n, 0).
    """

    z: F32
    refs: Text
    label_weights: F32
    length: I64 | None = None
    pick: I64 | None = None
    note: Text | None = None
    parents: I64 | None = None

    def __len__(self) -> int:
        return len(self.z)


@dataclass(frozen=True)
class Child:
    """A rewritten sample, and what is to be told of it.

    Attributes:
        sample: the child, with "" as id.
        parents: (id, label weight) of the real samples it was made of, the weights >= 0 with sum 1; none for the
            rewritten sample alone.
        note: "" or why the method did something else than its name says ("fallback: ...").
    """

    sample: Sample
    parents: tuple[tuple[str, float], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class TrainingSet:
    """What a student learns from: real rows and, below them, minted ones.

    Attributes:
        samples: n samples; their own ``target`` is not looked at.
        y: (n, k) float32 label weights of each row, which sum to 1.
        weight: (n,) float32 > 0: how often a row is met in training, relative to the others.
        minted: (n,) True for rows that were made. They are trained on and never validated on.
        classes: the k names.
        transform: on-the-fly change of a batch, or None.
        mixup: parameter of the Beta distribution of on-the-fly mixup (Zhang et al. 2018); 0 for none.
    """

    samples: tuple[Sample, ...]
    y: F32
    weight: F32
    minted: Bool
    classes: tuple[str, ...]
    transform: Transform | None = None
    mixup: float = 0.0

    def __post_init__(self) -> None:
        sizes = {"samples": len(self.samples), "y": len(self.y), "weight": len(self.weight), "minted": len(self.minted)}
        if len(set(sizes.values())) > 1 or self.y.shape[1:] != (len(self.classes),):
            shape = self.y.shape
            raise ValueError(f"got: {sizes}, y of shape {shape}; expected: equal rows, y (n, {len(self.classes)})")

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class Budget:
    """What a student may spend; the same in every arm that is compared.

    Attributes:
        updates: steps of gradient descent, whatever the number of rows.
        batch: rows of a step, drawn with replacement by ``weight``.
        trials: settings (regularisation, learning rate) it may try by inner validation on real rows; 1 for none.
    """

    updates: int = 150
    batch: int = 32
    trials: int = 1
